//! The work of a session: what takes time and ends with an input for its machine. Each piece takes along all that it
//! needs to know, and decides nothing about the session.

mod catch_up;
mod claims;
mod drift;
mod ending;
mod mounted;
mod plan;
mod readiness;
mod reload;
mod url;

use std::sync::Arc;

pub use catch_up::{CatchUp, CaughtUp, Image};
pub use claims::{Claimed, Claims};
pub use drift::{CompareContainers, DriftReport, differing};
pub use ending::{Stop, ask_whether_all_exited, ask_whether_it_returns, kill, watch_engine};
pub use mounted::Mounts;
pub use plan::{Applied, CarryOut, Held, PlanOptions, SnapshotTaken, TakeSnapshot, measured};
pub use readiness::{FindOutWhetherReady, Readiness, find_out_urls};
pub use reload::{Measure, ReloadTask, Reloaded};
pub use url::url;

use crate::execute::Executor;

/// What all work has in common.
#[derive(Clone)]
pub struct Shared {
    /// Carries plans out; with the engine, the sources and the sink.
    pub executor: Executor,
    /// Whose saves this session takes care of.
    pub claims: Arc<Claims>,
    /// What files behind mounts held.
    pub mounts: Arc<Mounts>,
}
