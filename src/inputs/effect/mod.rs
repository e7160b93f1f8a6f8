//! What a change of a path asks for, in types.

pub(crate) mod decide;
pub(crate) mod housekeeping;
pub(crate) mod map;
pub(crate) mod mounts;
pub(crate) mod rules;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::inputs::error::Place;
use crate::inputs::recipe::Fallback;

/// What a change of a path asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "effect")]
pub enum Effect {
    /// Nothing: the running container would not differ.
    Nothing {
        /// Why.
        why: SkipReason,
    },
    /// The file can be put into running containers, and they are then as after a rebuild.
    HotSync {
        /// What to put or remove, in this order.
        targets: Vec<SyncTarget>,
    },
    /// The image must be built again.
    Rebuild {
        /// Why.
        why: RebuildReason,
    },
}

/// Why a change asks for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// It is in no folder that the build reads.
    Outside,
    /// The ignore file leaves it out.
    Ignored,
    /// No instruction reads it.
    NotRead,
    /// A later instruction overwrites what this file becomes.
    Overwritten,
    /// It is a folder that was there before, with the same permissions.
    Unchanged,
}

/// One thing to do in the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SyncTarget {
    /// The path on the host.
    pub source: std::path::PathBuf,
    /// The absolute path in the container.
    pub path: String,
    /// The folder that the instruction names; the path is in or below it.
    pub base: String,
    /// What to do there.
    pub action: SyncAction,
    /// `--chown` as written; none is root.
    pub chown: Option<String>,
    /// `--chmod` as written, octal or symbolic; none keeps the mode on the host.
    pub chmod: Option<String>,
    /// The builder would unpack the file if it were an archive ([`crate::model::is_archive`]); then rebuild instead.
    pub unpacks: bool,
    /// The instruction's place in the Dockerfile.
    pub place: Place,
}

/// What to do at a target. Where it cannot be done (a folder is in the place of a file, a file in that of a folder),
/// the base image has something there that no file of the host shows, and the image must be built again.
///
/// Removals of a batch come first, the deepest ones before those above; then the others, folders before what is in
/// them and the targets of one path in their order. Folders that are missing above a target are made with mode 0755
/// and the target's owner. Links among the folders of a path are followed, a link at its end is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncAction {
    /// Write the file or the link, and the folders above it.
    Put,
    /// Make the folder, with its mode.
    MakeFolder,
    /// Remove the file or the link.
    Remove,
    /// Remove the folder if it is empty.
    RemoveFolder,
}

/// Why a change needs a rebuild.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum RebuildReason {
    /// It is the Dockerfile.
    Dockerfile,
    /// It is an ignore file, so that other files may count now.
    IgnoreFile,
    /// It is a secret of the build.
    Secret {
        /// Its id.
        id: String,
    },
    /// The whole context counts as read.
    WholeContext {
        /// Why.
        fallback: Fallback,
    },
    /// A `RUN` reads it through a bind mount.
    Mounted {
        /// The `RUN`.
        place: Place,
    },
    /// A stage reads it whose result is used in another way than by starting from it.
    OtherStage {
        /// The stage.
        stage: String,
        /// The instruction that reads it.
        place: Place,
    },
    /// A later `RUN` may depend on it.
    LaterRun {
        /// The `RUN`.
        place: Place,
    },
    /// Another stage takes files from the one that it is copied into.
    ReadByStage {
        /// The stage.
        stage: String,
    },
    /// Where it goes depends on a variable.
    UnclearVariable {
        /// The instruction.
        place: Place,
        /// The variable.
        name: String,
    },
    /// Where it goes is relative to the base image's working folder, which is not known.
    UnclearWorkingDir {
        /// The instruction.
        place: Place,
    },
    /// Whether the destination is a folder is not known.
    UnclearDestination {
        /// The instruction.
        place: Place,
        /// The destination.
        dest: String,
    },
    /// Several sources become the same file, or `--exclude` may leave it out.
    UnclearSource {
        /// The instruction.
        place: Place,
    },
    /// `ADD` unpacks it.
    Archive {
        /// The `ADD`.
        place: Place,
    },
    /// It is a link that leads to a source, or something is copied through it.
    Link {
        /// The instruction.
        place: Place,
    },
    /// It became something else: a folder where a file was, or the other way round.
    KindChanged,
    /// A source, a folder above one, or perhaps the last match of a pattern is gone; or it is the first match.
    SourceGone {
        /// The instruction.
        place: Place,
    },
    /// A later instruction may overwrite what it becomes.
    MayBeOverwritten {
        /// That instruction.
        place: Place,
    },
    /// It is gone, and what it covered would come to light: another instruction's file, or the base image's.
    Uncovers {
        /// The path in the image.
        path: String,
    },
    /// The context itself is gone.
    ContextGone,
}

impl std::fmt::Display for RebuildReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dockerfile => f.write_str("it is the Dockerfile"),
            Self::IgnoreFile => f.write_str("it decides which files count"),
            Self::Secret { id } => write!(f, "the build mounts it as secret {id}"),
            Self::WholeContext { fallback } => write!(f, "any file may be read: {fallback}"),
            Self::Mounted { place } => write!(f, "the RUN in line {} reads it", place.line),
            Self::OtherStage { stage, place } => write!(f, "stage {stage} reads it in line {}", place.line),
            Self::LaterRun { place } => write!(f, "the RUN in line {} comes after it", place.line),
            Self::ReadByStage { stage } => write!(f, "stage {stage} takes files from where it is copied to"),
            Self::UnclearVariable { place, name } => {
                write!(f, "line {} depends on ${name}, whose value is not known before the build", place.line)
            }
            Self::UnclearWorkingDir { place } => {
                write!(f, "line {} is relative to the base image's working folder, which is not known", place.line)
            }
            Self::UnclearDestination { place, dest } => write!(
                f,
                "whether {dest} in line {} is a folder is not known; write {dest}/ if it is, for hot sync",
                place.line
            ),
            Self::UnclearSource { place } => write!(f, "line {} may take another file in its place", place.line),
            Self::Archive { place } => write!(f, "the ADD in line {} unpacks it", place.line),
            Self::Link { place } => write!(f, "line {} goes through a link", place.line),
            Self::KindChanged => f.write_str("it became a file, a folder or a link, which it was not before"),
            Self::SourceGone { place } => write!(f, "line {} finds other sources with it than without it", place.line),
            Self::MayBeOverwritten { place } => write!(f, "line {} may overwrite what it becomes", place.line),
            Self::Uncovers { path } => write!(f, "without it, another file may take its place at {path}"),
            Self::ContextGone => f.write_str("the build context is gone"),
        }
    }
}

impl Effect {
    /// The effect of two changes, or of one path that is read in two ways.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (rebuild @ Self::Rebuild { .. }, _) | (_, rebuild @ Self::Rebuild { .. }) => rebuild,
            (Self::HotSync { mut targets }, Self::HotSync { targets: more }) => {
                targets.extend(more);
                Self::HotSync { targets }
            }
            (sync @ Self::HotSync { .. }, _) | (_, sync @ Self::HotSync { .. }) => sync,
            (Self::Nothing { why: SkipReason::Outside }, other) => other,
            (nothing, _) => nothing,
        }
    }
}

/// Names of files that `ADD` may unpack, or that tell nothing about what they hold.
pub(crate) fn has_archive_name(name: &str) -> bool {
    const ENDINGS: [&str; 12] = ["tar", "gz", "tgz", "bz2", "tbz", "tbz2", "xz", "txz", "zst", "tzst", "lzma", "layer"];
    match name.rsplit_once('.') {
        None => true,
        Some((_, ending)) => ENDINGS.iter().any(|e| ending.eq_ignore_ascii_case(e)),
    }
}
