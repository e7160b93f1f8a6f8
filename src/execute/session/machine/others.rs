//! What other commands do to the project while a session runs: `hob up -d`, `stop`, `restart` or `down` in a second
//! terminal, or Docker's own. The session takes note of it, says it once, and goes on with what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::Machine;
use super::ending::End;
use crate::engine::{Action, EngineEvent};
use crate::event::{Did, Elsewhere, Event};
use crate::execute::Doer;
use crate::host::lock::{Held, Holder};
use crate::model::{ContainerId, ServiceName};

/// What another command does comes as several events; it is told when no more came for so long.
const PAUSE: Duration = Duration::from_millis(400);
/// The same where another program than hob stopped a container: engines take their time for a restart.
const RESTARTS: Duration = Duration::from_millis(1500);
/// At the latest after so long, though the other command goes on.
const PATIENCE: Duration = Duration::from_secs(2);
/// What the engine tells so shortly after a job of ours was still its doing.
const ECHO: Duration = Duration::from_secs(1);

/// What others did, and who they are.
#[derive(Debug, Default)]
pub struct Others {
    seen: BTreeMap<ServiceName, Seen>,
    by: Option<Holder>,
    first: Option<Instant>,
    last: Option<Instant>,
    /// When a job of ours last worked on a service.
    worked: BTreeMap<ServiceName, Instant>,
    /// Services that somebody stopped: a save does not start them.
    stopped: BTreeSet<ServiceName>,
    /// Who takes care of others was said.
    said: BTreeSet<ServiceName>,
    /// Somebody removed all containers of the session.
    everything_gone: bool,
}

/// What the engine told of a service's containers, that was not our doing.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// It had a container before.
    had: bool,
    created: bool,
    signalled: bool,
    died: bool,
    started: bool,
    removed: bool,
    paused: Option<bool>,
}

impl Seen {
    /// What that comes to. `left` are the containers that are there now, and whether one runs; `known` whether
    /// another hob did it.
    fn did(self, left: Option<bool>, known: bool) -> Option<Did> {
        match self {
            Self { created: true, started: true, removed: true, .. } => Some(Did::Recreated),
            Self { created: true, started: true, had: true, .. } => Some(Did::ScaledUp),
            Self { created: true, started: true, .. } => Some(Did::Started),
            Self { created: true, removed: true, .. } => Some(Did::Recreated),
            Self { created: true, .. } => Some(Did::Created),
            Self { removed: true, .. } if left.is_none() => Some(Did::Removed),
            Self { removed: true, .. } => Some(Did::Scaled),
            Self { signalled: true, died: true, .. } if left == Some(false) => Some(Did::Stopped),
            Self { signalled: true, died: true, started: true, .. } => Some(Did::Restarted),
            // A restart policy starts containers too, which is no command.
            Self { started: true, .. } if known => Some(Did::Started),
            Self { signalled: true, died: true, .. } if left != Some(true) => Some(Did::Stopped),
            Self { paused: Some(true), .. } => Some(Did::Paused),
            Self { paused: Some(false), .. } => Some(Did::Unpaused),
            _ => None,
        }
    }
}

impl Seen {
    /// Somebody is in the middle of making its containers anew.
    fn is_half_done(self) -> bool {
        self.created && !self.started
    }

    /// Whether what it comes to says what this event does: that a container has ended, or runs. `single` is a service
    /// with one container, `known` whether another hob did it.
    fn is_told(self, action: &Action, single: bool, known: bool) -> bool {
        match action {
            Action::Die(_) => self.signalled && (single || known),
            Action::Start => known || self.created || self.signalled && self.died,
            _ => false,
        }
    }
}

impl Others {
    /// When something is to be told.
    pub fn deadline(&self) -> Option<Instant> {
        self.last.map(|last| last + self.pause())
    }

    /// For how long nothing more may come before it is told. What another program has stopped it may be restarting.
    fn pause(&self) -> Duration {
        let may_start = |seen: &Seen| seen.signalled && seen.died && !seen.started && !seen.removed;
        if self.by.is_none() && self.seen.values().any(may_start) { RESTARTS } else { PAUSE }
    }

    /// A job of ours worked on a service until now.
    pub fn worked(&mut self, service: &ServiceName, now: Instant) {
        self.worked.insert(service.clone(), now);
    }

    /// Whether somebody stopped the service on purpose.
    pub fn has_stopped(&self, service: &ServiceName) -> bool {
        self.stopped.contains(service)
    }

    /// The services that somebody stopped on purpose.
    pub fn all_stopped(&self) -> &BTreeSet<ServiceName> {
        &self.stopped
    }

    /// Whether a job of ours has just worked on the service, or somebody else has done something to it.
    pub fn has_touched(&self, service: &ServiceName, now: Instant) -> bool {
        self.worked.get(service).is_some_and(|when| now.duration_since(*when) < ECHO)
            || self.stopped.contains(service)
            || self.seen.contains_key(service)
    }

    /// It is heard of no more: the engine went away.
    pub fn clear(&mut self) {
        self.seen.clear();
        (self.by, self.first, self.last) = (None, None, None);
    }
}

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

    /// Takes note of an event that is another's doing. Whether what it says of a container will be told with all that
    /// the other did.
    pub(super) fn take_note(&mut self, event: &EngineEvent, doer: Doer) -> bool {
        if event.oneoff {
            return false;
        }
        if event.action == Action::Start {
            self.others.stopped.remove(&event.service);
        }
        let change: fn(&mut Seen) = match &event.action {
            Action::Create => |seen| seen.created = true,
            Action::Start => |seen| seen.started = true,
            Action::Die(_) => |seen| seen.died = true,
            Action::Destroy => |seen| seen.removed = true,
            Action::Other(word) => match word.as_str() {
                "kill" => |seen| seen.signalled = true,
                "pause" => |seen| seen.paused = Some(true),
                "unpause" => |seen| seen.paused = Some(false),
                _ => return false,
            },
            Action::Health(_) | Action::OutOfMemory => return false,
        };
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
    pub(super) fn tell_of_others(&mut self, doer: &Doer) {
        let now = self.now();
        let (Some(first), Some(last)) = (self.others.first, self.others.last) else { return };
        if now < last + self.others.pause() {
            return;
        }
        let goes_on = matches!(doer, Doer::Hob(holder) if holder.until.is_none());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_with_the_rest_is_not_told_before() {
        let signalled = Seen { had: true, signalled: true, died: true, ..Seen::default() };
        assert!(signalled.is_told(&Action::Die(143), true, false));
        assert!(!signalled.is_told(&Action::Die(143), false, false), "another container of it may run on");
        assert!(!Seen { died: true, ..Seen::default() }.is_told(&Action::Die(1), true, true), "it ended by itself");
        assert!(Seen { started: true, ..signalled }.is_told(&Action::Start, true, false));
        let started = Seen { started: true, ..Seen::default() };
        assert!(started.is_told(&Action::Start, true, true) && !started.is_told(&Action::Start, true, false));
    }

    #[test]
    fn what_events_come_to() {
        let stopped = Seen { had: true, signalled: true, died: true, ..Seen::default() };
        let made = Seen { created: true, started: true, ..Seen::default() };
        let cases = [
            ("stopped", stopped, Some(false), false, Some(Did::Stopped)),
            ("a signal that another replica survives", stopped, Some(true), false, None),
            ("restarted", Seen { started: true, ..stopped }, Some(true), false, Some(Did::Restarted)),
            ("and stopped again", Seen { started: true, ..stopped }, Some(false), true, Some(Did::Stopped)),
            ("down", Seen { removed: true, ..stopped }, None, true, Some(Did::Removed)),
            ("scaled down", Seen { removed: true, ..stopped }, Some(true), true, Some(Did::Scaled)),
            ("made", made, Some(true), true, Some(Did::Started)),
            ("recreated", Seen { had: true, removed: true, ..made }, Some(true), true, Some(Did::Recreated)),
            ("scaled up", Seen { had: true, ..made }, Some(true), true, Some(Did::ScaledUp)),
            ("created", Seen { created: true, ..Seen::default() }, Some(false), true, Some(Did::Created)),
            ("recreated, out of scope", Seen { removed: true, ..made }, None, true, Some(Did::Recreated)),
            ("started", Seen { started: true, ..Seen::default() }, Some(true), true, Some(Did::Started)),
            ("a policy's start", Seen { died: true, started: true, ..Seen::default() }, Some(true), false, None),
            ("an exit", Seen { died: true, ..Seen::default() }, Some(false), false, None),
            ("SIGHUP", Seen { signalled: true, ..Seen::default() }, Some(true), false, None),
            ("paused", Seen { paused: Some(true), ..Seen::default() }, Some(true), false, Some(Did::Paused)),
        ];
        for (name, seen, left, known, want) in cases {
            assert_eq!(seen.did(left, known), want, "{name}");
        }
    }
}
