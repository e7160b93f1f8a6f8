//! Commands about hob itself, and those that only hob has.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};
use clap_complete::Shell;

/// A table for people, or JSON for programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// A table with heads
    #[default]
    #[value(alias = "pretty")]
    Table,
    /// JSON
    Json,
}

/// Text for people, or JSON for programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TextFormat {
    /// Text
    #[default]
    Text,
    /// JSON
    Json,
}

/// Make saves live in services that run already.
#[derive(Clone, Debug, Default, Args)]
pub struct WatchArgs {
    /// Services to watch [default: all]
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,

    /// Do not build and start the services first
    #[arg(long)]
    pub no_up: bool,

    /// Do not build, in the background, the images of services that saves were synced into (hob's own)
    #[arg(long)]
    pub no_catch_up: bool,

    /// After a rebuild remove the service's old images that nothing uses; the newest stay
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
          default_value_t = true, default_missing_value = "true")]
    pub prune: bool,

    /// Show errors only
    #[arg(long)]
    pub quiet: bool,

    /// Show where the time of each reload went (hob's own)
    #[arg(long)]
    pub timings: bool,
}

/// Say what was last done to a service and why, what `up` would do now, or what reads a file.
#[derive(Clone, Debug, Default, Args)]
pub struct WhyArgs {
    /// The service [default: all]
    #[arg(value_name = "SERVICE")]
    pub service: Option<String>,

    /// Say which services read this file, through which instruction, and what a change of it would do
    #[arg(long, value_name = "PATH")]
    pub file: Option<PathBuf>,

    /// Show all that is remembered of what was done, and not only the last
    #[arg(long)]
    pub history: bool,

    /// How to print
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: TextFormat,
}

/// Show, for each service, which files it reads and what a change of each does.
#[derive(Clone, Debug, Default, Args)]
pub struct ExplainArgs {
    /// Services to show [default: all]
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,

    /// How to print
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: TableFormat,
}

/// Check the machine, the engine and the manifest for what commonly goes wrong.
#[derive(Clone, Debug, Default, Args)]
pub struct DoctorArgs {
    /// How to print
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: TextFormat,
}

/// Write a manifest for this folder, or a whole example stack.
///
/// Without a template, hob looks at what the folder has and writes a `devenv.yaml` that fits. Beside it goes
/// `devenv.schema.json`, by which an editor completes and checks it.
#[derive(Clone, Debug, Default, Args)]
pub struct InitArgs {
    /// Example stack to write [default: a manifest that fits this folder]
    #[arg(value_name = "TEMPLATE", value_parser = clap::builder::PossibleValuesParser::new(crate::scaffold::TEMPLATES))]
    pub template: Option<String>,

    /// Overwrite files that are there
    #[arg(long)]
    pub force: bool,

    /// Write no manifest: let the ignore files of builds leave out version control and editors' folders
    #[arg(long, conflicts_with_all = ["template", "force"])]
    pub ignore: bool,
}

/// Print the JSON Schema of the manifest language.
#[derive(Clone, Debug, Default, Args)]
pub struct SchemaArgs {}

/// Remove images that hob built and replaced.
///
/// An image that a container uses is never removed.
#[derive(Clone, Debug, Default, Args)]
pub struct PruneArgs {
    /// Leave so many of the newest images of each service
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub keep: usize,
}

/// Print a completion script for a shell.
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

/// How `version` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum VersionFormat {
    /// A sentence
    #[default]
    Pretty,
    /// JSON
    Json,
}

/// Print hob's version.
#[derive(Clone, Debug, Default, Args)]
pub struct VersionArgs {
    /// The number only
    #[arg(long)]
    pub short: bool,

    /// How to print
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: VersionFormat,
}
