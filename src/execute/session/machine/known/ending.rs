//! How a session ends, and how it is being stopped.

use std::time::Instant;

use crate::execute::Failure;

/// Why a session ended.
#[derive(Debug)]
pub enum End {
    /// It was asked to.
    Stopped {
        /// It had to be asked twice.
        killed: bool,
    },
    /// It could not do what it was asked to.
    Failed(Vec<Failure>),
    /// The containers have exited; the code of the one that counts.
    Exited(i64),
}

/// The session is being stopped.
#[derive(Debug)]
pub struct Stopping {
    /// Since when.
    pub since: Instant,
    /// The first plan had ended.
    pub was_up: bool,
    /// When jobs that have not ended are given up; `None` once they have been.
    pub give_up: Option<Instant>,
    /// A second request came.
    pub killed: bool,
    /// How far the stop plan is.
    pub plan: StopPlan,
    /// What the session ends with.
    pub exit: Option<i64>,
    pub failures: Vec<Failure>,
    /// Nobody reads what the session says.
    pub reader_is_gone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopPlan {
    /// Jobs are in its way.
    Waits,
    /// It is being carried out.
    Runs,
    /// It has ended, or is not to be waited for.
    Done,
}
