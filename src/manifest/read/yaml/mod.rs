//! YAML text to a tree of values that know where they were written.
//!
//! Anchors, aliases and merge keys are resolved here; duplicate keys and keys that are not text are refused; depth
//! and the number of nodes that aliases make are limited, so that no input can exhaust the stack or the memory.

pub mod node;
mod parse;
mod reindent;
mod scalar;
mod tabs;

pub use node::{FileId, Hasher, Map, Mark, Node, Span, Trail, Value, VariableOrigin, VariableUse};
pub use parse::parse;
pub use scalar::resolve;
