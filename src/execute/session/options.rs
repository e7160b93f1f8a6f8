//! How a session behaves.

use std::collections::BTreeSet;

use crate::execute::{LogOptions, RunOptions};
use crate::model::ServiceName;
use crate::plan::UpOptions;

/// How a session behaves.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// What `up` is asked to do.
    pub up: UpOptions,
    /// How plans are carried out.
    pub run: RunOptions,
    /// Bring the stack up first; `watch --no-up` does not.
    pub apply: bool,
    /// Watch files.
    pub watch: bool,
    /// Build the images of services that were synced once they have been quiet for a while.
    pub catch_up: bool,
    /// After a failed start wait for a change that may mend it, instead of ending.
    pub stay: bool,
    /// When everything has exited, go on watching: somebody may save what starts it again.
    pub outlive: bool,
    /// Stop the services when the session is stopped.
    pub stop_services: bool,
    /// Whose logs are shown; `None` for none.
    pub attach: Attach,
    /// How logs are shown.
    pub logs: LogOptions,
    /// End when a container exits.
    pub end_on: EndOn,
    /// The session's exit code is that of this service's container.
    pub exit_code_from: Option<ServiceName>,
}

/// Whose logs a session shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Attach {
    /// Nobody's.
    #[default]
    None,
    /// Those of all but these, and of services that say `attach: false`.
    AllBut(BTreeSet<ServiceName>),
    /// Only of these.
    Only(BTreeSet<ServiceName>),
}

/// Which exit of a container ends the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndOn {
    /// None; only when all have exited and nothing is watched.
    #[default]
    AllExited,
    /// Any: `--abort-on-container-exit`.
    AnyExit,
    /// Any with a code other than 0: `--abort-on-container-failure`.
    AnyFailure,
}
