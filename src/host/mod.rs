//! Room `host`.

pub mod terminal;
