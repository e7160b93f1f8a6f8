//! What is on the engine, and what its containers hold by now.

use std::time::Duration;

use indexmap::IndexMap;

use super::{Failure, Sources};
use crate::engine::{Engine, Query};
use crate::model::{ContainerId, Content, Observed, ObservedContainer, ObservedImage, Project};
use crate::plan;

/// How long another hob's sync is waited for: it says what it did when no news has come for a moment.
const SYNC: Duration = Duration::from_secs(2);
/// Between two looks.
const TRY: Duration = Duration::from_millis(20);

/// The project on the engine, without images.
pub(super) async fn observed(engine: &dyn Engine, project: &Project) -> Result<Observed, Vec<Failure>> {
    let query = Query {
        project: project.name.to_string(),
        networks: project.networks.keys().map(|key| project.network_name(key)).collect(),
        volumes: project.volumes.keys().map(|key| project.volume_name(key)).collect(),
        ..Query::default()
    };
    engine.observe(&query).await.map_err(|error| vec![Failure::of_engine(None, error)])
}

/// Waits for another hob that syncs into any of these to say what it holds then; not for one that goes on and on.
pub(super) async fn syncs_have_ended(sources: &dyn Sources, containers: &[ContainerId]) {
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
pub(super) async fn images_of(
    engine: &dyn Engine,
    mut names: Vec<String>,
) -> Result<IndexMap<String, ObservedImage>, Vec<Failure>> {
    names.sort();
    names.dedup();
    engine.images_by_reference(&names).await.map_err(|error| vec![Failure::of_engine(None, error)])
}

/// Runs something that blocks off the loop. A panic in it goes on here.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    #[cfg(test)]
    if super::simulated::is_on() {
        return super::simulated::blocking(work).await;
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
