//! The containers of the project as the engine's events tell of them: who runs, and who has ended.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Attach, EndOn, Session};
use crate::engine::{Action, EngineEvent, LogQuery};
use crate::event::Event;
use crate::execute::Follow;
use crate::model::{Condition, ContainerId, Health, Observed, Service, ServiceName};

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
    /// Its last exit code.
    pub exit: Option<i64>,
}

/// All of them, by id.
#[derive(Debug, Default)]
pub struct Containers {
    all: BTreeMap<ContainerId, Tracked>,
    /// There before the session: only what they write from now on is shown.
    old: HashSet<ContainerId>,
    followed: HashSet<ContainerId>,
    /// What the engine's events last said: whether it runs, and how it ended. An observation may be older than they.
    heard: HashMap<ContainerId, (bool, Option<i64>)>,
    /// The last container of any service that exited in a way that ends the session.
    pub ended_by: Option<(ServiceName, i64)>,
    /// Some container was seen running.
    pub any_started: bool,
}

impl Containers {
    /// Running containers of a service.
    pub fn running(&self, service: &str) -> Vec<(ContainerId, Tracked)> {
        let of = |(_, c): &(&ContainerId, &Tracked)| c.service.as_str() == service && c.running;
        self.all.iter().filter(of).map(|(id, c)| (id.clone(), c.clone())).collect()
    }

    /// Whether any container runs.
    pub fn any_running(&self) -> bool {
        self.all.values().any(|c| c.running)
    }

    /// The last exit code of a service's container.
    pub fn exit_code(&self, service: &str) -> Option<i64> {
        self.all.values().filter(|c| c.service.as_str() == service).find_map(|c| c.exit)
    }

    /// Forgets all: the engine is gone and they will be observed again.
    pub fn clear(&mut self) {
        self.all.clear();
        self.followed.clear();
        self.heard.clear();
    }

    /// Takes over what was observed.
    pub fn observe(&mut self, observed: &Observed) {
        self.all = observed
            .containers
            .iter()
            .filter(|c| !c.oneoff)
            .map(|c| {
                let exit = match c.state {
                    crate::model::ContainerState::Exited(code) => Some(code),
                    _ => None,
                };
                let (running, exit) = self.heard.get(&c.id).copied().unwrap_or((c.state.is_running(), exit));
                let tracked =
                    Tracked { service: c.service.clone(), number: c.number, name: c.name.clone(), running, exit };
                (c.id.clone(), tracked)
            })
            .collect();
        self.any_started |= self.any_running();
    }

    /// Marks what is there before the session does anything.
    pub fn mark_old(&mut self, observed: &Observed) {
        self.old.extend(observed.containers.iter().map(|c| c.id.clone()));
    }
}

impl Session {
    pub(super) fn attaches(&self, service: &Service) -> bool {
        match &self.options.attach {
            Attach::None => false,
            Attach::AllBut(names) => service.attach != Some(false) && !names.contains(&service.name),
            Attach::Only(names) => names.contains(&service.name),
        }
    }

    /// Follows the log of a container that runs, from where it was left.
    pub(super) fn follow(&mut self, id: &ContainerId) {
        let Some(tracked) = self.containers.all.get(id).cloned() else { return };
        let attaches = self.project.services.get(&tracked.service).is_some_and(|s| self.attaches(s));
        if !attaches || !self.in_scope(&tracked.service) {
            return;
        }
        self.containers.followed.insert(id.clone());
        let since = self.containers.old.contains(id).then(|| unix_now(self.began));
        self.logs.follow(Follow {
            container: id.clone(),
            name: tracked.name.clone(),
            service: tracked.service.clone(),
            number: tracked.number,
            query: LogQuery { follow: true, since, ..LogQuery::default() },
        });
    }

    /// Follows all that run and are not followed yet.
    pub(super) fn follow_running(&mut self) {
        let new: Vec<ContainerId> = self
            .containers
            .all
            .iter()
            .filter(|(id, c)| c.running && !self.containers.followed.contains(*id))
            .map(|(id, _)| id.clone())
            .collect();
        for id in new {
            self.follow(&id);
        }
    }

    pub(super) fn engine_event(&mut self, event: &EngineEvent) {
        if event.oneoff || !self.project.services.contains_key(&event.service) {
            return;
        }
        let project = &self.project;
        let name = || {
            let service = project.services.get(&event.service);
            service.map(|s| s.container_name(&project.name, event.number)).unwrap_or_default()
        };
        let tracked = self.containers.all.entry(event.container.clone()).or_insert_with(|| Tracked {
            service: event.service.clone(),
            number: event.number,
            name: name(),
            running: false,
            exit: None,
        });
        let state = match &event.action {
            Action::Start => {
                tracked.running = true;
                self.containers.heard.insert(event.container.clone(), (true, tracked.exit));
                self.containers.any_started = true;
                "running".to_owned()
            }
            Action::Die(code) => {
                tracked.running = false;
                tracked.exit = Some(*code);
                self.containers.heard.insert(event.container.clone(), (false, Some(*code)));
                format!("exited ({code})")
            }
            Action::Destroy => {
                self.containers.all.remove(&event.container);
                self.containers.heard.remove(&event.container);
                self.synced.remove(&event.container);
                return;
            }
            Action::Health(Health::Starting) | Action::Create | Action::Other(_) => return,
            Action::Health(health) => health.word().to_owned(),
            Action::OutOfMemory => "out of memory".to_owned(),
        };
        let container = tracked.name.clone();
        self.sink.emit(Event::State { service: event.service.clone(), container, state });
        match event.action {
            Action::Start => {
                self.follow(&event.container);
                self.agents.forget(&event.container);
                self.connect_agent(&event.service, &event.container);
            }
            Action::Die(code) => {
                self.agents.forget(&event.container);
                // A job that others wait for is to end.
                let job = code == 0
                    && self.project.services.values().any(|other| {
                        other.depends_on.get(&event.service).is_some_and(|d| d.condition == Condition::Completed)
                    });
                let ends = match self.options.end_on {
                    EndOn::AllExited => false,
                    EndOn::AnyExit => !job || self.options.exit_code_from.as_ref() == Some(&event.service),
                    EndOn::AnyFailure => code != 0,
                };
                if ends && self.containers.ended_by.is_none() && self.stopping.is_none() {
                    self.containers.ended_by = Some((event.service.clone(), code));
                }
            }
            _ => {}
        }
    }

    /// Opens the agent's stream ahead of the first save.
    pub(super) fn connect_agent(&self, service: &ServiceName, container: &ContainerId) {
        if self.options.watch
            && self.is_hot(service)
            && let Some(service) = self.project.services.get(service)
        {
            self.agents.connect(service, container);
        }
    }

    pub(super) fn is_hot(&self, service: &ServiceName) -> bool {
        self.wanted.has_agent(service)
    }
}

/// The Unix time in seconds at which the session began.
fn unix_now(began: std::time::Instant) -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.saturating_sub(began.elapsed()).as_secs()).unwrap_or(0)
}
