//! Room `cli`.

pub mod args;
pub mod completions;
pub mod exit;
pub mod init;
pub mod version;
