//! Load, measure, observe: everything that a plan is made from, at one moment.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::{Cause, Executor, Failure, RunOptions, Sources};
use crate::engine::{Engine, Query};
use crate::event::Message;
use crate::model::{
    ContainerId, Content, Digest, Observed, ObservedContainer, ObservedImage, Project, Service, ServiceName,
    without_latest,
};
use crate::plan::labels::made_from;
use crate::plan::{self, Input, PlanError, UpOptions, Wanted};

/// How long another hob's sync is waited for: it says what it did when no news has come for a moment.
const SYNC: Duration = Duration::from_secs(2);
/// Between two looks.
const TRY: Duration = Duration::from_millis(20);

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
    let view = look(engine, sources, project, services, |_| true).await?;
    with_images_by_digest(engine, view).await
}

/// The names of the services' images.
fn names(project: &Project, services: &[ServiceName], which: impl Fn(&Service) -> bool) -> Vec<String> {
    let services = services.iter().filter_map(|name| project.services.get(name));
    services.filter(|service| which(service)).flat_map(|service| project.image_names(service)).collect()
}

/// The images that the builds of these services start from, and those that the builds of services start from whose
/// images are among them.
pub(super) fn bases(sources: &dyn Sources, project: &Project, mut services: Vec<ServiceName>) -> Vec<String> {
    let mut images = Vec::new();
    let mut from = 0;
    while let Some(these) = services.get(from..).filter(|these| !these.is_empty()) {
        let found = sources.base_images(project, these);
        let contexts = these.iter().filter_map(|name| project.services.get(name)?.build.as_ref());
        let contexts = contexts.flat_map(|build| build.additional_contexts.values());
        let named: Vec<&str> = contexts.filter_map(|context| context.strip_prefix("service:")).collect();
        let is_base = |service: &Service| {
            let name = project.image_name(service);
            let is_image = |image: &String| without_latest(image) == name;
            service.build.is_some() && (found.iter().any(is_image) || named.contains(&service.name.as_str()))
        };
        let more = project.services.values().filter(|service| is_base(service)).map(|service| &service.name);
        let more: Vec<ServiceName> = more.filter(|name| !services.contains(name)).cloned().collect();
        from = services.len();
        images.extend(more.iter().filter_map(|name| project.services.get(name)).map(|s| project.image_name(s)));
        images.extend(found);
        services.extend(more);
    }
    images
}

/// What a build measures depends on another service's image, which it starts from or has as a context.
fn starts_from_services(project: &Project, bases: &[String]) -> bool {
    let mut built = project.services.values().filter_map(|service| Some((service, service.build.as_ref()?)));
    built.any(|(service, build)| {
        let mut contexts = build.additional_contexts.values();
        let name = project.image_name(service);
        let mut bases = bases.iter().map(|base| without_latest(base));
        contexts.any(|context| context.starts_with("service:")) || bases.any(|base| base == name)
    })
}

/// The engine's state, and beside it the measure, for which the images of these services are looked at.
async fn look(
    engine: &dyn Engine,
    sources: &Arc<dyn Sources>,
    project: &Arc<Project>,
    services: &[ServiceName],
    which: impl Fn(&Service) -> bool,
) -> Result<View, Vec<Failure>> {
    let query = Query {
        project: project.name.to_string(),
        networks: project.networks.keys().map(|key| project.network_name(key)).collect(),
        volumes: project.volumes.keys().map(|key| project.volume_name(key)).collect(),
        ..Query::default()
    };
    let state = async { engine.observe(&query).await.map_err(|error| vec![Failure::of_engine(None, error)]) };
    let measure = async {
        let (sources, project, services) = (Arc::clone(sources), Arc::clone(project), services.to_vec());
        let (bases_of, of, these) = (Arc::clone(&sources), Arc::clone(&project), services.clone());
        let mut images = blocking(move || bases(&*bases_of, &of, these)).await;
        let all = starts_from_services(&project, &images);
        images.extend(names(&project, &services, |service| all || which(service)));
        let found = images_of(engine, images).await?;
        blocking(move || Ok((sources.measure(&project, &services, &found)?, found))).await
    };
    let (mut observed, (wanted, found)) = tokio::try_join!(state, measure)?;
    observed.images = found;
    let running = observed.containers.iter().filter(|container| container.state.is_running());
    syncs_have_ended(&**sources, &running.map(|container| container.id.clone()).collect::<Vec<_>>()).await;
    say_what_they_hold(&mut observed, &**sources, |_| false);

    // What a container was made from matters where it is not what is wanted.
    let outdated = |container: &ObservedContainer| {
        let made_from = made_from(container)?;
        let current = wanted.images.get(&container.service).and_then(plan::WantedImage::digest);
        (current != Some(&made_from)).then_some(made_from)
    };
    let digests: Vec<Digest> = observed.containers.iter().filter_map(outdated).collect();
    let sources = Arc::clone(sources);
    let history = if digests.is_empty() { HashMap::new() } else { blocking(move || sources.history(&digests)).await };
    Ok(View { project: Arc::clone(project), wanted: Arc::new(wanted), observed, history })
}

/// Waits for another hob that syncs into any of these to say what it holds then; not for one that goes on and on.
async fn syncs_have_ended(sources: &dyn Sources, containers: &[ContainerId]) {
    let began = tokio::time::Instant::now();
    while containers.iter().any(|id| sources.content(id) == Content::Syncing) && began.elapsed() < SYNC {
        tokio::time::sleep(TRY).await;
    }
}

/// Lets the labels of containers say what they hold by now, where saves were synced into them. The label goes where that
/// is not known: such a container is made anew. Of one that `is_new` nobody but who asks can have synced into it.
pub(super) fn say_what_they_hold(
    observed: &mut Observed,
    sources: &dyn Sources,
    is_new: impl Fn(&ObservedContainer) -> bool,
) {
    for container in observed.containers.iter_mut().filter(|container| !container.oneoff) {
        let is_new = is_new(container);
        let Some(label) = container.labels.get_mut(plan::labels::INPUTS) else { continue };
        match sources.content(&container.id) {
            Content::AsMade => {}
            Content::Unknown | Content::Syncing if is_new => {}
            Content::Synced(digest) => digest.as_str().clone_into(label),
            Content::Unknown | Content::Syncing => drop(container.labels.shift_remove(plan::labels::INPUTS)),
        }
    }
}

/// The images that the engine has of these.
async fn images_of(
    engine: &dyn Engine,
    mut names: Vec<String>,
) -> Result<IndexMap<String, ObservedImage>, Vec<Failure>> {
    names.sort();
    names.dedup();
    engine.images_by_reference(&names).await.map_err(|error| vec![Failure::of_engine(None, error)])
}

/// Adds the images that have the wanted digests as their names.
async fn with_images_by_digest(engine: &dyn Engine, mut view: View) -> Result<View, Vec<Failure>> {
    let images = &mut view.observed.images;
    let mut missing = Vec::new();
    for name in view.wanted.images.values().filter_map(plan::WantedImage::by_digest) {
        // As a rule it is the image that has the service's name too, and was looked at already.
        match images.values().find(|image| image.tags.contains(&name)).cloned() {
            Some(image) => drop(images.insert(name, image)),
            None => missing.push(name),
        }
    }
    images.extend(images_of(engine, missing).await?);
    Ok(view)
}

/// Takes the images of containers that were made from what is wanted for those that the names stand for.
fn with_images_of_containers(mut view: View) -> View {
    for (name, wanted) in &view.wanted.images {
        let (Some(service), Some(digest)) = (view.project.services.get(name), wanted.digest()) else { continue };
        let current = view.observed.of_service(name).find(|container| made_from(container).as_ref() == Some(digest));
        let Some(image) = current.map(|container| container.image.clone()) else { continue };
        stand_for(&view.project, &mut view.observed, service, digest, image);
    }
    view
}

/// Takes an image for the one that a service wants; where another service wants the same, the one that stands for that
/// already.
pub(super) fn stand_for(
    project: &Project,
    observed: &mut Observed,
    service: &Service,
    digest: &Digest,
    id: crate::model::ImageId,
) {
    let by_digest = plan::by_digest(digest);
    let id = observed.images.get(&by_digest).map_or(id, |image| image.id.clone());
    let image = ObservedImage { id, ..ObservedImage::default() };
    for name in project.image_names(service) {
        observed.images.insert(name, image.clone());
    }
    observed.images.insert(by_digest, image);
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
    let view = observe(&*executor.engine, &executor.sources, project, services).await?;
    settle_from(view, executor, services, options, run).await
}

/// What a plan is made from.
enum Looked {
    /// Nothing is to be done.
    Settled(Box<View>),
    /// Images that are built were not looked at yet.
    Open(Box<View>),
}

async fn look_for_plan(
    engine: &dyn Engine,
    sources: &Arc<dyn Sources>,
    project: &Arc<Project>,
    services: &[ServiceName],
    options: &UpOptions,
) -> Result<Looked, Vec<Failure>> {
    let view = look(engine, sources, project, services, |service| service.build.is_none()).await?;
    if view.wanted.bases.is_empty() {
        let assumed = with_images_of_containers(view.clone());
        if plan::up(assumed.input(&HashMap::new()), options).is_ok_and(|plan| plan.is_empty()) {
            return Ok(Looked::Settled(Box::new(assumed)));
        }
    }
    Ok(Looked::Open(Box::new(view)))
}

/// As [`observe`], for whoever only says what a plan would be: it has to be the one that `up` carries out.
///
/// # Errors
/// As [`observe`].
pub async fn observe_for_plan(
    engine: &dyn Engine,
    sources: &Arc<dyn Sources>,
    project: &Arc<Project>,
    services: &[ServiceName],
    options: &UpOptions,
) -> Result<View, Vec<Failure>> {
    match look_for_plan(engine, sources, project, services, options).await? {
        Looked::Settled(view) => Ok(*view),
        Looked::Open(_) => observe(engine, sources, project, services).await,
    }
}

/// The same for whoever does nothing but carry out the plan. Most often that is nothing: each container says what its
/// image was built from, and that is what is wanted. Then no image that is built is looked at.
///
/// # Errors
/// As [`settle`].
pub async fn settle_for_plan(
    executor: &Executor,
    project: &Arc<Project>,
    services: &[ServiceName],
    options: &UpOptions,
    run: &RunOptions,
) -> Result<View, Vec<Failure>> {
    let engine = &*executor.engine;
    let mut view = match look_for_plan(engine, &executor.sources, project, services, options).await? {
        Looked::Settled(view) => return Ok(*view),
        Looked::Open(view) => *view,
    };
    let built = names(project, services, |service| service.build.is_some());
    // Something is to be done, and whoever carries it out has the engine confirmed first: beside the images that takes
    // no time. A refusal is told there.
    let (images, _) = tokio::join!(images_of(engine, built), engine.verify_info());
    view.observed.images.extend(images?);
    if view.observed.images.values().any(|image| image.labels.contains_key(plan::labels::ARGS)) {
        // They say themselves what their builds are given.
        return settle(executor, project, services, options, run).await;
    }
    let view = with_images_by_digest(engine, view).await?;
    settle_from(view, executor, services, options, run).await
}

async fn settle_from(
    mut view: View,
    executor: &Executor,
    services: &[ServiceName],
    options: &UpOptions,
    run: &RunOptions,
) -> Result<View, Vec<Failure>> {
    let project = Arc::clone(&view.project);
    // A chain of bases is as long as the chain of services at most.
    for _ in 0..=project.services.len() {
        if view.wanted.bases.is_empty() {
            break;
        }
        let plan =
            plan::bases(view.input(&HashMap::new()), options).map_err(|errors| plan_failures(&project, errors))?;
        if plan.is_empty() {
            break;
        }
        let outcome = executor.run(&project, &plan, run).await;
        if !outcome.is_success() {
            return Err(outcome.failures);
        }
        view = observe(&*executor.engine, &executor.sources, &project, services).await?;
    }
    executor.agents.remember(&view.observed);
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
