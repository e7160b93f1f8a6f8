//! Whether a container is what it should be, and if not, why.

use std::path::Path;

use indexmap::IndexMap;

use super::labels::{AGENT, CONFIG, CONFIG_FILES, NO_AGENT, made_from};
use super::spec::is_anonymous;
use super::{Input, Labels, Reason, WantedImage, container_spec, variables};
use crate::model::{Digest, ObservedContainer, Part, Project, Service};

/// A container that is there, and why it is not what it should be.
pub struct Existing<'a> {
    /// The container.
    pub container: &'a ObservedContainer,
    /// Why it must be recreated; `None` where it must not.
    pub differs: Option<Reason>,
}

/// Why a container must be recreated.
pub fn assess(input: Input<'_>, service: &Service, container: &ObservedContainer, number: u32) -> Option<Reason> {
    let Some(ours) = Labels::parse(&container.labels) else { return Some(Reason::Foreign) };
    let spec = container_spec(input.project, service, number, input.wanted, &IndexMap::new());
    if let Some(wanted) = Labels::parse(&spec.labels) {
        let keys = wanted.differing(&ours);
        if !keys.is_empty() {
            return Some(Reason::Config(variables::named(keys, &spec.labels, &container.labels)));
        }
    }
    debug_assert!(spec.labels.contains_key(CONFIG), "a container's spec carries its configuration");
    match input.wanted.images.get(&service.name) {
        Some(image @ (WantedImage::Built(_) | WantedImage::Remote { .. }))
            if content(input, container).as_ref() != image.digest() =>
        {
            if content(input, container).is_none() {
                return Some(Reason::UnknownContent);
            }
            return Some(Reason::Inputs(changed_parts(input, service, container).unwrap_or_default()));
        }
        Some(WantedImage::Named(name))
            if input.observed.images.get(name).is_some_and(|image| image.id != container.image) =>
        {
            return Some(Reason::Image);
        }
        _ => {}
    }
    // Where nobody is to sync, an agent is in nobody's way.
    let wants_agent = input.wanted.agent.is_some();
    if wants_agent && spec.labels.get(AGENT) != container.labels.get(AGENT) && !cannot_have_agent(container) {
        return Some(hot_sync(&spec.labels, container).map_or(Reason::Agent, Reason::HotSync));
    }
    for network in spec.networks.keys() {
        let Some(there) = input.observed.networks.get(network) else {
            // It was removed, and a container does not find the one that takes its place.
            match container.networks.get(network) {
                Some(id) if id.is_empty() => continue,
                _ => return Some(Reason::Network(network.clone())),
            }
        };
        match container.networks.get(network) {
            // A container that was never started has no id of its network yet.
            Some(id) if id.is_empty() || *id == there.id => {}
            _ => return Some(Reason::Network(network.clone())),
        }
    }
    None
}

fn cannot_have_agent(container: &ObservedContainer) -> bool {
    container.labels.get(AGENT).is_some_and(|agent| agent == NO_AGENT)
}

/// Whether saves can be put into what takes a container's place, where that is not as it was.
pub fn hot_sync(wanted: &IndexMap<String, String>, container: &ObservedContainer) -> Option<bool> {
    let now = wanted.contains_key(AGENT);
    (now != container.labels.contains_key(AGENT)).then_some(now)
}

/// Whether a container has a volume that nobody gave a name to.
pub fn has_anonymous(container: &ObservedContainer) -> bool {
    container.volumes.values().any(|volume| is_anonymous(volume))
}

/// Whether a container was made from other manifest files than these. Two manifests of one folder share its name as
/// their project's, and what the neighbour made is no orphan.
pub fn is_neighbour(project: &Project, container: &ObservedContainer) -> bool {
    let files = container.labels.get(CONFIG_FILES).map(String::as_str).unwrap_or_default();
    !files.is_empty() && !files.split(',').any(|file| project.files.iter().any(|own| own == Path::new(file)))
}

/// What is said of containers whose service is gone, where they are left: Docker Compose's sentence.
pub fn orphans_stay(containers: &[&ObservedContainer]) -> String {
    let names: Vec<&str> = containers.iter().map(|c| c.name.as_str()).collect();
    format!(
        "Found orphan containers ([{}]) for this project. If you removed or renamed this service in your compose file, \
         you can run this command with the --remove-orphans flag to clean it up.",
        names.join(" ")
    )
}

/// What is said where `--remove-orphans` leaves a neighbour's containers.
pub fn neighbours_stay(containers: &[&ObservedContainer]) -> String {
    let names: Vec<&str> = containers.iter().map(|c| c.name.as_str()).collect();
    let files = containers.first().and_then(|c| c.labels.get(CONFIG_FILES)).map(String::as_str).unwrap_or_default();
    format!("containers of another manifest with this project's name ({files}) stay: {}", names.join(", "))
}

/// The digest of what a container holds: by hot sync, or as it was made.
fn content(input: Input<'_>, container: &ObservedContainer) -> Option<Digest> {
    let synced = input.synced.get(&container.id).cloned();
    synced.or_else(|| made_from(container))
}

/// What changed since a container got its content; `None` where that is not known.
pub fn changed_parts(input: Input<'_>, service: &Service, container: &ObservedContainer) -> Option<Vec<Part>> {
    let WantedImage::Built(inputs) = input.wanted.images.get(&service.name)? else { return None };
    let before = input.history.get(&content(input, container)?)?;
    Some(inputs.parts.differing(before))
}
