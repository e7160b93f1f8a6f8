//! The real agent: run directly on this machine, and in containers where an engine and a base image are there.
//!
//! Each supervisor gets a mount namespace of its own, as a container has one: the name of its control socket is made
//! of it. Where this user cannot have one, these tests say so and pass.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a test")]

mod apply;
mod containers;
mod harness;
mod stream;
mod supervise;
