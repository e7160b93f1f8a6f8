//! The containers of the project as the engine's events tell of them: who runs, and who has ended.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Attach, Finished, Session, now};
use crate::engine::{Action, EngineEvent};
use crate::event::{Event, State};
use crate::execute::{AtStart, Follow, From};
use crate::model::{ContainerId, ContainerState, Health, Observed, Service, ServiceName};

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
    returns: bool,
    /// Its last exit code.
    pub exit: Option<i64>,
    /// When it last ended, by the engine's clock.
    died: Option<i64>,
    /// When it was first heard of.
    since: Instant,
    /// When its state was last heard of.
    changed: Instant,
    /// An event said last whether it runs. Engine 20.10 tells of a death before its list of containers knows of it,
    /// so that no observation, however new, may contradict an event.
    heard: bool,
}

/// The containers of the session's services, by id.
#[derive(Debug, Default)]
pub struct Containers {
    all: BTreeMap<ContainerId, Tracked>,
    /// Removed; an observation that was taken before does not bring them back.
    gone: HashSet<ContainerId>,
    followed: HashSet<ContainerId>,
    /// Exits that may end the session, unless a job stopped the container to replace or restart it.
    died: Vec<(ContainerId, i64)>,
    /// Some container was seen running.
    pub any_started: bool,
}

impl Containers {
    /// Running containers of a service.
    pub fn running(&self, service: &str) -> Vec<(ContainerId, Tracked)> {
        let of = |(_, c): &(&ContainerId, &Tracked)| c.service.as_str() == service && c.running;
        self.all.iter().filter(of).map(|(id, c)| (id.clone(), c.clone())).collect()
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
    pub fn all_running_since(&self, moment: Duration) -> Vec<ContainerId> {
        let ran = |c: &Tracked| c.running || c.exit.is_some() && now().duration_since(c.changed) < moment;
        self.all.iter().filter(|(_, c)| ran(c)).map(|(id, _)| id.clone()).collect()
    }

    /// Whether any container of these services runs, or is about to be started again by the engine.
    pub fn any_running(&self, services: &[ServiceName]) -> bool {
        self.all.values().any(|c| (c.running || c.returns) && services.contains(&c.service))
    }

    /// Whether a container has ended and is about to be started again.
    fn returns(&self, id: &ContainerId) -> bool {
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
        self.followed.clear();
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

impl Session {
    pub(super) fn attaches(&self, service: &Service) -> bool {
        match &self.options.attach {
            Attach::None => false,
            Attach::AllBut(names) => service.attach != Some(false) && !names.contains(&service.name),
            Attach::Only(names) => names.contains(&service.name),
        }
    }

    /// What steps that start containers are told: to attach to them before.
    pub(super) fn at_start(&self) -> Option<Arc<AtStart>> {
        let shown = self.project.services.values().filter(|service| self.attaches(service));
        let services: BTreeSet<ServiceName> =
            shown.map(|service| service.name.clone()).filter(|service| self.in_scope(service)).collect();
        if services.is_empty() {
            return None;
        }
        Some(Arc::new(AtStart { logs: self.logs.clone(), project: Arc::clone(&self.project), services }))
    }

    /// Shows the output of a container, where it is to be shown.
    fn follow(&mut self, id: &ContainerId, from: From) {
        let Some(tracked) = self.containers.all.get(id).cloned() else { return };
        let attaches = self.project.services.get(&tracked.service).is_some_and(|s| self.attaches(s));
        if !attaches || !self.in_scope(&tracked.service) {
            return;
        }
        self.containers.followed.insert(id.clone());
        let Tracked { name, service, number, .. } = tracked;
        self.logs.follow(Follow { container: id.clone(), name, service, number }, from);
    }

    /// A container was started: by a step that has attached to it, by the engine, or by somebody else.
    fn follow_start(&mut self, event: &EngineEvent, died: Option<i64>) {
        if self.logs.was_attached(&event.service, event.number) {
            self.containers.followed.insert(event.container.clone());
            return;
        }
        // What it wrote first may be older than the event, and what it wrote before it ended last is not.
        let after = died.unwrap_or(event.time.saturating_sub(1_000_000_000));
        self.follow(&event.container, From::Start { after, at: event.time, heard: tokio::time::Instant::now() });
    }

    /// Follows all that ran when the engine was asked first, or when it came back.
    pub(super) fn follow_running(&mut self, lost: Option<i64>) {
        for id in self.not_followed() {
            let known = self.containers.all.get(&id).is_some_and(|c| self.logs.has_followed(&c.service, c.number));
            let from = lost.filter(|_| known).map_or(From::Now, |at| From::Lost { at });
            self.follow(&id, from);
        }
    }

    /// The same for those that were there before the session and whose output is to be shown only now; of the start of
    /// all others an event tells.
    pub(super) fn follow_old(&mut self, first: Instant) {
        for id in self.not_followed() {
            if self.containers.all.get(&id).is_some_and(|c| c.since <= first && !c.heard) {
                self.follow(&id, From::Now);
            }
        }
    }

    fn not_followed(&self) -> Vec<ContainerId> {
        let Containers { all, followed, .. } = &self.containers;
        let new = |(id, c): &(&ContainerId, &Tracked)| {
            c.running && !followed.contains(*id) && !self.logs.is_attached(&c.service, c.number)
        };
        all.iter().filter(new).map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn engine_event(&mut self, event: &EngineEvent) {
        let elsewhere = self.take_note(event);
        let known = self.project.services.contains_key(&event.service) && self.in_scope(&event.service);
        if matches!(&event.action, Action::Other(word) if word == "unpause")
            && let Some(watched) = self.watching.get_mut(&event.service)
        {
            watched.try_again(now());
        }
        // What says nothing about whether a container runs must not be taken for news of it: engines tell of every
        // probe of a health check, and one may come before the first observation.
        let says_nothing = matches!(event.action, Action::Other(_) | Action::Health(Health::Starting));
        // It may have been about to be started again.
        if matches!(&event.action, Action::Other(word) if word == "stop") && self.containers.returns(&event.container) {
            self.ask_whether_it_returns(&event.container);
        }
        if event.oneoff || !known || says_nothing {
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
            // Only one that runs is probed.
            running: matches!(event.action, Action::Health(_)),
            returns: false,
            exit: None,
            died: None,
            since: now(),
            changed: now(),
            heard: false,
        });
        if matches!(event.action, Action::Start | Action::Die(_)) {
            tracked.changed = now();
        }
        let state = match &event.action {
            Action::Start => {
                (tracked.running, tracked.heard, tracked.returns) = (true, true, false);
                self.containers.any_started = true;
                State::Running
            }
            Action::Die(code) => {
                (tracked.running, tracked.heard, tracked.returns) = (false, true, true);
                tracked.exit = Some(*code);
                tracked.died = Some(event.time);
                State::Exited { code: *code }
            }
            Action::Destroy => {
                self.containers.all.remove(&event.container);
                self.containers.gone.insert(event.container.clone());
                self.synced.remove(&event.container);
                self.filled.remove(&event.container);
                return;
            }
            Action::Create | Action::Health(Health::Starting) | Action::Other(_) => return,
            Action::Health(health) => State::from(*health),
            Action::OutOfMemory => State::OutOfMemory,
        };
        let (container, number, died) = (tracked.name.clone(), tracked.number, tracked.died);
        self.sink.emit(Event::State { service: event.service.clone(), container, number, state, elsewhere });
        match event.action {
            Action::Start => {
                self.follow_start(event, died);
                if let Some(watched) = self.watching.get_mut(&event.service) {
                    watched.said.ended = false;
                }
                self.agents.forget(&event.container);
                self.connect_agent(&event.service, &event.container);
            }
            Action::Die(code) => {
                self.agents.forget(&event.container);
                self.containers.died.push((event.container.clone(), code));
                self.ask_whether_it_returns(&event.container);
            }
            _ => {}
        }
    }

    /// Whether the engine starts a container again that has ended: its restart policy, how often it has done so and
    /// whether somebody stopped it all play a part, so that only the engine knows.
    fn ask_whether_it_returns(&mut self, id: &ContainerId) {
        let (engine, id) = (Arc::clone(&self.engine), id.clone());
        self.jobs.spawn(async move {
            // Without an answer the engine is gone, and when it is back all are observed again.
            let state = engine.inspect(&id).await.ok().flatten().map(|container| container.state);
            Finished::Ended(id, state.is_some_and(ContainerState::is_running))
        });
    }

    pub(super) fn container_ended(&mut self, id: &ContainerId, returns: bool) {
        let Some(tracked) = self.containers.all.get_mut(id).filter(|c| !c.running) else { return };
        tracked.returns = returns;
        if returns {
            let (service, container, number) = (tracked.service.clone(), tracked.name.clone(), tracked.number);
            let (state, elsewhere) = (State::Restarting, false);
            self.sink.emit(Event::State { service, container, number, state, elsewhere });
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
        self.agents.carries(service)
    }
}
