//! The files of a container as the engine exports them, and how two of them differ.

use std::collections::BTreeMap;
use std::io::Read as _;

use crate::lab::engine;

/// Paths that are the engine's or hob's own, and differ from container to container.
const OWN: [&str; 7] = ["etc", "dev", "proc", "sys", ".dockerenv", ".hob", "bin"];

/// All that a container has, by path.
pub type Files = BTreeMap<String, File>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    kind: tar::EntryType,
    mode: u32,
    owner: (u64, u64),
    link: String,
    content: Vec<u8>,
}

impl std::fmt::Display for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, mode, owner, link, content } = self;
        write!(f, "{kind:?} {mode:o} {}:{}", owner.0, owner.1)?;
        match kind {
            tar::EntryType::Regular => {
                let shown = String::from_utf8_lossy(&content[..content.len().min(40)]).into_owned();
                write!(f, " {} bytes {shown:?}", content.len())
            }
            tar::EntryType::Symlink => write!(f, " -> {link}"),
            _ => Ok(()),
        }
    }
}

/// Reads a container, whether it runs or not; `None` where it is gone.
pub fn read(container: &str) -> Option<Files> {
    let (status, tar) = engine::request("GET", &format!("/containers/{container}/export"), "").ok()?;
    if status != 200 {
        return None;
    }
    let mut files = Files::new();
    for entry in tar::Archive::new(tar.as_slice()).entries().ok()? {
        let mut entry = entry.ok()?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).trim_matches('/').to_owned();
        if OWN.iter().any(|own| path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))) {
            continue;
        }
        let link = entry.link_name_bytes().map(|link| String::from_utf8_lossy(&link).into_owned()).unwrap_or_default();
        let header = entry.header();
        let (mode, owner) = (header.mode().unwrap(), (header.uid().unwrap(), header.gid().unwrap()));
        let mut kind = header.entry_type();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).ok()?;
        // Two names of one file are two files here.
        if kind == tar::EntryType::Link
            && let Some(other) = files.get(link.trim_matches('/'))
        {
            let other: &File = other;
            (kind, content) = (other.kind, other.content.clone());
        }
        let link = if kind == tar::EntryType::Symlink { link } else { String::new() };
        files.insert(path, File { kind, mode: mode & 0o7777, owner, link, content });
    }
    Some(files)
}

/// What differs, one line each. Ignore files are inputs of the build and never a reason to touch a container.
pub fn differences(hot: &Files, rebuilt: &Files) -> Vec<String> {
    let mut found = Vec::new();
    for (path, file) in hot.iter().filter(|(path, _)| !path.ends_with(".dockerignore")) {
        match rebuilt.get(path) {
            Some(other) if other == file => {}
            Some(other) => found.push(format!("/{path}: hot {file}; rebuilt {other}")),
            None => found.push(format!("/{path}: hot {file}; rebuilt has nothing")),
        }
    }
    for (path, file) in rebuilt.iter().filter(|(path, _)| !path.ends_with(".dockerignore")) {
        if !hot.contains_key(path) {
            found.push(format!("/{path}: hot has nothing; rebuilt {file}"));
        }
    }
    found
}
