//! hob as a person uses it: the real program, in a folder, on a real engine.
//!
//! Where no engine answers they are skipped with one line; `HOB_TEST_ENGINE=1` makes that a failure. `DOCKER_HOST` says
//! which engine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::missing_panics_doc,
    reason = "tests"
)]

mod lab;
mod world;

mod asides;
mod bad;
mod builds;
mod chaos;
mod commands;
mod depends;
mod equal;
mod foreground;
mod git;
mod hooks;
mod hot;
mod images;
mod kills;
mod language;
mod leftovers;
mod links;
mod needs;
mod oneoff;
mod output;
mod ready;
mod recover;
mod remembered;
mod rules;
mod safety;
mod second;
mod terminal;
mod up;
mod waits;
mod watch;
