//! A project as it is on the disk, for whoever asks: a command, a session, an editor. [`load`] reads the manifest,
//! [`Workspace`] measures what builds read (`measure`) with the `secrets` that go into containers, says what a change
//! asks for (`effects`, `mend`) and how the engine is to build (`spec`), and keeps what was read (`history`). Who plans
//! and carries out knows it as [`Sources`].

#![allow(clippy::disallowed_methods, reason = "an effectful layer: it reads the project and keeps caches")]
#![allow(clippy::result_large_err, reason = "a failure is made once and carries all that a person is told")]

mod build_options;
mod disk;
mod effects;
mod history;
mod load;
mod measure;
mod mend;
mod reader;
mod secrets;
mod sources;
mod spec;
#[cfg(test)]
mod tests;

pub use build_options::BuildOptions;
pub use disk::Workspace;
pub use history::History;
pub use load::{Unusable, cause_of, load, message};
pub use sources::{Loaded, Sources};
