//! How the pure layers see files: through a trait that `host` implements on the disk and tests in memory.

use std::io;
use std::path::{Path, PathBuf};

/// What a path is, without following symbolic links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file with its size in bytes.
    File {
        /// Bytes in the file.
        size: u64,
    },
    /// A folder.
    Dir,
    /// A symbolic link and where it points, as written in the link.
    Symlink(PathBuf),
    /// A socket, a pipe or a device: never part of a build.
    Other,
}

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name inside its folder.
    pub name: std::ffi::OsString,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits (`0o7777`).
    pub mode: u32,
}

/// An entry with what listing its folder told of its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The entry.
    pub entry: Entry,
    /// The digest of a file's content, where it is known without reading the file.
    pub digest: Option<super::Digest>,
}

/// Reads files for layers that do no I/O of their own. Paths are absolute.
pub trait FileTree: Sync {
    /// The whole content of a file that describes something (a manifest, an env file, a Dockerfile), following symbolic
    /// links. What is no file, or is larger than such a file can be, is an error.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// What a path is, without following a symbolic link in its last part.
    fn entry(&self, path: &Path) -> io::Result<Entry>;

    /// The entries of a folder, in no particular order.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;

    /// The entries of many folders, in the order of the folders, for one that will ask for the digests of the files
    /// next. An implementation may list several at a time, and say which digests it knows.
    fn list_all(&self, paths: &[PathBuf]) -> Vec<io::Result<Vec<Listed>>> {
        let listed = |entry| Listed { entry, digest: None };
        paths.iter().map(|path| Ok(self.list(path)?.into_iter().map(listed).collect())).collect()
    }

    /// The SHA-256 of a file's content in hexadecimal. An implementation may answer from a cache that it can prove
    /// to be current.
    fn digest(&self, path: &Path) -> io::Result<super::Digest> {
        Ok(super::Digest::of(&self.read(path)?))
    }

    /// The digests of many files, in their order. An implementation may read several at a time.
    fn digest_all(&self, paths: &[PathBuf]) -> Vec<io::Result<super::Digest>> {
        paths.iter().map(|path| self.digest(path)).collect()
    }
}
