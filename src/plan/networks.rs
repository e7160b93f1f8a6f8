//! Networks and volumes of a plan.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::Value;

use super::labels::{CONFIG, NETWORK, VOLUME, project_labels};
use super::op::StepId;
use super::{Op, Plan, Reason};
use crate::model::{Digest, Network, NetworkSpec, Observed, Project, Service, Volume, VolumeSpec};

/// What the plan does about networks and volumes: the steps that containers come after, by the engine's name.
#[derive(Debug, Default)]
pub struct Resources {
    /// Networks that are made.
    pub networks: HashMap<String, StepId>,
    /// Volumes that are made.
    pub volumes: HashMap<String, StepId>,
    /// Networks that are there in another shape and must be made again once nothing is attached, by name.
    pub stale: IndexMap<String, NetworkSpec>,
}

/// Something of the manifest that is not on the engine and that hob must not make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingExternal {
    /// Key and name of a network.
    Network(String, String),
    /// Key and name of a volume.
    Volume(String, String),
}

/// Plans the networks and volumes that the given services use.
pub fn resources(
    plan: &mut Plan,
    project: &Project,
    services: &[&Service],
    observed: &Observed,
) -> Result<Resources, Vec<MissingExternal>> {
    let mut resources = Resources::default();
    let mut missing = Vec::new();
    for (key, network) in &project.networks {
        let uses = |s: &&Service| s.network_mode.is_none() && s.networks.contains_key(key);
        if !project.all_resources && !services.iter().any(uses) {
            continue;
        }
        let name = project.network_name(key);
        match observed.networks.get(&name) {
            None if network.external => missing.push(MissingExternal::Network(key.clone(), name)),
            None => {
                let spec = network_spec(project, key, network);
                let step = plan.push(Op::CreateNetwork(spec), None, Reason::Missing, Vec::new());
                resources.networks.insert(name, step);
            }
            Some(there) if !network.external => {
                let spec = network_spec(project, key, network);
                let ours = there.labels.get(CONFIG);
                if ours.is_some() && ours != spec.labels.get(CONFIG) {
                    resources.stale.insert(name, spec);
                }
            }
            Some(_) => {}
        }
    }
    for (key, volume) in &project.volumes {
        let uses = |s: &&Service| s.volumes.iter().any(|mount| mount.source.as_deref() == Some(key));
        if !project.all_resources && !services.iter().any(uses) {
            continue;
        }
        let name = project.volume_name(key);
        match observed.volumes.get(&name) {
            None if volume.external => missing.push(MissingExternal::Volume(key.clone(), name)),
            None => {
                let spec = volume_spec(project, key, volume);
                let step = plan.push(Op::CreateVolume(spec), None, Reason::Missing, Vec::new());
                resources.volumes.insert(name, step);
            }
            Some(there) if !volume.external => {
                let ours = there.labels.get(CONFIG);
                if ours.is_some_and(|ours| *ours != config_of(&serde_json::to_value(volume).unwrap_or_default())) {
                    plan.notes.push(format!(
                        "volume {name} was made with other settings; it is used as it is, because hob never removes a \
                         volume by itself (`hob down -v` does)"
                    ));
                }
            }
            Some(_) => {}
        }
    }
    if missing.is_empty() { Ok(resources) } else { Err(missing) }
}

fn network_spec(project: &Project, key: &str, network: &Network) -> NetworkSpec {
    let mut labels = network.labels.clone();
    labels.extend(project_labels(project));
    labels.insert(NETWORK.to_owned(), key.to_owned());
    labels.insert(CONFIG.to_owned(), config_of(&serde_json::to_value(network).unwrap_or_default()));
    NetworkSpec {
        name: project.network_name(key),
        driver: network.driver.clone(),
        driver_opts: options(&network.driver_opts),
        ipam: network.ipam.clone(),
        internal: network.internal,
        attachable: network.attachable,
        enable_ipv6: network.enable_ipv6,
        enable_ipv4: network.enable_ipv4,
        labels,
    }
}

fn volume_spec(project: &Project, key: &str, volume: &Volume) -> VolumeSpec {
    let mut labels = volume.labels.clone();
    labels.extend(project_labels(project));
    labels.insert(VOLUME.to_owned(), key.to_owned());
    labels.insert(CONFIG.to_owned(), config_of(&serde_json::to_value(volume).unwrap_or_default()));
    VolumeSpec {
        name: project.volume_name(key),
        driver: volume.driver.clone(),
        driver_opts: options(&volume.driver_opts),
        labels,
    }
}

fn config_of(value: &Value) -> String {
    Digest::of_json(value).short().to_owned()
}

/// Driver options as the engine wants them: text.
fn options(options: &IndexMap<String, Value>) -> IndexMap<String, String> {
    options
        .iter()
        .map(|(key, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (key.clone(), text)
        })
        .collect()
}
