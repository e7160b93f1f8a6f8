//! The files that a build reads, as its caller gets them.

use std::path::PathBuf;
use std::sync::Arc;

use crate::model::{Digest, EntryKind};

/// One entry of a context, for a tar or a file server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextFile {
    /// Path relative to the context, with slashes.
    pub path: Arc<str>,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits as on the disk. Owners in a context are always root, times do not matter.
    pub mode: u32,
    /// Digest of a file's content; none for folders and links.
    pub digest: Option<Digest>,
    /// Its part of the build's digest; none for folders on the way.
    pub part: Option<Digest>,
    /// A folder that is there only because something below it is read; it is no part of the digest.
    pub parent_only: bool,
}

/// A context folder with what a build reads of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextFiles {
    /// Name of the additional context; none for the context itself.
    pub name: Option<String>,
    /// The folder.
    pub root: PathBuf,
    /// Its entries, sorted, every folder before what is in it.
    pub files: Vec<ContextFile>,
}

/// The Dockerfile as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerfileSource {
    /// Where it is; none for `dockerfile_inline`.
    pub path: Option<PathBuf>,
    /// Its path relative to the context, with slashes, where it is in it.
    pub relative: Option<String>,
    /// Its text.
    pub text: String,
}
