//! `hob up`.

use clap::{Args, ValueEnum};

use super::Scale;

/// When to pull images, in place of what the manifest says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PullWhen {
    /// Always
    Always,
    /// Where the engine does not have the image
    Missing,
    /// Never
    Never,
    /// Not where it can be built
    Build,
}

/// Build, create and start services, and keep them hot.
///
/// In the foreground, hob shows the logs and watches: a save goes live in the services that read the file. Ctrl-C
/// stops the services; a second one kills them.
#[derive(Clone, Debug, Default, Args)]
pub struct UpArgs {
    /// Services to start, with what they depend on [default: all]
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,

    /// Leave the services running in the background
    #[arg(short, long, conflicts_with_all = ["watch", "abort_on_container_exit", "abort_on_container_failure"])]
    pub detach: bool,

    /// Build images first, also those that are there. As hob that is done anyway where what they are built from changed, and
    /// nowhere else; as `docker-compose` only with this
    #[arg(long, conflicts_with = "no_build")]
    pub build: bool,

    /// Never build an image
    #[arg(long)]
    pub no_build: bool,

    /// Wait until the services are healthy, or run for a second where they have no health check; leave them running
    #[arg(long, conflicts_with = "watch")]
    pub wait: bool,

    /// Seconds that `--wait` waits at most
    #[arg(long, value_name = "SECONDS")]
    pub wait_timeout: Option<u64>,

    /// Recreate containers even where nothing changed
    #[arg(long, conflicts_with = "no_recreate")]
    pub force_recreate: bool,

    /// Leave containers that exist as they are
    #[arg(long)]
    pub no_recreate: bool,

    /// With --force-recreate: recreate what the services depend on too
    #[arg(long, conflicts_with = "no_recreate")]
    pub always_recreate_deps: bool,

    /// Leave out what the services depend on
    #[arg(long)]
    pub no_deps: bool,

    /// Create containers and do not start them
    #[arg(long)]
    pub no_start: bool,

    /// Remove containers of services that the manifest no longer has
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub remove_orphans: Option<bool>,

    /// Make anonymous volumes anew in place of taking them over from the last containers
    #[arg(short = 'V', long)]
    pub renew_anon_volumes: bool,

    /// Go on with services that do not need the one that failed (hob's own)
    #[arg(long)]
    pub keep_going: bool,

    /// Watch for saves; the default in the foreground. Where standard input or output is no terminal, as in a CI job,
    /// hob ends when all services have exited, unless this is given
    #[arg(short, long, conflicts_with = "no_watch")]
    pub watch: bool,

    /// Do not watch for saves (hob's own)
    #[arg(long)]
    pub no_watch: bool,

    /// Do not build, in the background, the images of services that saves were synced into (hob's own)
    #[arg(long)]
    pub no_catch_up: bool,

    /// Stop everything when a container stops
    #[arg(long)]
    pub abort_on_container_exit: bool,

    /// Stop everything when a container fails
    #[arg(long, conflicts_with = "abort_on_container_exit")]
    pub abort_on_container_failure: bool,

    /// Exit with this service's exit code; implies --abort-on-container-exit
    #[arg(long, value_name = "SERVICE", conflicts_with = "detach")]
    pub exit_code_from: Option<String>,

    /// Show the logs of these services only; repeatable
    #[arg(long, value_name = "SERVICE", conflicts_with = "attach_dependencies")]
    pub attach: Vec<String>,

    /// Do not show the logs of this service; repeatable
    #[arg(long, value_name = "SERVICE")]
    pub no_attach: Vec<String>,

    /// Show the logs of what the services depend on too
    #[arg(long)]
    pub attach_dependencies: bool,

    /// Do not put the container's name before each line of its log
    #[arg(long)]
    pub no_log_prefix: bool,

    /// Do not colour the logs' prefixes
    #[arg(long)]
    pub no_color: bool,

    /// Show when each line was written, of logs and of hob's own
    #[arg(long)]
    pub timestamps: bool,

    /// When to pull images [default: what the manifest says]
    #[arg(long, value_enum, value_name = "WHEN")]
    pub pull: Option<PullWhen>,

    /// Accepted for scripts; --progress quiet shows nothing but errors and results
    #[arg(long)]
    pub quiet_pull: bool,

    /// Accepted for scripts; --progress quiet shows nothing but errors and results
    #[arg(long)]
    pub quiet_build: bool,

    /// Accepted for scripts: hob has no menu.
    #[arg(long, hide = true)]
    pub menu: bool,

    /// Number of containers of a service, in place of what the manifest says; repeatable
    #[arg(long, value_name = "SERVICE=NUM")]
    pub scale: Vec<Scale>,

    /// Seconds that a container has to stop before it is killed
    #[arg(short, long, value_name = "SECONDS")]
    pub timeout: Option<u64>,

    /// Accepted for scripts: hob asks nothing
    #[arg(short, long)]
    pub yes: bool,
}

impl UpArgs {
    /// The command stays, shows logs and stops the services when it ends.
    pub fn foreground(&self) -> bool {
        !(self.detach || self.wait || self.no_start)
    }

    /// Saves go live while the command stays.
    pub fn watches(&self) -> bool {
        self.foreground() && !self.no_watch
    }

    /// Everything stops when a container ends by itself.
    pub fn aborts_on_exit(&self) -> bool {
        self.abort_on_container_exit || self.exit_code_from.is_some()
    }
}
