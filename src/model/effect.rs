//! What a change of a file asks for.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::{Entry, Place, RebuildReason, Reload, RuleName};

/// Answers what a change of a path asks for: from a Dockerfile, or from rules of the manifest.
pub trait Effects: Send + Sync {
    /// What a change of this absolute path (written, made, removed or renamed) asks for. `now` is what is there; `None` if
    /// nothing is.
    fn effect(&self, path: &Path, now: Option<&Entry>) -> Effect;

    /// Why a path that the build reads asks for nothing, though its content was another one at some time. What is there
    /// now need not differ from what was last measured.
    fn aside(&self, path: &Path, now: Option<&Entry>) -> Option<Aside> {
        match self.effect(path, now) {
            Effect::Aside(aside) => Some(aside),
            _ => None,
        }
    }

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
    /// The image must be built again.
    Rebuild {
        /// Why it cannot be synced.
        why: RebuildReason,
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

    /// The same of many files: without the place in the container, which is another one for each.
    pub fn of_many(&self) -> String {
        match self {
            Self::Mounted { .. } => "mounted: the container sees it".to_owned(),
            Self::Hidden { .. } => "hidden: something is mounted over it".to_owned(),
            Self::Output | Self::IgnoreFile | Self::Housekeeping { .. } => self.to_string(),
        }
    }
}

impl fmt::Display for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mounted { at, .. } | Self::Hidden { at } => write!(f, "{} at {at}", self.of_many()),
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
    /// What asks for it.
    pub by: CopiedBy,
    /// `--chown` of the instruction, as written; `None` for root.
    pub owner: Option<String>,
    /// `--chmod` of the instruction, as written, octal or symbolic; `None` keeps the file's own bits.
    pub mode: Option<String>,
    /// The builder would unpack it if it were an archive ([`crate::model::is_archive`]): then it is not synced.
    pub unpacks: bool,
}

/// What says that a file goes into the container, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum CopiedBy {
    /// An instruction of a Dockerfile.
    Instruction {
        /// The Dockerfile, relative to the context.
        dockerfile: String,
        /// Where the instruction is in it.
        place: Place,
    },
    /// A rule of the manifest: what it puts there belongs to the container's user, and takes the place of what is there.
    Rule(RuleName),
    /// A mount: the container sees it without a copy, and what it sees is compared.
    Mount,
}

impl CopiedBy {
    /// Whether a rule of the manifest says it.
    pub fn is_rule(&self) -> bool {
        matches!(self, Self::Rule(_))
    }
}

impl fmt::Display for CopiedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instruction { dockerfile, place } => {
                write!(f, "{dockerfile}:{} copies it and nothing after that reads it", place.line)
            }
            Self::Rule(rule) => rule.fmt(f),
            Self::Mount => f.write_str("a mount shows it"),
        }
    }
}

/// What to do at a target. Where it cannot be done (a folder is in the place of a file, a file in that of a folder),
/// the base image has something there that no file of the host shows, and the image must be built again.
///
/// Removals of a batch come first, the deepest ones before those above; then the others, folders before what is in
/// them and the targets of one path in their order. Folders that are missing above a target are made with mode 0755
/// and the target's owner. Links among the folders of a path are followed, a link at its end is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncAction {
    /// Write the file or the link, and the folders above it.
    Put,
    /// Make the folder, with its mode.
    MakeFolder,
    /// Remove the file, the link or, with all in it, the folder.
    Remove,
    /// Remove the folder if it is empty.
    RemoveFolder,
}
