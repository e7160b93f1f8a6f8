//! One container of the fake engine.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::state::{EPOCH, State};
use crate::engine::{Channel, Chunk, EngineError, ErrorKind, LogQuery, Result};
use crate::model::{
    ContainerId, ContainerSpec, ContainerState, Health, HealthProbe, MountType, NetworkId, ObservedContainer,
    Published, ServiceName, labels,
};

/// A line of a container's log.
pub(super) struct Line {
    pub(super) time: (i64, u32),
    pub(super) channel: Channel,
    pub(super) text: String,
}

impl Line {
    /// What a log stream gives for it; `None` where the query leaves it out.
    pub(super) fn chunk(&self, query: &LogQuery) -> Option<Chunk> {
        let in_time =
            query.since.is_none_or(|since| self.time.0 >= since) && query.until.is_none_or(|until| self.time.0 < until);
        let stamp = if query.timestamps { timestamp(self.time) } else { String::new() };
        in_time.then(|| Chunk { channel: self.channel, bytes: Bytes::from(format!("{stamp}{}", self.text)) })
    }
}

/// RFC 3339 with a space after it. A fake engine never runs for a day.
fn timestamp((seconds, nanos): (i64, u32)) -> String {
    let of_day = seconds - EPOCH;
    format!("2026-01-01T{:02}:{:02}:{:02}.{nanos:09}Z ", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

pub(super) struct Container {
    pub(super) seen: ObservedContainer,
    pub(super) spec: ContainerSpec,
    pub(super) has_check: bool,
    pub(super) lines: Vec<Line>,
    pub(super) files: HashMap<String, Bytes>,
    /// Paths that are symbolic links.
    pub(super) links: HashSet<String>,
    pub(super) health_log: Vec<HealthProbe>,
    /// Counts starts, so that what a script does later finds out that it is about an earlier one.
    pub(super) starts: u64,
}

impl Container {
    /// What calls name it by.
    pub(super) fn subject(&self) -> String {
        subject(&self.seen.service, self.seen.number, self.seen.oneoff)
    }

    pub(super) fn project(&self) -> &str {
        self.seen.labels.get(labels::PROJECT).map(String::as_str).unwrap_or_default()
    }

    pub(super) fn set_state(&mut self, state: ContainerState) {
        self.seen.state = state;
        self.seen.health = (self.has_check && state.is_running()).then_some(Health::Starting);
        self.describe();
    }

    /// The engine's words for what the container is doing.
    pub(super) fn describe(&mut self) {
        self.seen.status = match (self.seen.state, self.seen.health) {
            (ContainerState::Created, _) => "Created".to_owned(),
            (ContainerState::Exited(code), _) => format!("Exited ({code}) 1 second ago"),
            (ContainerState::Running, Some(Health::Starting)) => "Up 1 second (health: starting)".to_owned(),
            (ContainerState::Running, Some(health)) => format!("Up 1 second ({})", health.word()),
            (ContainerState::Running, None) => "Up 1 second".to_owned(),
            (state, _) => state.word().to_owned(),
        };
    }
}

fn subject(service: &str, number: u32, oneoff: bool) -> String {
    match (oneoff, number) {
        (true, _) => format!("{service} (run)"),
        (false, 0 | 1) => service.to_owned(),
        (false, number) => format!("{service}#{number}"),
    }
}

/// What calls name a container by that is yet to be made.
pub(super) fn subject_of(spec: &ContainerSpec) -> String {
    let (service, number, oneoff) = identity(spec);
    subject(&service, number, oneoff)
}

fn identity(spec: &ContainerSpec) -> (ServiceName, u32, bool) {
    let label = |key: &str| spec.labels.get(key).cloned();
    (
        label(labels::SERVICE).map_or_else(|| spec.service.name.clone(), ServiceName::new),
        label(labels::NUMBER).and_then(|number| number.parse().ok()).unwrap_or_default(),
        label(labels::ONEOFF).is_some_and(|value| value.eq_ignore_ascii_case("true")),
    )
}

impl State {
    /// Makes a container from a spec, with the checks that an engine makes.
    pub(super) fn create(&mut self, spec: &ContainerSpec) -> Result<ContainerId> {
        let error = |kind, message: String| Err(EngineError::new(kind, message));
        if let Some(other) = self.containers.values().find(|container| container.seen.name == spec.name) {
            let message = format!(
                "Conflict. The container name \"/{}\" is already in use by container \"{}\".",
                spec.name, other.seen.id
            );
            return error(ErrorKind::Conflict, message);
        }
        let Some(image) = self.image(&spec.image).cloned() else {
            return error(ErrorKind::NotFound, format!("No such image: {}", spec.image));
        };
        let mut networks = indexmap::IndexMap::new();
        for name in spec.networks.keys() {
            let Some(network) = self.networks.get(name) else {
                return error(ErrorKind::NotFound, format!("network {name} not found"));
            };
            networks.insert(name.clone(), NetworkId::new(network.id.as_str()));
        }
        let mut volumes = indexmap::IndexMap::new();
        for mount in spec.mounts.iter().filter(|mount| mount.r#type == MountType::Volume) {
            let name = match &mount.source {
                Some(name) => name.clone(),
                None => self.new_id(),
            };
            // As a real engine does: a volume that is missing is made on the way.
            let made =
                crate::model::ObservedVolume { name: name.clone(), driver: "local".into(), ..Default::default() };
            self.volumes.entry(name.clone()).or_insert(made);
            volumes.insert(mount.target.clone(), name);
        }
        let (service, number, oneoff) = identity(spec);
        let id = ContainerId::new(self.new_id());
        let disabled = spec.service.healthcheck.as_ref().is_some_and(|check| check.disable);
        let mut labels = image.labels.clone();
        labels.extend(spec.labels.clone());
        labels.sort_keys();
        let command = spec.service.command.clone().unwrap_or(image.cmd);
        let mut container = Container {
            seen: ObservedContainer {
                id: id.clone(),
                name: spec.name.clone(),
                service,
                number,
                oneoff,
                image: image.id,
                image_name: spec.image.clone(),
                labels,
                command: command.join(" "),
                created: self.now().0,
                networks,
                volumes,
                ..Default::default()
            },
            spec: spec.clone(),
            has_check: !disabled && (spec.service.has_health_check() || image.has_health_check),
            lines: Vec::new(),
            files: spec.files.iter().map(|file| (file.path.clone(), Bytes::from(file.content.clone()))).collect(),
            links: HashSet::new(),
            health_log: Vec::new(),
            starts: 0,
        };
        container.describe();
        self.containers.insert(id.clone(), container);
        self.tell(&id, crate::engine::Action::Create);
        Ok(id)
    }

    /// Starts a container's process; what its script does later is up to the caller.
    pub(super) fn begin(&mut self, id: &ContainerId) -> Result<()> {
        let ports = self.ports_of(id)?;
        let now = self.moment();
        let Some(container) = self.containers.get_mut(id) else { return Err(no_such(id)) };
        container.starts += 1;
        timestamp(now).trim_end().clone_into(&mut container.seen.started);
        container.seen.ports = ports;
        container.set_state(ContainerState::Running);
        let script = self.scripts.get(container.seen.service.as_str()).cloned().unwrap_or_default();
        let lines = script.logs.iter();
        container.lines.extend(lines.map(|text| Line { time: now, channel: Channel::Out, text: format!("{text}\n") }));
        self.tell(id, crate::engine::Action::Start);
        Ok(())
    }

    /// The ports that a container publishes; a taken one is an error, a missing one is chosen.
    fn ports_of(&mut self, id: &ContainerId) -> Result<Vec<Published>> {
        let Some(container) = self.containers.get(id) else { return Err(no_such(id)) };
        let wanted = if container.spec.publish { container.spec.service.ports.clone() } else { Vec::new() };
        let mut ports = Vec::new();
        for port in wanted {
            let protocol = port.protocol.clone().unwrap_or_else(|| "tcp".to_owned());
            let first = port.published.as_deref().and_then(|range| range.split('-').next());
            let host_port = first.and_then(|first| first.parse().ok()).unwrap_or_else(|| {
                self.made += 1;
                32_768 + u16::try_from(self.made % 16_000).unwrap_or_default()
            });
            if self.holder(host_port, &protocol, Some(id)).is_some() {
                return Err(EngineError::new(
                    ErrorKind::PortTaken { port: host_port },
                    format!("Bind for 0.0.0.0:{host_port} failed: port is already allocated"),
                ));
            }
            ports.push(Published {
                host_ip: port.host_ip.clone().unwrap_or_else(|| "0.0.0.0".to_owned()),
                host_port,
                container_port: u16::try_from(port.target).unwrap_or_default(),
                protocol,
            });
        }
        Ok(ports)
    }
}

pub(super) fn no_such(id: &str) -> EngineError {
    EngineError::new(ErrorKind::NotFound, format!("No such container: {id}"))
}
