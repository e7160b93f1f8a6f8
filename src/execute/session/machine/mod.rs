//! The session as a machine: what happens and the time go in, what is to be done comes out. Nothing here waits or asks
//! the engine; that is the shell's and the work's.

mod aside;
mod catch_up;
mod containers;
mod drift;
mod ending;
mod known;
mod notes;
mod others;
mod plan;
mod progress;
mod readiness;
mod reload;
mod state;
mod step;
mod watching;

pub use known::ending::End;
pub use state::Machine;
