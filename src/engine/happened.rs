//! What happens to containers.

use std::collections::BTreeMap;

use crate::model::{ContainerId, Health, ServiceName};

/// Something that happened to a container of the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineEvent {
    /// The container.
    pub container: ContainerId,
    /// Its service.
    pub service: ServiceName,
    /// Its number within the service.
    pub number: u32,
    /// Made by `run`.
    pub oneoff: bool,
    /// When, by the engine's clock, in nanoseconds since 1970.
    pub time: i64,
    /// What happened.
    pub action: Action,
}

/// The same in the engine's own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Happening {
    /// The container.
    pub container: ContainerId,
    /// What happened.
    pub action: String,
    /// Its labels, and what belongs to the action.
    pub attributes: BTreeMap<String, String>,
    /// When, by the engine's clock, in nanoseconds since 1970.
    pub time: i64,
}

/// What can happen to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Created.
    Create,
    /// Started.
    Start,
    /// Ended with this exit code.
    Die(i64),
    /// Removed.
    Destroy,
    /// Its health check changed its mind.
    Health(Health),
    /// Killed because memory ran out.
    OutOfMemory,
    /// Anything else, by the engine's word.
    Other(String),
}
