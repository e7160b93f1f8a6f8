//! Room `supervise`: running a child: start, stop with a signal and grace and then SIGKILL, restart in place.
//!
//! One set of rules serves both the host processes of `process:` services and the commands in containers:
//! [`machine::Machine`] is the pure core (what happened goes in, what to do comes out), and each side has a thin shell
//! that does it. The shells differ because their worlds do: the agent has no standard library, one thread and
//! `poll`; hob has tokio, pipes for output and process groups. What they must agree on (when is a command killed, what
//! does a stop during a restart mean, which exit code counts) is in the core, and tested there without a process.

#![allow(clippy::disallowed_methods, reason = "an effectful layer: it runs processes")]

pub mod host;
pub mod machine;
#[cfg(test)]
mod machine_tests;
mod signal;

pub use machine::{Exit, Input, Machine, Micros, Phase, Step, Stop};
pub use signal::linux_signal;
