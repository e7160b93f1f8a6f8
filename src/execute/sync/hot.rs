//! What is synced, and how that ends.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::agent;
use crate::engine::EngineError;
use crate::event::{Followed, Message, ReloadAction};
use crate::execute::sync_files::Item;
use crate::execute::{Cause, Failure};
use crate::model::{ContainerId, Reload, Service, SyncTarget};

/// A container that is to be synced.
pub struct SyncContainer<'a> {
    /// Its service.
    pub service: &'a Service,
    /// The container.
    pub container: &'a ContainerId,
    /// It runs its command under the agent.
    pub agent: bool,
    /// Its image's name.
    pub image: String,
    /// Ends a command that is run in it: the session is being ended.
    pub stop: CancellationToken,
}

/// Why a sync was not done.
#[derive(Debug)]
pub enum SyncError {
    /// It cannot be: a rebuild gives the same result.
    Rebuild(String),
    /// It could be and failed.
    Failed(Failure),
}

/// What was done.
#[allow(clippy::struct_field_names, reason = "when it was synced, and when reloaded")]
#[derive(Clone, Debug, Default)]
pub struct Synced {
    /// `None` where nothing was to be done.
    pub action: Option<ReloadAction>,
    /// Until the files were in place, microseconds.
    pub synced_us: u64,
    /// From then until the reload was done, microseconds.
    pub reloaded_us: u64,
}

/// Paths that an agent is asked about at once.
pub(super) const LISTED: usize = 1_000;

/// What was done to files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    Nothing,
    Deleted,
    Synced,
}

impl Moved {
    pub(super) fn of(items: &[(SyncTarget, Item)]) -> Self {
        match items {
            [] => Self::Nothing,
            _ if items.iter().all(|(_, item)| matches!(item, Item::Gone { .. })) => Self::Deleted,
            _ => Self::Synced,
        }
    }
}

pub(super) fn ended() -> SyncError {
    SyncError::Rebuild("it does not run".to_owned())
}

pub(super) fn paused(hot: &SyncContainer<'_>) -> SyncError {
    let text = format!("{} is paused; it is brought up to date once it goes on", hot.service.name);
    let message = Message::new(text).service(&hot.service.name).hint("`docker unpause` lets it go on");
    SyncError::Failed(Failure { cause: Cause::Engine, message })
}

pub(super) fn action(moved: Moved, then: &Reload) -> Option<ReloadAction> {
    let then = Followed::of(then);
    match moved {
        Moved::Nothing => then.map(|then| ReloadAction::Reloaded { then }),
        Moved::Deleted => Some(ReloadAction::Deleted { then }),
        Moved::Synced => Some(ReloadAction::Synced { then }),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for `map_err`, which hands it over")]
pub(super) fn agent_failed(error: agent::AgentError) -> SyncError {
    SyncError::Rebuild(error.to_string())
}

pub(super) fn engine_failed(service: &Service, error: EngineError) -> SyncError {
    SyncError::Failed(Failure::of_engine(Some(&service.name), error))
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
