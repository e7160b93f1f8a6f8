//! What other commands did to the project, as far as the engine's events tell of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::engine::{Action, EngineEvent};
use crate::event::Did;
use crate::host::lock::Holder;
use crate::model::ServiceName;

/// What another command does comes as several events; it is told when no more came for so long.
pub const PAUSE: Duration = Duration::from_millis(400);

/// The same where another program than hob stopped a container: engines take their time for a restart.
pub const RESTARTS: Duration = Duration::from_millis(1500);

/// What the engine tells so shortly after a job of ours was still its doing.
pub const ECHO: Duration = Duration::from_secs(1);

/// What others did, and who they are.
#[derive(Debug, Default)]
pub struct Others {
    pub seen: BTreeMap<ServiceName, Seen>,
    pub by: Option<Holder>,
    pub first: Option<Instant>,
    pub last: Option<Instant>,
    /// When a job of ours last worked on a service.
    pub worked: BTreeMap<ServiceName, Instant>,
    /// Services that somebody stopped: a save does not start them.
    pub stopped: BTreeSet<ServiceName>,
    /// Who takes care of others was said.
    pub said: BTreeSet<ServiceName>,
    /// Somebody removed all containers of the session.
    pub everything_gone: bool,
}

/// What the engine told of a service's containers, that was not our doing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// It had a container before.
    pub had: bool,
    pub created: bool,
    pub signalled: bool,
    pub died: bool,
    pub started: bool,
    pub removed: bool,
    pub paused: Option<bool>,
}

impl Seen {
    /// What an event of a service's container changes of it; `None` where that says nothing of a command.
    pub fn change(event: &EngineEvent) -> Option<fn(&mut Self)> {
        if event.oneoff {
            return None;
        }
        Some(match &event.action {
            Action::Create => |seen| seen.created = true,
            Action::Start => |seen| seen.started = true,
            Action::Die(_) => |seen| seen.died = true,
            Action::Destroy => |seen| seen.removed = true,
            Action::Other(word) => match word.as_str() {
                "kill" => |seen| seen.signalled = true,
                "pause" => |seen| seen.paused = Some(true),
                "unpause" => |seen| seen.paused = Some(false),
                _ => return None,
            },
            Action::Health(_) | Action::OutOfMemory => return None,
        })
    }

    /// What that comes to. `left` are the containers that are there now, and whether one runs; `known` whether
    /// another hob did it.
    pub fn did(self, left: Option<bool>, known: bool) -> Option<Did> {
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
    pub fn is_half_done(self) -> bool {
        self.created && !self.started
    }

    /// Whether what it comes to says what this event does: that a container has ended, or runs. `single` is a service
    /// with one container, `known` whether another hob did it.
    pub fn is_told(self, action: &Action, single: bool, known: bool) -> bool {
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
    pub fn pause(&self) -> Duration {
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
