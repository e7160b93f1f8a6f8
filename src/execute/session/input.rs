//! What happens to a session.

use std::time::Instant;

use super::work::{Applied, CaughtUp, DriftReport, Readiness, Reloaded, SnapshotTaken};
use crate::engine::EngineEvent;
use crate::event::{Message, Request};
use crate::execute::beside::Working;
use crate::execute::{Doer, Failure, Loaded};
use crate::host::watch::Batch;
use crate::model::{ContainerId, Observed};

/// One thing that happens.
pub enum Input {
    /// The session begins.
    Begin,
    /// A person asks for something.
    Request(Request),
    /// The engine tells of a container, and who seems to have done it.
    Engine(EngineEvent, Doer),
    /// The engine's events have ended.
    EngineLost,
    /// The engine answers again: what it has, and when it was asked.
    EngineBack(Box<Observed>, Instant),
    /// Files have changed.
    Saves(Batch),
    /// Time has passed; who was the last to change the project.
    Time(Doer),
    /// What the plan that is carried out still has to do.
    Progress(Option<Working>),
    /// Some work has ended.
    Ended(Ended),
}

/// How work has ended.
pub enum Ended {
    /// All that a plan is made from was looked at.
    SnapshotTaken(Box<SnapshotTaken>),
    /// A plan was carried out.
    Applied(Box<Applied>),
    /// A save was answered.
    Reloaded(Box<Reloaded>),
    /// The manifest was read.
    Read(Result<Box<Loaded>, Vec<Message>>),
    /// The services were stopped, or the engine is silent; and what is left.
    Stopped(Vec<Failure>, Option<Box<Observed>>),
    /// A container has ended, and whether the engine starts it again.
    Returns(ContainerId, bool),
    /// When the engine was asked whether all containers have exited, and whether it says so.
    AllExited(Instant, bool),
    /// Whether services are ready was found out.
    Ready(Box<Readiness>),
    /// What the engine says of containers that were not compared yet; `None` where it did not answer.
    Drift(Option<Box<DriftReport>>),
    /// A build in the background has ended.
    CaughtUp(CaughtUp),
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
