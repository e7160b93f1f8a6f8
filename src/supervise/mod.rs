//! Room `supervise`: running a child: start, stop with a signal and grace and then SIGKILL, restart in place.
//!
//! `machine` is the pure core: what happened goes in, what to do comes out. When is a command killed, what does a stop
//! during a restart mean, which exit code counts: that is decided there, and tested without a process. The agent's
//! program is the shell that does it, and is compiled with it; hob itself only names signals.

#[cfg(test)]
pub mod machine;
#[cfg(test)]
mod machine_tests;
mod signal;

pub use signal::linux_signal;
