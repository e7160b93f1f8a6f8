//! `hob exec`, and what it shares with `hob run`: streams between a person and a program in a container.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt as _, TryStreamExt as _};

use super::args::ExecArgs;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::invocation::Name;
use crate::engine::{BoxStream, Channel, Chunk, Engine, EngineError, ErrorKind, ExecSpec, Result, Session};
use crate::event::Event;
use crate::host::terminal::{self, Ended, Input, RawMode, Target};
use crate::model::{ContainerId, ServiceName};

/// Runs a command in a running container.
pub async fn run(context: &Context, args: &ExecArgs) -> anyhow::Result<Exit> {
    // Docker Compose asks the engine alone whether there is such a service.
    let as_compose = context.name == Name::Compose;
    let targets = if as_compose { Vec::new() } else { vec![args.service().to_owned()] };
    let stack = context.stack_of_containers(&targets).await?;
    let observed = stack.observe().await?;
    let service = ServiceName::new(args.service());
    let container = super::context::container(&observed, &service, args.index)?;
    if context.global.dry_run {
        let text = format!("would run {} in {}", shown(args.command()), container.name);
        context.sink.emit(Event::Output { text });
        return Ok(Exit::Ok);
    }
    let id = container.id.clone();
    let tty = !args.no_tty && !args.detach && terminal::stdin_is_terminal() && terminal::stdout_is_terminal();
    let variables = super::context::variables(&stack.project, &args.env);
    let spec = ExecSpec {
        command: args.command().to_vec(),
        user: args.user.clone(),
        working_dir: args.workdir.clone(),
        env: variables.map(|(name, value)| format!("{name}={value}")).collect(),
        tty,
        stdin: !args.detach,
        privileged: args.privileged,
        detach: args.detach,
    };
    let mut session = stack.engine.exec(&id, &spec).await.map_err(refused)?;
    if args.detach {
        return Ok(Exit::Ok);
    }
    let held = Arc::new(Mutex::new(None));
    session.output = hold_refusal(session.output, Arc::clone(&held));
    let exec = session.id.clone();
    let sized = if tty { Some(Sized::Exec(exec.clone())) } else { None };
    if interact(context, &stack.engine, session, sized, true).await? == Ended::ReaderGone {
        return Ok(Exit::ReaderGone);
    }
    let code = stack.engine.exec_exit_code(&exec).await?.unwrap_or(0);
    let text: Option<String> = held.lock().unwrap_or_else(PoisonError::into_inner).take();
    match text {
        Some(text) if !as_compose && (code == 126 || code == 127) => {
            let kind = ErrorKind::of_refused_command(&text).unwrap_or(ErrorKind::Refused);
            Err(refused(EngineError::new(kind, text.trim())))
        }
        Some(text) => {
            context.sink.emit(Event::Output { text });
            Ok(Exit::command(code))
        }
        None => Ok(Exit::command(code)),
    }
}

/// A command that a dry run does not run.
pub fn shown(command: &[String]) -> String {
    if command.is_empty() { "the service's command".to_owned() } else { format!("`{}`", command.join(" ")) }
}

/// Engines before 25 report a command that cannot be run as its output (and with 126 where it is not even there). Such
/// a first chunk is held back until the exit code tells whether it is the engine's.
fn hold_refusal(output: BoxStream<Result<Chunk>>, held: Arc<Mutex<Option<String>>>) -> BoxStream<Result<Chunk>> {
    let mut first = true;
    let output = output.map_ok(move |mut chunk| {
        if std::mem::take(&mut first) && chunk.bytes.starts_with(b"OCI runtime exec failed: ") {
            let text = String::from_utf8_lossy(&std::mem::take(&mut chunk.bytes)).into_owned();
            *held.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        }
        chunk
    });
    output.boxed()
}

/// What the engine refuses to run, as docker's own commands report it.
pub fn refused(error: crate::engine::EngineError) -> anyhow::Error {
    let exit = match error.kind {
        ErrorKind::NoProgram { .. } => Exit::NotFound,
        ErrorKind::NotExecutable => Exit::NotExecutable,
        ErrorKind::Refused | ErrorKind::Other | ErrorKind::NotFound => Exit::Refused,
        _ => return error.into(),
    };
    Failure::new(exit, error.message).into()
}

/// Something with a terminal of its own, whose size follows ours.
pub enum Sized {
    /// A command in a container.
    Exec(String),
    /// A container.
    Container(ContainerId),
}

/// Carries bytes until the program's output ends or nobody reads it. Only here may a container drive the person's terminal.
pub async fn interact(
    context: &Context,
    engine: &Arc<dyn Engine>,
    session: Session,
    sized: Option<Sized>,
    stdin: bool,
) -> anyhow::Result<Ended> {
    context.sink.flush();
    let raw = if sized.is_some() { Some(RawMode::enable()?) } else { None };
    let following = sized.map(|sized| {
        let engine = Arc::clone(engine);
        tokio::spawn(async move {
            let Ok(sizes) = terminal::sizes() else { return };
            let mut sizes = std::pin::pin!(sizes);
            while let Some(size) = sizes.next().await {
                // A program that has just ended has no size.
                let _ = match &sized {
                    Sized::Exec(id) => engine.exec_resize(id, size.columns, size.rows).await,
                    Sized::Container(id) => engine.resize(id, size.columns, size.rows).await,
                };
            }
        })
    });
    let input = if stdin { Some(Input::stdin()?) } else { None };
    let output = session.output.map_ok(|chunk| match chunk.channel {
        Channel::Out => (Target::Out, chunk.bytes),
        Channel::Err => (Target::Err, chunk.bytes),
    });
    let result = terminal::connect(input, session.input, output).await;
    if let Some(following) = following {
        following.abort();
    }
    drop(raw);
    Ok(result?)
}
