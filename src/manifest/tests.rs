//! Loads from a tree in memory.

mod diagnostics;
mod golden;
mod keys;
mod language;
mod laws;
mod places;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::*;
use crate::model::{Entry, EntryKind, FileTree, Project};

/// Files by path.
#[derive(Clone, Debug, Default)]
pub struct Memory(pub BTreeMap<PathBuf, String>);

impl FileTree for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.get(path).map(|text| text.clone().into_bytes()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn entry(&self, path: &Path) -> io::Result<Entry> {
        let name = path.file_name().unwrap_or_default().to_owned();
        let kind = match self.0.get(path) {
            Some(text) => EntryKind::File { size: text.len() as u64 },
            None if self.0.keys().any(|file| file.starts_with(path)) => EntryKind::Dir,
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Entry { name, kind, mode: 0o644 })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.0.keys().filter(|file| file.parent() == Some(path)).map(|file| self.entry(file)).collect()
    }
}

/// A load in `/p` of files that are named relative to it.
pub fn run(files: &[(&str, &str)], change: impl FnOnce(&mut LoadOptions)) -> super::load::Loaded {
    let tree = Memory(files.iter().map(|(path, text)| (Path::new("/p").join(path), (*text).to_owned())).collect());
    let mut options = LoadOptions {
        working_dir: PathBuf::from("/p"),
        environment: [("HOME", "/home/me"), ("A", "a"), ("EMPTY", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..LoadOptions::default()
    };
    change(&mut options);
    load(&tree, &options)
}

/// The project of a manifest that must load.
pub fn project(text: &str) -> Project {
    project_of(&[("devenv.yaml", text)])
}

/// The project of files that must load.
pub fn project_of(files: &[(&str, &str)]) -> Project {
    let loaded = run(files, |_| {});
    let text: String = loaded.diagnostics.iter().map(ToString::to_string).collect();
    loaded.project.unwrap_or_else(|| panic!("does not load:\n{text}"))
}

/// All diagnostics of files as one text.
pub fn complaints(files: &[(&str, &str)]) -> String {
    run(files, |_| {}).diagnostics.iter().map(|diagnostic| format!("{diagnostic}\n")).collect()
}
