//! Room `host`.

mod digests;
mod tree;

pub use digests::DigestCache;
pub use tree::DiskTree;
