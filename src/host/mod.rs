//! Layer `host`: the machine that hob runs on. Files, watching them, the environment, signals, ports, locks.
//!
//! Everything here does I/O and decides nothing about services: what a change asks for is `plan`'s business.
#![allow(clippy::disallowed_methods, reason = "the layer that does what the pure ones must not")]

pub mod archive;
pub mod atomic;
mod contents;
mod digests;
pub mod env;
pub mod lock;
mod output;
pub mod paths;
pub mod ports;
pub mod process;
pub mod provider;
pub mod signals;
pub mod terminal;
mod tree;
pub mod watch;
pub mod zone;

pub use contents::Contents;
pub use output::output_files;
pub use tree::{DiskTree, entry_at};
