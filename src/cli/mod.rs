//! The command line: arguments, wiring, one file per command, and failure to exit code. The only layer that knows all
//! others.

#![allow(clippy::disallowed_methods, reason = "an effectful layer: it wires the layers to the machine")]

pub mod args;
mod build;
mod by_name;
mod commit;
mod completions;
mod config;
mod context;
mod cp;
mod doctor;
mod down;
mod events;
mod exec;
pub mod exit;
mod export;
#[cfg(test)]
mod flags;
mod format;
mod ignore;
mod images;
mod init;
mod invocation;
mod journal;
mod logs;
mod ls;
mod mounts;
mod pause;
mod plugin;
mod port;
mod prune;
mod ps;
#[cfg(test)]
mod reference;
mod run;
mod seen;
mod stats;
mod tar_out;
mod timestamp;
mod top;
mod trace;
mod up;
mod usage;
mod version;
mod volumes;
mod wait;
mod walk;
mod why;
mod why_file;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::event::{Event, Sink};
use crate::manifest::Purpose;
use crate::ui;
use args::{Cli, Command};
use context::Context;
use exit::Exit;
use invocation::{Invocation, Name};

/// The whole program.
pub fn main() -> ExitCode {
    let invocation = Invocation::of_process();
    let name = invocation.name;
    if invocation.metadata {
        return shown(name, vec![Event::Output { text: Invocation::metadata() }], Exit::Ok);
    }
    let cli = match Cli::read(name, invocation.words) {
        Ok(cli) => cli,
        Err(error) => return said(name, &error),
    };
    let mut options = match cli.global.ui(|name| std::env::var(name).ok()) {
        Ok(options) => options,
        Err(error) => return said(name, &error),
    };
    adjust(&mut options, &cli.command);
    options.wording = wording(name);
    options.relative_to = std::env::current_dir().ok();
    let closed = CancellationToken::new();
    options.on_closed = Some(Arc::new({
        let closed = closed.clone();
        move || closed.cancel()
    }));
    let sink = ui::sink(&options);
    let exit = match start(cli, name, &sink, closed) {
        Ok(exit) => exit,
        Err(error) => {
            let (exit, message) = exit::report(&error);
            sink.emit(Event::Error(message));
            exit
        }
    };
    sink.flush();
    exit.code_under(name).into()
}

fn wording(name: Name) -> ui::Wording {
    match name {
        Name::Hob => ui::Wording::Hob,
        Name::Compose => ui::Wording::Compose,
    }
}

/// Says what is wrong with the command line, or shows the help or the version that was asked for.
fn said(name: Name, error: &clap::Error) -> ExitCode {
    match usage::tell(name, error) {
        usage::Told::ByClap(exit) => {
            // Nobody may read it any more.
            let _ = error.print();
            exit.into()
        }
        usage::Told::Events(events, exit) => shown(name, events, exit),
    }
}

/// Shows what is known before there are options of how to show it.
fn shown(name: Name, events: Vec<Event>, exit: Exit) -> ExitCode {
    let sink =
        ui::sink(&ui::Options { wording: wording(name), progress: ui::Progress::Plain, ..ui::Options::default() });
    for event in events {
        sink.emit(event);
    }
    sink.flush();
    exit.code_under(name).into()
}

/// What a command's own options say about how things are shown.
fn adjust(options: &mut ui::Options, command: &Command) {
    let mut quiet = false;
    match command {
        Command::Up(args) => {
            options.log_prefix = !args.no_log_prefix;
            options.log_color = !args.no_color;
            options.timestamps = args.timestamps;
        }
        Command::Logs(args) => {
            options.log_prefix = !args.no_log_prefix;
            options.log_color = !args.no_color;
        }
        Command::Watch(args) => {
            options.timings |= args.timings;
            quiet |= args.quiet;
        }
        Command::Run(args) => quiet |= args.quiet,
        Command::Build(args) => quiet |= args.quiet,
        Command::Pull(args) => quiet |= args.quiet,
        _ => {}
    }
    if quiet {
        options.progress = ui::Progress::Quiet;
    }
}

fn start(cli: Cli, name: Name, sink: &Arc<dyn Sink>, closed: CancellationToken) -> anyhow::Result<Exit> {
    if let Some(folder) = &cli.global.change_dir {
        std::env::set_current_dir(folder).with_context(|| format!("cannot change to {}", folder.display()))?;
    }
    trace::start(&crate::host::env::snapshot())?;
    let command = cli.command;
    let mut context = Context::new(cli.global, name, command.title(), Arc::clone(sink), closed)?;
    context.purpose = purpose(&command);
    context.hot |= matches!(&command, Command::Watch(_)) || matches!(&command, Command::Up(args) if args.watch);
    context.may_build = matches!(purpose(&command), Purpose::Run) || matches!(&command, Command::Build(_));
    // What speaks to no engine needs no runtime and its threads.
    if let Some(exit) = offline(&context, &command)? {
        return Ok(exit);
    }
    // One thread does it all, as a task of its own wakes no other thread. Where it must wait for the terminal, the
    // runtime starts another.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    let exit = runtime.block_on(runtime.spawn(async move { online(&context, command).await }));
    let exit = exit.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    // A read of standard input that goes on must not hold the exit back.
    runtime.shutdown_background();
    exit
}

/// What a command needs of the project, so that what it does not use cannot be in its way.
fn purpose(command: &Command) -> Purpose {
    match command {
        Command::Up(_) | Command::Watch(_) | Command::Run(_) | Command::Create(_) | Command::Scale(_) => Purpose::Run,
        Command::Config(_) | Command::Why(_) | Command::Explain(_) | Command::Doctor(_) => Purpose::Show,
        _ => Purpose::Names,
    }
}

/// Commands that only read files and print; `None` for all others.
fn offline(context: &Context, command: &Command) -> anyhow::Result<Option<Exit>> {
    Ok(Some(match command {
        Command::Config(args) if !args.asks_registries() => config::run(context, args)?,
        Command::Init(args) if args.ignore => ignore::run(context)?,
        Command::Init(args) => {
            init::run(args, context.global.dry_run, &context.working_dir, &*context.tree, &*context.sink)?
        }
        Command::Schema(_) => {
            let text = serde_json::to_string_pretty(&crate::manifest::json_schema())?;
            context.sink.emit(Event::Output { text });
            Exit::Ok
        }
        Command::Completions(args) => {
            completions::run(args, &*context.sink);
            Exit::Ok
        }
        Command::Plugin(args) => plugin::run(context, args)?,
        Command::Version(args) => {
            version::run(context.name, args, &*context.sink);
            Exit::Ok
        }
        _ => return Ok(None),
    }))
}

async fn online(context: &Context, command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Up(args) => up::up(context, &args).await,
        Command::Watch(args) => up::watch(context, &args).await,
        Command::Down(args) => down::down(context, &args).await,
        Command::Stop(args) => down::stop(context, &args).await,
        Command::Start(args) => down::start(context, &args).await,
        Command::Restart(args) => down::restart(context, &args).await,
        Command::Kill(args) => down::kill(context, &args).await,
        Command::Rm(args) => down::rm(context, &args).await,
        Command::Create(args) => up::up(context, &args::UpArgs::from(&args)).await,
        Command::Scale(args) => up::up(context, &args::UpArgs::from(&args)).await,
        Command::Pause(args) => pause::pause(context, &args).await,
        Command::Unpause(args) => pause::unpause(context, &args).await,
        Command::Cp(args) => cp::run(context, &args).await,
        Command::Export(args) => export::run(context, &args).await,
        Command::Commit(args) => commit::run(context, &args).await,
        Command::Wait(args) => wait::run(context, &args).await,
        Command::Ps(args) => ps::run(context, &args).await,
        Command::Ls(args) => ls::run(context, &args).await,
        Command::Images(args) => images::run(context, &args).await,
        Command::Volumes(args) => volumes::run(context, &args).await,
        Command::Port(args) => port::run(context, &args).await,
        Command::Top(args) => top::run(context, &args).await,
        Command::Stats(args) => stats::run(context, &args).await,
        Command::Events(args) => events::run(context, &args).await,
        Command::Logs(args) => logs::run(context, &args).await,
        Command::Exec(args) => exec::run(context, &args).await,
        Command::Run(args) => run::run(context, &args).await,
        Command::Build(args) => build::build(context, &args).await,
        Command::Pull(args) => build::pull(context, &args).await,
        Command::Why(args) => why::why(context, &args).await,
        Command::Explain(args) => why::explain(context, &args).await,
        Command::Doctor(args) => doctor::run(context, &args).await,
        Command::Prune(args) => prune::run(context, &args).await,
        Command::Config(args) => config::pinned(context, &args).await,
        // Carried out already.
        Command::Init(_) | Command::Schema(_) | Command::Completions(_) | Command::Plugin(_) | Command::Version(_) => {
            Ok(Exit::Ok)
        }
    }
}
