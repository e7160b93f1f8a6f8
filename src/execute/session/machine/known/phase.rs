//! The states that a session and its parts can be in.

use std::time::Instant;

use super::ending::Stopping;
use super::progress::Progress;
use crate::execute::Failure;
use crate::model::ContainerId;

/// How far a session is.
pub enum Phase {
    /// The first plan is being made or carried out.
    Starting,
    /// The first plan has failed, and the session ends with that.
    Failed(Vec<Failure>),
    /// The first plan has ended.
    Up,
    /// It is being stopped.
    Stopping(Stopping),
}

impl Phase {
    /// Whether the first plan has ended.
    pub fn is_up(&self) -> bool {
        match self {
            Self::Up => true,
            Self::Stopping(stopping) => stopping.was_up,
            Self::Starting | Self::Failed(_) => false,
        }
    }

    /// Whether it is being stopped.
    pub fn is_stopping(&self) -> bool {
        matches!(self, Self::Stopping(_))
    }

    /// How it is being stopped.
    pub fn stopping(&mut self) -> Option<&mut Stopping> {
        match self {
            Self::Stopping(stopping) => Some(stopping),
            _ => None,
        }
    }
}

/// The plan of all services.
pub enum PlanState {
    /// The last one holds.
    Current,
    /// It must be made, once the jobs that run are done.
    Due,
    /// It is being made or carried out.
    Running {
        /// How far it is.
        progress: Progress,
        /// It must be made again after that.
        again: bool,
    },
}

impl PlanState {
    /// Whether it is being made or carried out.
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. })
    }

    /// Whether it must be made, now or after the one that runs.
    pub fn is_due(&self) -> bool {
        matches!(self, Self::Due | Self::Running { again: true, .. })
    }

    /// It must be made again.
    pub fn make_again(&mut self) {
        match self {
            Self::Running { again, .. } => *again = true,
            Self::Current | Self::Due => *self = Self::Due,
        }
    }

    /// How far it is, where it runs.
    pub fn progress(&self) -> Option<&Progress> {
        match self {
            Self::Running { progress, .. } => Some(progress),
            Self::Current | Self::Due => None,
        }
    }

    /// How far it is, where it runs.
    pub fn progress_mut(&mut self) -> Option<&mut Progress> {
        match self {
            Self::Running { progress, .. } => Some(progress),
            Self::Current | Self::Due => None,
        }
    }

    /// It has ended: how far it was.
    pub fn end(&mut self) -> Progress {
        match std::mem::replace(self, Self::Current) {
            Self::Running { progress, again } => {
                if again {
                    *self = Self::Due;
                }
                progress
            }
            before => {
                *self = before;
                Progress::default()
            }
        }
    }
}

/// The manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestState {
    /// It is as it was read.
    Current,
    /// It must be read again.
    Outdated,
    /// It is being read.
    Reading {
        /// It has changed since that began.
        outdated: bool,
    },
}

impl ManifestState {
    /// It has changed.
    pub fn changed(&mut self) {
        *self = match self {
            Self::Current | Self::Outdated => Self::Outdated,
            Self::Reading { .. } => Self::Reading { outdated: true },
        };
    }

    /// It was read.
    pub fn was_read(&mut self) {
        *self = match self {
            Self::Reading { outdated: true } => Self::Outdated,
            _ => Self::Current,
        };
    }

    /// Whether it is being read.
    pub fn is_being_read(self) -> bool {
        matches!(self, Self::Reading { .. })
    }
}

/// The connection to the engine.
#[derive(Default)]
pub enum Connection {
    /// It tells what happens.
    #[default]
    Present,
    /// It does not answer: nothing begins until it is back.
    Lost {
        /// The containers that ran.
        ran: Vec<ContainerId>,
        /// When it went away, in nanoseconds since 1970.
        since: i64,
    },
}

impl Connection {
    /// Whether the engine does not answer.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Lost { .. })
    }
}

/// What is known of whether all containers have exited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AllExited {
    /// Nobody has asked.
    #[default]
    Unknown,
    /// The engine is being asked, since this moment.
    Asked(Instant),
    /// The engine says that one runs.
    Denied,
    /// The engine says so too.
    Confirmed,
}

/// The image of a service, beside what its containers hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImageState {
    /// It has all that it should.
    #[default]
    Current,
    /// Its containers may hold what it has not; since when nothing was done to the service.
    StaleSince(Instant),
    /// It was built and may be a layer on another one; since when nothing was done to the service.
    LayeredSince(Instant),
}

/// What goes on in a watched service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activity {
    /// Nothing.
    #[default]
    Idle,
    /// A job of it runs.
    Busy {
        /// The engine was away meanwhile: what the job fails to do is tried again at once.
        retry: bool,
    },
}
