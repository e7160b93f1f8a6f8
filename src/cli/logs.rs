//! `hob logs`.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;

use super::args::LogsArgs;
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::engine::{Action, LogQuery};
use crate::execute::{Follow, From, LogOptions, Logs};
use crate::host::signals::Signals;
use crate::model::{ContainerState, Service};

/// How long `logs -f` waits, when nothing runs any more, for something to start.
const AGAIN: Duration = Duration::from_secs(1);

/// Shows logs.
pub async fn run(context: &Context, args: &LogsArgs) -> anyhow::Result<Exit> {
    let stack = context.stack_of_containers(&args.services).await?;
    let services = super::context::named(&stack.project, &args.services)?;
    let query = LogQuery {
        follow: false,
        tail: args.tail.0,
        since: args.since.as_deref().map(time).transpose()?,
        until: args.until.as_deref().map(time).transpose()?,
        timestamps: args.timestamps,
    };
    // A service that is not to be attached to is shown where it is asked for by name.
    let shown = |service: &Service| service.attach != Some(false);
    let chosen = |service: &str, number: u32| {
        (services.is_empty() && stack.project.services.get(service).is_some_and(shown)
            || services.iter().any(|s| s.as_str() == service))
            && args.index.is_none_or(|index| index == number)
    };
    if args.follow {
        context.ends_with_reader();
    }
    let mut events = if args.follow { Some(stack.engine.events(&stack.project.name).await?) } else { None };
    let observed = stack.observe().await?;
    let options = LogOptions { timestamps: args.timestamps };
    let logs = Logs::new(Arc::clone(&stack.engine), Arc::clone(&context.sink), options);
    let mut containers: Vec<_> =
        observed.containers.iter().filter(|c| !c.oneoff && chosen(&c.service, c.number)).collect();
    containers.sort_by(|a, b| a.name.cmp(&b.name));
    let mut running = BTreeSet::new();
    for container in containers {
        let goes_on = args.follow && query.until.is_none() && container.state.is_running();
        if goes_on {
            running.insert(container.id.clone());
        }
        let from = if goes_on { From::LogAndOn(query.clone()) } else { From::Log(query.clone()) };
        let (service, number) = (container.service.clone(), container.number);
        logs.follow(Follow { container: container.id.clone(), name: container.name.clone(), service, number }, from);
    }
    let Some(events) = &mut events else {
        tokio::select! {
            () = logs.drain() => return Ok(Exit::Ok),
            () = context.closed.cancelled() => return Ok(Exit::ReaderGone),
        }
    };
    let mut died = HashMap::new();
    let mut signals = Signals::new()?;
    loop {
        // A container that is made anew, or started again, is there in a moment.
        let end = async {
            if !running.is_empty() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(AGAIN).await;
        };
        let event = tokio::select! {
            signal = signals.recv() => return Ok(signal.into()),
            () = context.closed.cancelled() => return Ok(Exit::ReaderGone),
            event = events.next() => event,
            () = end => break,
        };
        let event = match event {
            Some(Ok(event)) => event,
            Some(Err(error)) => return Err(error.into()),
            None => break,
        };
        if event.oneoff || !chosen(&event.service, event.number) {
            continue;
        }
        match event.action {
            // A container that starts again, or takes another's place, is followed too.
            Action::Start => {
                running.insert(event.container.clone());
                let service = stack.project.services.get(&event.service);
                let name = service.map(|s| s.container_name(&stack.project.name, event.number)).unwrap_or_default();
                let after = died.get(&event.container).copied().unwrap_or(event.time.saturating_sub(1_000_000_000));
                let from = From::Start { after, at: event.time, heard: tokio::time::Instant::now() };
                logs.follow(
                    Follow { container: event.container, name, service: event.service, number: event.number },
                    from,
                );
            }
            Action::Die(_) => {
                died.insert(event.container.clone(), event.time);
                // One that the engine starts again is followed on.
                let now = stack.engine.inspect(&event.container).await?;
                if !now.is_some_and(|c| c.state.is_running() || c.state == ContainerState::Restarting) {
                    running.remove(&event.container);
                }
            }
            _ => {}
        }
    }
    tokio::select! {
        () = logs.drain() => Ok(Exit::Ok),
        signal = signals.recv() => Ok(signal.into()),
        () = context.closed.cancelled() => Ok(Exit::ReaderGone),
    }
}

/// Unix seconds of a time as `docker compose logs` takes it.
fn time(text: &str) -> Result<i64, Failure> {
    super::timestamp::parse(text, super::timestamp::now()).map_err(|text| Failure::new(Exit::Usage, text))
}
