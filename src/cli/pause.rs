//! `hob pause` and `hob unpause`.

use super::args::{PauseArgs, UnpauseArgs};
use super::context::Context;
use super::exit::Exit;
use crate::model::{Observed, Project, ServiceName};
use crate::plan::{self, Plan};

/// `hob pause`.
pub async fn pause(context: &Context, args: &PauseArgs) -> anyhow::Result<Exit> {
    planned(context, &args.services, plan::pause).await
}

/// `hob unpause`.
pub async fn unpause(context: &Context, args: &UnpauseArgs) -> anyhow::Result<Exit> {
    planned(context, &args.services, plan::unpause).await
}

async fn planned(
    context: &Context,
    services: &[String],
    planner: fn(&Project, &Observed, &[ServiceName]) -> Plan,
) -> anyhow::Result<Exit> {
    let stack = context.stack_of_containers(services).await?;
    let services = super::context::named(&stack.project, services)?;
    let _turn = context.turn(&stack).await?;
    let observed = stack.observe().await?;
    let plan = planner(&stack.project, &observed, &services);
    super::down::carry_out(context, &stack, &plan).await
}
