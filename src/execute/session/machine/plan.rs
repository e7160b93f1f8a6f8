//! The plan of all services: looked at and carried out in two pieces of work, with the watch set between them.

use std::sync::Arc;

use super::known::phase::{Phase, PlanState};
use super::known::progress::Progress;
use super::state::Machine;
use crate::event::{Event, Message};
use crate::execute::session::action::{Action, Work};
use crate::execute::session::ended::{Applied, Held, SnapshotTaken};
use crate::execute::session::work::{CarryOut, PlanOptions, TakeSnapshot};
use crate::model::ServiceName;
use crate::plan;

impl Machine {
    /// The services that this session is about: those asked for and what they need.
    pub(super) fn scope(&self) -> Vec<ServiceName> {
        plan::scope(&self.project, &self.options.up.services, self.options.up.no_deps)
    }

    /// The services that the session was asked for by name, all where none was. Their end is its end, and it stops no
    /// others: what they need may have run before, and may be what others need too.
    pub(super) fn asked(&self) -> Vec<ServiceName> {
        let asked = &self.options.up.services;
        if asked.is_empty() { self.project.services.keys().cloned().collect() } else { asked.clone() }
    }

    pub(super) fn in_scope(&self, service: &ServiceName) -> bool {
        self.options.up.services.is_empty() || self.scope().contains(service)
    }

    /// Observes, plans and carries out; without `apply` it only observes.
    pub(super) fn begin_plan(&mut self) {
        if self.is_attached() && !self.phase.is_up() && !std::mem::replace(&mut self.said.attaching, true) {
            let services = self.shown_services().into_iter().collect();
            self.emit(Event::Attaching { services });
        }
        self.plan = PlanState::Running { progress: Progress::default(), again: false };
        self.watching.incomplete = false;
        // What has changed until now is part of the measure that is about to be taken.
        self.watching.forget_dirty();
        let options = self.plan_options();
        self.start(Work::TakeSnapshot(TakeSnapshot::Begin { options }));
    }

    fn plan_options(&self) -> PlanOptions {
        let mut up = self.options.up.clone();
        if self.phase.is_up() || self.flags_used {
            // What a flag forces is forced once.
            up.recreate = plan::Recreate::Changed;
            up.rebuild = false;
            up.pull = None;
            up.renew_anon_volumes = false;
            up.leave_stopped.clone_from(self.others.all_stopped());
        }
        PlanOptions {
            project: Arc::clone(&self.project),
            scope: self.scope(),
            shown: self.shown_services(),
            up,
            holds_asides: self.phase.is_up(),
            apply: self.options.apply || self.phase.is_up(),
            watch: self.options.watch,
        }
    }

    /// Sets the watch, and then plans and carries out: what is saved meanwhile is seen.
    pub(super) fn snapshot_taken(&mut self, seen: SnapshotTaken) {
        let SnapshotTaken { of, snapshot, taken, watched, turn, mends, claimed } = seen;
        if !Arc::ptr_eq(&of, &self.project) {
            // The manifest was read meanwhile, and the plan is made again.
            self.applied(Applied::nothing(Vec::new()));
            return;
        }
        self.watching.set_mends(mends);
        let snapshot = match snapshot {
            Ok(snapshot) => snapshot,
            Err(failures) => {
                self.set_folders();
                self.applied(Applied::nothing(failures));
                return;
            }
        };
        self.wanted = Arc::clone(&snapshot.wanted);
        // With what providers said.
        self.project = Arc::clone(&snapshot.project);
        if !self.phase.is_up() && !watched {
            let scope = self.scope();
            self.containers.observe(&snapshot.observed, taken, &scope);
            self.first_asked.get_or_insert(taken);
            let newest = snapshot.observed.containers.iter().map(|container| container.created).max();
            self.newest_at_start.get_or_insert(newest.unwrap_or(i64::MIN));
            self.show_running(None);
        }
        let more_folders = self.watch_services(claimed);
        if more_folders && !watched {
            let options = self.plan_options();
            // What changed between the measure and the watch was not told.
            self.start(Work::TakeSnapshot(TakeSnapshot::Again { options, snapshot: Box::new(snapshot), taken, turn }));
            return;
        }
        if let Some(progress) = self.plan.progress_mut() {
            progress.looked_at = Some(taken);
        }
        let (options, synced) = (self.plan_options(), self.synced.clone());
        self.start(Work::CarryOut(CarryOut { options, snapshot: Box::new(snapshot), taken, turn, synced }));
    }

    pub(super) fn applied(&mut self, applied: Applied) {
        let Applied { held, after, outcome } = applied;
        let first = !self.phase.is_up();
        let looked_at = self.plan.end().looked_at;
        self.act(Action::EndPlan);
        if self.watching.planned(outcome.is_success(), self.now()) {
            self.plan.make_again();
        }
        if let Some((after, taken)) = &after {
            let scope = self.scope();
            self.containers.observe(after, *taken, &scope);
            // Without a plan nobody has compared them.
            if self.options.apply || self.phase.is_up() {
                self.set_verified(after, outcome.is_success(), &held);
            }
            for container in after.containers.iter().filter(|c| !c.oneoff) {
                self.act(Action::Saw(Box::new(container.clone())));
                if container.state.is_running() {
                    self.connect_agent(&container.service, &container.id);
                }
            }
            if let Some(first) = self.first_asked {
                self.show_old(first);
            }
        }
        if self.phase.is_stopping() {
            for failure in &outcome.failures {
                self.emit(Event::Error(failure.message.clone()));
            }
            return;
        }
        if outcome.overtaken && outcome.failures.is_empty() {
            self.plan.make_again();
            self.flags_used = true;
            return;
        }
        if outcome.cancelled && outcome.failures.is_empty() {
            // Its waits were ended, for a plan that takes its place.
            return;
        }
        if outcome.is_success() {
            self.said.failures.clear();
            self.watching.all_built(looked_at);
        }
        for Held { service, container, digest, is_image_stale } in held {
            self.synced.insert(container.clone(), digest.clone());
            self.note_later(&service, container, digest);
            if is_image_stale {
                self.watching.set_image_stale(&service, self.moment.now);
            }
        }
        if outcome.is_success() {
            let after = after.map(|(after, _)| after).unwrap_or_default();
            if first && self.options.apply {
                self.find_out_whether_ready(after);
            } else if self.is_attached() {
                self.find_out_new_urls(&after);
            }
        } else if first && !(self.options.stay && self.options.watch) {
            // Told by whoever ends the program with them.
            self.phase = Phase::Failed(outcome.failures);
            return;
        } else {
            self.say_failures(outcome.failures.into_iter().map(|failure| failure.message).collect());
        }
        self.phase = Phase::Up;
        self.say_watching();
    }

    /// Says why nothing was done; errors that are those of the last time are not said again.
    fn say_failures(&mut self, messages: Vec<Message>) {
        let again = self.said.failures == messages;
        if !again {
            for message in &messages {
                self.emit(Event::Error(message.clone()));
            }
            self.said.failures = messages;
        }
        let text = if again {
            "failed as before; waiting for a change that mends it"
        } else {
            "waiting for a change that mends it"
        };
        self.notice(text.to_owned());
    }
}
