//! The pure layers that are fuzzed, taken in by path so that nothing else of hob has to be built.
//!
//! `fuzz/run load 600` builds a target with a stable compiler and runs it for ten minutes (`cargo fuzz run load` does
//! with a nightly one). What is found becomes a test beside the code that it was found in.

#![allow(dead_code, unused_imports)]

extern crate alloc;

#[path = "../src/inputs/mod.rs"]
pub mod inputs;
#[path = "../src/manifest/mod.rs"]
pub mod manifest;
#[path = "../src/model/mod.rs"]
pub mod model;
#[path = "../src/execute/logs/splitter.rs"]
pub mod splitter;
#[path = "../src/agent/protocol/mod.rs"]
pub mod protocol;
#[path = "../src/engine/docker/told.rs"]
pub mod told;
