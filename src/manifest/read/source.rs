//! The texts that a load has read, by number, so that a problem can show the line that it is in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::manifest::read::yaml::{FileId, Span};
use crate::model::Location;

/// All texts of one load.
#[derive(Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

#[derive(Debug)]
struct Source {
    path: Arc<Path>,
    text: String,
}

impl Sources {
    /// Takes a text in.
    pub fn add(&mut self, path: &Path, text: String) -> FileId {
        self.files.push(Source { path: Arc::from(path), text });
        FileId(u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX))
    }

    /// The number of a file that was taken in.
    pub fn find(&self, path: &Path) -> Option<FileId> {
        let at = self.files.iter().position(|source| &*source.path == path)?;
        u32::try_from(at).ok().map(FileId)
    }

    /// The text of a file.
    pub fn text(&self, file: FileId) -> &str {
        self.files.get(file.0 as usize).map_or("", |source| &source.text)
    }

    /// The path of a file.
    pub fn path(&self, file: FileId) -> Option<&Arc<Path>> {
        self.files.get(file.0 as usize).map(|source| &source.path)
    }

    /// The paths of all files, by their numbers.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|source| &*source.path)
    }

    /// The line that a span is in, without its end.
    pub fn line(&self, span: Span) -> Option<&str> {
        if !span.is_known() {
            return None;
        }
        self.text(span.file).lines().nth(span.line as usize - 1)
    }

    /// The place of a span.
    pub fn locate(&self, span: Span) -> Option<Location> {
        if !span.is_known() {
            return None;
        }
        let file: PathBuf = self.path(span.file)?.to_path_buf();
        Some(Location { file, line: span.line as usize, column: span.column as usize })
    }
}
