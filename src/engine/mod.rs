//! The container engine behind a trait: `docker` is the real one (the only place that names bollard), `fake` is an
//! engine in memory for tests. An engine carries out; it decides nothing.

#![allow(clippy::disallowed_methods, reason = "an effectful layer: it talks to the engine, reads its credentials")]

mod archive;
pub mod docker;
mod error;
#[cfg(test)]
pub mod fake;
mod happened;
mod images;
mod interface;
mod reach;
mod streams;
mod usage;

pub use archive::{CommitSpec, PathStat};
pub use error::{EngineError, ErrorKind, Result};
pub use happened::{Action, EngineEvent, Happening};
pub use images::{
    BuildContext, BuildProgress, BuildSecret, BuildSink, BuildSpec, Built, ContextFile, LayerSpec, PullProgress,
    PullSink, Was,
};
pub use interface::{Engine, Query};
pub use streams::{BoxStream, Channel, Chunk, ExecSpec, Exit, LogQuery, Session};
pub use usage::Usage;
