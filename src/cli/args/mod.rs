//! The command line: every command with its options, and nothing of what they do. Names, short forms and defaults are
//! those of Docker Compose 2.40, so that scripts keep working; what is hob's own says so in its help.
//!
//! `-f` and `-p` stand before the command, as in Compose, because several commands use those letters themselves. The
//! other global options may stand on either side of it.

mod actions;
mod advice;
mod containers;
mod lists;
mod plugin;
mod project;
mod spelling;
mod tools;
mod up;
mod values;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use super::invocation::Name;
use crate::ui;

pub use actions::{CommitArgs, CpArgs, CreateArgs, ExportArgs, PauseArgs, ScaleArgs, UnpauseArgs, WaitArgs};
pub use containers::{ExecArgs, KillArgs, LogsArgs, RestartArgs, RmArgs, RunArgs, StartArgs, StopArgs};
pub use lists::{EventsArgs, ImagesArgs, LsArgs, PortArgs, PsArgs, StatsArgs, StatusFilter, TopArgs, VolumesArgs};
pub use plugin::{PluginAction, PluginArgs};
pub use project::{BuildArgs, ConfigArgs, ConfigFormat, ConfigList, DownArgs, PullArgs, PullPolicyArg, RemoveImages};
pub use tools::{
    CompletionsArgs, DoctorArgs, ExplainArgs, InitArgs, PruneArgs, SchemaArgs, TableFormat, TextFormat, VersionArgs,
    VersionFormat, WatchArgs, WhyArgs,
};
pub use up::{PullWhen, UpArgs};
pub use values::{KeyValue, Scale, Tail};

/// Runs a team's services on a developer's machine and keeps them hot: every save is live.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "hob",
    version,
    arg_required_else_help = true,
    propagate_version = false,
    max_term_width = 100,
    args_override_self = true,
    after_help = "Run `hob COMMAND --help` for the options of a command."
)]
pub struct Cli {
    /// Options that every command has.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads a command line, with every spelling that Docker Compose takes. `name` is the one in its help.
    ///
    /// # Errors
    /// What clap says, which is also a help text that was asked for.
    pub fn read(name: Name, words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut command = command(name);
        let words = spelling::plain(&command, words);
        let matches = command.try_get_matches_from_mut(words.clone());
        let mut matches = matches.map_err(|error| advice::advised(error, &command, &words))?;
        Self::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
    }
}

/// The command line's definition, with the name in its help.
pub fn command(name: Name) -> clap::Command {
    Cli::command().bin_name(name.command())
}

/// Options that every command has. Their ids must differ from those of every command's own options, which a test
/// holds: clap would mix up the two.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Manifest to read; give it again to merge another over it
    #[arg(short, long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Name of the project [default: the manifest's `name`, or its folder's]
    #[arg(short, long, value_name = "NAME")]
    pub project_name: Option<String>,

    /// Profile to enable, besides services without profiles; repeatable, `*` for all
    #[arg(id = "profile", long = "profile", value_name = "NAME", global = true)]
    pub profiles: Vec<String>,

    /// File of variables for interpolation, in place of `.env`; repeatable
    #[arg(id = "env-file", long = "env-file", value_name = "FILE", global = true)]
    pub env_files: Vec<PathBuf>,

    /// Folder that relative paths start from [default: the first manifest's]
    #[arg(long, value_name = "DIR", global = true)]
    pub project_directory: Option<PathBuf>,

    /// Change to this folder before anything else
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub change_dir: Option<PathBuf>,

    /// How to show progress [default: auto]
    #[arg(long, value_enum, value_name = "TYPE", global = true)]
    pub progress: Option<ui::Progress>,

    /// When to use colours and cursor movement [default: auto]
    #[arg(long, value_enum, value_name = "WHEN", global = true)]
    pub ansi: Option<ui::Ansi>,

    /// Builds and pulls that go on side by side at most; below 1 for no limit [default: what `COMPOSE_PARALLEL_LIMIT` says]
    #[arg(long, value_name = "NUMBER", global = true, allow_negative_numbers = true)]
    pub parallel: Option<i64>,

    /// Print what would be done, with the reasons, and do nothing
    #[arg(long, global = true)]
    pub dry_run: bool,

    /// Say more: builds' output as it comes, reasons, where the time of a reload went
    #[arg(long, global = true)]
    pub verbose: bool,

    /// Name containers and images with `_`, as Docker Compose 1 did
    #[arg(long, global = true)]
    pub compatibility: bool,

    /// Networks, volumes, configs, secrets and models that no service uses too
    #[arg(long, global = true)]
    pub all_resources: bool,

    /// Docker Compose's older `--ansi never`.
    #[arg(long, global = true, hide = true)]
    pub no_ansi: bool,

    /// Docker's options before `compose`: the context, the engine, TLS.
    #[command(flatten)]
    pub docker: DockerArgs,
}

/// Options of the docker program, which it hands on, and which Docker Compose takes as a program of its own. They stand
/// before the command.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct DockerArgs {
    /// Docker context, in place of `DOCKER_CONTEXT`.
    #[arg(short = 'c', long, value_name = "NAME", hide = true, conflicts_with = "host")]
    pub context: Option<String>,

    /// The client's folder, in place of `DOCKER_CONFIG`.
    #[arg(long, value_name = "DIR", hide = true)]
    pub config: Option<String>,

    /// The engine, in place of `DOCKER_HOST`.
    #[arg(short = 'H', long, value_name = "URL", hide = true)]
    pub host: Option<String>,

    /// TLS.
    #[arg(long, hide = true)]
    pub tls: bool,

    /// TLS that verifies.
    #[arg(long, hide = true)]
    pub tlsverify: bool,

    /// Says no more than hob does anyway: `--verbose` does.
    #[arg(short = 'D', long, hide = true)]
    pub debug: bool,

    /// `HOB_LOG` is hob's.
    #[arg(short = 'l', long, value_name = "LEVEL", hide = true)]
    pub log_level: Option<String>,

    /// Version.
    #[arg(short = 'v', hide = true, action = clap::ArgAction::Version)]
    version_v: Option<bool>,
}

impl DockerArgs {
    /// The environment as these options have it.
    pub fn applied(&self, mut environment: BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut set = |name: &str, value: &str| environment.insert(name.to_owned(), value.to_owned());
        if let Some(host) = &self.host {
            set("DOCKER_HOST", host);
        }
        if let Some(folder) = &self.config {
            set("DOCKER_CONFIG", folder);
        }
        if self.tls || self.tlsverify {
            set("DOCKER_TLS_VERIFY", "1");
        }
        if let Some(context) = &self.context {
            set("DOCKER_CONTEXT", context);
            environment.remove("DOCKER_HOST");
        }
        environment
    }
}

impl GlobalArgs {
    /// How the ui is to show things, where a command has no wishes of its own. An option wins over Compose's
    /// variables `COMPOSE_PROGRESS`, `COMPOSE_ANSI` and `COMPOSE_STATUS_STDOUT`, which `env` looks up.
    ///
    /// # Errors
    /// `COMPOSE_PROGRESS` has a word that `--progress` does not have. Of `COMPOSE_ANSI` such a word is none, as in Compose.
    pub fn ui(&self, env: impl Fn(&str) -> Option<String>) -> Result<ui::Options, clap::Error> {
        fn parsed<T: clap::ValueEnum>(text: Option<String>) -> Option<T> {
            T::from_str(&text?, true).ok()
        }
        let wanted = env("COMPOSE_PROGRESS").filter(|text| !text.is_empty());
        let progress = self.progress.or_else(|| parsed(wanted.clone()));
        if let (None, Some(text)) = (progress, wanted) {
            let text = format!("COMPOSE_PROGRESS is {text:?}; expected auto, tty, plain, json or quiet\n");
            return Err(clap::Error::raw(clap::error::ErrorKind::InvalidValue, text));
        }
        Ok(ui::Options {
            progress: progress.unwrap_or_default(),
            ansi: self
                .ansi
                .or(self.no_ansi.then_some(ui::Ansi::Never))
                .or_else(|| parsed(env("COMPOSE_ANSI")))
                .unwrap_or_default(),
            status_to_stdout: env("COMPOSE_STATUS_STDOUT").is_some_and(|value| crate::model::is_on(&value)),
            verbose: self.verbose,
            timings: self.verbose,
            ..ui::Options::default()
        })
    }
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
#[allow(missing_docs, reason = "what a command does is said at its arguments, which clap shows")]
pub enum Command {
    Up(UpArgs),
    Down(DownArgs),
    Ps(PsArgs),
    Ls(LsArgs),
    Images(ImagesArgs),
    Volumes(VolumesArgs),
    Port(PortArgs),
    Top(TopArgs),
    Stats(StatsArgs),
    Events(EventsArgs),
    Logs(LogsArgs),
    Exec(ExecArgs),
    Run(RunArgs),
    Build(BuildArgs),
    Pull(PullArgs),
    Start(StartArgs),
    Stop(StopArgs),
    Restart(RestartArgs),
    Kill(KillArgs),
    Rm(RmArgs),
    Create(CreateArgs),
    Scale(ScaleArgs),
    Pause(PauseArgs),
    Unpause(UnpauseArgs),
    Wait(WaitArgs),
    Cp(CpArgs),
    Export(ExportArgs),
    Commit(CommitArgs),
    Watch(WatchArgs),
    Config(ConfigArgs),
    Why(WhyArgs),
    Explain(ExplainArgs),
    Doctor(DoctorArgs),
    Init(InitArgs),
    Schema(SchemaArgs),
    Prune(PruneArgs),
    Completions(CompletionsArgs),
    Plugin(PluginArgs),
    Version(VersionArgs),
}

impl Command {
    /// What a person would recognise it by: the command and the services that it is about. Nothing else of the command
    /// line, which may hold secrets.
    pub fn title(&self) -> String {
        let one = |words: &[String]| words.iter().take(1).cloned().collect::<Vec<_>>();
        let (name, services) = match self {
            Self::Up(args) if args.detach => ("up -d", args.services.clone()),
            Self::Up(args) => ("up", args.services.clone()),
            Self::Down(args) => ("down", args.services.clone()),
            Self::Run(args) => ("run", one(&args.words)),
            Self::Exec(args) => ("exec", one(&args.words)),
            Self::Build(args) => ("build", args.services.clone()),
            Self::Pull(args) => ("pull", args.services.clone()),
            Self::Start(args) => ("start", args.services.clone()),
            Self::Stop(args) => ("stop", args.services.clone()),
            Self::Restart(args) => ("restart", args.services.clone()),
            Self::Kill(args) => ("kill", args.services.clone()),
            Self::Rm(args) => ("rm", args.services.clone()),
            Self::Create(args) => ("create", args.services.clone()),
            Self::Scale(args) => ("scale", args.scale.iter().map(|scale| scale.service.clone()).collect()),
            Self::Pause(args) => ("pause", args.services.clone()),
            Self::Unpause(args) => ("unpause", args.services.clone()),
            Self::Commit(args) => ("commit", vec![args.service.clone()]),
            Self::Export(args) => ("export", vec![args.service.clone()]),
            Self::Wait(args) => ("wait", args.services.clone()),
            Self::Watch(args) => ("watch", args.services.clone()),
            _ => return "hob".to_owned(),
        };
        let words = std::iter::once(format!("hob {name}")).chain(services);
        words.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests;
