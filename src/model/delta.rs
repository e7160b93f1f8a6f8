//! A delta: what makes a new image of an earlier one, where they differ in files that the last instructions copy.

use std::path::PathBuf;

use super::Digest;

/// The files by which a new image differs from an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// What is written, by path: folders before what is in them.
    pub puts: Vec<Put>,
    /// Paths that are gone, sorted.
    pub removed: Vec<Removed>,
    /// How many `COPY` and `ADD` instructions end the Dockerfile, from the first one on that made something of
    /// `removed`: what the image has below them would come to light.
    pub copies: usize,
}

/// Something that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Absolute path in the image.
    pub path: String,
    /// The path on the host.
    pub source: PathBuf,
    /// What it is.
    pub kind: PutKind,
    /// Permission bits.
    pub mode: u32,
    /// Whose it is.
    pub owner: PutOwner,
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutKind {
    /// A file with this content.
    File(Digest),
    /// A symbolic link.
    Link(PathBuf),
    /// A folder.
    Folder,
}

/// Whose something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutOwner {
    /// User and group by number.
    Ids(u32, u32),
    /// The same as of this path of the earlier image, which the same instruction made: a name of `--chown` is looked up
    /// by the builder, in the image.
    As(String),
}

/// Something that is gone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Removed {
    /// Absolute path in the image.
    pub path: String,
    /// It was a folder.
    pub folder: bool,
}

/// What an image has at a path, links among its folders not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Look {
    /// What it is.
    pub kind: LookKind,
    /// Permission bits.
    pub mode: u32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// What something in an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum LookKind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A device, a socket or a pipe.
    Other,
}
