//! Carrying plans out, and the session that keeps a stack hot. The executor has no policy in it: what is done, in
//! which order and why is all in the plan. The session is one select loop over requests, saves, the engine's events
//! and finished jobs. `phases.rs` is the way from what should be and what is to what is done.

#![allow(clippy::disallowed_methods, reason = "an effectful room: it carries plans out")]
#![allow(clippy::result_large_err, reason = "a failure is made once and carries all that a person is told")]

mod agents;
mod beside;
mod build;
mod builds;
mod changed;
mod create;
pub(crate) mod delta;
mod executor;
mod failure;
mod hooks;
mod logs;
mod measure;
mod observe;
mod phases;
mod port;
mod program;
mod provide;
mod prune;
pub mod session;
#[cfg(test)]
mod simulated;
mod snapshot;
mod step;
mod sync;
mod sync_files;
mod tail;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod turn;
mod wait;

pub use crate::workspace::{Loaded, Sources};
pub use executor::{Executor, Outcome, RunOptions};
pub use failure::{Cause, Failure};
pub use logs::{AtStart, Follow, From, LogOptions, Logs, lines};
pub use phases::{Depth, Pass, Planner};
pub use provide::{provide, release};
pub use snapshot::Snapshot;
pub use turn::{Doer, LockScope, Turn, Turns};
