//! What is on the engine. One list per kind of thing, all asked for at once; no inspect per container, because the
//! list tells state, exit code and health (in the status text where the API has no field for it).

use std::collections::{BTreeSet, HashMap};

use bollard::models::{
    ContainerInspectResponse, ContainerSummary, ContainerSummaryStateEnum, EndpointSettings, MountPoint, PortSummary,
};
use bollard::query_parameters::{ListContainersOptions, ListNetworksOptions, ListVolumesOptions};
use indexmap::IndexMap;

use super::{Docker, time};
use crate::engine::{Engine, Query, Result};
use crate::model::labels::{CONFIG_HASH, NUMBER, ONEOFF, PROJECT, SERVICE};
use crate::model::{
    ContainerId, ContainerState, Health, HealthProbe, ImageId, NetworkId, Observed, ObservedContainer, ObservedMount,
    ObservedNetwork, ObservedVolume, Processes, Published, ServiceName,
};

pub(super) type Filters = Option<HashMap<String, Vec<String>>>;

pub(super) fn by_label(label: &str) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![label.to_owned()])])
}

/// Containers that were made for a project: `label` is its label, with or without a value.
pub(super) fn made_for(label: &str) -> (String, Vec<String>) {
    ("label".to_owned(), vec![label.to_owned(), CONFIG_HASH.to_owned()])
}

/// The names that were not found.
fn others(wanted: &[String], found: impl Fn(&str) -> bool) -> Vec<String> {
    wanted.iter().filter(|name| !found(name)).cloned().collect()
}

impl Docker {
    pub(super) async fn observe(&self, query: &Query) -> Result<Observed> {
        let label = format!("{PROJECT}={}", query.project);
        let (containers, networks, volumes, images) = tokio::try_join!(
            self.list(Some(HashMap::from([made_for(&label)])), true),
            self.networks(&label, &query.networks),
            self.volumes(&label, &query.volumes),
            Engine::images_by_reference(self, &query.images),
        )?;
        let mut containers: Vec<ObservedContainer> = containers.into_iter().map(from_summary).collect();
        let (networks, duplicates) = by_name(networks, &containers, &query.project);
        for container in &mut containers {
            fill_network_ids(container, &networks);
        }
        containers
            .sort_by(|a, b| (&a.service, a.oneoff, a.number, &a.id).cmp(&(&b.service, b.oneoff, b.number, &b.id)));
        Ok(Observed { containers, networks, duplicates, volumes, images })
    }

    /// The images of all containers on the engine.
    pub(super) async fn used_images(&self) -> Result<BTreeSet<ImageId>> {
        let containers = self.list(None, true).await?;
        Ok(containers.into_iter().filter_map(|container| container.image_id).map(ImageId::new).collect())
    }

    pub(super) async fn containers(&self, project: Option<&str>, all: bool) -> Result<Vec<ObservedContainer>> {
        let label = project.map_or_else(|| PROJECT.to_owned(), |project| format!("{PROJECT}={project}"));
        let list = self.list(Some(HashMap::from([made_for(&label)])), all).await?;
        Ok(list.into_iter().map(from_summary).collect())
    }

    pub(super) async fn list(&self, filters: Filters, all: bool) -> Result<Vec<ContainerSummary>> {
        let options = ListContainersOptions { all, filters, ..Default::default() };
        self.api.list_containers(Some(options)).await.map_err(|error| self.error(error))
    }

    /// The project's networks, and the others that are asked for: by one more list, where there are any.
    async fn networks(&self, label: &str, wanted: &[String]) -> Result<Vec<ObservedNetwork>> {
        let list = async |filters: Filters| {
            self.api.list_networks(Some(ListNetworksOptions { filters })).await.map_err(|error| self.error(error))
        };
        let mut found = list(Some(by_label(label))).await?;
        let others = others(wanted, |name| found.iter().any(|network| network.name.as_deref() == Some(name)));
        if !others.is_empty() {
            // The name filter also matches parts of names.
            let more = list(Some(HashMap::from([("name".to_owned(), others.clone())]))).await?;
            found.extend(more.into_iter().filter(|n| n.name.as_ref().is_some_and(|name| others.contains(name))));
        }
        let observed = |network: bollard::models::Network| ObservedNetwork {
            id: NetworkId::new(network.id.unwrap_or_default()),
            name: network.name.unwrap_or_default(),
            labels: sorted(network.labels),
        };
        Ok(found.into_iter().map(observed).collect())
    }

    /// The project's volumes alone.
    pub(super) async fn volumes_of(&self, project: &str) -> Result<Vec<ObservedVolume>> {
        Ok(self.volumes(&format!("{PROJECT}={project}"), &[]).await?.into_values().collect())
    }

    pub(super) async fn processes(&self, id: &ContainerId) -> Result<Option<Processes>> {
        match self.api.top_processes(id.as_str(), None).await {
            Ok(answer) => {
                let (titles, rows) = (answer.titles.unwrap_or_default(), answer.processes.unwrap_or_default());
                Ok(Some(Processes { titles, rows }))
            }
            // Gone, or not running any more.
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(None),
            Err(error) => Err(self.error(error)),
        }
    }

    /// The project's volumes, and the others that are asked for: by one more list, where there are any.
    async fn volumes(&self, label: &str, wanted: &[String]) -> Result<IndexMap<String, ObservedVolume>> {
        let list = async |filters: Filters| {
            let answer = self.api.list_volumes(Some(ListVolumesOptions { filters })).await;
            answer.map(|answer| answer.volumes.unwrap_or_default()).map_err(|error| self.error(error))
        };
        let mut found = list(Some(by_label(label))).await?;
        let others = others(wanted, |name| found.iter().any(|volume| volume.name == name));
        if !others.is_empty() {
            let more = list(Some(HashMap::from([("name".to_owned(), others.clone())]))).await?;
            found.extend(more.into_iter().filter(|volume| others.contains(&volume.name)));
        }
        let observed = |volume: bollard::models::Volume| {
            let labels = sorted(Some(volume.labels));
            let scope = volume.scope.map(|scope| scope.to_string()).unwrap_or_default();
            let (name, driver, mountpoint) = (volume.name, volume.driver, volume.mountpoint);
            (name.clone(), ObservedVolume { name, driver, labels, mountpoint, scope })
        };
        Ok(found.into_iter().map(observed).collect())
    }

    pub(super) async fn inspect(&self, id: &ContainerId) -> Result<Option<ObservedContainer>> {
        match self.api.inspect_container(id.as_str(), None).await {
            Ok(answer) => Ok(Some(from_inspect(answer))),
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(self.error(error)),
        }
    }

    pub(super) async fn health_log(&self, id: &ContainerId) -> Result<Vec<HealthProbe>> {
        let answer = self.api.inspect_container(id.as_str(), None).await.map_err(|error| self.error(error))?;
        let log = answer.state.and_then(|state| state.health).and_then(|health| health.log).unwrap_or_default();
        Ok(log
            .into_iter()
            .map(|probe| HealthProbe {
                exit_code: probe.exit_code.unwrap_or_default(),
                output: probe.output.unwrap_or_default(),
            })
            .collect())
    }

    /// Looks through all running containers: Podman has no `publish` filter.
    pub(super) async fn port_holder(&self, port: u16, protocol: &str) -> Result<Option<String>> {
        let holder = self.list(None, false).await?.into_iter().map(from_summary).find(|container| {
            container.ports.iter().any(|published| published.host_port == port && published.protocol == protocol)
        });
        Ok(holder.map(|container| match container.labels.get(PROJECT) {
            Some(project) => format!("{} ({project})", container.name),
            None => container.name,
        }))
    }

    pub(super) async fn projects(&self) -> Result<Vec<(String, usize)>> {
        let mut counts = std::collections::BTreeMap::new();
        for container in self.list(Some(HashMap::from([made_for(PROJECT)])), true).await? {
            if let Some(project) = container.labels.unwrap_or_default().remove(PROJECT) {
                *counts.entry(project).or_default() += 1;
            }
        }
        Ok(counts.into_iter().collect())
    }
}

/// Networks by name, and of those with one name the project's that have fewest containers.
fn by_name(
    mut networks: Vec<ObservedNetwork>,
    containers: &[ObservedContainer],
    project: &str,
) -> (IndexMap<String, ObservedNetwork>, Vec<ObservedNetwork>) {
    let ours = |network: &ObservedNetwork| network.labels.get(PROJECT).is_some_and(|label| label == project);
    let attached = |network: &ObservedNetwork| {
        let joins = |one: &&ObservedContainer| one.networks.values().any(|id| *id == network.id);
        containers.iter().filter(joins).count()
    };
    networks.sort_by_cached_key(|one| (!ours(one), std::cmp::Reverse(attached(one)), one.id.clone()));
    let (mut first, mut duplicates) = (IndexMap::new(), Vec::new());
    for network in networks {
        if !first.contains_key(&network.name) {
            first.insert(network.name.clone(), network);
        } else if ours(&network) {
            duplicates.push(network);
        }
    }
    first.sort_keys();
    (first, duplicates)
}

/// 20.10 leaves the network's id empty until a container's first start; it joins by name then, so that the network
/// that has the name now is the one that counts. Verified with `docker create` and `GET /containers/json` there.
fn fill_network_ids(container: &mut ObservedContainer, networks: &IndexMap<String, ObservedNetwork>) {
    for (name, id) in &mut container.networks {
        if id.is_empty()
            && let Some(network) = networks.get(name)
        {
            *id = network.id.clone();
        }
    }
}

fn from_summary(summary: ContainerSummary) -> ObservedContainer {
    let status = summary.status.unwrap_or_default();
    let state = state_of(summary.state, &status);
    let health = health_in(&status);
    let names = summary.names.unwrap_or_default();
    // A link adds names with more slashes.
    let name = names.iter().find(|name| name.matches('/').count() <= 1).or(names.first());
    let networks = summary.network_settings.and_then(|settings| settings.networks);
    let mut container = ObservedContainer {
        id: ContainerId::new(summary.id.unwrap_or_default()),
        name: name.map(|name| name.trim_start_matches('/').to_owned()).unwrap_or_default(),
        image: ImageId::new(summary.image_id.unwrap_or_default()),
        image_name: summary.image.unwrap_or_default(),
        state,
        health,
        status,
        command: summary.command.unwrap_or_default(),
        created: summary.created.unwrap_or_default(),
        ports: summary.ports.unwrap_or_default().into_iter().map(published).collect(),
        networks: network_ids(networks),
        mounts: summary.mounts.iter().flatten().map(mount).collect(),
        volumes: volume_names(summary.mounts),
        size: summary.size_rw.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
        ..Default::default()
    };
    set_labels(&mut container, summary.labels);
    container
}

fn from_inspect(answer: ContainerInspectResponse) -> ObservedContainer {
    let config = answer.config.unwrap_or_default();
    let state = answer.state.unwrap_or_default();
    let exit_code = state.exit_code.unwrap_or_default();
    let word = state.status.map(|status| status.to_string()).unwrap_or_default();
    let observed = match word.as_str() {
        "running" => ContainerState::Running,
        "paused" => ContainerState::Paused,
        "restarting" => ContainerState::Restarting,
        "removing" => ContainerState::Removing,
        "exited" => ContainerState::Exited(exit_code),
        "dead" => ContainerState::Dead,
        _ => ContainerState::Created,
    };
    let health = state.health.and_then(|health| health.status).and_then(|status| match status.to_string().as_str() {
        "starting" => Some(Health::Starting),
        "healthy" => Some(Health::Healthy),
        "unhealthy" => Some(Health::Unhealthy),
        _ => None,
    });
    let settings = answer.network_settings.unwrap_or_default();
    let mut ports = Vec::new();
    for (key, bindings) in settings.ports.unwrap_or_default() {
        let (port, protocol) = key.split_once('/').unwrap_or((&key, "tcp"));
        for binding in bindings.unwrap_or_default() {
            ports.push(Published {
                host_ip: binding.host_ip.unwrap_or_default(),
                host_port: binding.host_port.and_then(|port| port.parse().ok()).unwrap_or_default(),
                container_port: port.parse().unwrap_or_default(),
                protocol: protocol.to_owned(),
            });
        }
    }
    ports.sort_by(|a, b| (a.container_port, &a.protocol, &a.host_ip).cmp(&(b.container_port, &b.protocol, &b.host_ip)));
    let command: Vec<String> = answer.path.into_iter().chain(answer.args.unwrap_or_default()).collect();
    let status = match (observed, health) {
        (ContainerState::Exited(code), _) => format!("Exited ({code})"),
        (ContainerState::Running, Some(health)) => format!("Up ({})", health.word()),
        (ContainerState::Running, None) => "Up".to_owned(),
        (state, _) => state.word().to_owned(),
    };
    let started = state.started_at.unwrap_or_default();
    let finished = state.finished_at.filter(|_| matches!(observed, ContainerState::Exited(_)));
    let mut container = ObservedContainer {
        id: ContainerId::new(answer.id.unwrap_or_default()),
        name: answer.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        image: ImageId::new(answer.image.unwrap_or_default()),
        image_name: config.image.unwrap_or_default(),
        state: observed,
        health: health.filter(|_| observed.is_running()),
        status,
        command: command.join(" "),
        created: answer.created.map(|text| time::unix_seconds(&text)).unwrap_or_default(),
        lived: finished.and_then(|finished| time::lived(&started, &finished)),
        started,
        ports,
        networks: network_ids(settings.networks),
        volumes: volume_names(answer.mounts),
        ..Default::default()
    };
    set_labels(&mut container, config.labels);
    container
}

fn set_labels(container: &mut ObservedContainer, labels: Option<HashMap<String, String>>) {
    let labels = sorted(labels);
    container.service = ServiceName::new(labels.get(SERVICE).cloned().unwrap_or_default());
    container.number = labels.get(NUMBER).and_then(|number| number.parse().ok()).unwrap_or_default();
    container.oneoff = labels.get(ONEOFF).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    container.labels = labels;
}

pub(super) fn sorted(map: Option<HashMap<String, String>>) -> IndexMap<String, String> {
    let mut map: IndexMap<String, String> = map.unwrap_or_default().into_iter().collect();
    map.sort_keys();
    map
}

fn network_ids(networks: Option<HashMap<String, EndpointSettings>>) -> IndexMap<String, NetworkId> {
    let mut ids: IndexMap<_, _> = networks
        .unwrap_or_default()
        .into_iter()
        .map(|(name, settings)| (name, NetworkId::new(settings.network_id.unwrap_or_default())))
        .collect();
    ids.sort_keys();
    ids
}

fn mount(mount: &MountPoint) -> ObservedMount {
    ObservedMount {
        name: mount.name.clone().unwrap_or_default(),
        source: mount.source.clone().unwrap_or_default(),
        driver: mount.driver.clone().unwrap_or_default(),
    }
}

fn volume_names(mounts: Option<Vec<MountPoint>>) -> IndexMap<String, String> {
    let volumes = mounts.unwrap_or_default().into_iter().filter(|mount| mount.typ.as_deref() == Some("volume"));
    let mut names: IndexMap<_, _> =
        volumes.filter_map(|mount| Some((mount.destination?, mount.name.unwrap_or_default()))).collect();
    names.sort_keys();
    names
}

fn published(port: PortSummary) -> Published {
    Published {
        host_ip: port.ip.unwrap_or_default(),
        host_port: port.public_port.unwrap_or_default(),
        container_port: port.private_port,
        protocol: port.typ.map_or_else(|| "tcp".to_owned(), |typ| typ.to_string()),
    }
}

fn state_of(state: Option<ContainerSummaryStateEnum>, status: &str) -> ContainerState {
    match state {
        Some(ContainerSummaryStateEnum::RUNNING) => ContainerState::Running,
        Some(ContainerSummaryStateEnum::PAUSED) => ContainerState::Paused,
        Some(ContainerSummaryStateEnum::RESTARTING) => ContainerState::Restarting,
        Some(ContainerSummaryStateEnum::REMOVING) => ContainerState::Removing,
        Some(ContainerSummaryStateEnum::EXITED) => ContainerState::Exited(exit_code_in(status)),
        Some(ContainerSummaryStateEnum::DEAD) => ContainerState::Dead,
        _ => ContainerState::Created,
    }
}

/// The number in `Exited (137) 2 seconds ago`.
fn exit_code_in(status: &str) -> i64 {
    let number = status.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    number.and_then(|(number, _)| number.parse().ok()).unwrap_or_default()
}

/// The health in `Up 5 seconds (health: starting)`.
fn health_in(status: &str) -> Option<Health> {
    let (_, words) = status.strip_suffix(')')?.rsplit_once('(')?;
    match words {
        "health: starting" | "starting" => Some(Health::Starting),
        "healthy" => Some(Health::Healthy),
        "unhealthy" => Some(Health::Unhealthy),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_in_the_list() {
        use ContainerSummaryStateEnum as S;
        for (state, status, expected, health) in [
            (S::CREATED, "Created", ContainerState::Created, None),
            (S::RUNNING, "Up 5 seconds", ContainerState::Running, None),
            (S::RUNNING, "Up 2 hours (healthy)", ContainerState::Running, Some(Health::Healthy)),
            (S::RUNNING, "Up 1 second (health: starting)", ContainerState::Running, Some(Health::Starting)),
            (S::RUNNING, "Up About a minute (unhealthy)", ContainerState::Running, Some(Health::Unhealthy)),
            (S::PAUSED, "Up 3 minutes (Paused)", ContainerState::Paused, None),
            (S::RESTARTING, "Restarting (1) 3 seconds ago", ContainerState::Restarting, None),
            (S::EXITED, "Exited (0) 2 seconds ago", ContainerState::Exited(0), None),
            (S::EXITED, "Exited (137) About an hour ago", ContainerState::Exited(137), None),
            (S::REMOVING, "Removal In Progress", ContainerState::Removing, None),
            (S::DEAD, "Dead", ContainerState::Dead, None),
        ] {
            assert_eq!(state_of(Some(state), status), expected, "{status}");
            assert_eq!(health_in(status), health, "{status}");
        }
    }

    #[test]
    fn of_two_networks_with_one_name_the_one_that_is_used_counts() {
        let network = |id: &str, name: &str, project: &str| ObservedNetwork {
            id: NetworkId::new(id),
            name: name.to_owned(),
            labels: IndexMap::from([(PROJECT.to_owned(), project.to_owned())]),
        };
        let attached = ObservedContainer {
            networks: IndexMap::from([("back".to_owned(), NetworkId::new("2"))]),
            ..Default::default()
        };
        let all = vec![
            network("1", "back", "shop"),
            network("2", "back", "shop"),
            network("4", "front", "shop"),
            network("3", "front", "shop"),
            network("5", "theirs", "other"),
            network("6", "theirs", "other"),
        ];
        let (networks, duplicates) = by_name(all, &[attached], "shop");
        let ids: Vec<&str> = networks.values().map(|network| network.id.as_str()).collect();
        assert_eq!(ids, ["2", "3", "5"]);
        assert_eq!(duplicates.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["1", "4"]);
    }

    #[test]
    fn a_summary_becomes_a_container() {
        let json = r#"{"Id":"0f","Names":["/other/link","/shop-db-1"],"Image":"shop-db","ImageID":"sha256:1",
            "Command":"postgres","Created":5,"State":"exited","Status":"Exited (3) 1 second ago",
            "Ports":[{"IP":"0.0.0.0","PrivatePort":5432,"PublicPort":15432,"Type":"tcp"}],
            "Labels":{"com.docker.compose.service":"db","com.docker.compose.container-number":"2","com.docker.compose.oneoff":"True"},
            "NetworkSettings":{"Networks":{"shop_default":{"NetworkID":""}}},
            "Mounts":[{"Type":"volume","Name":"shop_data","Destination":"/data"},{"Type":"bind","Source":"/a","Destination":"/b"}]}"#;
        let mut container = from_summary(serde_json::from_str(json).unwrap());
        assert_eq!((container.name.as_str(), container.service.as_str(), container.number), ("shop-db-1", "db", 2));
        assert!(container.oneoff);
        assert_eq!(container.state, ContainerState::Exited(3));
        assert_eq!(container.ports[0].host_port, 15432);
        assert_eq!(container.volumes.get("/data").map(String::as_str), Some("shop_data"));
        assert_eq!(container.volumes.len(), 1);
        let network = ObservedNetwork { id: NetworkId::new("n1"), ..Default::default() };
        fill_network_ids(&mut container, &IndexMap::from([("shop_default".into(), network)]));
        assert_eq!(container.networks["shop_default"].as_str(), "n1");
    }
}
