//! Shows events: for a person on a terminal (`tty`), as plain lines (`plain`), as JSON (`json`), or hardly at all
//! (`quiet`). Nothing else in hob writes to the terminal, but the byte pump of an interactive `exec` or `run`.
//!
//! - Results of a command (tables, output, logs) go to standard output, everything else to standard error.
//! - Text from containers and builds never drives the terminal: see `sanitize`.
//! - One thread renders, in the order of the events. Whoever emits an event does not wait for the terminal, unless
//!   the terminal is thousands of lines behind. Who brings a line of a program waits until most of what came before is
//!   shown, so that a flood slows itself and nobody else.

mod activity;
mod common;
mod compose;
pub mod docker;
mod fields;
mod groups;
mod json;
mod message;
mod options;
mod palette;
mod plain;
mod prefix;
mod quiet;
mod render;
mod sanitize;
mod sink;
mod streams;
mod summary;
mod table;
#[cfg(test)]
mod tests;
mod thread;
mod tty;

pub use options::{Ansi, Options, Progress, Wording};
pub use sink::sink;
