//! What should be and what is, at one moment: what each phase hands to the next one.

use std::collections::HashMap;
use std::sync::Arc;

use super::Sources;
use super::observe::{blocking, say_what_they_hold, syncs_have_ended};
use crate::model::{ContainerId, Digest, ImageId, Observed, ObservedContainer, ObservedImage, Parts, Project, Service};
use crate::plan::labels::made_from;
use crate::plan::{Input, Wanted, WantedImage, by_digest};

/// What should be and what is, at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What should be, as it was loaded.
    pub project: Arc<Project>,
    /// Images and files that services should have, as they were measured.
    pub wanted: Arc<Wanted>,
    /// What is.
    pub observed: Observed,
    /// Parts of earlier measures.
    pub history: HashMap<Digest, Parts>,
}

impl Snapshot {
    /// Of what was measured and observed beside each other: waits for syncs of others that go on, and looks up what
    /// outdated containers were made from.
    pub(super) async fn of(
        sources: &Arc<dyn Sources>,
        project: &Arc<Project>,
        wanted: Wanted,
        mut observed: Observed,
    ) -> Self {
        let running = observed.containers.iter().filter(|container| container.state.is_running());
        syncs_have_ended(&**sources, &running.map(|container| container.id.clone()).collect::<Vec<_>>()).await;
        say_what_they_hold(&mut observed, &**sources, |_| false);

        // What a container was made from matters where it is not what is wanted.
        let outdated = |container: &ObservedContainer| {
            let made_from = made_from(container)?;
            let current = wanted.images.get(&container.service).and_then(WantedImage::digest);
            (current != Some(&made_from)).then_some(made_from)
        };
        let digests: Vec<Digest> = observed.containers.iter().filter_map(outdated).collect();
        let sources = Arc::clone(sources);
        let history =
            if digests.is_empty() { HashMap::new() } else { blocking(move || sources.history(&digests)).await };
        Self { project: Arc::clone(project), wanted: Arc::new(wanted), observed, history }
    }

    /// As the planner takes it.
    pub fn input<'a>(&'a self, synced: &'a HashMap<ContainerId, Digest>) -> Input<'a> {
        Input { project: &self.project, wanted: &self.wanted, observed: &self.observed, history: &self.history, synced }
    }

    /// The same with the images of containers that were made from what is wanted in the place of those that the names
    /// stand for.
    pub(super) fn with_images_of_containers(mut self) -> Self {
        for (name, wanted) in &self.wanted.images {
            let (Some(service), Some(digest)) = (self.project.services.get(name), wanted.digest()) else {
                continue;
            };
            let current = self.observed.of_service(name).find(|c| made_from(c).as_ref() == Some(digest));
            let Some(image) = current.map(|container| container.image.clone()) else { continue };
            stand_for(&self.project, &mut self.observed, service, digest, image);
        }
        self
    }

    /// The digests by which images are wanted that it does not know by them; those that it knows by another name are
    /// known by their digest too from then on.
    pub(super) fn name_by_digest(&mut self) -> Vec<String> {
        let images = &mut self.observed.images;
        let mut missing = Vec::new();
        for name in self.wanted.images.values().filter_map(WantedImage::by_digest) {
            // As a rule it is the image that has the service's name too, and was looked at already.
            match images.values().find(|image| image.tags.contains(&name)).cloned() {
                Some(image) => drop(images.insert(name, image)),
                None => missing.push(name),
            }
        }
        missing
    }
}

/// Takes an image for the one that a service wants; where another service wants the same, the one that stands for that
/// already.
pub(super) fn stand_for(project: &Project, observed: &mut Observed, service: &Service, digest: &Digest, id: ImageId) {
    let by_digest = by_digest(digest);
    let id = observed.images.get(&by_digest).map_or(id, |image| image.id.clone());
    let image = ObservedImage { id, ..ObservedImage::default() };
    for name in project.image_names(service) {
        observed.images.insert(name, image.clone());
    }
    observed.images.insert(by_digest, image);
}
