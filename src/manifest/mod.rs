//! Text to [`Project`](crate::model::Project): the whole Compose Specification as Docker Compose 2.40 reads it, and
//! hob's own keys.
//!
//! The way of a load, phase by phase, each in a folder of its name:
//!
//! 1. `read`: the files are found, `.env` is read, and each document becomes a tree with places.
//! 2. `interpolate`: variables are put in, and strings read as what their key wants.
//! 3. `merge`: other files come in (`extends`, `include`), and the document joins what came before.
//! 4. `check`: the result is held against the `language` table; later, its parts against each other, and the lints.
//! 5. `normalize`: the short syntax becomes the long one, paths absolute, what is implied is filled in.
//! 6. `lower`: profiles are chosen, env files read, and values get the types of the model.
//!
//! `load` takes these steps with a `loader`, which has the state of a load; `report` holds what they have to say, and `print` is the way back to text.
//!
//! Invariants: no I/O except through the [`FileTree`](crate::model::FileTree) that is handed in; no pass stops at the
//! first problem, so that one load reports them all; a project is handed out only if there was no error.

mod check;
pub mod command_line;
#[allow(dead_code, reason = "only the fuzz targets come this way")]
pub mod fuzzing;
mod interpolate;
mod language;
mod load;
mod loader;
mod lower;
mod merge;
mod normalize;
mod options;
mod print;
mod read;
mod report;

#[cfg(test)]
mod tests;

pub use interpolate::variables::{Asked, asked};
pub use load::load;
pub use options::{LoadOptions, Purpose};
pub use print::canonical::{json, yaml as to_yaml};
pub use print::emit::yaml as text_of;
pub use print::explain::Explanation;
pub use print::schema::json_schema;
pub use report::diagnostic::{Code, Diagnostic, Severity};
