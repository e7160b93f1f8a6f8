//! `hob down`, `stop`, `start`, `restart`, `kill` and `rm`.

use std::sync::Arc;
use std::time::Duration;

use super::args::{DownArgs, KillArgs, RemoveImages, RestartArgs, RmArgs, StartArgs, StopArgs};
use super::context::{Context, Stack};
use super::exit::{Exit, Failure};
use crate::execute::{RunOptions, Turn};
use crate::model::ObservedImage;
use crate::plan::{self, DownOptions, Images, Plan, Reason, labels};

fn seconds(timeout: Option<u64>) -> Option<Duration> {
    timeout.map(Duration::from_secs)
}

/// Carries a plan out, going on after a failure: the more is stopped and removed the better. With `--dry-run` it is shown.
pub async fn carry_out(context: &Context, stack: &Stack, plan: &Plan) -> anyhow::Result<Exit> {
    if context.global.dry_run {
        stack.executor.show(plan);
        return Ok(Exit::Ok);
    }
    let run = RunOptions { keep_going: true, ..RunOptions::default() };
    let outcome = stack.executor.run(&stack.project, plan, &run).await;
    if outcome.is_success() { Ok(Exit::Ok) } else { Err(context.failures(outcome.failures)) }
}

/// The turn for what starts containers, which waits for what killed hobs had begun.
async fn settled_turn(context: &Context, stack: &Stack) -> anyhow::Result<Option<Arc<Turn>>> {
    let turn = context.turn(stack).await?;
    context.settle(stack).await?;
    Ok(turn)
}

/// `hob down`.
pub async fn down(context: &Context, args: &DownArgs) -> anyhow::Result<Exit> {
    let stack = context.stack_of_containers(&args.services).await?;
    let orphans = super::context::Orphans::of(&stack.project, args.remove_orphans);
    let images = match args.rmi {
        None => Images::None,
        Some(RemoveImages::Local) => Images::Local,
        Some(RemoveImages::All) => Images::All,
    };
    let options = DownOptions {
        services: super::context::named(&stack.project, &args.services)?,
        volumes: args.volumes,
        images,
        remove_orphans: orphans.remove,
        ignore_orphans: orphans.ignore,
        grace: seconds(args.timeout),
    };
    let dry_run = context.global.dry_run;
    let _turn = context.turn(&stack).await?;
    if !dry_run {
        // What is being stopped is stopped anyway.
        let _ = stack.engine.clear_left(Some(&stack.project.name)).await;
    }
    let mut observed = stack.observe().await?;
    if images != Images::None {
        let mut query = crate::engine::Query { project: stack.project.name.to_string(), ..Default::default() };
        query.images = stack.project.services.values().map(|s| stack.project.image_name(s)).collect();
        observed = stack.engine.observe(&query).await?;
        // Those of earlier builds have other names, or none.
        let of_project = [labels::INPUTS.to_owned(), format!("{}={}", labels::PROJECT, stack.project.name)];
        let used = stack.engine.used_images().await?;
        let goes = |image: &ObservedImage| {
            let own = observed.containers.iter().any(|container| container.image == image.id);
            own || !used.contains(&image.id)
        };
        let images = stack.engine.images(&of_project).await?.into_iter().filter(goes).collect::<Vec<_>>();
        for image in images {
            if !observed.images.values().any(|known| known.id == image.id) {
                observed.images.insert(image.id.to_string(), image);
            }
        }
    }
    let plan = plan::down(&stack.project, &observed, &options);
    let exit = carry_out(context, &stack, &plan).await?;
    if dry_run {
        return Ok(exit);
    }
    let all = stack.project.services.keys().cloned().collect();
    let released = if options.services.is_empty() { all } else { options.services };
    let failures = crate::execute::release(&*context.sink, &stack.project, &released).await;
    if !failures.is_empty() {
        return Err(context.failures(failures));
    }
    if args.volumes {
        stack.executor.remove_agent_volume().await;
    }
    Ok(exit)
}

/// `hob stop`.
pub async fn stop(context: &Context, args: &StopArgs) -> anyhow::Result<Exit> {
    let stack = context.stack_of_containers(&args.services).await?;
    let services = super::context::named(&stack.project, &args.services)?;
    let _turn = context.turn(&stack).await?;
    let observed = stack.observe().await?;
    let plan = plan::stop(&stack.project, &observed, &services, seconds(args.timeout), &Reason::Asked("stop"));
    carry_out(context, &stack, &plan).await
}

/// `hob start`.
pub async fn start(context: &Context, args: &StartArgs) -> anyhow::Result<Exit> {
    let stack = context.stack_of_containers(&args.services).await?;
    let services = super::context::named(&stack.project, &args.services)?;
    let _turn = settled_turn(context, &stack).await?;
    let observed = stack.observe().await?;
    stack.executor.agents().remember(&observed);
    let plan = plan::start(&stack.project, &observed, &services).map_err(|service| {
        Failure::new(Exit::Failed, format!("service \"{service}\" has no container to start"))
            .hint(format!("make and start it with `hob up -d {service}`"))
    })?;
    carry_out(context, &stack, &plan).await
}

/// `hob restart`.
pub async fn restart(context: &Context, args: &RestartArgs) -> anyhow::Result<Exit> {
    let stack = context.stack_of_containers(&args.services).await?;
    let mut services = super::context::named(&stack.project, &args.services)?;
    if !args.no_deps && !services.is_empty() {
        services.extend(stack.project.restarted_with(&services));
    }
    let _turn = settled_turn(context, &stack).await?;
    let observed = stack.observe().await?;
    let plan = plan::restart(&stack.project, &observed, &services, seconds(args.timeout));
    carry_out(context, &stack, &plan).await
}

/// `hob kill`. It waits for no other command: it is there to end what takes too long.
pub async fn kill(context: &Context, args: &KillArgs) -> anyhow::Result<Exit> {
    let stack = context.stack_of_containers(&args.services).await?;
    let services = super::context::named(&stack.project, &args.services)?;
    let _turn = if context.global.dry_run { None } else { stack.executor.turns.try_take() };
    let observed = stack.observe().await?;
    let plan = plan::kill(&stack.project, &observed, &services, &args.signal);
    carry_out(context, &stack, &plan).await
}

/// `hob rm`.
pub async fn rm(context: &Context, args: &RmArgs) -> anyhow::Result<Exit> {
    let stack = context.stack_of_containers(&args.services).await?;
    let services = super::context::named(&stack.project, &args.services)?;
    let _turn = context.turn(&stack).await?;
    let observed = stack.observe().await?;
    let plan = plan::remove(&stack.project, &observed, &services, args.stop, args.volumes);
    carry_out(context, &stack, &plan).await
}
