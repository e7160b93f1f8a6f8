//! What measuring a build gives: the digest that names its image, and what a change of a file asks for.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Digest, Parts, Reload};

/// Everything that a service's image depends on, measured at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Digest over all parts; equal digests give equal images.
    pub digest: Digest,
    /// The parts, so that a change can be named.
    pub parts: Parts,
    /// Why the whole context counts, where the Dockerfile could not be understood whole.
    pub fallback: Option<String>,
    /// Base images and images of other stages that come from outside.
    pub base_images: Vec<String>,
}

/// What is watched for a service, and what a change asks for.
#[derive(Clone)]
pub struct Watch {
    /// What a change of a path asks for.
    pub effects: Arc<dyn Effects>,
    /// Folders in which a change can matter: watched, one by one.
    pub folders: BTreeSet<PathBuf>,
    /// Something may follow a change. Else it is only told apart from services that read the same files.
    pub acts: bool,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("folders", &self.folders).finish_non_exhaustive()
    }
}

impl Measured {
    /// The names of parts that are not the same in another measure of the same build.
    pub fn differing(&self, before: &[(String, Digest)]) -> Vec<String> {
        // A context may have tens of thousands of files.
        let mut then: HashMap<&str, &Digest> = before.iter().map(|(name, digest)| (name.as_str(), digest)).collect();
        let mut names = Vec::new();
        self.parts.each(&mut |name, digest| {
            if then.remove(name) != Some(digest) {
                names.push(name.to_owned());
            }
        });
        names.extend(before.iter().filter(|(name, _)| then.contains_key(name.as_str())).map(|(name, _)| name.clone()));
        names
    }
}

/// A program that reloads itself when a file in its container changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloader {
    /// What it was recognised by, such as `uvicorn --reload`.
    pub name: String,
    /// Names of folders whose files it reads only when it starts.
    pub except: Vec<String>,
}

impl Reloader {
    /// Whether it takes up a change of this file of the container.
    pub fn covers(&self, path: &str) -> bool {
        let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
        !folders.split('/').any(|folder| self.except.iter().any(|except| except == folder))
    }
}

impl fmt::Display for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} reloads itself", self.name)
    }
}

/// Answers what a change of a path asks for: from a Dockerfile, or from rules of the manifest.
pub trait Effects: Send + Sync {
    /// What a change of this absolute path (written, made, removed or renamed) asks for.
    fn effect(&self, path: &Path) -> Effect;

    /// Whether a folder can hold files that matter; ignored ones are not even watched.
    fn wants_folder(&self, path: &Path) -> bool;

    /// Whether an ignore file leaves the path out of the build.
    fn leaves_out(&self, _path: &Path) -> bool {
        false
    }

    /// What is put into a container before the first change of it (`initial_sync`), and what follows.
    fn at_start(&self) -> (Vec<SyncTarget>, Reload) {
        (Vec::new(), Reload::None)
    }
}

/// What a change of one path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// No build reads it.
    Nothing,
    /// Nothing that a running container waits for.
    Aside(Aside),
    /// It can be put into the running container.
    Sync {
        /// What to do, in this order; more than one where several instructions copy it.
        targets: Vec<SyncTarget>,
        /// What follows, where a rule of `develop.watch` says it; else the service's `reload` does.
        then: Option<Reload>,
    },
    /// The container sees it already (a bind mount), or need not: only this follows.
    Reload {
        /// What follows.
        then: Reload,
        /// The path in the container of a file that is mounted by itself: a mount shows the file that was there when
        /// the container was started, and not one that took its name later.
        file: Option<String>,
    },
    /// What it asks for is not known before this image is on the engine.
    Unknown {
        /// The base image.
        image: String,
    },
    /// The image must be built again.
    Rebuild {
        /// Why it cannot be synced, such as `RUN pip install (Dockerfile:7) may depend on it`.
        why: String,
    },
}

impl Effect {
    /// Whether something is to be done for it, now.
    pub fn acts(&self) -> bool {
        !matches!(self, Self::Nothing | Self::Aside(_))
    }
}

/// Why a change of something that a build reads is no reason to do anything to a running container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aside {
    /// The container sees it through a bind mount, and nobody said what is to follow.
    Mounted {
        /// Its path in the container.
        at: String,
        /// The manifest says that nothing is to follow.
        said: bool,
    },
    /// Something is mounted over the place where the image has it.
    Hidden {
        /// Where that is mounted.
        at: String,
    },
    /// hob's own output goes there: what is written for a change would be the next change.
    Output,
    /// An ignore file that is in no image: it says what a build reads, and no program reads it.
    IgnoreFile,
    /// Version control, an editor's own, an ignore file, the manifest: the image has it, and no program needs it.
    Housekeeping {
        /// What an ignore file would name.
        pattern: String,
        /// The ignore file of the build, whether it is there or not.
        ignore_file: PathBuf,
    },
}

impl Aside {
    /// Whether an image has something else for it, that a container made from it would not hide.
    pub fn is_in_image(&self) -> bool {
        matches!(self, Self::Housekeeping { .. } | Self::IgnoreFile)
    }
}

impl fmt::Display for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mounted { at, .. } => write!(f, "mounted: the container sees it at {at}"),
            Self::Hidden { at } => write!(f, "hidden: something is mounted over it at {at}"),
            Self::Output => f.write_str("hob's own output goes there"),
            Self::IgnoreFile => f.write_str("it says what the build reads, and no program reads it"),
            Self::Housekeeping { pattern, ignore_file } => {
                let name = ignore_file.file_name().unwrap_or_default().display();
                write!(f, "no program needs it: a line {pattern} in {name} would leave it out of the build")
            }
        }
    }
}

/// One thing to do in the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncTarget {
    /// The path on the host.
    pub source: PathBuf,
    /// Absolute path in the container.
    pub path: String,
    /// What to do there.
    pub action: SyncAction,
    /// The folder that the instruction or the rule names: links on the way to it are followed, and none below it.
    pub base: String,
    /// A rule of the manifest asks for it: it belongs to the container's user, and takes the place of what is there.
    pub by_rule: bool,
    /// `--chown` of the instruction; `None` for root.
    pub owner: Option<String>,
    /// `--chmod` of the instruction, as written; `None` keeps the file's own bits.
    pub mode: Option<String>,
    /// The builder would unpack it if it is an archive: then it is not synced.
    pub unpacks: bool,
    /// The instruction or rule, such as `COPY src/ /app/ (Dockerfile:9)`.
    pub instruction: String,
}

/// What to do at a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncAction {
    /// Write the file or the link, and the folders above it.
    Put,
    /// Make the folder.
    MakeFolder,
    /// Remove the file, the link or, with all in it, the folder.
    Remove,
    /// Remove the folder if it is empty.
    RemoveFolder,
}
