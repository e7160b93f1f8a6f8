//! Commands that act on containers one by one, or make them.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::{PullWhen, Scale, UpArgs};

/// Freeze what runs in the containers of services.
#[derive(Clone, Debug, Default, Args)]
pub struct PauseArgs {
    /// Services to pause [default: all]
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
}

/// Let paused services go on.
#[derive(Clone, Debug, Default, Args)]
pub struct UnpauseArgs {
    /// Services to let go on [default: all]
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
}

/// Wait until the containers of services have ended, and print their exit codes.
///
/// Containers of `run` count too. hob exits with the code of the last one that ended.
#[derive(Clone, Debug, Default, Args)]
pub struct WaitArgs {
    /// Services to wait for
    #[arg(value_name = "SERVICE", required = true)]
    pub services: Vec<String>,

    /// Take the project down then, as `down` does
    #[arg(long)]
    pub down_project: bool,
}

/// Set the number of containers of services.
///
/// As `up --scale`, in the background, for these services and what they depend on.
#[derive(Clone, Debug, Default, Args)]
pub struct ScaleArgs {
    /// Services, each with its number of containers
    #[arg(value_name = "SERVICE=NUM", required = true)]
    pub scale: Vec<Scale>,

    /// Leave out what the services depend on
    #[arg(long)]
    pub no_deps: bool,
}

impl From<&ScaleArgs> for UpArgs {
    fn from(args: &ScaleArgs) -> Self {
        Self {
            services: args.scale.iter().map(|scale| scale.service.clone()).collect(),
            scale: args.scale.clone(),
            no_deps: args.no_deps,
            detach: true,
            ..Self::default()
        }
    }
}

/// Build images and create containers, and start none.
///
/// As `up --no-start`.
#[derive(Clone, Debug, Default, Args)]
pub struct CreateArgs {
    /// Services to create, with what they depend on [default: all]
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,

    /// Build images first, also those that are there. As hob that is done anyway where what they are built from changed, and
    /// nowhere else; as `docker-compose` only with this
    #[arg(long, conflicts_with = "no_build")]
    pub build: bool,

    /// Never build an image
    #[arg(long)]
    pub no_build: bool,

    /// Recreate containers even where nothing changed
    #[arg(long, conflicts_with = "no_recreate")]
    pub force_recreate: bool,

    /// Leave containers that exist as they are
    #[arg(long)]
    pub no_recreate: bool,

    /// When to pull images [default: what the manifest says]
    #[arg(long, value_enum, value_name = "WHEN")]
    pub pull: Option<PullWhen>,

    /// Accepted for scripts; --progress quiet shows nothing but errors and results
    #[arg(long)]
    pub quiet_pull: bool,

    /// Remove containers of services that the manifest no longer has
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub remove_orphans: Option<bool>,

    /// Number of containers of a service, in place of what the manifest says; repeatable
    #[arg(long, value_name = "SERVICE=NUM")]
    pub scale: Vec<Scale>,

    /// Accepted for scripts: hob asks nothing
    #[arg(short, long)]
    pub yes: bool,
}

impl From<&CreateArgs> for UpArgs {
    fn from(args: &CreateArgs) -> Self {
        Self {
            services: args.services.clone(),
            no_start: true,
            build: args.build,
            no_build: args.no_build,
            force_recreate: args.force_recreate,
            no_recreate: args.no_recreate,
            pull: args.pull,
            remove_orphans: args.remove_orphans,
            scale: args.scale.clone(),
            ..Self::default()
        }
    }
}

/// Copy files between a service's containers and this machine.
///
/// `-` in place of a path of this machine is a tar archive on standard input or output. What is copied to a service goes
/// to all of its containers, what is copied from it comes from the first.
#[derive(Clone, Debug, Default, Args)]
pub struct CpArgs {
    /// What to copy: a path, `-`, or `SERVICE:PATH`
    #[arg(value_name = "SOURCE", allow_hyphen_values = true)]
    pub source: String,

    /// Where it goes: `SERVICE:PATH`, or a path or `-`
    #[arg(value_name = "TARGET", allow_hyphen_values = true)]
    pub target: String,

    /// Containers of `run` too
    #[arg(long)]
    pub all: bool,

    /// Give what is copied to the user of the container
    #[arg(short, long)]
    pub archive: bool,

    /// Copy what a link leads to in place of the link
    #[arg(short = 'L', long)]
    pub follow_link: bool,

    /// Number of the container, for a service with several
    #[arg(long, value_name = "NUMBER")]
    pub index: Option<u32>,
}

/// Write all files of a container as a tar archive.
#[derive(Clone, Debug, Default, Args)]
pub struct ExportArgs {
    /// The service
    #[arg(value_name = "SERVICE")]
    pub service: String,

    /// Number of the container, for a service with several
    #[arg(long, value_name = "NUMBER")]
    pub index: Option<u32>,

    /// Write to a file in place of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Make an image of a container as it is.
#[derive(Clone, Debug, Default, Args)]
pub struct CommitArgs {
    /// The service
    #[arg(value_name = "SERVICE")]
    pub service: String,

    /// Name of the image
    #[arg(value_name = "IMAGE")]
    pub image: Option<String>,

    /// Who makes it, such as `Jane <jane@example.com>`
    #[arg(short, long, value_name = "AUTHOR")]
    pub author: Option<String>,

    /// Dockerfile instruction that changes its configuration; repeatable
    #[arg(short, long = "change", value_name = "INSTRUCTION")]
    pub changes: Vec<String>,

    /// Number of the container, for a service with several
    #[arg(long, value_name = "NUMBER")]
    pub index: Option<u32>,

    /// What is said about it
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,

    /// Freeze the container meanwhile
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
          default_value_t = true, default_missing_value = "true")]
    pub pause: bool,
}
