//! What work hands back when it has ended, and what it was about.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::event::{self, Event, Message};
use crate::execute::{Failure, Loaded, Outcome, Snapshot, Turn};
use crate::host::lock;
use crate::model::{ContainerId, Digest, Measured, Observed, Parts, Project, Reload, Reloader, ServiceName, Watch};
use crate::plan::ReloadReason;

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

/// What a plan is to be made from.
pub struct SnapshotTaken {
    /// The project for which it was looked at.
    pub of: Arc<Project>,
    /// What was seen, or why it cannot be.
    pub snapshot: Result<Snapshot, Vec<Failure>>,
    /// When the engine was asked.
    pub taken: Instant,
    /// It was taken with all folders watched that it reads.
    pub watched: bool,
    /// The turn in which what is planned from it is carried out.
    pub turn: Option<Arc<Turn>>,
    /// What may mend the services that could not be measured.
    pub mends: HashMap<ServiceName, Watch>,
    /// Whose saves this session takes care of.
    pub claimed: Claimed,
}

/// Whose saves a session takes care of.
#[derive(Default)]
pub struct Claimed {
    /// Its own.
    pub mine: Vec<ServiceName>,
    /// Those that another session takes care of, and which that is.
    pub taken: Vec<(ServiceName, lock::Held)>,
}

/// How a plan ended.
pub struct Applied {
    /// Containers that hold all that matters of what is wanted, though it has changed.
    pub held: Vec<Held>,
    /// What is there afterwards, and when the engine was asked; `None` where it did not answer.
    pub after: Option<(Observed, Instant)>,
    /// How it was carried out.
    pub outcome: Outcome,
}

impl Applied {
    /// Nothing was planned; without a failure because it was cancelled.
    pub fn nothing(failures: Vec<Failure>) -> Self {
        let outcome = Outcome { cancelled: failures.is_empty(), failures, ..Outcome::default() };
        Self { held: Vec::new(), after: None, outcome }
    }
}

/// A container that holds all that matters of what is wanted.
pub struct Held {
    /// Its service.
    pub service: ServiceName,
    /// The container.
    pub container: ContainerId,
    /// Of what is wanted.
    pub digest: Digest,
    /// The image would have something that the container has not.
    pub is_image_stale: bool,
}

/// How the answer ended.
pub struct Reloaded {
    /// The service.
    pub service: ServiceName,
    /// What it was about; goes back where it did not succeed.
    pub pending: Pending,
    /// When the first change was noticed.
    pub noticed: Instant,
    /// The containers that it was put into.
    pub containers: Vec<ContainerId>,
    /// What was measured, where it succeeded.
    pub measured: Option<Measure>,
    /// What the containers hold now, or that they hold a part of it.
    pub synced: HashMap<ContainerId, Digest>,
    /// A file was touched while it was synced. Its event is still to come, and an equal measure will say nothing.
    pub is_unsure: bool,
    /// What of that is to be written down, for the next hob.
    pub notes: Vec<(ContainerId, Digest)>,
    /// Its containers may hold what their image has not, or their image what has changed since.
    pub is_image_stale: bool,
    /// What was acted upon, with the sizes of files.
    pub acted: Vec<(PathBuf, Option<u64>)>,
    /// Its containers were made anew.
    pub rebuilt: bool,
    /// What may mend it, where it did not succeed.
    pub mend: Option<Watch>,
    /// For the person; `None` where nothing was to be done or the job was superseded.
    pub report: Option<event::Reloaded>,
    /// A newer change took its place.
    pub superseded: bool,
    /// A recreation was begun and not finished.
    pub recreate_interrupted: bool,
}

/// A service as measured by its job.
#[derive(Clone)]
pub struct Measure {
    /// What its build reads.
    pub inputs: Option<Measured>,
    /// What is watched for it.
    pub watch: Option<Watch>,
    /// Its program, where that reloads itself.
    pub reloader: Option<Reloader>,
}

/// What is to be done to a service, and what a job of it is about.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    /// Its containers are new, and `initial_sync` is still to be done. That is a job of its own, before all else.
    pub initial_sync: bool,
    /// Something has changed that asks for nothing, and is to be taken note of.
    pub aside: bool,
    /// What has changed since it was measured.
    pub files: BTreeSet<PathBuf>,
    /// Its containers lack what none of `files` tells of: why it must be built.
    pub rebuild_reason: Option<ReloadReason>,
    /// Asked for by a person, not by a save.
    pub asked: Option<Reload>,
    /// A job ended halfway: what the containers hold is not known, and an equal measure says nothing.
    pub is_unsure: bool,
    /// When the first change was noticed.
    pub noticed: Option<Instant>,
    /// When the burst had ended.
    pub quiet: Option<Instant>,
    /// When what is suspected to follow a start was first noticed.
    pub trial: Option<Instant>,
}

impl Pending {
    /// It is about more than changes that ask for nothing.
    pub fn has_work(&self) -> bool {
        self.initial_sync || self.asked.is_some() || self.rebuild_reason.is_some() || !self.files.is_empty()
    }

    /// It is to be done now, without a burst to wait for.
    pub fn set_due(&mut self, now: Instant) {
        self.set_due_since(now, now);
    }

    /// The same of what was noticed before.
    pub fn set_due_since(&mut self, noticed: Instant, now: Instant) {
        self.noticed.get_or_insert(noticed);
        self.quiet.get_or_insert(now);
    }
}

/// How a build in the background ended.
pub struct CaughtUp {
    /// The service.
    pub service: ServiceName,
    /// Which image it was about.
    pub image: Image,
    /// How long a build took, `None` where there was nothing to build; or why there is no image.
    pub result: Result<Option<Duration>, Failure>,
    /// It was given up.
    pub cancelled: bool,
}

/// Which image of a service is built in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Image {
    /// That of what the files are now.
    Current,
    /// The same, without layers of its own for what changed since.
    Whole,
}

/// What the engine says about the project's containers, and what is known about what they were built from.
pub struct DriftReport {
    /// The containers that it is about.
    pub containers: BTreeSet<ContainerId>,
    /// What is there.
    pub observed: Observed,
    /// What earlier builds read.
    pub history: HashMap<Digest, Parts>,
}

/// What was found out.
#[derive(Default)]
pub struct Readiness {
    /// Services that are ready.
    pub ready: usize,
    /// Services that should be.
    pub of: usize,
    /// Services that have ended, and how.
    pub ended: Vec<(ServiceName, String)>,
    /// What else there is to say, in order.
    pub events: Vec<Event>,
    /// It was waited until they are.
    pub waited: bool,
}
