//! Commands on containers that are there already, and one-off ones.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::{KeyValue, PullWhen, Tail};

/// Show the logs of services.
#[derive(Clone, Debug, Default, Args)]
pub struct LogsArgs {
    /// Services to show [default: all]
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,

    /// Go on as new lines come
    #[arg(short, long)]
    pub follow: bool,

    /// Lines from the end of each container's log, or `all`
    #[arg(short = 'n', long, value_name = "LINES", default_value = "all", allow_negative_numbers = true)]
    pub tail: Tail,

    /// From this time on: `2026-01-02T13:23:37Z`, or `42m` for 42 minutes ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,

    /// Up to this time: `2026-01-02T13:23:37Z`, or `42m` for 42 minutes ago
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,

    /// Show when each line was written
    #[arg(short, long)]
    pub timestamps: bool,

    /// Do not colour the prefixes
    #[arg(long)]
    pub no_color: bool,

    /// Do not put the container's name before each line
    #[arg(long)]
    pub no_log_prefix: bool,

    /// Number of the container, for a service with several
    #[arg(long, value_name = "NUMBER")]
    pub index: Option<u32>,
}

/// Run a command in a running container.
///
/// With a terminal on both ends unless `-T` is given or there is none. hob exits as the command does.
#[derive(Clone, Debug, Default, Args)]
pub struct ExecArgs {
    /// The service, and the command with its arguments: all that follows is the command's
    #[arg(value_names = ["SERVICE", "COMMAND"], required = true, num_args = 2.., trailing_var_arg = true)]
    pub words: Vec<String>,

    /// Leave the command running in the background
    #[arg(short, long)]
    pub detach: bool,

    /// Environment variable; the name alone takes its value from here; repeatable
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub env: Vec<KeyValue>,

    /// Number of the container, for a service with several
    #[arg(long, value_name = "NUMBER")]
    pub index: Option<u32>,

    /// Give the command all capabilities
    #[arg(long)]
    pub privileged: bool,

    /// Do not give the command a terminal
    #[arg(short = 'T', long, visible_alias = "no-TTY")]
    pub no_tty: bool,

    /// User to run the command as
    #[arg(short, long, value_name = "USER")]
    pub user: Option<String>,

    /// Folder to run the command in
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,

    /// Accepted because people type `-it`; it is the default.
    #[arg(short, long, hide = true)]
    pub interactive: bool,

    /// Accepted because people type `-it`; it is the default.
    #[arg(short, long, hide = true)]
    pub tty: bool,
}

impl ExecArgs {
    /// The service.
    pub fn service(&self) -> &str {
        service(&self.words)
    }

    /// The command and its arguments.
    pub fn command(&self) -> &[String] {
        command(&self.words)
    }
}

/// Run a one-off command in a new container of a service.
///
/// What the service depends on is started first. hob exits as the command does.
#[derive(Clone, Debug, Default, Args)]
pub struct RunArgs {
    /// The service, and the command with its arguments [default: the service's]: all that follows is the command's
    #[arg(value_names = ["SERVICE", "COMMAND"], required = true, num_args = 1.., trailing_var_arg = true)]
    pub words: Vec<String>,

    /// Remove the container when the command ends
    #[arg(long)]
    pub rm: bool,

    /// Build images first, also those that are there. As hob that is done anyway where what they are built from changed, and
    /// nowhere else; as `docker-compose` only with this
    #[arg(long)]
    pub build: bool,

    /// Leave the container running in the background and print its id
    #[arg(short, long)]
    pub detach: bool,

    /// Environment variable; the name alone takes its value from here; repeatable
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub env: Vec<KeyValue>,

    /// File of environment variables; repeatable
    #[arg(long, value_name = "FILE")]
    pub env_from_file: Vec<PathBuf>,

    /// Entrypoint in place of the image's
    #[arg(long, value_name = "COMMAND")]
    pub entrypoint: Option<String>,

    /// Name of the container
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Do not start what the service depends on
    #[arg(long)]
    pub no_deps: bool,

    /// Publish a port; repeatable
    #[arg(short, long, value_name = "PORT")]
    pub publish: Vec<String>,

    /// Publish the service's ports
    #[arg(short = 'P', long, conflicts_with = "publish")]
    pub service_ports: bool,

    /// Do not give the command a terminal
    #[arg(short = 'T', long = "no-TTY", visible_alias = "no-tty")]
    pub no_tty: bool,

    /// User to run the command as
    #[arg(short, long, value_name = "USER")]
    pub user: Option<String>,

    /// Mount a volume; repeatable
    #[arg(short, long = "volume", alias = "volumes", value_name = "VOLUME")]
    pub volumes: Vec<String>,

    /// Folder to run the command in
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,

    /// Keep standard input open
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
          default_value_t = true, default_missing_value = "true")]
    pub interactive: bool,

    /// Accepted because people type `-it`; it is the default.
    #[arg(short, long, hide = true)]
    pub tty: bool,

    /// Give the container the service's network aliases
    #[arg(long)]
    pub use_aliases: bool,

    /// Label of the container; repeatable
    #[arg(short, long = "label", alias = "labels", value_name = "NAME[=VALUE]")]
    pub labels: Vec<KeyValue>,

    /// Linux capability to add; repeatable
    #[arg(long, value_name = "CAPABILITY")]
    pub cap_add: Vec<String>,

    /// Linux capability to drop; repeatable
    #[arg(long, value_name = "CAPABILITY")]
    pub cap_drop: Vec<String>,

    /// When to pull images [default: what the manifest says]
    #[arg(long, value_enum, value_name = "WHEN")]
    pub pull: Option<PullWhen>,

    /// Print nothing but the command's output
    #[arg(short, long)]
    pub quiet: bool,

    /// Accepted for scripts; --quiet shows neither builds nor pulls
    #[arg(long)]
    pub quiet_build: bool,

    /// Accepted for scripts; --quiet shows neither builds nor pulls
    #[arg(long)]
    pub quiet_pull: bool,

    /// Accepted for scripts; `up` and `down` remove such containers
    #[arg(long)]
    pub remove_orphans: bool,
}

impl RunArgs {
    /// The service.
    pub fn service(&self) -> &str {
        service(&self.words)
    }

    /// The command and its arguments; empty for the service's own.
    pub fn command(&self) -> &[String] {
        command(&self.words)
    }
}

// Service and command are one list, so that everything behind the service is taken as it is, as in Compose:
// `hob exec api --help` asks the program for its help.
fn service(words: &[String]) -> &str {
    words.first().map(String::as_str).unwrap_or_default()
}

/// A `--` in front is not the command's, because people write one to be sure.
fn command(words: &[String]) -> &[String] {
    let command = words.get(1..).unwrap_or_default();
    match command {
        [dashes, command @ ..] if dashes == "--" => command,
        _ => command,
    }
}

/// Start services that exist and are stopped.
#[derive(Clone, Debug, Default, Args)]
pub struct StartArgs {
    /// Services to start [default: all]
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
}

/// Stop services without removing them.
#[derive(Clone, Debug, Default, Args)]
pub struct StopArgs {
    /// Services to stop [default: all]
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,

    /// Seconds that a container has to stop before it is killed
    #[arg(short, long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
}

/// Restart services.
#[derive(Clone, Debug, Default, Args)]
pub struct RestartArgs {
    /// Services to restart [default: all]
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,

    /// Do not restart services that depend on them
    #[arg(long)]
    pub no_deps: bool,

    /// Seconds that a container has to stop before it is killed
    #[arg(short, long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
}

/// Send a signal to services, SIGKILL unless told otherwise.
#[derive(Clone, Debug, Default, Args)]
pub struct KillArgs {
    /// Services to signal [default: all]
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,

    /// The signal
    #[arg(short, long, value_name = "SIGNAL", default_value = "SIGKILL")]
    pub signal: String,

    /// Accepted for scripts; `up` and `down` remove such containers
    #[arg(long)]
    pub remove_orphans: bool,
}

/// Remove stopped containers.
#[derive(Clone, Debug, Default, Args)]
pub struct RmArgs {
    /// Services whose containers to remove [default: all]
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,

    /// Accepted for scripts: hob asks nothing
    #[arg(short, long)]
    pub force: bool,

    /// Stop containers that run first
    #[arg(short, long)]
    pub stop: bool,

    /// Remove the containers' anonymous volumes too
    #[arg(short, long)]
    pub volumes: bool,

    /// Of Docker Compose 1: containers of `run` too, which is the default.
    #[arg(short, long, hide = true)]
    pub all: bool,
}
