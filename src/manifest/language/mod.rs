//! The manifest language as a table: every key, the shapes that its value may have, how strings are read, how two
//! files merge, and what it means. Checking, casting, merging and the JSON Schema all read this one table.

mod build;
mod common;
mod deploy;
mod hob;
mod mount;
mod service;
mod shape;
mod top;

pub use shape::{Cast, Check, Entries, Key, Merge, Object, Scalar, Shape, Types, Unique};
pub use top::MANIFEST;

/// The keys of hob itself, which may be written with `x-` in front.
pub const HOB_KEYS: [&str; 4] = ["reload", "prepare", "process", "probe"];
