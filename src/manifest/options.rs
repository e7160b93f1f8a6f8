//! What to load, how, and what for.

use std::collections::BTreeMap;
use std::path::PathBuf;

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
    /// `--no-interpolate`: leave variables as they are written. There is no project then, only [`Loaded::model`](super::Loaded::model).
    pub no_interpolate: bool,
    /// `config --no-normalize`: nothing is filled in: no default network, no names of resources, no implied dependencies.
    pub no_normalize: bool,
    /// `config --no-path-resolution`: paths stay as they are written.
    pub no_path_resolution: bool,
    /// `config --no-consistency`: parts that exclude each other, or that name what is not there, are no errors.
    pub no_consistency: bool,
    /// `--compatibility`: containers and images are named with `_`.
    pub compatibility: bool,
    /// `--all-resources`: networks, volumes and the like that no service uses stay.
    pub all_resources: bool,
    /// `config --explain`: a dotted path to explain, such as `services.api.environment.LOG_LEVEL`.
    pub explain: Option<String>,
}
