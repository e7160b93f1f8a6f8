//! Making and starting containers, with what an engine checks.

use std::collections::HashSet;

use bytes::Bytes;
use indexmap::IndexMap;

use super::container::{Container, Line, identity, no_such, timestamp};
use super::state::FakeState;
use crate::engine::{Action, Channel, EngineError, ErrorKind, Result};
use crate::model::{
    ContainerId, ContainerSpec, ContainerState, MountType, NetworkId, ObservedContainer, ObservedVolume, Published,
};

impl FakeState {
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
        let mut networks = IndexMap::new();
        for name in spec.networks.keys() {
            let Some(network) = self.networks.get(name) else {
                return error(ErrorKind::NotFound, format!("network {name} not found"));
            };
            networks.insert(name.clone(), NetworkId::new(network.id.as_str()));
        }
        let mut volumes = IndexMap::new();
        for mount in spec.mounts.iter().filter(|mount| mount.r#type == MountType::Volume) {
            let name = match &mount.source {
                Some(name) => name.clone(),
                None => self.new_id(),
            };
            // As a real engine does: a volume that is missing is made on the way.
            let made = ObservedVolume { name: name.clone(), driver: "local".into(), ..Default::default() };
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
        self.tell(&id, Action::Create);
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
        self.tell(id, Action::Start);
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
