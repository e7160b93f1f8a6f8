//! Commands that act on containers one by one, or make them.

use clap::Args;

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

    /// Accepted for scripts: hob always builds an image whose inputs changed, and never one whose did not
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
