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
//! `load` takes these steps, `report` holds what they have to say, and `print` is the way back to text.
//!
//! Invariants: no I/O except through the [`FileTree`](crate::model::FileTree) that is handed in; no pass stops at the
//! first problem, so that one load reports them all; a project is handed out only if there was no error.

mod check;
pub mod command_line;
#[doc(hidden)]
pub mod fuzzing;
mod interpolate;
mod language;
mod load;
mod lower;
mod merge;
mod normalize;
mod print;
mod read;
mod report;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use load::{Loaded, load};
pub use print::canonical::{json, yaml as to_yaml};
pub use print::emit::yaml as text_of;
pub use print::explain::{Explanation, Overridden, Variable};
pub use print::schema::json_schema;
pub use report::diagnostic::{Code, Diagnostic, Part, Severity};

/// What a project is loaded for: only what is needed is read, and only what is used is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// To name and find what is there (`ps`, `stop`, `logs`, `down`): env files are not read.
    Names,
    /// To show it (`config`).
    #[default]
    Show,
    /// To make containers of it: what the engine would refuse is an error here.
    Run,
}

/// What to load and how.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The working directory, absolute.
    pub working_dir: PathBuf,
    /// `-f`: the manifest files; empty to look for them.
    pub files: Vec<PathBuf>,
    /// `-p`: the project's name.
    pub project_name: Option<String>,
    /// `--profile`: active profiles; `*` for all.
    pub profiles: Vec<String>,
    /// `--env-file`: instead of `.env`.
    pub env_files: Vec<PathBuf>,
    /// `--project-directory`: where relative paths start.
    pub project_directory: Option<PathBuf>,
    /// The shell's environment.
    pub environment: BTreeMap<String, String>,
    /// What it is loaded for.
    pub purpose: Purpose,
    /// Services that the user named: their profiles become active, and only they and what they depend on are used.
    pub targets: Vec<String>,
    /// `--no-interpolate`: leave variables as they are written. There is no project then, only [`Loaded::model`].
    pub no_interpolate: bool,
    /// `config --explain`: a dotted path to explain, such as `services.api.environment.LOG_LEVEL`.
    pub explain: Option<String>,
}
