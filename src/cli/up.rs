//! `hob up` and `hob watch`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::args::{PullWhen, UpArgs, WatchArgs};
use super::context::{Context, Stack};
use super::exit::{Exit, Failure};
use super::invocation::Name;
use crate::event::{Event, Request};
use crate::execute::session::{Attach, End, EndOn, Session, SessionOptions};
use crate::execute::{Depth, LogOptions, Planner, RunOptions};
use crate::host::signals::{Signal, Signals};
use crate::model::{Service, ServiceName};
use crate::plan::{self, Recreate, UpOptions};
use crate::workspace::BuildOptions;

/// `hob up`.
pub async fn up(context: &Context, args: &UpArgs) -> anyhow::Result<Exit> {
    let scale = args.scale.iter().map(|s| (ServiceName::new(&s.service), s.number)).collect();
    let as_compose = context.name == Name::Compose;
    let build = BuildOptions {
        anew: args.build,
        only_missing: as_compose && !args.build && !args.watch,
        ..BuildOptions::default()
    };
    let stack = context.stack_with(&args.services, scale, build).await?;
    let options = up_options(context, &stack, args)?;
    let run = RunOptions {
        keep_going: args.keep_going,
        wait_timeout: args.wait_timeout.map(Duration::from_secs),
        ..RunOptions::default()
    };
    if context.global.dry_run {
        return show(context, &stack, &options, (Depth::Plan, plan::up)).await;
    }
    context.settle(&stack).await?;
    let foreground = args.foreground();
    // In a script or a CI job nobody is there to mend anything.
    let person = crate::host::terminal::stdin_is_terminal() && crate::host::terminal::stdout_is_terminal();
    let attach = if foreground { attach(context, &stack, args)? } else { Attach::None };
    let exit_code_from = match &args.exit_code_from {
        Some(name) => super::context::named(&stack.project, std::slice::from_ref(name))?.pop(),
        None => None,
    };
    let session = SessionOptions {
        up: options,
        run,
        apply: true,
        watch: if as_compose { args.watch } else { args.watches() },
        catch_up: !args.no_catch_up && !args.no_build,
        stay: foreground && person && !as_compose,
        outlive: args.watch || person && !as_compose,
        stop_services: foreground,
        attach,
        logs: LogOptions { timestamps: args.timestamps },
        end_on: match (args.aborts_on_exit(), args.abort_on_container_failure) {
            (true, _) => EndOn::AnyExit,
            (false, true) => EndOn::AnyFailure,
            _ => EndOn::AllExited,
        },
        exit_code_from,
    };
    let exit = run_session(context, &stack, session).await;
    if !foreground {
        stack.executor.wait_for_prunes().await;
    }
    exit
}

/// `hob watch`: the same session without logs, which leaves the services running.
pub async fn watch(context: &Context, args: &WatchArgs) -> anyhow::Result<Exit> {
    let stack = context.stack(&args.services).await?;
    context.settle(&stack).await?;
    let services = super::context::named(&stack.project, &args.services)?;
    let by_rules = |name: &ServiceName| stack.project.services.get(name).is_some_and(Service::has_watch_rules);
    if context.name == Name::Compose && !plan::scope(&stack.project, &services, false).iter().any(by_rules) {
        let text = "none of the selected services is configured for watch, consider setting a 'develop' section";
        return Err(Failure::new(Exit::Failed, text).into());
    }
    let up = UpOptions { services, ..UpOptions::default() };
    if context.global.dry_run {
        return show(context, &stack, &up, (Depth::Plan, plan::up)).await;
    }
    watched_by_nobody(&stack, &up.services)?;
    let session = SessionOptions {
        up,
        apply: !args.no_up,
        watch: true,
        catch_up: !args.no_catch_up,
        stay: true,
        run: RunOptions { keep_images: !args.prune, ..RunOptions::default() },
        ..SessionOptions::default()
    };
    run_session(context, &stack, session).await
}

/// A watch that has nothing to watch, because another session does, is of no use.
fn watched_by_nobody(stack: &Stack, services: &[ServiceName]) -> Result<(), Failure> {
    let mut held = None;
    for service in plan::scope(&stack.project, services, false) {
        match stack.executor.turns.watch(&service) {
            Ok(_) => return Ok(()),
            Err(by) => held = Some(by),
        }
    }
    let Some(held) = held else { return Ok(()) };
    let who = held.holder.map_or_else(|| "another hob".to_owned(), |holder| holder.to_string());
    let failure = Failure::new(Exit::Locked, format!("{who} watches project {} already", stack.project.name));
    Err(failure.hint("one session puts saves into a service; end that one with Ctrl-C in its terminal first"))
}

fn up_options(context: &Context, stack: &Stack, args: &UpArgs) -> Result<UpOptions, Failure> {
    let as_compose = context.name == Name::Compose;
    let orphans = super::context::Orphans::of_up(&stack.project, args.remove_orphans)?;
    let recreate = match (args.force_recreate, args.no_recreate) {
        (true, _) => Recreate::Always,
        (false, true) => Recreate::Never,
        _ => Recreate::Changed,
    };
    Ok(UpOptions {
        services: super::context::named(&stack.project, &args.services)?,
        no_deps: args.no_deps,
        recreate,
        recreate_deps: args.always_recreate_deps,
        no_start: args.no_start,
        no_build: args.no_build,
        pull: args.pull.map(|when| pull_policy(when).to_owned()),
        // The builder knows by its cache what is to be done.
        rebuild: as_compose && args.build,
        images_first: as_compose,
        jobs_again: as_compose,
        wait: args.wait,
        needs_met: true,
        needed_by: None,
        remove_orphans: orphans.remove,
        ignore_orphans: orphans.ignore,
        renew_anon_volumes: args.renew_anon_volumes,
        grace: args.timeout.map(Duration::from_secs),
        leave_stopped: BTreeSet::new(),
    })
}

/// The word that the manifest has for it.
pub fn pull_policy(when: PullWhen) -> &'static str {
    match when {
        PullWhen::Always => "always",
        PullWhen::Missing => "missing",
        PullWhen::Never => "never",
        PullWhen::Build => "build",
    }
}

fn attach(_context: &Context, stack: &Stack, args: &UpArgs) -> Result<Attach, Failure> {
    let silent = super::context::named(&stack.project, &args.no_attach)?;
    if !args.attach.is_empty() {
        return Ok(Attach::Only(super::context::named(&stack.project, &args.attach)?.into_iter().collect()));
    }
    if args.services.is_empty() || args.attach_dependencies {
        return Ok(Attach::AllBut(silent.into_iter().collect()));
    }
    let asked = super::context::named(&stack.project, &args.services)?;
    Ok(Attach::Only(asked.into_iter().filter(|service| !silent.contains(service)).collect()))
}

/// `--dry-run`: makes the plan and shows it.
pub async fn show(
    context: &Context,
    stack: &Stack,
    options: &UpOptions,
    (depth, planner): (Depth, Planner),
) -> anyhow::Result<Exit> {
    let scope = plan::scope(&stack.project, &options.services, options.no_deps);
    let run = RunOptions::default();
    let pass = stack.pass(&scope, options, &run);
    let snapshot = pass.snapshot(depth).await.map_err(|failures| context.failures(failures))?;
    let plan = pass.reconcile(&snapshot, planner).map_err(|failures| context.failures(failures))?;
    stack.executor.show(&plan);
    Ok(Exit::Ok)
}

/// Makes and carries out the plan of `up`, without a session.
pub async fn bring_up(context: &Context, stack: &Stack, options: &UpOptions, run: &RunOptions) -> anyhow::Result<()> {
    // As often as others changed the project while it waited for something.
    loop {
        let run = RunOptions { turn: context.turn(stack).await?, ..run.clone() };
        if bring_up_once(context, stack, options, &run).await? {
            return Ok(());
        }
    }
}

/// False where it was overtaken.
async fn bring_up_once(
    context: &Context,
    stack: &Stack,
    options: &UpOptions,
    run: &RunOptions,
) -> anyhow::Result<bool> {
    let scope = plan::scope(&stack.project, &options.services, options.no_deps);
    let passed = stack.pass(&scope, options, run).through(Depth::Plan, plan::up, true).await;
    let (_, outcome) = passed.map_err(|failures| context.failures(failures))?;
    let overtaken = outcome.overtaken && outcome.failures.is_empty();
    if outcome.is_success() || overtaken { Ok(!overtaken) } else { Err(context.failures(outcome.failures)) }
}

async fn run_session(context: &Context, stack: &Stack, options: SessionOptions) -> anyhow::Result<Exit> {
    let (sender, requests) = mpsc::channel(8);
    let mut signals = Signals::new()?;
    let terminated = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&terminated);
    let closed = context.closed.clone();
    // What ends by itself is finished, whoever reads how.
    let stays = options.watch || options.stop_services;
    // A terminal that is closed takes no more output a moment before SIGHUP is here, which is what counts.
    let hang_up = if crate::host::terminal::stdout_is_terminal() { Duration::from_millis(500) } else { Duration::ZERO };
    let listening = tokio::spawn(async move {
        let mut open = stays;
        loop {
            let request = tokio::select! {
                signal = signals.recv() => match signal {
                    Signal::Interrupt => Request::Stop,
                    other => {
                        flag.store(true, Ordering::Relaxed);
                        Request::End(other.name())
                    }
                },
                () = async { closed.cancelled().await; tokio::time::sleep(hang_up).await }, if open => {
                    open = false;
                    Request::Leave
                }
            };
            if sender.send(request).await.is_err() {
                break;
            }
        }
    });
    let name = stack.project.name.to_string();
    context.sink.emit(Event::Hello {
        version: crate::event::VERSION,
        hob: env!("CARGO_PKG_VERSION").to_owned(),
        project: name,
    });
    let session = Session::new(stack.executor.clone(), Arc::clone(&stack.project), options);
    let end = session.run(requests).await;
    listening.abort();
    // A save of remembered digests that fails only costs time.
    let _ = context.tree.save();
    match end {
        End::Stopped { killed: true } => Ok(Exit::Killed),
        // A terminal that was closed has no reader either.
        End::Stopped { .. } if terminated.load(Ordering::Relaxed) => Ok(Exit::Terminated),
        End::Stopped { .. } if stays && context.closed.is_cancelled() => Ok(Exit::ReaderGone),
        End::Stopped { killed: false } => Ok(Exit::Interrupted),
        End::Exited(code) => Ok(Exit::command(code)),
        End::Failed(failures) => Err(context.failures(failures)),
    }
}

impl Context {
    /// Emits all failures but the first, which becomes the command's. What several services share is said once.
    pub fn failures(&self, failures: Vec<crate::execute::Failure>) -> anyhow::Error {
        let mut failures = shared(failures).into_iter();
        let Some(first) = failures.next() else {
            return Failure::new(Exit::Failed, "it was interrupted").into();
        };
        for failure in failures {
            self.sink.emit(Event::Error(failure.message));
        }
        Failure { exit: Exit::from(first.cause), message: Box::new(first.message) }.into()
    }
}

/// Failures that differ in nothing but the service become one, which names all of them.
fn shared(failures: Vec<crate::execute::Failure>) -> Vec<crate::execute::Failure> {
    let mut all: Vec<(crate::execute::Failure, Vec<ServiceName>)> = Vec::new();
    for mut failure in failures {
        let service = failure.message.service.take();
        match all.iter_mut().find(|(other, _)| *other == failure) {
            Some((_, services)) => services.extend(service),
            None => all.push((failure, service.into_iter().collect())),
        }
    }
    let named = |(mut failure, mut services): (crate::execute::Failure, Vec<ServiceName>)| {
        services.sort();
        services.dedup();
        match &services[..] {
            [] => {}
            [one] => failure.message.service = Some(one.clone()),
            [first, others @ ..] => {
                let names = others.iter().fold(first.to_string(), |names, name| format!("{names}, {name}"));
                failure.message.text = format!("{names}: {}", failure.message.text);
            }
        }
        failure
    };
    all.into_iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Message;
    use crate::execute::{Cause, Failure};

    #[test]
    fn what_services_share_is_said_once() {
        let failure = |service: &str, text: &str| Failure {
            cause: Cause::Build,
            message: Message::new(text).service(&service.into()),
        };
        let failures = vec![failure("worker", "bad"), failure("db", "worse"), failure("api", "bad")];
        let said: Vec<_> = shared(failures).into_iter().map(|f| (f.message.service, f.message.text)).collect();
        assert_eq!(said, [(None, "api, worker: bad".to_owned()), (Some("db".into()), "worse".to_owned())]);
    }
}
