//! hob as a person uses it: the real program, in a folder, on a real engine.
//!
//! What needs an engine is ignored unless `--include-ignored` is given, and fails where none answers. `DOCKER_HOST` says
//! which engine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::missing_panics_doc,
    reason = "tests"
)]

mod lab;

mod actions;
mod asides;
mod bad;
mod builds;
mod chaos;
mod commands;
mod compose;
mod copies;
mod depends;
mod equal;
mod flags;
mod foreground;
mod git;
mod hooks;
mod hot;
mod images;
mod kills;
mod language;
mod leftovers;
mod links;
mod lists;
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
