//! What the machine knows. Nothing here does anything to it.

pub mod aside;
pub mod containers;
pub mod ending;
pub mod notes;
pub mod others;
pub mod phase;
pub mod progress;
pub mod watched;
pub mod watching;
