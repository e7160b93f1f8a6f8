//! The containers of the project as the engine's events tell of them: who runs, and who has ended.

use std::collections::BTreeSet;
use std::time::Instant;

use super::known::containers::Tracked;
use super::state::Machine;
use crate::engine::{Action as Did, EngineEvent};
use crate::event::{Event, State};
use crate::execute::session::Attach;
use crate::execute::session::action::{Action, Work};
use crate::execute::{Doer, Follow, From};
use crate::model::{ContainerId, Health, Service, ServiceName};

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

    pub(super) fn engine_event(&mut self, event: &EngineEvent, doer: Option<Doer>) {
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
