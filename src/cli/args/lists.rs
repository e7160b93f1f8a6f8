//! Commands that only read what is there.

use clap::{ArgAction, Args, ValueEnum};

use super::{KeyValue, TableFormat};
use crate::cli::format::Format;

/// A container's state, for `ps --status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the engine's own words")]
pub enum StatusFilter {
    Created,
    Running,
    Paused,
    Restarting,
    Removing,
    Exited,
    Dead,
}

/// List containers.
#[derive(Clone, Debug, Default, Args)]
pub struct PsArgs {
    /// Services to list [default: all]
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,

    /// Stopped containers and those of `run` too
    #[arg(short, long)]
    pub all: bool,

    /// Print ids only
    #[arg(short, long)]
    pub quiet: bool,

    /// Print services' names only
    #[arg(long = "services")]
    pub names: bool,

    /// Containers in this state only; repeatable
    #[arg(long, value_enum, value_name = "STATUS")]
    pub status: Vec<StatusFilter>,

    /// Containers with this property only: `status=STATUS`
    #[arg(long, value_name = "FILTER")]
    pub filter: Option<KeyValue>,

    /// How to print: `table`, `json`, a Go template for each container, or `table TEMPLATE`
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,

    /// Do not shorten ids and commands
    #[arg(long)]
    pub no_trunc: bool,

    /// Containers of services that the manifest no longer has too
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
          default_value_t = true, default_missing_value = "true")]
    pub orphans: bool,
}

/// List the images of services' containers.
#[derive(Clone, Debug, Default, Args)]
pub struct ImagesArgs {
    /// Services to list [default: all]
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,

    /// How to print
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: TableFormat,

    /// Print ids only
    #[arg(short, long)]
    pub quiet: bool,
}

/// List projects with containers that run.
#[derive(Clone, Debug, Default, Args)]
pub struct LsArgs {
    /// Projects that are stopped too
    #[arg(short, long)]
    pub all: bool,

    /// Projects with this property only: `name=PATTERN`; repeatable
    #[arg(long, value_name = "FILTER")]
    pub filter: Vec<KeyValue>,

    /// How to print
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: TableFormat,

    /// Print names only
    #[arg(short, long)]
    pub quiet: bool,
}

/// List volumes of the project.
#[derive(Clone, Debug, Default, Args)]
pub struct VolumesArgs {
    /// Services whose volumes to list [default: all]
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,

    /// How to print: `table`, `json`, a Go template for each volume, or `table TEMPLATE`
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,

    /// Print names only
    #[arg(short, long)]
    pub quiet: bool,
}

/// Print where a service's port is published.
#[derive(Clone, Debug, Default, Args)]
pub struct PortArgs {
    /// The service
    #[arg(value_name = "SERVICE")]
    pub service: String,

    /// The port in the container
    #[arg(value_name = "PRIVATE_PORT")]
    pub port: u16,

    /// Number of the container, for a service with several [default: the first that runs]
    #[arg(long, value_name = "NUMBER")]
    pub index: Option<u32>,

    /// `tcp` or `udp`
    #[arg(long, value_name = "PROTOCOL", default_value = "tcp")]
    pub protocol: String,
}

/// Show the processes of services.
#[derive(Clone, Debug, Default, Args)]
pub struct TopArgs {
    /// Services to show [default: all]
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
}

/// Show what containers use of the machine, until Ctrl-C.
#[derive(Clone, Debug, Default, Args)]
pub struct StatsArgs {
    /// Service to show [default: all]
    #[arg(value_name = "SERVICE")]
    pub service: Option<String>,

    /// Containers that do not run too
    #[arg(short, long)]
    pub all: bool,

    /// How to print: `table`, `json`, a Go template for each container, or `table TEMPLATE`
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,

    /// Look once, and end
    #[arg(long)]
    pub no_stream: bool,

    /// Do not shorten ids
    #[arg(long)]
    pub no_trunc: bool,
}

/// Show what happens to containers, until Ctrl-C.
#[derive(Clone, Debug, Default, Args)]
pub struct EventsArgs {
    /// Services to show [default: all]
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,

    /// A JSON object for each event
    #[arg(long)]
    pub json: bool,

    /// From this time on: `2026-01-02T13:23:37Z`, or `42m` for 42 minutes ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,

    /// Up to this time, then end: `2026-01-02T13:23:37Z`, or `42m` for 42 minutes ago
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}
