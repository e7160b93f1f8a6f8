//! `hob cp`: files between this machine and a service's containers, by the rules of `docker cp`.

mod copy;
mod from;
mod paths;
mod to;

use super::args::CpArgs;
use super::context::{Context, not_running};
use super::exit::{Exit, Failure};
use crate::model::{Observed, ObservedContainer};
use paths::End;

/// Copies one way or the other.
pub async fn run(context: &Context, args: &CpArgs) -> anyhow::Result<Exit> {
    let usage = |text: &str| Failure::new(Exit::Usage, text).hint("one of both is `SERVICE:PATH`, the other a path");
    match (paths::end(&args.source), paths::end(&args.target)) {
        (End::Service { .. }, End::Service { .. }) => Err(usage("copying between services is not supported").into()),
        (End::Local(_), End::Local(_)) => Err(usage("unknown copy direction").into()),
        (End::Local(local), End::Service { service, path }) => {
            let stack = context.stack_of_containers(std::slice::from_ref(&service)).await?;
            let observed = stack.observe().await?;
            let containers = containers(&observed, &service, args)?;
            to::copy(context, &stack, &containers, &local, &path, args).await
        }
        (End::Service { service, path }, End::Local(local)) => {
            let stack = context.stack_of_containers(std::slice::from_ref(&service)).await?;
            let observed = stack.observe().await?;
            let containers = containers(&observed, &service, args)?;
            from::copy(context, &stack, containers[0], &path, &local, args).await
        }
    }
}

/// The containers that a copy is about, running or not: at least one.
fn containers<'a>(observed: &'a Observed, service: &str, args: &CpArgs) -> Result<Vec<&'a ObservedContainer>, Failure> {
    let is_meant = |container: &&ObservedContainer| match args.index {
        Some(index) => !container.oneoff && container.number == index,
        None => args.all || !container.oneoff,
    };
    let of_service = observed.containers.iter().filter(|container| container.service.as_str() == service);
    let mut containers: Vec<_> = of_service.filter(is_meant).collect();
    containers.sort_by_key(|container| (container.oneoff, container.number));
    if !containers.is_empty() {
        return Ok(containers);
    }
    if args.index.is_some() {
        return Err(not_running(service, args.index));
    }
    let text = format!("no container found for service \"{service}\"");
    Err(Failure::new(Exit::Failed, text).hint(format!("make one with `hob up -d {service}`")))
}
