//! Room `host`.

mod digests;
pub mod terminal;
mod tree;

pub use digests::DigestCache;
pub use tree::DiskTree;
