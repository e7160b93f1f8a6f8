//! Load, measure, observe: everything that a plan is made from, at one moment.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::try_join_all;

use super::{Cause, Executor, Failure, RunOptions, Sources};
use crate::engine::{Engine, Query};
use crate::event::Message;
use crate::model::{ContainerId, Digest, Observed, Project, ServiceName};
use crate::plan::{self, Input, PlanError, UpOptions, Wanted};

/// What should be and what is, at one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// What should be.
    pub project: Arc<Project>,
    /// Images and files that services should have.
    pub wanted: Arc<Wanted>,
    /// What is.
    pub observed: Observed,
    /// Parts of earlier measures.
    pub history: HashMap<Digest, Vec<(String, Digest)>>,
}

impl View {
    /// As the planner takes it.
    pub fn input<'a>(&'a self, synced: &'a HashMap<ContainerId, Digest>) -> Input<'a> {
        Input { project: &self.project, wanted: &self.wanted, observed: &self.observed, history: &self.history, synced }
    }
}

/// Observes the engine and measures the builds of the given services.
///
/// # Errors
/// The engine cannot be asked, or a build's inputs cannot be read.
pub async fn observe(
    engine: &dyn Engine,
    sources: &Arc<dyn Sources>,
    project: &Arc<Project>,
    services: &[ServiceName],
) -> Result<View, Vec<Failure>> {
    let one = |error| vec![Failure::of_engine(None, error)];
    let bases = {
        let (sources, project, services) = (Arc::clone(sources), Arc::clone(project), services.to_vec());
        blocking(move || sources.base_images(&project, &services)).await
    };
    let mut query = Query { project: project.name.to_string(), images: bases, ..Query::default() };
    query.images.extend(services.iter().filter_map(|s| project.services.get(s)).map(|s| project.image_name(s)));
    query.networks = project.networks.keys().map(|key| project.network_name(key)).collect();
    query.volumes = project.volumes.keys().map(|key| project.volume_name(key)).collect();
    query.images.sort();
    query.images.dedup();
    let mut observed = engine.observe(&query).await.map_err(one)?;

    let wanted = {
        let (sources, project, services) = (Arc::clone(sources), Arc::clone(project), services.to_vec());
        let images = observed.images.clone();
        blocking(move || sources.measure(&project, &services, &images)).await
    };
    let wanted = wanted.map_err(|messages| {
        messages.into_iter().map(|message| Failure { cause: Cause::Manifest, message }).collect::<Vec<_>>()
    })?;
    let mut names: Vec<String> = wanted.images.values().filter_map(crate::plan::WantedImage::by_digest).collect();
    names.sort();
    names.dedup();
    let found = try_join_all(names.iter().map(|name| engine.image(name))).await.map_err(one)?;
    observed.images.extend(names.into_iter().zip(found).filter_map(|(name, image)| Some((name, image?))));

    let digests: Vec<Digest> =
        observed.containers.iter().filter_map(|c| Digest::parse(c.labels.get("io.hob.inputs")?)).collect();
    let history = {
        let sources = Arc::clone(sources);
        blocking(move || sources.history(&digests)).await
    };
    Ok(View { project: Arc::clone(project), wanted: Arc::new(wanted), observed, history })
}

/// The same, once all that builds start from is there: an image that is missing is pulled, one of another service is
/// built, and then the measure is taken again.
///
/// # Errors
/// As [`observe`], and what cannot be pulled or built.
pub async fn settle(
    executor: &Executor,
    project: &Arc<Project>,
    services: &[ServiceName],
    options: &UpOptions,
    run: &RunOptions,
) -> Result<View, Vec<Failure>> {
    // A chain of bases is as long as the chain of services at most.
    for _ in 0..=project.services.len() {
        let view = observe(&*executor.engine, &executor.sources, project, services).await?;
        executor.agents.remember_images(&view.observed.images);
        if view.wanted.bases.is_empty() {
            return Ok(view);
        }
        let plan =
            plan::bases(view.input(&HashMap::new()), options).map_err(|errors| plan_failures(project, errors))?;
        if plan.is_empty() {
            return Ok(view);
        }
        let outcome = executor.run(project, &plan, run).await;
        if !outcome.is_success() {
            return Err(outcome.failures);
        }
    }
    let view = observe(&*executor.engine, &executor.sources, project, services).await?;
    executor.agents.remember_images(&view.observed.images);
    Ok(view)
}

/// What the planner refuses, with its place in the manifest.
pub fn plan_failures(project: &Project, errors: Vec<PlanError>) -> Vec<Failure> {
    errors
        .into_iter()
        .map(|error| {
            let message = Message { service: error.service, ..Message::new(error.text) };
            let message = message.at(project.locate(&error.path).as_ref()).hint(error.hint);
            Failure { cause: Cause::Manifest, message }
        })
        .collect()
}

/// Runs something that blocks off the loop. A panic in it goes on here.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
