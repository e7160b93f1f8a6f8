//! Why a change of files did what it did to a service.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{CopiedBy, Fallback, Part, RebuildReason};

/// Why a change of files, or somebody who asked for it, did what it did to a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ReloadReason {
    /// It goes into the container.
    Copied {
        /// What says so of the first file.
        by: CopiedBy,
        /// The program that is left to reload itself, by what it was recognised, such as `uvicorn --reload`.
        #[serde(skip_serializing_if = "Option::is_none")]
        reloader: Option<String>,
    },
    /// A file changed that the container sees without a copy.
    Changed {
        /// Its name.
        file: String,
        /// The path in the container of a mounted file that another one replaced: the mount shows the old one.
        #[serde(skip_serializing_if = "Option::is_none")]
        replaced: Option<String>,
    },
    /// It cannot be put into a container and be as after a build.
    Rebuild {
        /// Why.
        why: RebuildReason,
    },
    /// What it asks for is not known before this image is on the engine.
    NoBaseImage {
        /// The base image.
        image: String,
    },
    /// A part of the build changed that is no file.
    Input {
        /// The part.
        part: Part,
    },
    /// An ignore file leaves a file out that the container has.
    LeftOut {
        /// The file.
        file: PathBuf,
    },
    /// Nobody knows what the container was built from.
    UnknownContent,
    /// The service's `reload` is `rebuild`.
    ReloadIsRebuild,
    /// It does not run.
    NotRunning,
    /// Nothing can be written to its container's root file system.
    ReadOnly,
    /// It was to be put into the container, and that cannot be done.
    CannotSync {
        /// What is in the way.
        error: String,
    },
    /// `initial_sync` of `develop.watch`.
    InitialSync,
    /// A person asked for it.
    Asked,
    /// A person asked for it, and it does not run.
    AskedNotRunning,
    /// The last rebuild was not finished.
    Unfinished,
    /// All is again as what runs was built from.
    AsBuilt,
    /// It is not acted upon now.
    Held {
        /// Why not.
        hold: HoldReason,
    },
}

/// Why a change is not acted upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HoldReason {
    /// It is a job that has completed: a save does not run it again.
    Completed,
    /// Somebody stopped it: a save does not start it again.
    Stopped,
    /// Somebody removed it: a save does not make it again.
    Removed,
}

impl From<&RebuildReason> for ReloadReason {
    fn from(why: &RebuildReason) -> Self {
        match why {
            RebuildReason::WholeContext { fallback: Fallback::UnknownBaseImage { image } } => {
                Self::NoBaseImage { image: image.clone() }
            }
            why => Self::Rebuild { why: why.clone() },
        }
    }
}

impl fmt::Display for ReloadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Copied { by, reloader: None } => by.fmt(f),
            Self::Copied { by, reloader: Some(reloader) } => write!(f, "{by}; {reloader} reloads itself"),
            Self::Changed { file, replaced: None } => write!(f, "{file} changed"),
            Self::Changed { file, replaced: Some(path) } => {
                write!(f, "{file} changed; {path} was replaced, and the container has the file that was there before")
            }
            Self::Rebuild { why } => why.fmt(f),
            Self::NoBaseImage { image } => write!(f, "{image} is not there yet"),
            Self::Input { part } => write!(f, "{part} changed"),
            Self::LeftOut { file } => write!(f, "{} is left out of the build now", file.display()),
            Self::UnknownContent => f.write_str("what its container was built from is not known"),
            Self::ReloadIsRebuild => f.write_str("its `reload` is `rebuild`"),
            Self::NotRunning => f.write_str("it does not run"),
            Self::ReadOnly => f.write_str("its container's root file system is read-only"),
            Self::CannotSync { error } => write!(f, "it cannot be synced: {error}"),
            Self::InitialSync => f.write_str("`initial_sync` of develop.watch"),
            Self::Asked => f.write_str("it was asked for"),
            Self::AskedNotRunning => f.write_str("it was asked for and does not run"),
            Self::Unfinished => f.write_str("the last rebuild was not finished"),
            Self::AsBuilt => f.write_str("it is again as what runs was built from"),
            Self::Held { hold } => hold.fmt(f),
        }
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed => f.write_str("it has completed; the next `hob up` runs it again"),
            Self::Stopped => f.write_str("it was stopped; `hob start` or `hob up -d` starts it with what was saved"),
            Self::Removed => f.write_str("it was removed; `hob up -d` makes it again with what was saved"),
        }
    }
}
