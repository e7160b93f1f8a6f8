//! Room `cli`.

pub mod args;
pub mod completions;
pub mod exit;
mod history;
pub mod init;
mod sources;
pub mod version;
