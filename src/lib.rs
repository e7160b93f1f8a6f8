//! hob runs a team's services on a developer's machine and keeps them hot.
//!
//! One package with one-way imports: a pure core (`model`, `manifest`, `inputs`, `plan`, `event`) and thin
//! effectful shells around it. `tests/architecture` holds each layer to the list of layers it may import; the list
//! and the reasons are in `docs/architecture.md`.

extern crate alloc;

pub mod agent;
pub mod cli;
pub mod engine;
pub mod event;
pub mod execute;
pub mod host;
pub mod inputs;
pub mod manifest;
pub mod model;
pub mod plan;
pub mod scaffold;
pub mod supervise;
pub mod ui;
pub mod workspace;
