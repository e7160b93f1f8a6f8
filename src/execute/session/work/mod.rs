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
mod shared;
mod url;

pub use catch_up::CatchUp;
pub use drift::{CompareContainers, differing};
pub use ending::{Stop, ask_whether_all_exited, ask_whether_it_returns, kill, watch_engine};
pub use plan::{CarryOut, PlanOptions, TakeSnapshot, measured};
pub use readiness::{FindOutWhetherReady, find_out_urls};
pub use reload::ReloadTask;
pub use shared::Shared;
pub use url::url;
