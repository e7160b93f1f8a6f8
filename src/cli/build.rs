//! `hob build` and `hob pull`.

use super::args::{BuildArgs, KeyValue, PullArgs, PullPolicyArg};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::invocation::Name;
use crate::event::{Event, Message};
use crate::execute::{Depth, RunOptions};
use crate::model::ServiceName;
use crate::plan::{self, UpOptions};
use crate::workspace::BuildOptions;

/// Builds images.
pub async fn build(context: &Context, args: &BuildArgs) -> anyhow::Result<Exit> {
    refuse(args)?;
    if args.memory.is_some() {
        let message = Message::new("--memory is ignored: BuildKit has no limit of memory for a build");
        context.sink.emit(Event::Warning(message));
    }
    if args.print {
        return print(context, args);
    }
    let options = BuildOptions { pull: args.pull, no_cache: args.no_cache, anew: true, ..given(args) };
    let stack = context.stack_with(&args.services, Vec::new(), options).await?;
    let named = super::context::named(&stack.project, &args.services)?;
    let chosen: Vec<ServiceName> = plan::scope(&stack.project, &named, !args.with_dependencies)
        .into_iter()
        .filter(|name| stack.project.services.get(name).is_some_and(|service| service.build.is_some()))
        .collect();
    // Docker Compose asks the builder each time, which knows by its cache what is to be done.
    let attests = args.provenance.is_some() || args.sbom.is_some();
    let rebuild = args.no_cache || args.pull || attests || context.name == Name::Compose;
    let options = UpOptions { services: chosen.clone(), no_deps: true, rebuild, ..UpOptions::default() };
    if context.global.dry_run {
        return super::up::show(context, &stack, &options, (Depth::Whole, plan::images)).await;
    }
    let run = RunOptions::default();
    let passed = stack.pass(&chosen, &options, &run).through(Depth::Whole, plan::images, false).await;
    let (_, outcome) = passed.map_err(|failures| context.failures(failures))?;
    let _ = context.tree.save();
    stack.executor.wait_for_prunes().await;
    if outcome.is_success() { Ok(Exit::Ok) } else { Err(context.failures(outcome.failures)) }
}

fn given(args: &BuildArgs) -> BuildOptions {
    BuildOptions {
        args: pairs(&args.build_args),
        ssh: args.ssh.clone(),
        provenance: args.provenance.clone(),
        sbom: args.sbom.clone(),
        ..BuildOptions::default()
    }
}

/// What hob, which builds by the engine itself, cannot do.
fn refuse(args: &BuildArgs) -> Result<(), Failure> {
    let bake = |flags: &str| format!("`hob build --print | docker buildx bake -f - {flags}` does it");
    if let Some(builder) = args.builder.as_deref().filter(|name| !matches!(*name, "" | "default")) {
        let text = format!("--builder {builder}: hob builds with the engine's own builder, and knows no others");
        return Err(Failure::new(Exit::Usage, text).hint(bake(&format!("--builder {builder}"))));
    }
    if args.check {
        let text = "--check: hob does not ask the builder for a check of Dockerfiles";
        return Err(Failure::new(Exit::Usage, text).hint(bake("--call check")));
    }
    Ok(())
}

fn pairs(args: &[KeyValue]) -> Vec<(String, Option<String>)> {
    args.iter().map(|arg| (arg.key.clone(), arg.value.clone())).collect()
}

/// Prints the builds, for which no engine is needed.
fn print(context: &Context, args: &BuildArgs) -> anyhow::Result<Exit> {
    let mut project = context.project(&args.services)?;
    let named = super::context::named(&project, &args.services)?;
    let chosen = plan::scope(&project, &named, !args.with_dependencies);
    let given = given(args).with_values(&project.environment);
    for build in project.services.values_mut().filter_map(|service| service.build.as_mut()) {
        build.args.extend(given.args.iter().cloned());
        given.add_to(build);
        build.pull |= args.pull;
        build.no_cache |= args.no_cache;
    }
    if let Some(bake) = plan::bake(&project, &chosen, &context.environment) {
        context.sink.emit(Event::Output { text: serde_json::to_string_pretty(&bake)? });
    }
    Ok(Exit::Ok)
}

/// Pulls images.
pub async fn pull(context: &Context, args: &PullArgs) -> anyhow::Result<Exit> {
    let mut stack = context.stack(&args.services).await?;
    if args.no_parallel {
        stack.executor = stack.executor.at_most(1);
    }
    let named = super::context::named(&stack.project, &args.services)?;
    let chosen = plan::scope(&stack.project, &named, !args.include_deps);
    let services = plan::pulled(&stack.project, &chosen, args.ignore_buildable);
    let images = services.iter().filter_map(|service| service.image.clone()).collect();
    let query = crate::engine::Query { project: stack.project.name.to_string(), images, ..Default::default() };
    let observed = stack.engine.observe(&query).await?;
    let plan = plan::pull(&services, &observed, args.policy == Some(PullPolicyArg::Missing));
    if context.global.dry_run {
        stack.executor.show(&plan);
        return Ok(Exit::Ok);
    }
    let run = RunOptions { keep_going: true, ..RunOptions::default() };
    let outcome = stack.executor.run(&stack.project, &plan, &run).await;
    let is_built =
        |name: &&ServiceName| stack.project.services.get(*name).is_some_and(|service| service.build.is_some());
    let built: Vec<&str> = outcome.incomplete.iter().filter(is_built).map(ServiceName::as_str).collect();
    if !built.is_empty() {
        let text = format!("images that cannot be pulled can be built: `hob build {}`", built.join(" "));
        context.sink.emit(Event::Warning(Message::new(text)));
    }
    if outcome.is_success() || args.ignore_pull_failures {
        Ok(Exit::Ok)
    } else {
        Err(context.failures(outcome.failures))
    }
}
