//! Text to [`Project`](crate::model::Project): the whole Compose Specification as Docker Compose 2.40 reads it, and
//! hob's own keys.
//!
//! The way of a load: `discover` finds the files and reads `.env`; for each file and document `yaml` makes a tree with
//! places, `values` puts variables in, `extend` and `include` pull other files in, `merge` and `unique` join it with
//! what came before, and `check` holds it against the `language` table; `forms` brings the whole to long forms,
//! `paths` makes paths absolute, `normalize` fills in what is implied, `lower` gives values the types of the model;
//! `project` chooses profiles and reads env files, `consistency` and `suspicious` look at the result.
//!
//! Invariants: no I/O except through the [`FileTree`](crate::model::FileTree) that is handed in; no pass stops at the
//! first problem, so that one load reports them all; a project is handed out only if there was no error.

mod canonical;
mod check;
pub mod command_line;
mod consistency;
mod diagnostic;
mod discover;
mod dotenv;
mod emit;
mod environment;
mod explain;
mod extend;
mod forms;
#[doc(hidden)]
pub mod fuzzing;
mod image_name;
mod include;
mod interpolate;
mod language;
mod load;
mod lower;
mod lowered;
mod merge;
mod normalize;
mod paths;
mod project;
mod references;
mod report;
mod schema;
mod service_files;
mod source;
mod suspicious;
mod unique;
mod values;
mod yaml;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use canonical::{json, yaml as to_yaml};
pub use diagnostic::{Code, Diagnostic, Part, Severity};
pub use emit::yaml as text_of;
pub use explain::{Explanation, Overridden, Variable};
pub use load::{Loaded, load};
pub use schema::json_schema;

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
