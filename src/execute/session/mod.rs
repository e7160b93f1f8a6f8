//! The session: a machine that knows everything and does nothing (`machine/`), the work that takes time (`work/`), and a
//! shell around both that waits for what happens and carries out what the machine asks for (`shell.rs`).
//!
//! ```text
//! requests, saves, engine events, ended work, time ─ Input ─► Machine::step ─ Action ─► shell ─► engine, files, sink
//! ```
//! What takes time is work beside the loop, so that one slow build or stuck stop delays no other service.

mod action;
mod clock;
mod ended;
mod input;
mod machine;
mod options;
mod shell;
#[cfg(test)]
mod tests;
mod work;

pub use machine::End;
pub use options::{Attach, EndOn, SessionOptions};
pub use shell::Session;
