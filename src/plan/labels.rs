//! Labels: Compose's, so that its own commands and every dashboard group what hob starts, and hob's, which hold the
//! state that the next run compares with. Secrets never get into a label.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value;

use super::Wanted;
pub use crate::model::labels::*;
use crate::model::{ContainerSpec, Digest, InjectedFile, ObservedContainer, Project, Service};

/// Keys that do not make a container another one: they are about the image, the order, or the watch.
const NOT_OF_A_CONTAINER: [&str; 12] = [
    "attach",
    "build",
    "depends_on",
    "develop",
    "deploy.replicas",
    "prepare",
    "probe",
    "profiles",
    "pull_policy",
    "reload",
    "scale",
    "label_file",
];

/// Digests of a container's configuration, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(pub BTreeMap<String, String>);

impl Labels {
    /// Of a service as it will be made. `spec` holds the resolved mounts and networks.
    pub fn of(service: &Service, spec: &ContainerSpec, files: &[InjectedFile], salt: &str) -> Self {
        let mut keys = BTreeMap::new();
        if let Ok(Value::Object(map)) = serde_json::to_value(service) {
            for (key, value) in map {
                if !NOT_OF_A_CONTAINER.contains(&key.as_str()) && !value.is_null() {
                    keys.insert(key, value);
                }
            }
        }
        if let Some(deploy) = keys.get_mut("deploy").and_then(Value::as_object_mut) {
            deploy.retain(|key, _| key == "resources" || key == "restart_policy");
        }
        keys.retain(|key, value| key != "deploy" || value.as_object().is_some_and(|deploy| !deploy.is_empty()));
        for (key, value) in
            [("volumes", serde_json::to_value(&spec.mounts)), ("networks", serde_json::to_value(&spec.networks))]
        {
            match value {
                Ok(value)
                    if value.as_array().is_none_or(|a| !a.is_empty())
                        && value != Value::Object(serde_json::Map::new()) =>
                {
                    keys.insert(key.to_owned(), value);
                }
                _ => drop(keys.remove(key)),
            }
        }
        let mut labels: BTreeMap<String, String> =
            keys.iter().map(|(key, value)| (key.clone(), Digest::of_json(&sorted(value)).short().to_owned())).collect();
        if !files.is_empty() {
            let mut text = salt.as_bytes().to_vec();
            for file in files {
                text.extend(Digest::of_json(file).as_str().as_bytes());
                // Without a salt a label would give it away to whoever can guess.
                if !salt.is_empty() {
                    text.extend(Digest::of(&file.content).as_str().as_bytes());
                }
            }
            labels.insert("secrets and configs".to_owned(), Digest::of(&text).short().to_owned());
        }
        Self(labels)
    }

    /// Reads hob's label back.
    pub fn parse(labels: &IndexMap<String, String>) -> Option<Self> {
        serde_json::from_str(labels.get(CONFIG)?).ok().map(Self)
    }

    /// As hob's label.
    pub fn to_label(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// One digest over all, for Compose's own label.
    pub fn hash(&self) -> String {
        Digest::of_json(&self.0).as_str().to_owned()
    }

    /// Keys that differ between this and another, in order.
    pub fn differing(&self, other: &Self) -> Vec<String> {
        let mut keys: Vec<String> =
            self.0.keys().chain(other.0.keys()).filter(|key| self.0.get(*key) != other.0.get(*key)).cloned().collect();
        keys.sort();
        keys.dedup();
        keys
    }
}

/// The same value with the keys of all maps in order, so that their order in the manifest never counts.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let ordered: BTreeMap<&String, Value> = map.iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(ordered.into_iter().map(|(key, value)| (key.clone(), value)).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// The digest of what a container's image was built from; `None` where that is not known, or where the container was
/// made of another image than the one that it was made for.
pub fn made_from(container: &ObservedContainer) -> Option<Digest> {
    let digest = Digest::parse(container.labels.get(INPUTS)?)?;
    container.labels.get(IMAGE).is_none_or(|image| *image == *container.image).then_some(digest)
}

/// The labels that every thing of a project carries.
pub fn project_labels(project: &Project) -> IndexMap<String, String> {
    IndexMap::from([
        (PROJECT.to_owned(), project.name.to_string()),
        (VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ])
}

/// The labels of a container, without those of its configuration.
pub fn container_labels(
    project: &Project,
    service: &Service,
    number: u32,
    oneoff: bool,
    wanted: &Wanted,
) -> IndexMap<String, String> {
    let mut labels: IndexMap<String, String> = service.labels.clone();
    labels.extend(project_labels(project));
    let files: Vec<String> = project.files.iter().map(|file| file.display().to_string()).collect();
    let depends: Vec<String> = service
        .depends_on
        .iter()
        .map(|(name, dependency)| {
            let condition = serde_json::to_value(dependency.condition).unwrap_or_default();
            format!("{name}:{}:{}", condition.as_str().unwrap_or_default(), dependency.restart)
        })
        .collect();
    let mut add = |key: &str, value: String| drop(labels.insert(key.to_owned(), value));
    add(SERVICE, service.name.to_string());
    add(NUMBER, number.to_string());
    add(ONEOFF, if oneoff { "True" } else { "False" }.to_owned());
    add(WORKING_DIR, project.working_dir.display().to_string());
    add(CONFIG_FILES, files.join(","));
    add(DEPENDS_ON, depends.join(","));
    if let Some(digest) = wanted.images.get(&service.name).and_then(super::WantedImage::digest) {
        add(INPUTS, digest.as_str().to_owned());
    }
    if let (true, Some(agent)) = (wanted.has_agent(&service.name), &wanted.agent) {
        add(AGENT, agent.clone());
    }
    labels
}
