//! hob's agent: one small static program with nothing but the kernel below it.
//!
//! `agent run -- COMMAND…` supervises the container's command as PID 1; `agent serve` is the other end of hob's stream.
//! `build.rs` compiles this crate with `rustc` alone: no standard library, no libc, no crates, so that it builds
//! wherever hob itself builds and runs in an image that has nothing in it. See `docs/agent-protocol.md`.
#![no_std]
#![no_main]

extern crate alloc;

mod batch;
mod control;
mod list;
mod lookup;
mod owner;
mod processes;
#[path = "../protocol/mod.rs"]
mod protocol;
mod run;
mod runtime;
mod serve;
mod sha256;
mod spawn;
#[path = "../../supervise/machine.rs"]
#[allow(dead_code, reason = "hob uses more of it than the agent does")]
mod supervise;
mod sys;
mod walk;
