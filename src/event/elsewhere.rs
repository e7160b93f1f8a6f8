//! What other commands do to the project.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::ServiceName;

/// What another command did to the project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Elsewhere {
    /// The command, such as `hob restart api`; `None` where it is not known.
    pub command: Option<String>,
    /// Its process.
    pub process: Option<u32>,
    /// What became of services, by name.
    pub changes: BTreeMap<ServiceName, Did>,
    /// Nothing is left, and the session ends.
    pub everything: bool,
}

/// What was done to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Did {
    /// Its image was built, and no container was touched.
    Built,
    /// It has a container, which it had not.
    Created,
    /// It had no container, or none that ran.
    Started,
    /// Its containers are other ones.
    Recreated,
    /// The same containers were stopped and started.
    Restarted,
    /// It has more containers.
    ScaledUp,
    /// It has fewer containers.
    Scaled,
    /// Its containers do not run.
    Stopped,
    /// Its containers are gone.
    Removed,
    /// Its containers are frozen.
    Paused,
    /// They go on.
    Unpaused,
}

impl Did {
    /// In a sentence.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Created => "created",
            Self::Started => "started",
            Self::Recreated => "recreated",
            Self::Restarted => "restarted",
            Self::ScaledUp => "scaled up",
            Self::Scaled => "scaled down",
            Self::Stopped => "stopped",
            Self::Removed => "removed",
            Self::Paused => "paused",
            Self::Unpaused => "unpaused",
        }
    }
}
