//! Compares hob's canonical JSON with what Docker Compose printed for the projects of `tests/corpus`, and for those of the
//! folder that `HOB_CORPUS` names, where it does: a larger collection, laid out alike. `scripts/record-corpus` says how,
//! and records the answers.
//!
//! Two models are equal if they differ only in the order of keys, in absolute paths outside of the project, in numbers
//! written differently (1 and 1.0), and in what is empty or null where nothing means the same; `same` has the rules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use hob::for_tests::manifest::{LoadOptions, json, load};
use hob::for_tests::model::{Entry, EntryKind, FileTree};
use serde_json::{Map, Value};

struct Disk;

impl FileTree for Disk {
    /// Some symbolic links of the projects came into the corpus as files that hold the link's target.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let bytes = std::fs::read(path)?;
        let link = std::str::from_utf8(&bytes).ok().filter(|text| text.len() < 200 && !text.contains(['\n', ' ', '=']));
        match link.zip(path.parent()).map(|(link, parent)| parent.join(link)) {
            Some(target) if target.is_file() => self.read(&target),
            _ => Ok(bytes),
        }
    }

    fn entry(&self, path: &Path) -> io::Result<Entry> {
        let meta = std::fs::symlink_metadata(path)?;
        let kind = if meta.is_dir() {
            EntryKind::Dir
        } else if meta.is_symlink() {
            EntryKind::Symlink(std::fs::read_link(path)?)
        } else {
            EntryKind::File { size: meta.len() }
        };
        Ok(Entry { name: path.file_name().unwrap_or_default().to_owned(), kind, mode: 0o644 })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        std::fs::read_dir(path)?.map(|entry| self.entry(&entry?.path())).collect()
    }
}

/// The project's own collection, and that of `HOB_CORPUS`.
fn corpora() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let named = std::env::var_os("HOB_CORPUS").map(PathBuf::from);
    std::iter::once(own).chain(named).map(|path| path.canonicalize().unwrap()).collect()
}

fn read_json(path: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// The text of a path, where the corpus and the home folder are replaced by their names.
fn portable(value: &mut Value, projects: &str, home: &str) {
    match value {
        Value::String(text) if (text.contains(projects) || text.contains(home)) => {
            *text = text.replace(projects, "${CORPUS}").replace(home, "${HOME}");
        }
        Value::Array(list) => list.iter_mut().for_each(|value| portable(value, projects, home)),
        Value::Object(map) => map.values_mut().for_each(|value| portable(value, projects, home)),
        _ => {}
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Names of things: the name counts, and null is an empty thing.
    Names,
    /// Keys with values: the key and null count.
    Values,
    /// A known structure: null and empty are nothing.
    Struct,
    /// `x-`: everything counts.
    Extension,
}

const SECTIONS: [&str; 6] = ["services", "networks", "volumes", "secrets", "configs", "models"];
const NAMES: [&str; 4] = ["networks", "depends_on", "ulimits", "models"];
const VALUES: [&str; 10] = [
    "environment",
    "args",
    "labels",
    "annotations",
    "sysctls",
    "driver_opts",
    "options",
    "additional_contexts",
    "storage_opt",
    "aux_addresses",
];

fn kind(path: &[String]) -> Kind {
    if path.iter().any(|part| part.starts_with("x-")) {
        return Kind::Extension;
    }
    let is = |index: usize, names: &[&str]| path.get(index).is_some_and(|part| names.contains(&part.as_str()));
    let last = path.len().wrapping_sub(1);
    match path.len() {
        1 if is(0, &SECTIONS) => Kind::Names,
        3 if is(0, &["services"]) && is(2, &NAMES) => Kind::Names,
        3.. if is(2, &["build"]) && is(last, &["ulimits"]) => Kind::Names,
        3.. if is(0, &SECTIONS) && is(last, &VALUES) => Kind::Values,
        _ => Kind::Struct,
    }
}

fn normalised(value: &Value, path: &mut Vec<String>) -> Value {
    match value {
        Value::Object(map) => {
            let kind = kind(path);
            let mut out = Map::new();
            for (key, value) in map {
                path.push(key.clone());
                let value = normalised(value, path);
                path.pop();
                let nothing = match kind {
                    Kind::Values | Kind::Extension => false,
                    Kind::Names => {
                        out.insert(key.clone(), if value.is_null() { Value::Object(Map::new()) } else { value });
                        continue;
                    }
                    Kind::Struct if key.starts_with("x-") => false,
                    Kind::Struct => match &value {
                        Value::Null => true,
                        Value::Object(map) => map.is_empty(),
                        Value::Array(list) => {
                            list.is_empty() && !matches!(key.as_str(), "command" | "entrypoint" | "test")
                        }
                        _ => false,
                    },
                };
                if !nothing {
                    out.insert(key.clone(), value);
                }
            }
            Value::Object(out)
        }
        Value::Array(list) => {
            let items = list.iter().enumerate().map(|(index, value)| {
                path.push(index.to_string());
                let value = normalised(value, path);
                path.pop();
                value
            });
            Value::Array(items.collect())
        }
        other => other.clone(),
    }
}

/// The first few places where two normalised models differ.
fn differences(peer: &Value, ours: &Value, path: &str, out: &mut Vec<String>) {
    if out.len() >= 5 {
        return;
    }
    match (peer, ours) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
                let null = Value::Null;
                differences(a.get(key).unwrap_or(&null), b.get(key).unwrap_or(&null), &format!("{path}.{key}"), out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differences(a, b, &format!("{path}.{index}"), out);
            }
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => {}
        (a, b) if a == b => {}
        (a, b) => out.push(format!("{path}: Compose has {a}, hob has {b}")),
    }
}

fn texts(case: &Value, key: &str) -> Vec<String> {
    let list = case[key].as_array().into_iter().flatten();
    list.filter_map(|value| value.as_str().map(ToOwned::to_owned)).collect()
}

fn options(project: &Path, case: &Value, home: &str) -> LoadOptions {
    let mut environment: BTreeMap<String, String> = [
        ("HOME", home),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("TZ", "UTC"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let working_dir = project.join(case["dir"].as_str().unwrap_or("."));
    environment.insert("PWD".to_owned(), working_dir.display().to_string());
    let env_json = read_json(&project.join("env.json")).filter(|_| case["use_env_json"] != Value::Bool(false));
    for variables in [env_json.as_ref(), case.get("env")].into_iter().flatten().filter_map(Value::as_object) {
        for (name, value) in variables {
            environment.insert(name.clone(), value.as_str().unwrap_or_default().to_owned());
        }
    }
    LoadOptions {
        working_dir,
        files: texts(case, "files").into_iter().map(PathBuf::from).collect(),
        profiles: texts(case, "profiles"),
        env_files: texts(case, "env_files").into_iter().map(PathBuf::from).collect(),
        project_directory: case["project_directory"].as_str().map(PathBuf::from),
        environment,
        ..LoadOptions::default()
    }
}

#[test]
fn every_project_is_read_as_compose_reads_it() {
    for root in corpora() {
        compare(&root);
    }
}

fn compare(root: &Path) {
    let projects = root.join("projects");
    let projects_text = projects.display().to_string();
    let home = "/hob-test-home";
    let mut compared = 0;
    let mut failures = Vec::new();
    let mut slugs: Vec<PathBuf> = std::fs::read_dir(&projects).unwrap().map(|entry| entry.unwrap().path()).collect();
    slugs.sort();
    for project in slugs {
        let slug = project.file_name().unwrap().to_string_lossy().into_owned();
        let Some(peer) = read_json(&root.join("peer").join(&slug).join("peer.json")) else { continue };
        let Some(description) = read_json(&project.join("project.json")) else { continue };
        for case in description["cases"].as_array().into_iter().flatten() {
            let name = case["name"].as_str().unwrap_or_default();
            let Some(answer) = peer["cases"].get(name) else { continue };
            let loaded = load(&Disk, &options(&project, case, home));
            compared += 1;
            match (answer["ok"] == Value::Bool(true), loaded.project) {
                (true, Some(ours)) => {
                    let mut ours = json(&ours);
                    portable(&mut ours, &projects_text, home);
                    let (peer, ours) =
                        (normalised(&answer["model"], &mut Vec::new()), normalised(&ours, &mut Vec::new()));
                    let mut found = Vec::new();
                    differences(&peer, &ours, "", &mut found);
                    if !found.is_empty() {
                        failures.push(format!("{slug}/{name}: {}", found.join("; ")));
                    }
                }
                (false, None) => {}
                (true, None) => {
                    let first = loaded.diagnostics.iter().map(ToString::to_string).collect::<String>();
                    failures.push(format!("{slug}/{name}: Compose accepts it, hob does not:\n{first}"));
                }
                (false, Some(_)) => {
                    let why = answer["stderr"].as_str().unwrap_or_default();
                    if !why.contains("error calling MarshalJSON") && !why.contains("panic: ") {
                        failures.push(format!("{slug}/{name}: hob accepts it, Compose does not: {why}"));
                    }
                }
            }
        }
    }
    eprintln!("{compared} cases compared");
    assert!(failures.is_empty(), "{} of {compared} differ:\n{}", failures.len(), failures.join("\n"));
    assert!(compared > 0, "the corpus at {} has no cases", root.display());
}
