//! What a changed file asks for.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::command::Hook;
use crate::model::Extensions;
use crate::model::canonical::is_false;

/// Compose's watch rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Develop {
    /// Rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub watch: Vec<WatchRule>,
    /// `x-` keys.
    #[serde(flatten)]
    pub extensions: Extensions,
}

/// One rule of `develop.watch`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WatchRule {
    /// Absolute path that is watched.
    pub path: String,
    /// What a change asks for.
    pub action: WatchAction,
    /// Path in the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Command of `sync+exec`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec: Option<Hook>,
    /// Patterns that a path must match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// Patterns that a path must not match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// Sync everything when the watch starts.
    #[serde(skip_serializing_if = "is_false")]
    pub initial_sync: bool,
    /// `x-` keys.
    #[serde(flatten)]
    pub extensions: Extensions,
}

/// What a rule of `develop.watch` is named by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RuleName {
    /// What it does.
    pub action: WatchAction,
    /// The absolute path that it watches.
    pub path: PathBuf,
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the `{}` rule of develop.watch for {}", self.action.key(), self.path.display())
    }
}

/// Actions of `develop.watch`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WatchAction {
    /// Rebuild the image and recreate the container.
    #[default]
    #[serde(rename = "rebuild")]
    Rebuild,
    /// Copy the file into the container.
    #[serde(rename = "sync")]
    Sync,
    /// Restart the container.
    #[serde(rename = "restart")]
    Restart,
    /// Copy, then restart.
    #[serde(rename = "sync+restart")]
    SyncRestart,
    /// Copy, then run a command in the container.
    #[serde(rename = "sync+exec")]
    SyncExec,
}

impl WatchAction {
    /// As it is written in a manifest.
    fn key(self) -> &'static str {
        match self {
            Self::Rebuild => "rebuild",
            Self::Sync => "sync",
            Self::Restart => "restart",
            Self::SyncRestart => "sync+restart",
            Self::SyncExec => "sync+exec",
        }
    }
}

/// hob: what follows a hot sync.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reload {
    /// Restart the command in place.
    #[default]
    Restart,
    /// Nothing: the program reloads itself.
    None,
    /// Send a signal to the command.
    Signal(String),
    /// Run a command in the container.
    Exec(Vec<String>),
    /// Restart the container.
    Container,
    /// Rebuild the image and recreate the container.
    Rebuild,
}
