//! One container of the fake engine.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use crate::engine::{Channel, Chunk, EngineError, ErrorKind, LogQuery};
use crate::model::{ContainerSpec, ContainerState, Health, HealthProbe, ObservedContainer, ServiceName, labels};

/// The Unix time at which every fake engine was started: the first second of 2026.
pub(super) const EPOCH: i64 = 1_767_225_600;

/// A line of a container's log.
pub(super) struct Line {
    pub(super) time: (i64, u32),
    pub(super) channel: Channel,
    pub(super) text: String,
}

impl Line {
    /// What a log stream gives for it; `None` where the query leaves it out.
    pub(super) fn chunk(&self, query: &LogQuery) -> Option<Chunk> {
        let in_time =
            query.since.is_none_or(|since| self.time.0 >= since) && query.until.is_none_or(|until| self.time.0 < until);
        let stamp = if query.timestamps { timestamp(self.time) } else { String::new() };
        in_time.then(|| Chunk { channel: self.channel, bytes: Bytes::from(format!("{stamp}{}", self.text)) })
    }
}

/// RFC 3339 with a space after it. A fake engine never runs for a day.
pub(super) fn timestamp((seconds, nanos): (i64, u32)) -> String {
    let of_day = seconds - EPOCH;
    format!("2026-01-01T{:02}:{:02}:{:02}.{nanos:09}Z ", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

pub(super) struct Container {
    pub(super) seen: ObservedContainer,
    pub(super) spec: ContainerSpec,
    pub(super) has_check: bool,
    pub(super) lines: Vec<Line>,
    pub(super) files: HashMap<String, Bytes>,
    /// Paths that are symbolic links.
    pub(super) links: HashSet<String>,
    pub(super) health_log: Vec<HealthProbe>,
    /// Counts starts, so that what a script does later finds out that it is about an earlier one.
    pub(super) starts: u64,
}

impl Container {
    /// What calls name it by.
    pub(super) fn subject(&self) -> String {
        subject(&self.seen.service, self.seen.number, self.seen.oneoff)
    }

    pub(super) fn project(&self) -> &str {
        self.seen.labels.get(labels::PROJECT).map(String::as_str).unwrap_or_default()
    }

    pub(super) fn set_state(&mut self, state: ContainerState) {
        self.seen.state = state;
        self.seen.health = (self.has_check && state.is_running()).then_some(Health::Starting);
        self.describe();
    }

    /// The engine's words for what the container is doing.
    pub(super) fn describe(&mut self) {
        self.seen.status = match (self.seen.state, self.seen.health) {
            (ContainerState::Created, _) => "Created".to_owned(),
            (ContainerState::Exited(code), _) => format!("Exited ({code}) 1 second ago"),
            (ContainerState::Running, Some(Health::Starting)) => "Up 1 second (health: starting)".to_owned(),
            (ContainerState::Running, Some(health)) => format!("Up 1 second ({})", health.word()),
            (ContainerState::Running, None) => "Up 1 second".to_owned(),
            (state, _) => state.word().to_owned(),
        };
    }
}

fn subject(service: &str, number: u32, oneoff: bool) -> String {
    match (oneoff, number) {
        (true, _) => format!("{service} (run)"),
        (false, 0 | 1) => service.to_owned(),
        (false, number) => format!("{service}#{number}"),
    }
}

/// What calls name a container by that is yet to be made.
pub(super) fn subject_of(spec: &ContainerSpec) -> String {
    let (service, number, oneoff) = identity(spec);
    subject(&service, number, oneoff)
}

pub(super) fn identity(spec: &ContainerSpec) -> (ServiceName, u32, bool) {
    let label = |key: &str| spec.labels.get(key).cloned();
    (
        label(labels::SERVICE).map_or_else(|| spec.service.name.clone(), ServiceName::new),
        label(labels::NUMBER).and_then(|number| number.parse().ok()).unwrap_or_default(),
        label(labels::ONEOFF).is_some_and(|value| value.eq_ignore_ascii_case("true")),
    )
}

pub(super) fn no_such(id: &str) -> EngineError {
    EngineError::new(ErrorKind::NotFound, format!("No such container: {id}"))
}
