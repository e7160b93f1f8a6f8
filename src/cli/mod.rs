//! Room `cli`.

pub mod args;
pub mod completions;
pub mod exit;
pub mod init;
#[cfg(test)]
mod reference;
pub mod version;
pub mod when;
