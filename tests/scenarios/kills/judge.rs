//! What is wrong after a kill and the `up` that follows it, told from the engine and the disk and not by hob.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::Work;
use super::project::{SERVICES, Town};
use crate::lab::{Lab, engine};

/// Notes every anonymous volume that a container of the project ever had: volumes carry no label of it.
pub struct Judge {
    project: String,
    anonymous: Arc<Mutex<BTreeSet<String>>>,
    over: Arc<AtomicBool>,
}

/// What was there before the kill.
pub struct Before {
    /// Anonymous volumes that `down` leaves, as Docker Compose does.
    may_stay: BTreeSet<String>,
}

/// Engines name an anonymous volume by 64 hexadecimal digits.
fn anonymous(container: &Value) -> Vec<String> {
    let mounts = container["Mounts"].as_array().cloned().unwrap_or_default();
    let names = mounts.iter().filter_map(|mount| mount["Name"].as_str().map(str::to_owned));
    names.filter(|name| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())).collect()
}

/// All containers of the project, and those of images that it built.
fn containers(lab: &Lab) -> Vec<Value> {
    let labels = [format!("com.docker.compose.project={}", lab.project), format!("test={}", lab.project)];
    let lists = labels.iter().map(|label| engine::labelled("containers/json", &[label]));
    let all: Vec<Value> = lists.flat_map(|list| list.as_array().cloned().unwrap_or_default()).collect();
    let mut seen = BTreeSet::new();
    all.into_iter().filter(|one| seen.insert(one["Id"].to_string())).collect()
}

fn name(container: &Value) -> &str {
    container["Names"][0].as_str().unwrap_or_default().trim_start_matches('/')
}

impl Judge {
    pub fn start(lab: &Lab) -> Self {
        let judge = Self { project: lab.project.clone(), anonymous: Arc::default(), over: Arc::default() };
        let (project, found, over) = (judge.project.clone(), Arc::clone(&judge.anonymous), Arc::clone(&judge.over));
        let filters = engine::escaped("{\"type\":[\"container\"],\"event\":[\"create\"]}");
        let labels = ["com.docker.compose.project", "test"];
        std::thread::spawn(move || {
            let _ = engine::lines(&format!("/events?filters={filters}"), |line| {
                let event: Value = serde_json::from_str(line).unwrap_or_default();
                let attributes = &event["Actor"]["Attributes"];
                if labels.iter().any(|label| attributes[*label] == project.as_str()) {
                    let id = event["Actor"]["ID"].as_str().unwrap_or_default();
                    let container = engine::get(&format!("/containers/{id}/json"));
                    found.lock().unwrap().extend(anonymous(&container));
                }
                !over.load(Ordering::Relaxed)
            });
        });
        judge
    }

    pub fn before(lab: &Lab, down: bool) -> Before {
        let used = containers(lab).iter().flat_map(anonymous).collect();
        Before { may_stay: if down { used } else { BTreeSet::new() } }
    }

    /// All that is wrong while the project is up.
    pub fn look(&self, town: &Town, before: &Before, work: Work) -> Vec<String> {
        let mut wrong = Vec::new();
        let all = containers(&town.lab);
        let mut found: Vec<String> =
            all.iter().map(|one| format!("{} {}", name(one), one["State"].as_str().unwrap_or_default())).collect();
        found.sort();
        let should: Vec<String> =
            SERVICES.iter().map(|(service, state)| format!("{}-{service}-1 {state}", self.project)).collect();
        if found != should {
            wrong.push(format!("containers {found:?}, and not {should:?}"));
        }
        let mut networks = town.lab.names("networks");
        networks.sort();
        let should = ["back", "default"].map(|name| format!("{}_{name}", self.project));
        if networks != should {
            wrong.push(format!("networks {networks:?}"));
        }
        let mut is = |what: &str, found: Option<String>, wanted: String| {
            if found.as_ref() != Some(&wanted) {
                wrong.push(format!("{what} is {found:?}, and not {wanted:?}"));
            }
        };
        is("the mode of db", town.variable("db", "MODE"), town.db_mode.to_string());
        is("the mode of web", town.variable("web", "MODE"), town.web_mode.to_string());
        let run = |service: &str, command: &str| {
            let done = town.lab.hob(&["exec", "-T", service, "sh", "-c", command]);
            (done.code == 0).then(|| done.out.trim_end().to_owned())
        };
        is("the source in api", run("api", "cat /src/file"), town.source.to_string());
        is("the list of files in api", run("api", "ls -A /src | grep -vx large"), "file".to_owned());
        if !matches!(work, Work::First | Work::DownVolumes) {
            is("the data", run("db", "cat /data/token"), town.data.to_string());
        }
        if !work.loses_scratch() {
            is("the data in an anonymous volume", run("db", "cat /scratch/token"), town.data.to_string());
        }
        wrong.extend(self.left(&town.lab, &all, before));
        wrong
    }

    /// What is there and is nobody's.
    fn left(&self, lab: &Lab, all: &[Value], before: &Before) -> Vec<String> {
        let mut wrong = Vec::new();
        let used: BTreeSet<String> = all.iter().flat_map(anonymous).collect();
        let mut known = self.anonymous.lock().unwrap();
        for volume in known.clone().difference(&used) {
            known.remove(volume);
            if engine::get(&format!("/volumes/{volume}"))["Name"] != volume.as_str() {
                continue;
            }
            if before.may_stay.contains(volume) {
                engine::delete(&format!("/volumes/{volume}"));
            } else {
                wrong.push(format!("anonymous volume {volume} is left"));
            }
        }
        for folder in ["cache", "run", "tmp"] {
            let files = files(&lab.outside(folder));
            let name = |file: &str| file.rsplit('/').next().unwrap_or_default().to_owned();
            let odd = files.iter().filter(|file| {
                folder == "tmp"
                    || name(file).contains("tmp")
                    || folder == "run" && std::path::Path::new(file).extension().is_none_or(|ext| ext != "lock")
            });
            wrong.extend(odd.map(|file| format!("file {file} is left")));
        }
        wrong.extend(processes(&lab.outside("cache")));
        wrong
    }

    /// What is left of the whole project.
    pub fn gone(&self, lab: &Lab) -> Vec<String> {
        let all = containers(lab);
        let mut wrong: Vec<String> = all.iter().map(|one| format!("container {} is left", name(one))).collect();
        wrong.extend(lab.names("networks").iter().map(|name| format!("network {name} is left")));
        wrong.extend(lab.names("volumes").iter().map(|name| format!("volume {name} is left")));
        wrong.extend(self.left(lab, &all, &Before { may_stay: BTreeSet::new() }));
        wrong
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files(&path));
        } else {
            found.push(path.display().to_string());
        }
    }
    found
}

/// Processes that a hob of this lab started, directly or not, told by their environment.
fn processes(cache: &Path) -> Vec<String> {
    let mark = format!("HOB_CACHE_DIR={}", cache.display());
    let has = |environment: &[u8]| environment.windows(mark.len()).any(|window| window == mark.as_bytes());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        if fs::read(entry.path().join("environ")).is_ok_and(|environment| has(&environment)) {
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            found.push(format!("process {} {command} is left", entry.file_name().display()));
        }
    }
    found
}
