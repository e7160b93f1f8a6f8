//! What a change of a file, or of the files of a folder, would do: `hob why --file` and `hob explain`.
#![allow(clippy::disallowed_methods, reason = "a command that looks at what a person names")]

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use crate::execute::Snapshot;
use crate::model::{Effect, Fallback, FileParts, RebuildReason, Service, ServiceName, clean_path};
use crate::plan::{self, ReloadReason, WantedImage};

/// What is done for a change that a build reads and no running program waits for.
const LATER: &str = "in a session nothing; the next `hob up` builds the image again";

/// The files that builds read, by service.
pub struct Read(HashMap<ServiceName, HashSet<PathBuf>>);

impl Read {
    /// What was measured.
    pub fn of(snapshot: &Snapshot) -> Self {
        let files = |(name, service): (&ServiceName, &Service)| {
            let Some(WantedImage::Built(measured)) = snapshot.wanted.images.get(name) else { return None };
            let mut files = HashSet::new();
            for FileParts { context, files: read } in measured.parts.files() {
                let file = |path: &str| snapshot.project.file_in(context.as_deref(), path, service);
                files.extend(read.iter().filter_map(|(path, _)| file(path)));
            }
            Some((name.clone(), files))
        };
        Self(snapshot.project.services.iter().filter_map(files).collect())
    }

    fn reads(&self, service: &ServiceName, path: &Path) -> bool {
        self.0.get(service).is_some_and(|files| files.contains(path))
    }
}

/// Files of a folder that are looked at; nobody reads more of an answer.
const MOST: usize = 20_000;

/// What a change of a file would do to each service; of a folder, what changes of the files in it would.
pub fn of_file(snapshot: &Snapshot, services: &[ServiceName], named: &Path) -> anyhow::Result<(String, Value)> {
    let path = named.to_str().map_or_else(|| named.to_path_buf(), |text| PathBuf::from(clean_path(text)));
    let shown = shown(snapshot, &path);
    match std::fs::symlink_metadata(&path) {
        Err(_) => {
            let failure = Failure::new(Exit::Failed, format!("{shown} does not exist"));
            Err(failure.hint("give the path of a file or a folder, relative to where you are").into())
        }
        Ok(metadata) if metadata.is_dir() => Ok(of_folder(snapshot, services, &path, &shown)),
        Ok(metadata) if !metadata.is_file() && !metadata.is_symlink() => {
            let text =
                format!("{shown} is neither a file nor a folder: no build reads it, and a change does nothing\n");
            Ok((text, json!([])))
        }
        Ok(_) => Ok(of_one(snapshot, services, &path)),
    }
}

fn of_one(snapshot: &Snapshot, services: &[ServiceName], path: &Path) -> (String, Value) {
    let (mut text, mut json) = (String::new(), Vec::new());
    let read = Read::of(snapshot);
    if is_of_manifest(snapshot, path) {
        text.push_str("the manifest reads it: after a change hob reads the manifest again\n");
        json.push(json!({"service": null, "effect": "plan"}));
    }
    for service in services {
        let Some((effect, why)) = of(snapshot, &read, service, path) else { continue };
        text.push_str(&format!("{service}: {effect}, because {why}\n"));
        json.push(json!({"service": service, "effect": effect, "because": why}));
    }
    if json.is_empty() {
        text.push_str("no service reads it: a change does nothing\n");
    }
    (text, Value::Array(json))
}

/// The files of a folder, with how many of them do the same.
fn of_folder(snapshot: &Snapshot, services: &[ServiceName], folder: &Path, shown: &str) -> (String, Value) {
    let (files, read) = (below(folder), Read::of(snapshot));
    let more = if files.len() == MOST { "more than " } else { "" };
    let mut text = format!("{shown} is a folder; a change of the {more}{} files in it:\n", files.len());
    let mut json = Vec::new();
    for service in services {
        let mut groups: IndexMap<(String, String), (usize, &Path)> = IndexMap::new();
        for file in &files {
            if let Some((effect, why)) = of(snapshot, &read, service, file) {
                // Where each goes is a matter of its name.
                let effect = effect.split_once(" to /").map_or(effect.as_str(), |(action, _)| action).to_owned();
                let why = why.split_once(" at /").map_or(why.as_str(), |(why, _)| why).to_owned();
                groups.entry((effect, why)).or_insert((0, file)).0 += 1;
            }
        }
        for ((effect, why), (count, example)) in groups {
            let example = self::shown(snapshot, example);
            text.push_str(&format!("{service}: {effect} ({count}, such as {example}), because {why}\n"));
            json.push(json!({
                "service": service, "effect": effect, "because": why, "files": count, "such": example,
            }));
        }
    }
    if json.is_empty() {
        text.push_str("no service reads them: a change does nothing\n");
    }
    (text, Value::Array(json))
}

fn is_of_manifest(snapshot: &Snapshot, path: &Path) -> bool {
    snapshot.project.files.iter().chain(&snapshot.project.env_files).any(|file| file == path)
}

/// What a change of a path does to a service and why; `None` where it does nothing.
pub fn of(snapshot: &Snapshot, read: &Read, service: &ServiceName, path: &Path) -> Option<(String, String)> {
    let is_read = read.reads(service, path);
    let nothing = if is_read { LATER } else { "nothing" };
    Some(match snapshot.wanted.watch.get(service)?.effects.effect(path) {
        Effect::Nothing if is_read => (nothing.to_owned(), "the build reads it, and nothing follows it".to_owned()),
        Effect::Nothing => return None,
        Effect::Aside(why) => (nothing.to_owned(), why.to_string()),
        Effect::Rebuild { why: RebuildReason::WholeContext { fallback: Fallback::UnknownBaseImage { image } } } => {
            ("unknown until the base image is pulled".to_owned(), format!("{image} is not on the engine"))
        }
        Effect::Sync { targets, then } => {
            let left = snapshot.project.services.get(service).and_then(|service| {
                plan::follows(service, snapshot.wanted.reloaders.get(&service.name), &targets, then.as_ref()).1
            });
            let target = targets.into_iter().next()?;
            let why = ReloadReason::Copied { by: target.by, reloader: left.map(|reloader| reloader.name.clone()) };
            (format!("sync to {}", target.path), why.to_string())
        }
        Effect::Reload { then, .. } => {
            (format!("{then:?}").to_lowercase(), "the container sees it already, and it is asked for".to_owned())
        }
        Effect::Rebuild { why } => ("rebuild".to_owned(), why.to_string()),
    })
}

/// A path as a person names it: relative to the project where it is in there.
pub fn shown(snapshot: &Snapshot, path: &Path) -> String {
    match path.strip_prefix(&snapshot.project.working_dir) {
        Ok(inside) if inside.as_os_str().is_empty() => ".".to_owned(),
        Ok(inside) => inside.display().to_string(),
        Err(_) => path.display().to_string(),
    }
}

/// The files at any depth of a folder, in order.
fn below(folder: &Path) -> Vec<PathBuf> {
    let (mut open, mut files) = (vec![folder.to_path_buf()], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok) {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(_) => files.push(entry.path()),
                Err(_) => {}
            }
        }
        if files.len() >= MOST {
            files.truncate(MOST);
            break;
        }
    }
    files.sort();
    files
}
