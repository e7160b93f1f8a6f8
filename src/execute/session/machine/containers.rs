//! The containers of the project as the engine's events tell of them: who runs, and who has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::Machine;
use crate::engine::{Action as Did, EngineEvent};
use crate::event::{Event, State};
use crate::execute::session::Attach;
use crate::execute::session::action::{Action, Work};
use crate::execute::{Doer, Follow, From};
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
    gone: BTreeSet<ContainerId>,
    /// Exits that may end the session, unless a job stopped the container to replace or restart it.
    died: Vec<(ContainerId, i64)>,
    /// Some container was seen running.
    pub any_started: bool,
}

impl Tracked {
    fn follow(&self, id: &ContainerId) -> Follow {
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

impl Machine {
    fn attaches(&self, service: &Service) -> bool {
        match &self.options.attach {
            Attach::None => false,
            Attach::AllBut(names) => service.attach != Some(false) && !names.contains(&service.name),
            Attach::Only(names) => names.contains(&service.name),
        }
    }

    /// The services whose output is shown: steps that start containers of them attach to them before.
    pub(super) fn shown_services(&self) -> BTreeSet<ServiceName> {
        let shown = self.project.services.values().filter(|service| self.attaches(service));
        shown.map(|service| service.name.clone()).filter(|service| self.in_scope(service)).collect()
    }

    fn is_shown(&self, service: &ServiceName) -> bool {
        self.project.services.get(service).is_some_and(|s| self.attaches(s)) && self.in_scope(service)
    }

    /// A container was started: by a step that has attached to it, by the engine, or by somebody else.
    fn show_started(&mut self, event: &EngineEvent, died: Option<i64>) {
        let Some(tracked) = self.containers.all.get(&event.container) else { return };
        let follow = tracked.follow(&event.container);
        // What it wrote first may be older than the event, and what it wrote before it ended last is not.
        let after = died.unwrap_or(event.time.saturating_sub(1_000_000_000));
        let from = From::Start { after, at: event.time, heard: self.now().into() };
        let is_shown = self.is_shown(&event.service);
        self.act(Action::ShowStarted { follow, from, is_shown });
    }

    /// Shows the output of all that ran when the engine was asked first, or when it came back.
    pub(super) fn show_running(&mut self, lost: Option<i64>) {
        self.show(|_| true, lost);
    }

    /// The same for those that were there before the session and whose output is to be shown only now; of the start of
    /// all others an event tells.
    pub(super) fn show_old(&mut self, first: Instant) {
        self.show(|tracked| tracked.since <= first && !tracked.heard, None);
    }

    fn show(&mut self, which: impl Fn(&Tracked) -> bool, lost: Option<i64>) {
        let running = self.containers.all.iter().filter(|(_, tracked)| tracked.running && which(tracked));
        let shown = running.filter(|(_, tracked)| self.is_shown(&tracked.service));
        let follows: Vec<Follow> = shown.map(|(id, tracked)| tracked.follow(id)).collect();
        if !follows.is_empty() {
            self.act(Action::ShowRunning { follows, lost });
        }
    }

    pub(super) fn engine_event(&mut self, event: &EngineEvent, doer: Doer) {
        let elsewhere = self.take_note(event, doer);
        let now = self.now();
        let known = self.project.services.contains_key(&event.service) && self.in_scope(&event.service);
        if matches!(&event.action, Did::Other(word) if word == "unpause")
            && let Some(watched) = self.watching.get_mut(&event.service)
        {
            watched.try_again(now, now);
        }
        // What says nothing about whether a container runs must not be taken for news of it: engines tell of every
        // probe of a health check, and one may come before the first observation.
        let says_nothing = matches!(event.action, Did::Other(_) | Did::Health(Health::Starting));
        // It may have been about to be started again.
        if matches!(&event.action, Did::Other(word) if word == "stop") && self.containers.returns(&event.container) {
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
            running: matches!(event.action, Did::Health(_)),
            returns: false,
            exit: None,
            died: None,
            since: now,
            changed: now,
            heard: false,
        });
        if matches!(event.action, Did::Start | Did::Die(_)) {
            tracked.changed = now;
        }
        let state = match &event.action {
            Did::Start => {
                (tracked.running, tracked.heard, tracked.returns) = (true, true, false);
                self.containers.any_started = true;
                State::Running
            }
            Did::Die(code) => {
                (tracked.running, tracked.heard, tracked.returns) = (false, true, true);
                tracked.exit = Some(*code);
                tracked.died = Some(event.time);
                State::Exited { code: *code }
            }
            Did::Destroy => {
                self.containers.all.remove(&event.container);
                self.containers.gone.insert(event.container.clone());
                self.synced.remove(&event.container);
                self.verified.remove(&event.container);
                return;
            }
            Did::Create | Did::Health(Health::Starting) | Did::Other(_) => return,
            Did::Health(health) => State::from(*health),
            Did::OutOfMemory => State::OutOfMemory,
        };
        let (container, number, died) = (tracked.name.clone(), tracked.number, tracked.died);
        self.emit(Event::State { service: event.service.clone(), container, number, state, elsewhere });
        match event.action {
            Did::Start => {
                self.show_started(event, died);
                if let Some(watched) = self.watching.get_mut(&event.service) {
                    watched.said.ended = false;
                }
                self.act(Action::Disconnect(event.container.clone()));
                self.connect_agent(&event.service, &event.container);
            }
            Did::Die(code) => {
                self.act(Action::Disconnect(event.container.clone()));
                self.containers.died.push((event.container.clone(), code));
                self.ask_whether_it_returns(&event.container);
            }
            _ => {}
        }
    }

    /// Whether the engine starts a container again that has ended: its restart policy, how often it has done so and
    /// whether somebody stopped it all play a part, so that only the engine knows.
    fn ask_whether_it_returns(&mut self, id: &ContainerId) {
        self.start(Work::AskWhetherItReturns(id.clone()));
    }

    pub(super) fn container_returns(&mut self, id: &ContainerId, returns: bool) {
        let Some(tracked) = self.containers.all.get_mut(id).filter(|c| !c.running) else { return };
        tracked.returns = returns;
        if returns {
            let (service, container, number) = (tracked.service.clone(), tracked.name.clone(), tracked.number);
            let (state, elsewhere) = (State::Restarting, false);
            self.emit(Event::State { service, container, number, state, elsewhere });
        }
    }

    /// Opens the agent's stream ahead of the first save.
    pub(super) fn connect_agent(&mut self, service: &ServiceName, container: &ContainerId) {
        if self.options.watch
            && let Some(service) = self.project.services.get(service).cloned()
        {
            self.act(Action::Connect(Box::new(service), container.clone()));
        }
    }
}
