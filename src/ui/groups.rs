//! What happens to a service's containers in one plan, as one line: a recreation is five steps, and one thing to a
//! person. With `--verbose` each step speaks for itself.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use indexmap::IndexMap;

use crate::event::{Event, Operation, PlannedStep, State};
use crate::model::ServiceName;

/// The steps of the plan that is carried out, by service.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: IndexMap<ServiceName, Group>,
    steps: BTreeMap<usize, (ServiceName, Kind)>,
    /// Steps that say nothing when they begin.
    quiet: BTreeSet<usize>,
    /// Those of them that say nothing when they end either.
    waits: BTreeSet<usize>,
    /// What is being stopped is killed.
    forced: bool,
    /// Changes of state that are a step's own, and how many containers make them: of starts and of ends.
    expected: HashMap<(ServiceName, bool), usize>,
}

/// What a step does to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Create,
    Rename,
    Start,
    Stop,
    Kill,
    Pause,
    Unpause,
    Restart,
    Remove,
}

impl Kind {
    fn of(op: &Operation) -> Option<Self> {
        Some(match op {
            Operation::CreateContainer { .. } => Self::Create,
            Operation::RenameContainer { .. } => Self::Rename,
            Operation::StartContainer { .. } => Self::Start,
            Operation::StopContainer { .. } => Self::Stop,
            Operation::KillContainer { .. } => Self::Kill,
            Operation::PauseContainer { .. } => Self::Pause,
            Operation::UnpauseContainer { .. } => Self::Unpause,
            Operation::RestartContainer { .. } => Self::Restart,
            Operation::RemoveContainer { .. } => Self::Remove,
            _ => return None,
        })
    }
}

#[derive(Debug, Default)]
struct Group {
    kinds: Vec<Kind>,
    open: usize,
    began: Option<Duration>,
    reason: String,
    over: bool,
    /// A container that ran until now was stopped or removed.
    gone: bool,
    /// What was done is told by [`Event::Reloaded`].
    is_reload: bool,
    /// How a container of it has ended meanwhile.
    ended: Option<State>,
}

/// What is said of an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// What the event itself says.
    Itself,
    /// Nothing.
    Nothing,
    /// A line about the service.
    Line(Line),
}

/// A line about a service.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// How it ended.
    pub end: End,
    /// What was done, such as `recreated`.
    pub what: String,
    /// Why.
    pub reason: String,
    /// How long it took.
    pub took: Option<Duration>,
    /// How a container had ended before that could be said.
    pub then: Option<State>,
}

/// How what is told of ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Done,
    Failed,
}

impl Groups {
    /// What an event says, in place of its own words.
    pub fn event(&mut self, event: &Event, now: Duration) -> Said {
        match event {
            Event::Plan { steps, dry_run: false, reload_of, .. } => self.plan(steps, reload_of.as_ref()),
            Event::StepStarted { step, .. } => return self.started(*step, now),
            Event::StepDone { step, .. } => return self.done(*step, now),
            Event::StepFailed { step, .. } => return self.failed(*step),
            // The failure itself is told, and at the end who is left as it was.
            Event::StepSkipped { .. } => return Said::Nothing,
            Event::Stopping { forced: true, .. } => self.forced = true,
            Event::State { elsewhere: true, .. } => return Said::Nothing,
            Event::State { service, state, .. } => return self.state(service, *state),
            _ => {}
        }
        Said::Itself
    }

    /// Services that are rebuilt side by side have a plan each: what another one is about goes on.
    fn plan(&mut self, steps: &[PlannedStep], reload_of: Option<&ServiceName>) {
        if self.groups.values().all(|group| group.over || group.open == 0) {
            *self = Self::default();
        }
        let anew: BTreeSet<&ServiceName> = steps.iter().filter_map(|step| step.service.as_ref()).collect();
        self.groups.retain(|service, _| !anew.contains(service));
        self.steps.retain(|_, (service, _)| !anew.contains(service));
        for step in steps {
            match (&step.op, Kind::of(&step.op), &step.service) {
                (Operation::Build { .. } | Operation::Pull { .. }, ..) => {}
                (Operation::Wait { .. }, ..) => {
                    self.quiet.insert(step.step);
                    self.waits.insert(step.step);
                }
                (_, None, _) | (.., None) => {
                    self.quiet.insert(step.step);
                }
                (_, Some(kind), Some(service)) => {
                    let group = self.groups.entry(service.clone()).or_default();
                    // The first step says best what it is all about.
                    if group.kinds.is_empty() || kind == Kind::Create && !group.kinds.contains(&kind) {
                        group.reason = step.reason.to_string();
                    }
                    group.is_reload = Some(service) == reload_of;
                    group.kinds.push(kind);
                    group.open += 1;
                    self.steps.insert(step.step, (service.clone(), kind));
                }
            }
        }
        for (service, group) in self.groups.iter().filter(|(service, _)| anew.contains(service)) {
            self.expected.insert((service.clone(), true), group.starts());
            self.expected.insert((service.clone(), false), group.ends());
        }
    }

    fn started(&mut self, step: usize, now: Duration) -> Said {
        if let Some(group) = self.steps.get(&step).and_then(|(service, _)| self.groups.get_mut(service)) {
            group.began.get_or_insert(now);
            return Said::Nothing;
        }
        if self.quiet.contains(&step) { Said::Nothing } else { Said::Itself }
    }

    fn done(&mut self, step: usize, now: Duration) -> Said {
        if self.waits.contains(&step) {
            return Said::Nothing;
        }
        let Some((service, kind)) = self.steps.get(&step) else { return Said::Itself };
        let Some(group) = self.groups.get_mut(service) else { return Said::Itself };
        group.gone |= matches!(kind, Kind::Stop | Kind::Kill | Kind::Remove);
        group.open -= 1;
        if group.open > 0 || group.over || group.is_reload {
            return Said::Nothing;
        }
        let took = group.began.map(|began| now.saturating_sub(began));
        let (what, reason) = (group.what(self.forced), std::mem::take(&mut group.reason));
        Said::Line(Line { end: End::Done, what, reason, took, then: group.ended.take() })
    }

    fn failed(&mut self, step: usize) -> Said {
        let Some(group) = self.steps.get(&step).and_then(|(service, _)| self.groups.get_mut(service)) else {
            return Said::Itself;
        };
        group.over = true;
        let (what, reason) = (group.what_failed(), String::new());
        Said::Line(Line { end: End::Failed, what, reason, took: None, then: group.ended.take() })
    }

    fn state(&mut self, service: &ServiceName, state: State) -> Said {
        // What is stopped ends with these; any other code is news.
        let starts = match state {
            State::Running => true,
            State::Exited { code: 0 | 130 | 137 | 143 } => false,
            State::Exited { .. } => return self.held_back(service, state),
            _ => return Said::Itself,
        };
        match self.expected.get_mut(&(service.clone(), starts)) {
            Some(times @ 1..) => {
                *times -= 1;
                Said::Nothing
            }
            _ => self.held_back(service, state),
        }
    }
}

impl Groups {
    /// A container that ends at once has ended before its start is told.
    fn held_back(&mut self, service: &ServiceName, state: State) -> Said {
        match self.groups.get_mut(service) {
            Some(group) if group.open > 0 && group.began.is_some() && matches!(state, State::Exited { .. }) => {
                group.ended = Some(state);
                Said::Nothing
            }
            _ => Said::Itself,
        }
    }
}

impl Group {
    fn count(&self, kind: Kind) -> usize {
        self.kinds.iter().filter(|other| **other == kind).count()
    }

    /// How many containers it starts.
    fn starts(&self) -> usize {
        self.count(Kind::Start) + self.count(Kind::Restart)
    }

    /// How many containers it ends: what is removed has mostly been stopped before.
    fn ends(&self) -> usize {
        let stops = self.count(Kind::Stop) + self.count(Kind::Kill) + self.count(Kind::Restart);
        stops.max(self.count(Kind::Remove))
    }

    /// What is so after a step has failed. Where the old container is gone the service is not as it was.
    fn what_failed(&self) -> String {
        let made = self.kinds.contains(&Kind::Create);
        match (self.gone, self.starts(), made) {
            (true, 1, true) => "does not run: its new container could not be started".to_owned(),
            (true, 1, false) => "does not run: its container could not be started again".to_owned(),
            (true, 2.., true) => format!("not {}: a new one could not be started", self.what(false)),
            _ => format!("not {}", self.what(false)),
        }
    }

    /// `forced` where what is being stopped is killed.
    fn what(&self, forced: bool) -> String {
        let has = |kind| self.kinds.contains(&kind);
        let count = |kind| self.count(kind);
        let (what, number) = if has(Kind::Create) && has(Kind::Remove) {
            ("recreated", count(Kind::Create))
        } else if has(Kind::Start) && !has(Kind::Stop) {
            ("started", count(Kind::Start))
        } else if has(Kind::Start) || has(Kind::Restart) {
            ("restarted", count(Kind::Start).max(count(Kind::Restart)))
        } else if has(Kind::Create) {
            ("created", count(Kind::Create))
        } else if has(Kind::Remove) {
            ("removed", count(Kind::Remove))
        } else if has(Kind::Stop) {
            (if forced { "killed" } else { "stopped" }, count(Kind::Stop))
        } else if has(Kind::Kill) {
            ("killed", count(Kind::Kill))
        } else if has(Kind::Pause) {
            ("paused", count(Kind::Pause))
        } else if has(Kind::Unpause) {
            ("unpaused", count(Kind::Unpause))
        } else {
            ("renamed", count(Kind::Rename))
        };
        let mut text = if number > 1 { format!("{what} ({number} containers)") } else { what.to_owned() };
        // Those that a smaller scale does not need any more.
        let surplus = count(Kind::Remove).saturating_sub(number);
        if has(Kind::Create) && surplus > 0 {
            text.push_str(&format!(", {surplus} removed"));
        }
        text
    }
}
