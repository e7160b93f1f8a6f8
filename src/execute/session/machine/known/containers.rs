//! The containers of the project as the engine's events tell of them: who runs, and who has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::execute::Follow;
use crate::model::{ContainerId, ContainerState, Observed, ServiceName};

/// One container.
#[derive(Clone, Debug)]
pub struct Tracked {
    /// Its service.
    pub service: ServiceName,
    /// Its number.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// It runs.
    pub running: bool,
    /// It has ended, and as far as is known the engine starts it again: `restart: always`.
    pub returns: bool,
    /// Its last exit code.
    pub exit: Option<i64>,
    /// When it last ended, by the engine's clock.
    pub died: Option<i64>,
    /// When it was first heard of.
    pub since: Instant,
    /// When its state was last heard of.
    pub changed: Instant,
    /// An event said last whether it runs. Engine 20.10 tells of a death before its list of containers knows of it,
    /// so that no observation, however new, may contradict an event.
    pub heard: bool,
}

/// The containers of the session's services, by id.
#[derive(Debug, Default)]
pub struct Containers {
    pub all: BTreeMap<ContainerId, Tracked>,
    /// Removed; an observation that was taken before does not bring them back.
    pub gone: BTreeSet<ContainerId>,
    /// Exits that may end the session, unless a job stopped the container to replace or restart it.
    pub died: Vec<(ContainerId, i64)>,
    /// Some container was seen running.
    pub any_started: bool,
}

impl Tracked {
    pub fn follow(&self, id: &ContainerId) -> Follow {
        let Self { name, service, number, .. } = self.clone();
        Follow { container: id.clone(), name, service, number }
    }
}

impl Containers {
    /// Running containers of a service.
    pub fn running(&self, service: &str) -> Vec<(ContainerId, Tracked)> {
        let of = |(_, c): &(&ContainerId, &Tracked)| c.service.as_str() == service && c.running;
        self.all.iter().filter(of).map(|(id, c)| (id.clone(), c.clone())).collect()
    }

    /// All containers of a service.
    pub fn of_service(&self, service: &str) -> impl Iterator<Item = &ContainerId> {
        self.all.iter().filter(move |(_, c)| c.service.as_str() == service).map(|(id, _)| id)
    }

    /// Whether a service has a container.
    pub fn any_of(&self, service: &str) -> bool {
        self.all.values().any(|c| c.service.as_str() == service)
    }

    /// Whether a container of a service runs.
    pub fn runs(&self, service: &str) -> bool {
        self.all.values().any(|c| c.service.as_str() == service && c.running)
    }

    /// Whether a container runs.
    pub fn is_running(&self, id: &ContainerId) -> bool {
        self.all.get(id).is_some_and(|c| c.running)
    }

    /// There is no container.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All containers that run.
    pub fn all_running(&self) -> Vec<ContainerId> {
        self.all.iter().filter(|(_, c)| c.running).map(|(id, _)| id.clone()).collect()
    }

    /// All containers that run, or did until a moment ago.
    pub fn all_running_since(&self, now: Instant, moment: Duration) -> Vec<ContainerId> {
        let ran = |c: &Tracked| c.running || c.exit.is_some() && now.duration_since(c.changed) < moment;
        self.all.iter().filter(|(_, c)| ran(c)).map(|(id, _)| id.clone()).collect()
    }

    /// Whether any container of these services runs, or is about to be started again by the engine.
    pub fn any_running(&self, services: &[ServiceName]) -> bool {
        self.all.values().any(|c| (c.running || c.returns) && services.contains(&c.service))
    }

    /// Whether a container has ended and is about to be started again.
    pub fn returns(&self, id: &ContainerId) -> bool {
        self.all.get(id).is_some_and(|c| c.returns)
    }

    /// The last exit code of a service's container.
    pub fn exit_code(&self, service: &str) -> Option<i64> {
        self.all.values().filter(|c| c.service.as_str() == service).find_map(|c| c.exit)
    }

    /// Containers that exited by themselves since the last call, with their codes: those that are still there and
    /// were not started again. To be asked when no job runs.
    pub fn take_ended(&mut self) -> Vec<(ServiceName, i64)> {
        let died = std::mem::take(&mut self.died);
        let ended = |(id, code): (ContainerId, i64)| {
            let container = self.all.get(&id).filter(|c| !c.running)?;
            Some((container.service.clone(), code))
        };
        died.into_iter().filter_map(ended).collect()
    }

    /// Forgets all: the engine is gone and they will be observed again.
    pub fn clear(&mut self) {
        self.all.clear();
        self.died.clear();
    }

    /// Takes over what was observed of the services in scope, the engine having been asked at `taken`. What an event
    /// told holds, or will be corrected by an event that is still to come.
    pub fn observe(&mut self, observed: &Observed, taken: Instant, scope: &[ServiceName]) {
        let mut before = std::mem::take(&mut self.all);
        for container in &observed.containers {
            if container.oneoff || !scope.contains(&container.service) || self.gone.contains(&container.id) {
                continue;
            }
            let known = before.remove(&container.id);
            let mut tracked = Tracked {
                service: container.service.clone(),
                number: container.number,
                name: container.name.clone(),
                running: container.state.is_running(),
                returns: false,
                exit: match container.state {
                    ContainerState::Exited(code) => Some(code),
                    _ => None,
                },
                died: known.as_ref().and_then(|known| known.died),
                since: known.as_ref().map_or(taken, |known| known.since),
                changed: taken,
                heard: false,
            };
            if let Some(newer) = known.filter(|known| known.heard || known.changed > taken) {
                (tracked.running, tracked.exit, tracked.changed) = (newer.running, newer.exit, newer.changed);
                (tracked.heard, tracked.returns) = (newer.heard, newer.returns);
            }
            self.all.insert(container.id.clone(), tracked);
        }
        self.all.extend(before.into_iter().filter(|(_, known)| known.since > taken));
        self.any_started |= self.all.values().any(|c| c.running);
    }
}
