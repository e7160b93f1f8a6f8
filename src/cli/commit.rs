//! `hob commit`: an image of a container as it is.

use super::args::CommitArgs;
use super::context::Context;
use super::exit::Exit;
use crate::engine::CommitSpec;
use crate::event::Event;
use crate::model::ServiceName;

/// `hob commit`.
pub async fn run(context: &Context, args: &CommitArgs) -> anyhow::Result<Exit> {
    let stack = context.stack_of_containers(std::slice::from_ref(&args.service)).await?;
    let observed = stack.observe().await?;
    let service = ServiceName::new(&args.service);
    let container = super::context::container(&observed, &service, args.index)?;
    let name = &container.name;
    if context.global.dry_run {
        let image = args.image.as_deref().unwrap_or("an image without a name");
        context.sink.emit(Event::Output { text: format!("commit {name} as {image}") });
        return Ok(Exit::Ok);
    }
    let say = |what: &str| context.sink.emit(Event::Notice { text: format!("{name} Commit {name} {what}") });
    say("Committing");
    let spec = CommitSpec {
        name: args.image.clone(),
        author: args.author.clone().unwrap_or_default(),
        message: args.message.clone().unwrap_or_default(),
        changes: args.changes.clone(),
        pause: args.pause,
    };
    let image = stack.engine.commit(&container.id, &spec).await?;
    say(&format!("Committed as {image}"));
    Ok(Exit::Ok)
}
