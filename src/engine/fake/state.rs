//! Everything that the engine knows, behind one lock that is never held while something is waited for.

use std::collections::{BTreeSet, HashMap, VecDeque};

use indexmap::IndexMap;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::container::{Container, EPOCH, Line};
use super::handles::Held;
use super::{FakeExec, Script};
use crate::engine::{Action, Channel, EngineError, EngineEvent, ErrorKind, Result};
use crate::model::{
    ContainerId, ContainerState, Digest, EngineInfo, Health, ImageId, ObservedImage, ObservedNetwork, ObservedVolume,
    with_tag,
};

pub(super) struct FakeState {
    pub(super) containers: IndexMap<ContainerId, Container>,
    pub(super) images: Vec<ObservedImage>,
    pub(super) offered: BTreeSet<String>,
    pub(super) networks: IndexMap<String, ObservedNetwork>,
    pub(super) volumes: IndexMap<String, ObservedVolume>,
    pub(super) scripts: HashMap<String, Script>,
    pub(super) failures: HashMap<String, VecDeque<EngineError>>,
    pub(super) holds: HashMap<String, VecDeque<Held>>,
    pub(super) execs: HashMap<String, mpsc::UnboundedSender<FakeExec>>,
    pub(super) exec_codes: HashMap<String, Option<i64>>,
    pub(super) journal: Vec<String>,
    pub(super) subscribers: Vec<(String, mpsc::UnboundedSender<Result<EngineEvent>>)>,
    pub(super) away: bool,
    pub(super) made: u64,
    started: Instant,
    /// The last moment that was told: no two are the same.
    last: (i64, u32),
}

impl Default for FakeState {
    fn default() -> Self {
        Self {
            containers: IndexMap::new(),
            images: Vec::new(),
            offered: BTreeSet::new(),
            networks: IndexMap::new(),
            volumes: IndexMap::new(),
            scripts: HashMap::new(),
            failures: HashMap::new(),
            holds: HashMap::new(),
            execs: HashMap::new(),
            exec_codes: HashMap::new(),
            journal: Vec::new(),
            subscribers: Vec::new(),
            away: false,
            made: 0,
            started: Instant::now(),
            last: (0, 0),
        }
    }
}

impl FakeState {
    /// A fresh id of 64 hexadecimal characters.
    pub(super) fn new_id(&mut self) -> String {
        self.made += 1;
        Digest::of(format!("{}", self.made).as_bytes()).to_string()
    }

    /// Unix time in seconds and nanoseconds by tokio's clock.
    pub(super) fn now(&self) -> (i64, u32) {
        let elapsed = self.started.elapsed();
        (EPOCH + i64::try_from(elapsed.as_secs()).unwrap_or_default(), elapsed.subsec_nanos())
    }

    /// The same, later than every moment before.
    pub(super) fn moment(&mut self) -> (i64, u32) {
        let next = (self.last.0, self.last.1 + 1);
        self.last = self.now().max(next);
        self.last
    }

    /// A container by id, name, or the subject by which calls name it. Of several, the newest.
    pub(super) fn find(&self, name: &str) -> Option<ContainerId> {
        if self.containers.contains_key(name) {
            return Some(ContainerId::new(name));
        }
        let found = self.containers.values().rev().find(|c| c.seen.name == name || c.subject() == name);
        found.map(|container| container.seen.id.clone())
    }

    pub(super) fn put_image(&mut self, mut image: ObservedImage, info: &EngineInfo) -> ImageId {
        if image.id.is_empty() {
            let name = image.tags.first().cloned().unwrap_or_default();
            image.id = ImageId::new(format!("sha256:{}", Digest::of(name.as_bytes())));
        }
        if image.platform.is_empty() {
            image.platform.clone_from(&info.platform);
        }
        let id = image.id.clone();
        for tag in std::mem::take(&mut image.tags) {
            self.untag(&tag);
            image.tags.push(with_tag(&tag));
        }
        match self.images.iter_mut().find(|other| other.id == id) {
            Some(same) => {
                let mut tags = std::mem::take(&mut same.tags);
                tags.extend(image.tags);
                *same = ObservedImage { tags, ..image };
            }
            None => self.images.push(image),
        }
        id
    }

    /// Takes a name from whatever image has it.
    pub(super) fn untag(&mut self, name: &str) {
        let name = with_tag(name);
        for image in &mut self.images {
            image.tags.retain(|tag| *tag != name);
        }
    }

    pub(super) fn image(&self, reference: &str) -> Option<&ObservedImage> {
        let name = with_tag(reference);
        self.images.iter().find(|image| image.id.as_str() == reference || image.tags.contains(&name))
    }

    /// Tells what happened to a container.
    pub(super) fn tell(&mut self, id: &ContainerId, action: Action) {
        let (seconds, nanos) = self.moment();
        let Some(container) = self.containers.get(id) else { return };
        let event = EngineEvent {
            container: id.clone(),
            service: container.seen.service.clone(),
            number: container.seen.number,
            oneoff: container.seen.oneoff,
            time: seconds * 1_000_000_000 + i64::from(nanos),
            action,
        };
        let project = container.project().to_owned();
        self.subscribers.retain(|(of, sender)| *of != project || sender.send(Ok(event.clone())).is_ok());
    }

    /// Ends a container's process.
    pub(super) fn end(&mut self, id: &ContainerId, code: i64) {
        let Some(container) = self.containers.get_mut(id) else { return };
        if !container.seen.state.is_running() {
            return;
        }
        container.set_state(ContainerState::Exited(code));
        self.tell(id, Action::Die(code));
    }

    pub(super) fn set_health(&mut self, id: &ContainerId, health: Health) {
        let Some(container) = self.containers.get_mut(id) else { return };
        if !container.seen.state.is_running() || container.seen.health == Some(health) {
            return;
        }
        container.seen.health = Some(health);
        container.describe();
        self.tell(id, Action::Health(health));
    }

    pub(super) fn log(&mut self, id: &ContainerId, channel: Channel, text: &str) {
        let time = self.moment();
        if let Some(container) = self.containers.get_mut(id) {
            container.lines.push(Line { time, channel, text: format!("{text}\n") });
        }
    }

    /// The running container, other than `own`, that publishes a port.
    pub(super) fn holder(&self, port: u16, protocol: &str, own: Option<&ContainerId>) -> Option<&Container> {
        self.containers.values().find(|container| {
            container.seen.state.is_running()
                && Some(&container.seen.id) != own
                && container.seen.ports.iter().any(|p| p.host_port == port && p.protocol == protocol)
        })
    }

    pub(super) fn go_away(&mut self, endpoint: &str) {
        self.away = true;
        for (_, subscriber) in self.subscribers.drain(..) {
            let message =
                format!("the engine at {endpoint} closed the stream of events; it has stopped or is restarting");
            let _ = subscriber.send(Err(EngineError::new(ErrorKind::Lost, message)));
        }
    }
}
