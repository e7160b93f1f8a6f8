//! What a change of a file, or of the files of a folder, would do: `hob why --file` and `hob explain`.
#![allow(clippy::disallowed_methods, reason = "a command that looks at what a person names")]

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use crate::execute::Snapshot;
use crate::host::entry_at;
use crate::model::{Aside, Effect, Fallback, FileParts, RebuildReason, Reload, Service, ServiceName, clean_path};
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
        json.push(json!({"service": service, "effect": effect.to_string(), "because": why.to_string()}));
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
                groups.entry((effect.of_many(), why.of_many())).or_insert((0, file)).0 += 1;
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

/// What a change of a path does to a service.
#[derive(Clone, Debug)]
pub enum Does {
    /// Nothing, and no build reads it.
    Nothing,
    /// Nothing that a running program waits for.
    Later,
    /// That is not known before the base image is there.
    Unknown,
    /// It goes to this path in the container.
    Sync(String),
    /// What its `reload` says.
    Reload(Reload),
    /// A build.
    Rebuild,
}

/// Why it does that.
#[derive(Clone, Debug)]
pub enum Why {
    /// Nothing follows what the build reads there.
    OnlyRead,
    /// No running program needs it.
    Aside(Aside),
    /// This image has to be looked at first.
    NoBaseImage(String),
    /// It is copied.
    Copied(ReloadReason),
    /// The container has it already.
    Seen,
    /// It cannot be synced.
    Rebuild(RebuildReason),
}

impl Does {
    /// The same of many files: where each goes is a matter of its name.
    fn of_many(&self) -> String {
        match self {
            Self::Sync(_) => "sync".to_owned(),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Does {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Later => f.write_str(LATER),
            Self::Unknown => f.write_str("unknown until the base image is pulled"),
            Self::Sync(path) => write!(f, "sync to {path}"),
            Self::Reload(then) => f.write_str(&format!("{then:?}").to_lowercase()),
            Self::Rebuild => f.write_str("rebuild"),
        }
    }
}

impl Why {
    fn of_many(&self) -> String {
        match self {
            Self::Aside(aside) => aside.of_many(),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnlyRead => f.write_str("the build reads it, and nothing follows it"),
            Self::Aside(aside) => aside.fmt(f),
            Self::NoBaseImage(image) => write!(f, "{image} is not on the engine"),
            Self::Copied(why) => why.fmt(f),
            Self::Seen => f.write_str("the container sees it already, and it is asked for"),
            Self::Rebuild(why) => why.fmt(f),
        }
    }
}

/// What a change of a path does to a service and why; `None` where it does nothing.
pub fn of(snapshot: &Snapshot, read: &Read, service: &ServiceName, path: &Path) -> Option<(Does, Why)> {
    let is_read = read.reads(service, path);
    Some(match snapshot.wanted.watch.get(service)?.effects.effect(path, entry_at(path).ok().as_ref()) {
        Effect::Nothing if is_read => (Does::Later, Why::OnlyRead),
        Effect::Nothing => return None,
        Effect::Aside(why) => (if is_read { Does::Later } else { Does::Nothing }, Why::Aside(why)),
        Effect::Rebuild { why: RebuildReason::WholeContext { fallback: Fallback::UnknownBaseImage { image } } } => {
            (Does::Unknown, Why::NoBaseImage(image))
        }
        Effect::Sync { targets, then } => {
            let left = snapshot.project.services.get(service).and_then(|service| {
                plan::follows(service, snapshot.wanted.reloaders.get(&service.name), &targets, then.as_ref()).1
            });
            let target = targets.into_iter().next()?;
            let why = ReloadReason::Copied { by: target.by, reloader: left.map(|reloader| reloader.name.clone()) };
            (Does::Sync(target.path), Why::Copied(why))
        }
        Effect::Reload { then, .. } => (Does::Reload(then), Why::Seen),
        Effect::Rebuild { why } => (Does::Rebuild, Why::Rebuild(why)),
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
