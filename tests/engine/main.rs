//! The engine layer against a real engine: the one that the environment names. Every test makes things under a name
//! of its own and removes them, so that tests run in parallel and beside other people's containers. Where no engine
//! answers, or it has no `hob-test/busybox:1` and none can be pulled, a test says so and passes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a test")]

mod builds;
mod connection;
mod containers;
mod support;
