//! `hob logs`.

use std::sync::Arc;

use futures_util::StreamExt as _;

use super::args::LogsArgs;
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::engine::{Action, LogQuery};
use crate::execute::{Follow, LogOptions, Logs};
use crate::host::signals::Signals;

/// Shows logs.
pub async fn run(context: &Context, args: &LogsArgs) -> anyhow::Result<Exit> {
    let stack = context.stack_of_containers(&args.services).await?;
    let services = super::context::named(&stack.project, &args.services)?;
    let query = LogQuery {
        follow: args.follow,
        tail: args.tail.0,
        since: args.since.as_deref().map(time).transpose()?,
        until: args.until.as_deref().map(time).transpose()?,
        timestamps: args.timestamps,
    };
    let chosen = |service: &str, number: u32| {
        (services.is_empty() && stack.project.services.contains_key(service)
            || services.iter().any(|s| s.as_str() == service))
            && args.index.is_none_or(|index| index == number)
    };
    let mut events = if args.follow { Some(stack.engine.events(&stack.project.name).await?) } else { None };
    let observed = stack.observe().await?;
    let options = LogOptions { timestamps: args.timestamps };
    let mut logs = Logs::new(Arc::clone(&stack.engine), Arc::clone(&context.sink), options);
    let mut containers: Vec<_> =
        observed.containers.iter().filter(|c| !c.oneoff && chosen(&c.service, c.number)).collect();
    containers.sort_by(|a, b| a.name.cmp(&b.name));
    for container in containers {
        logs.follow(Follow {
            container: container.id.clone(),
            name: container.name.clone(),
            service: container.service.clone(),
            number: container.number,
            query: query.clone(),
        });
    }
    let Some(events) = &mut events else {
        logs.drain().await;
        return Ok(Exit::Ok);
    };
    let mut signals = Signals::new()?;
    loop {
        tokio::select! {
            _ = signals.recv() => return Ok(Exit::Interrupted),
            event = events.next() => match event {
                Some(Ok(event)) => {
                    // A container that starts again, or takes another's place, is followed too.
                    if event.action == Action::Start && !event.oneoff && chosen(&event.service, event.number) {
                        let service = stack.project.services.get(&event.service);
                        let name = service.map(|s| s.container_name(&stack.project.name, event.number));
                        logs.follow(Follow {
                            container: event.container,
                            name: name.unwrap_or_default(),
                            service: event.service,
                            number: event.number,
                            query: LogQuery { tail: None, since: None, ..query.clone() },
                        });
                    }
                }
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(Exit::Ok),
            },
        }
    }
}

/// Unix seconds of a time as `docker compose logs` takes it.
fn time(text: &str) -> Result<i64, Failure> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    super::when::parse(text, i64::try_from(now.as_secs()).unwrap_or(0)).map_err(|text| Failure::new(Exit::Usage, text))
}
