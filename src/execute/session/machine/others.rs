//! What other commands do to the project while a session runs: `hob up -d`, `stop`, `restart` or `down` in a second
//! terminal, or Docker's own. The session takes note of it, says it once, and goes on with what is there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::known::ending::End;
use super::known::others::{ECHO, Seen};
use super::state::Machine;
use crate::engine::{Action, EngineEvent};
use crate::event::{Did, Elsewhere, Event};
use crate::execute::Doer;
use crate::host::lock::{Held, Holder};
use crate::model::{ContainerId, ServiceName};

/// At the latest after so long, though the other command goes on.
const PATIENCE: Duration = Duration::from_secs(2);

impl Machine {
    /// Who else has done something to a service: another hob, as far as that is known; `None` where it was this one.
    #[allow(clippy::option_option, reason = "whether it was another, and who that was")]
    fn is_ours(&self, service: &ServiceName, doer: Doer) -> Option<Option<Holder>> {
        let at_work = |of: &ServiceName| of == service || self.restarted_with(of).contains(service);
        let now = self.now();
        let recent = |(of, when): (&ServiceName, &Instant)| now.duration_since(*when) < ECHO && at_work(of);
        if self.phase.is_stopping() || self.watching.busy().iter().any(at_work) || self.others.worked.iter().any(recent)
        {
            return None;
        }
        match doer {
            Doer::Us => None,
            Doer::Hob(holder) => Some(Some(holder)),
            Doer::Unknown => Some(None),
        }
    }

    /// Whether the machine has to know who did what an event tells of.
    pub fn asks_who_did(event: &EngineEvent) -> bool {
        Seen::change(event).is_some()
    }

    /// Whether something that others did is still to be told.
    pub fn is_about_others(&self) -> bool {
        self.others.deadline().is_some()
    }

    /// Takes note of an event that is another's doing. Whether what it says of a container will be told with all that
    /// the other did.
    pub(super) fn take_note(&mut self, event: &EngineEvent, doer: Option<Doer>) -> bool {
        if event.action == Action::Start && !event.oneoff {
            self.others.stopped.remove(&event.service);
        }
        let (Some(change), Some(doer)) = (Seen::change(event), doer) else { return false };
        let Some(by) = self.is_ours(&event.service, doer) else { return false };
        // What one command did is told apart from what the next one does.
        if let (Some(new), Some(old)) = (&by, &self.others.by)
            && (new.pid, new.since) != (old.pid, old.since)
        {
            self.tell_of_all_others(false);
        }
        let single = self.project.services.get(&event.service).is_some_and(|service| service.replicas() <= 1);
        let had = self.containers.any_of(&event.service);
        let seen = self.others.seen.entry(event.service.clone()).or_insert_with(|| Seen { had, ..Seen::default() });
        change(seen);
        let stopped = seen.signalled && seen.died && !seen.started;
        let told = seen.is_told(&event.action, single, by.is_some() || self.others.by.is_some());
        if stopped && matches!(event.action, Action::Die(_)) {
            self.others.stopped.insert(event.service.clone());
        }
        if matches!(event.action, Action::Die(_) | Action::Destroy) {
            // What is saved while it does not run is not put into it: when it starts again it is looked at.
            self.verified.remove(&event.container);
        }
        self.others.by = by.or(self.others.by.take());
        self.others.first.get_or_insert(self.moment.now);
        self.others.last = Some(self.moment.now);
        told
    }

    /// Says what others did, when that seems to be all.
    pub(super) fn tell_of_others(&mut self, doer: Option<&Doer>) {
        let now = self.now();
        let (Some(first), Some(last)) = (self.others.first, self.others.last) else { return };
        if now < last + self.others.pause() {
            return;
        }
        let goes_on = matches!(doer, Some(Doer::Hob(holder)) if holder.until.is_none());
        if goes_on && now < first + PATIENCE {
            self.others.last = Some(now);
            return;
        }
        self.tell_of_all_others(goes_on);
    }

    /// `goes_on` where the other command has not ended.
    fn tell_of_all_others(&mut self, goes_on: bool) {
        let by = self.others.by.take();
        (self.others.first, self.others.last) = (None, None);
        let mut changes = BTreeMap::new();
        let mut open = BTreeMap::new();
        for (service, seen) in std::mem::take(&mut self.others.seen) {
            if goes_on && seen.is_half_done() {
                open.insert(service, seen);
                continue;
            }
            let left = self.containers.any_of(&service).then(|| self.containers.runs(&service));
            match seen.did(left, by.is_some()) {
                Some(did) => drop(changes.insert(service, did)),
                // It was asked to stop and takes its time.
                None if seen.signalled && !seen.died => drop(open.insert(service, seen)),
                None => {}
            }
        }
        if goes_on && open.values().any(|seen: &Seen| seen.is_half_done()) {
            // Told with the rest.
            (self.others.by, self.others.first, self.others.last) =
                (by.clone(), Some(self.moment.now), Some(self.moment.now));
        }
        self.others.seen = open;
        if changes.is_empty() {
            return;
        }
        let mine = |(service, did): (&ServiceName, &Did)| *did == Did::Removed && self.in_scope(service);
        let everything = self.phase.is_up() && changes.iter().any(mine) && self.containers.is_empty();
        self.others.everything_gone = everything;
        for service in changes.keys() {
            if let Some(watched) = self.watching.get_mut(service) {
                watched.brake.release();
            }
        }
        let (command, process) = by.map(|by| (by.command, by.pid)).unzip();
        self.emit(Event::Elsewhere(Elsewhere { command, process, changes, everything }));
    }

    /// Somebody has removed all that the session is about, and nobody has made it again.
    pub(super) fn ended_by_others(&mut self) -> Option<End> {
        if !std::mem::take(&mut self.others.everything_gone) || !self.containers.is_empty() {
            return None;
        }
        let from = self.options.exit_code_from.as_ref().and_then(|service| self.containers.exit_code(service));
        Some(End::Exited(from.unwrap_or(0)))
    }

    /// Says once who takes care of the saves of services that this session does not.
    pub(super) fn say_claimed_by_others(&mut self, mut taken: Vec<(ServiceName, Held)>) {
        taken.retain(|(service, _)| self.others.said.insert(service.clone()));
        if let Some((_, held)) = taken.first() {
            let names: Vec<&str> = taken.iter().map(|(service, _)| service.as_str()).collect();
            let who = held.holder.as_ref().map_or_else(|| "another hob".to_owned(), Holder::to_string);
            self.notice(format!("{who} watches {} already: it puts saves in, and this one does not", names.join(", ")));
        }
    }

    /// Whether none of these containers is there any more to be worked on: somebody else took them away.
    pub(super) fn lost_them(&self, containers: &[ContainerId]) -> bool {
        !containers.is_empty() && !containers.iter().any(|id| self.containers.is_running(id))
    }
}
