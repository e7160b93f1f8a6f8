//! What a save did to a service.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::Message;
use super::told::{Told, with_text, with_text_if_any};
use crate::model::{Reload, ServiceName};
use crate::plan::ReloadReason;

/// What a save did to one service, and where the time went.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reloaded {
    /// The service.
    pub service: ServiceName,
    /// Files that changed, relative to the project where they are inside it.
    pub files: Vec<PathBuf>,
    /// What was done.
    #[serde(serialize_with = "with_text")]
    #[schemars(with = "Told<ReloadAction>")]
    pub action: ReloadAction,
    /// Why that and not something else; left out where it failed before that was known.
    #[serde(serialize_with = "with_text_if_any", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Told<ReloadReason>")]
    pub reason: Option<ReloadReason>,
    /// The split, microseconds.
    pub timings: Timings,
    /// Why it failed; the old state goes on.
    pub error: Option<Message>,
}

/// What was done for a save.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum ReloadAction {
    /// Files were put into the container.
    Synced {
        /// What followed.
        #[serde(skip_serializing_if = "Option::is_none")]
        then: Option<Followed>,
    },
    /// Files were deleted in the container, and none was put there.
    Deleted {
        /// What followed.
        #[serde(skip_serializing_if = "Option::is_none")]
        then: Option<Followed>,
    },
    /// Nothing was copied.
    Reloaded {
        /// What was done.
        then: Followed,
    },
    /// The image was built.
    Rebuilt {
        /// The container was recreated.
        recreated: bool,
    },
    /// The container was started.
    Started,
    /// The save is not acted upon now.
    Held,
    /// What runs is what was saved.
    NothingToDo,
    /// It failed, and the old state goes on.
    Failed,
}

/// What follows a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Followed {
    /// The program was restarted in its container.
    Restarted,
    /// The container was restarted.
    ContainerRestarted,
    /// A signal was sent to the program.
    Signalled,
    /// A command was run in the container.
    CommandRun,
}

impl Followed {
    /// What a reload comes to. `None` where nothing follows.
    pub fn of(reload: &Reload) -> Option<Self> {
        match reload {
            Reload::None | Reload::Rebuild => None,
            Reload::Restart => Some(Self::Restarted),
            Reload::Container => Some(Self::ContainerRestarted),
            Reload::Signal(_) => Some(Self::Signalled),
            Reload::Exec(_) => Some(Self::CommandRun),
        }
    }
}

impl fmt::Display for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Restarted => "restarted",
            Self::ContainerRestarted => "container restarted",
            Self::Signalled => "signalled",
            Self::CommandRun => "command run",
        })
    }
}

impl fmt::Display for ReloadAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Synced { then: None } => f.write_str("synced"),
            Self::Synced { then: Some(then) } => write!(f, "synced + {then}"),
            Self::Deleted { then: None } => f.write_str("deleted"),
            Self::Deleted { then: Some(then) } => write!(f, "deleted + {then}"),
            Self::Reloaded { then } => then.fmt(f),
            Self::Rebuilt { recreated: true } => f.write_str("rebuilt + recreated"),
            Self::Rebuilt { recreated: false } => f.write_str("rebuilt"),
            Self::Started => f.write_str("started"),
            Self::Held => f.write_str("held"),
            Self::NothingToDo => f.write_str("nothing to do"),
            Self::Failed => f.write_str("failed"),
        }
    }
}

/// Where the time between a save and the running program went, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timings {
    /// From the first event of the operating system to the quiet moment that ended the burst.
    pub noticed_us: u64,
    /// Reading and comparing, deciding.
    pub decided_us: u64,
    /// Files put into the container, or the image built.
    pub synced_us: u64,
    /// Command restarted, or container recreated.
    pub restarted_us: u64,
}

impl Timings {
    /// All of it.
    pub fn total_us(&self) -> u64 {
        self.noticed_us + self.decided_us + self.synced_us + self.restarted_us
    }
}
