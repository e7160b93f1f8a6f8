//! `hob wait`: until containers have ended.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::args::{DownArgs, WaitArgs};
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::event::Event;

/// `hob wait`. As with Docker Compose, containers of `run` count, and the last one to end gives the exit code.
pub async fn run(context: &Context, args: &WaitArgs) -> anyhow::Result<Exit> {
    let stack = context.stack_of_containers(&args.services).await?;
    let services = super::context::named(&stack.project, &args.services)?;
    let observed = stack.observe().await?;
    let is_waited_for = |container: &&crate::model::ObservedContainer| {
        services.contains(&container.service) && container.state.is_running()
    };
    let containers: Vec<_> = observed.containers.iter().filter(is_waited_for).collect();
    if containers.is_empty() {
        let failure = Failure::new(Exit::Failed, format!("no containers for project \"{}\"", stack.project.name));
        return Err(failure
            .hint(format!("none of {} runs; start it with `hob up -d`", args.services.join(", ")))
            .into());
    }
    let down = DownArgs::default();
    if context.global.dry_run {
        let names = containers.iter().map(|container| container.name.as_str()).collect::<Vec<_>>().join(", ");
        context.sink.emit(Event::Notice { text: format!("would wait until {names} has ended") });
        return if args.down_project { super::down::down(context, &down).await } else { Ok(Exit::Ok) };
    }
    let ended = async |container: &crate::model::ObservedContainer| {
        stack.engine.wait(&container.id).await.map(|code| (container.id.clone(), code))
    };
    let mut waits: FuturesUnordered<_> = containers.into_iter().map(ended).collect();
    let mut last = Exit::Ok;
    loop {
        let next = tokio::select! {
            next = waits.next() => next,
            () = context.closed.cancelled() => return Ok(Exit::ReaderGone),
        };
        let Some(ended) = next else { break };
        let (id, code) = ended?;
        context.sink.emit(Event::Output { text: format!("container \"{id}\" exited with status code {code}") });
        context.sink.flush();
        last = Exit::command(code);
    }
    if args.down_project {
        super::down::down(context, &down).await?;
    }
    Ok(last)
}
