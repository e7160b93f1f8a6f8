//! The manifest language as a table: every key, the shapes that its value may have, its short form, how strings are
//! read, how two files merge, what the model gets, and what it means. Reading, checking, merging, the long forms, the
//! way to the model, the printed form, the JSON Schema and the page of all keys come out of this one table.
//!
//! A key of a known kind (another size, another duration, another list of strings) is one row and a field of the model.

mod build;
mod common;
mod deploy;
mod hob;
mod mount;
mod service;
mod shape;
mod top;

pub use shape::{Cast, Check, Entries, Key, Lower, Merge, Object, Scalar, Shape, ShortForm, Types, Unique};
pub use top::MANIFEST;

/// The keys of hob itself, which may be written with `x-` in front.
pub const HOB_KEYS: [&str; 4] = ["reload", "prepare", "process", "probe"];
