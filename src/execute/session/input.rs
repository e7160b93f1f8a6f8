//! What happens to a session.

use std::time::Instant;

use super::ended::Ended;
use crate::engine::EngineEvent;
use crate::event::Request;
use crate::execute::Doer;
use crate::execute::beside::Working;
use crate::host::watch::Batch;
use crate::model::Observed;

/// One thing that happens.
pub enum Input {
    /// The session begins.
    Begin,
    /// A person asks for something.
    Request(Request),
    /// The engine tells of a container, and who seems to have done it; `None` where nobody
    /// has to know.
    Engine(EngineEvent, Option<Doer>),
    /// The engine's events have ended.
    EngineLost,
    /// The engine answers again: what it has, and when it was asked.
    EngineBack(Box<Observed>, Instant),
    /// Files have changed.
    Saves(Batch),
    /// Time has passed; who was the last to change the project, where that is to be told.
    Time(Option<Doer>),
    /// What the plan that is carried out still has to do.
    Progress(Option<Working>),
    /// Some work has ended.
    Ended(Ended),
}

/// What the shell knows at the moment of a step.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The time.
    pub now: Instant,
    /// The time by the machine's clock, in nanoseconds since 1970.
    pub clock: i64,
    /// Some step is with the engine and cannot be taken back.
    pub is_with_engine: bool,
}
