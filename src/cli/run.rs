//! `hob run`: a one-off container of a service.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::args::RunArgs;
use super::context::{Context, Stack};
use super::exec::{Sized, interact, shown};
use super::exit::{Exit, Failure};
use super::invocation::Name;
use super::up::{bring_up, pull_policy, show};
use crate::engine::{EngineError, Session};
use crate::event::{Event, Message};
use crate::execute::{Depth, RunOptions, provide};
use crate::host::signals::Signals;
use crate::host::terminal::{self, Ended};
use crate::manifest::command_line;
use crate::model::{ContainerId, Digest, Owned, Project, Service, ServiceName};
use crate::plan::{self, UpOptions, labels};
use crate::workspace::BuildOptions;

/// Runs a command in a new container.
pub async fn run(context: &Context, args: &RunArgs) -> anyhow::Result<Exit> {
    let only_missing = context.name == Name::Compose && !args.build;
    let build = BuildOptions { only_missing, ..BuildOptions::default() };
    let mut stack = context.stack_with(&[args.service().to_owned()], Vec::new(), build).await?;
    let name = ServiceName::new(args.service());
    if !args.no_deps && !context.global.dry_run {
        let needed = plan::scope(&stack.project, std::slice::from_ref(&name), false);
        let provided = provide(&*context.sink, &stack.project, &needed).await;
        stack.project = provided.map_err(|failures| context.failures(failures))?;
    }
    let Some(service) = stack.project.services.get(&name).cloned() else {
        return Err(Failure::new(Exit::Manifest, format!("no such service: {name}")).into());
    };
    context.settle(&stack).await?;
    let pull = args.pull.map(|when| pull_policy(when).to_owned());
    let needs = service.depends_on.keys().filter(|d| stack.project.services.contains_key(*d));
    let needs: Vec<ServiceName> = needs.cloned().collect();
    // Without any, as where the only one belongs to a profile that is off, an `up` of them would be one of all.
    if !args.no_deps && !needs.is_empty() {
        let options =
            UpOptions { services: needs, needed_by: Some(name.clone()), pull: pull.clone(), ..UpOptions::default() };
        if context.global.dry_run {
            show(context, &stack, &options, (Depth::Plan, plan::up)).await?;
        } else {
            bring_up(context, &stack, &options, &RunOptions::default()).await?;
        }
    }
    let images_first = context.name == Name::Compose;
    let services = vec![name.clone()];
    let options = UpOptions { services, no_deps: true, pull, images_first, ..UpOptions::default() };
    if context.global.dry_run {
        show(context, &stack, &options, (Depth::Whole, plan::resources)).await?;
        let text = format!("would run {} in a new container of {name}", shown(args.command()));
        context.sink.emit(Event::Output { text });
        return Ok(Exit::Ok);
    }
    let run = RunOptions::default();
    let turn = context.turn(&stack).await?;
    let pass = stack.pass(std::slice::from_ref(&name), &options, &run);
    let passed = pass.through(Depth::Whole, plan::resources, true).await;
    let (snapshot, outcome) = passed.map_err(|failures| context.failures(failures))?;
    if !outcome.is_success() {
        return Err(context.failures(outcome.failures));
    }

    let tty = !args.no_tty && terminal::stdin_is_terminal() && terminal::stdout_is_terminal();
    let service = adjusted(context, &stack.project, service, args, tty)?;
    let mut spec = plan::container_spec(&stack.project, &service, 1, &snapshot.wanted, &indexmap::IndexMap::new());
    let slug = unique();
    spec.name = args.name.clone().unwrap_or_else(|| format!("{}-{name}-run-{}", stack.project.name, slug.short()));
    spec.labels.shift_remove(labels::NUMBER);
    spec.labels.insert(labels::SLUG.to_owned(), slug.to_string());
    spec.labels.insert(labels::ONEOFF.to_owned(), "True".to_owned());
    spec.labels.shift_remove(labels::AGENT);
    spec.interactive = !args.detach && args.interactive;
    spec.publish = args.service_ports || !args.publish.is_empty();
    for attachment in spec.networks.values_mut() {
        let of_service = if args.use_aliases { attachment.aliases.split_off(1) } else { Vec::new() };
        attachment.aliases = std::iter::once(spec.name.clone()).chain(of_service).collect();
    }
    for label in &args.labels {
        spec.labels.insert(label.key.clone(), label.value.clone().unwrap_or_default());
    }
    spec.auto_remove = args.rm;
    // Without its hob nobody starts it, and nobody has its output.
    spec.owned = Some(if args.rm && !args.detach { Owned::Process } else { Owned::Start });
    stack.engine.verify_info().await?;
    let id = stack.executor.create_container(&spec).await.map_err(refused(context.name))?;
    // What it needs is there, and is not taken away from under it any more.
    drop(turn);
    if args.detach {
        if let Err(error) = stack.engine.start(&id).await {
            if args.rm {
                let _ = stack.engine.remove_container(&id, true).await;
            }
            return Err(refused(context.name)(error));
        }
        context.sink.emit(Event::Output { text: id.to_string() });
        return Ok(Exit::Ok);
    }
    let code = attached(context, &stack, &id, tty, args).await;
    if args.rm {
        // The engine does it as well; where its command could not be started nobody else does.
        stack.engine.remove_container(&id, true).await?;
    }
    Ok(code?.map_or(Exit::ReaderGone, Exit::command))
}

/// The service with what the command line says.
fn adjusted(
    context: &Context,
    project: &Project,
    mut service: Service,
    args: &RunArgs,
    tty: bool,
) -> anyhow::Result<Service> {
    if !args.command().is_empty() {
        service.command = Some(args.command().to_vec());
    }
    if let Some(entrypoint) = &args.entrypoint {
        service.entrypoint =
            Some(command_line::words(entrypoint).map_err(|why| usage("--entrypoint", entrypoint, &why))?);
        if args.command().is_empty() {
            service.command = Some(Vec::new());
        }
    }
    service.environment.extend(environment(context, project, args)?);
    service.user = args.user.clone().or(service.user);
    service.working_dir = args.workdir.clone().or(service.working_dir);
    service.cap_add.extend(args.cap_add.iter().cloned());
    service.cap_drop.extend(args.cap_drop.iter().cloned());
    for volume in &args.volumes {
        let home = context.environment.get("HOME").map(String::as_str);
        let mount = command_line::mount(volume, &context.working_dir, home).map_err(|why| usage("-v", volume, &why))?;
        service.volumes.push(mount);
    }
    if !args.publish.is_empty() {
        let ports = |text: &String| command_line::ports(text).map_err(|why| usage("-p", text, &why));
        service.ports = args.publish.iter().map(ports).collect::<Result<Vec<_>, _>>()?.concat();
    }
    service.container_name = None;
    service.restart = None;
    service.scale = None;
    service.tty = tty;
    service.stdin_open = args.interactive;
    Ok(service)
}

/// Variables of the command line, and of files where those do not set them; of several files the first one counts.
fn environment(
    context: &Context,
    project: &Project,
    args: &RunArgs,
) -> anyhow::Result<impl Iterator<Item = (String, Option<String>)>> {
    let given: BTreeMap<String, String> = super::context::variables(project, &args.env).collect();
    let mut all = given.clone();
    for file in &args.env_from_file {
        let path = context.working_dir.join(file);
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Failure::new(Exit::NoManifest, format!("{}: {error}", path.display())))?;
        let read = command_line::env_file(&text, file, &given).map_err(|why| Failure::new(Exit::Manifest, why))?;
        for (name, line) in read.unset {
            let text = format!("{}:{line}: the variable {name} is not set; an empty text is used", file.display());
            let hint = format!("`-e {name}` hands it on from here");
            context.sink.emit(Event::Warning(Message::new(text).hint(hint)));
        }
        for (name, value) in read.variables {
            all.entry(name).or_insert(value);
        }
    }
    Ok(all.into_iter().map(|(name, value)| (name, Some(value))))
}

/// What the engine refuses to run: with codes of its own, as `docker run` has them, or with 1, as Docker Compose.
fn refused(name: Name) -> impl Fn(EngineError) -> anyhow::Error {
    move |error| match name {
        Name::Hob => super::exec::refused(error),
        Name::Compose => Failure::new(Exit::Failed, error.message).into(),
    }
}

fn usage(option: &str, text: &str, why: &str) -> Failure {
    Failure::new(Exit::Usage, format!("{option} {text}: {why}"))
}

/// The exit code; `None` where nobody reads the output any more.
async fn attached(
    context: &Context,
    stack: &Stack,
    id: &ContainerId,
    tty: bool,
    args: &RunArgs,
) -> anyhow::Result<Option<i64>> {
    if !args.interactive && !tty {
        return followed(context, stack, id).await;
    }
    let session = stack.engine.attach(id).await?;
    let exit = stack.engine.exit(id).await?;
    stack.engine.start(id).await.map_err(refused(context.name))?;
    let sized = if tty { Some(Sized::Container(id.clone())) } else { None };
    let mut signals = Signals::new()?;
    let forwarding = {
        let (engine, id) = (Arc::clone(&stack.engine), id.clone());
        tokio::spawn(async move {
            loop {
                let signal = match signals.recv().await {
                    crate::host::signals::Signal::Interrupt => "SIGINT",
                    crate::host::signals::Signal::Terminate => "SIGTERM",
                    crate::host::signals::Signal::Hangup => "SIGHUP",
                };
                if engine.kill(&id, signal).await.is_err() {
                    break;
                }
            }
        })
    };
    let code = match interact(context, &stack.engine, session, sized, args.interactive).await? {
        Ended::Output => Some(exit.await?),
        Ended::ReaderGone => None,
    };
    forwarding.abort();
    Ok(code)
}

/// Without standard input: what it writes is shown, and a signal stops it.
async fn followed(context: &Context, stack: &Stack, id: &ContainerId) -> anyhow::Result<Option<i64>> {
    let output = stack.engine.output(id).await?;
    let exit = stack.engine.exit(id).await?;
    stack.engine.start(id).await.map_err(refused(context.name))?;
    let session = Session { id: id.to_string(), input: Box::pin(tokio::io::sink()), output };
    let mut signals = Signals::new()?;
    let mut shown = std::pin::pin!(interact(context, &stack.engine, session, None, false));
    loop {
        tokio::select! {
            _ = signals.recv() => stack.engine.stop(id, None).await?,
            ended = &mut shown => {
                return match ended? {
                    Ended::Output => Ok(Some(exit.await?)),
                    Ended::ReaderGone => Ok(None),
                };
            }
        }
    }
}

/// Tells containers of `run` apart.
fn unique() -> Digest {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let text = format!("{} {}", now.as_nanos(), std::process::id());
    Digest::of(text.as_bytes())
}
