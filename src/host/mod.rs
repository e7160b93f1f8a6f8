//! Room `host`.
#![allow(clippy::disallowed_methods, reason = "effects live here")]

mod digests;
mod tree;

pub use digests::DigestCache;
pub use tree::DiskTree;
