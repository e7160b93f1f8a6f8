//! What happens to a service's containers in one plan, as one line: a recreation is five steps, and one thing to a
//! person. With `--verbose` each step speaks for itself.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Message, Reason, Until};

    fn op(kind: Kind) -> Operation {
        let (container, name, signal) = ("c".to_owned(), "n".to_owned(), "SIGINT".to_owned());
        match kind {
            Kind::Create => Operation::CreateContainer { container },
            Kind::Rename => Operation::RenameContainer { container, name },
            Kind::Start => Operation::StartContainer { container },
            Kind::Stop => Operation::StopContainer { container },
            Kind::Kill => Operation::KillContainer { container, signal },
            Kind::Restart => Operation::RestartContainer { container },
            Kind::Remove => Operation::RemoveContainer { container },
        }
    }

    fn plan(steps: &[(&str, Kind)]) -> Event {
        let steps = steps.iter().enumerate().map(|(step, (service, kind))| PlannedStep {
            step,
            op: op(*kind),
            service: Some((*service).into()),
            reason: Reason::Network(step.to_string()),
            after: vec![],
        });
        Event::Plan { steps: steps.collect(), unchanged: vec![], dry_run: false, reload_of: None }
    }

    fn started(step: usize) -> Event {
        Event::StepStarted { step, op: op(Kind::Start), service: None, reason: Reason::Missing }
    }

    fn done(step: usize) -> Event {
        Event::StepDone { step, op: op(Kind::Start), service: None, took_ms: 1 }
    }

    fn line(end: End, what: &str, reason: &str, took: Option<u64>) -> Said {
        let (what, reason, took) = (what.to_owned(), reason.to_owned(), took.map(Duration::from_secs));
        Said::Line(Line { end, what, reason, took, then: None })
    }

    #[test]
    fn a_recreation_is_one_line_and_its_states_are_none() {
        let kinds = [Kind::Create, Kind::Stop, Kind::Remove, Kind::Rename, Kind::Start];
        let steps: Vec<_> = kinds.into_iter().map(|kind| ("api", kind)).collect();
        let mut groups = Groups::default();
        groups.event(&plan(&steps), Duration::ZERO);
        let state = |state: State| Event::State {
            service: "api".into(),
            container: "c".into(),
            number: 1,
            state,
            elsewhere: false,
        };
        for step in 0..5 {
            assert_eq!(groups.event(&started(step), Duration::from_secs(step as u64)), Said::Nothing);
            let said = groups.event(&done(step), Duration::from_secs(step as u64 + 1));
            let last = line(End::Done, "recreated", "network 0 is made again", Some(5));
            assert_eq!(said, if step == 4 { last } else { Said::Nothing });
        }
        for (text, want) in [
            (State::Exited { code: 143 }, Said::Nothing),
            (State::Running, Said::Nothing),
            // What happens later is news.
            (State::Exited { code: 1 }, Said::Itself),
            (State::Running, Said::Itself),
            (State::Healthy, Said::Itself),
        ] {
            assert_eq!(groups.event(&state(text), Duration::ZERO), want, "{text}");
        }
    }

    #[test]
    fn an_end_is_told_after_the_start() {
        let mut groups = Groups::default();
        groups.event(&plan(&[("job", Kind::Create), ("job", Kind::Start)]), Duration::ZERO);
        let state =
            |state| Event::State { service: "job".into(), container: "c".into(), number: 1, state, elsewhere: false };
        for event in [started(0), done(0), started(1), state(State::Running), state(State::Exited { code: 3 })] {
            assert_eq!(groups.event(&event, Duration::ZERO), Said::Nothing, "{event:?}");
        }
        let Said::Line(line) = groups.event(&done(1), Duration::ZERO) else { panic!() };
        assert_eq!((line.what.as_str(), line.then), ("started", Some(State::Exited { code: 3 })));
        let again = state(State::Exited { code: 3 });
        assert_eq!(groups.event(&again, Duration::ZERO), Said::Itself);
    }

    #[test]
    fn what_a_reload_tells_is_not_told_twice() {
        let kinds = [Kind::Create, Kind::Stop, Kind::Remove, Kind::Start];
        let steps: Vec<_> = kinds.into_iter().map(|kind| ("api", kind)).chain([("web", Kind::Restart)]).collect();
        let Event::Plan { steps, .. } = plan(&steps) else { panic!() };
        let plan = Event::Plan { steps, unchanged: vec![], dry_run: false, reload_of: Some("api".into()) };
        let mut groups = Groups::default();
        groups.event(&plan, Duration::ZERO);
        for step in 0..4 {
            groups.event(&started(step), Duration::ZERO);
            assert_eq!(groups.event(&done(step), Duration::ZERO), Said::Nothing);
        }
        assert!(matches!(groups.event(&done(4), Duration::ZERO), Said::Line(line) if line.what == "restarted"));
        // What is left after a failure is told: the report does not know it.
        groups.event(&plan, Duration::ZERO);
        groups.event(&done(1), Duration::ZERO);
        let failed = Event::StepFailed { step: 3, op: op(Kind::Start), service: None, message: Message::new("no") };
        assert!(matches!(groups.event(&failed, Duration::ZERO), Said::Line(line) if line.end == End::Failed));
    }

    #[test]
    fn each_container_of_a_service_makes_its_states() {
        let kinds = [Kind::Create, Kind::Stop, Kind::Remove, Kind::Rename, Kind::Start];
        let twice = kinds.into_iter().chain(kinds).chain([Kind::Stop, Kind::Remove]);
        let steps: Vec<_> = twice.map(|kind| ("api", kind)).collect();
        let mut groups = Groups::default();
        groups.event(&plan(&steps), Duration::ZERO);
        let mut said = |state: State, number: usize| {
            let event = Event::State {
                service: "api".into(),
                container: format!("c-{number}"),
                number: 1,
                state,
                elsewhere: false,
            };
            groups.event(&event, Duration::ZERO)
        };
        for (state, times) in [(State::Exited { code: 143 }, 3), (State::Running, 2)] {
            for number in 0..times {
                assert_eq!(said(state, number), Said::Nothing, "{state} {number}");
            }
            assert_eq!(said(state, times), Said::Itself, "{state}");
        }
    }

    #[test]
    fn plans_side_by_side_are_told_apart() {
        let kinds = [Kind::Create, Kind::Stop, Kind::Remove, Kind::Rename, Kind::Start];
        let mut groups = Groups::default();
        for (number, service) in ["api", "worker"].into_iter().enumerate() {
            let steps: Vec<_> = kinds.into_iter().map(|kind| (service, kind)).collect();
            let Event::Plan { mut steps, .. } = plan(&steps) else { panic!() };
            for step in &mut steps {
                step.step += number * kinds.len();
            }
            groups.event(&Event::Plan { steps, unchanged: vec![], dry_run: false, reload_of: None }, Duration::ZERO);
        }
        let said = [0, 5, 1, 6, 2, 7, 3, 8, 4, 9].map(|step| {
            assert_eq!(groups.event(&started(step), Duration::ZERO), Said::Nothing);
            groups.event(&done(step), Duration::ZERO)
        });
        assert!(said[..8].iter().all(|said| *said == Said::Nothing), "{said:?}");
        assert!(said[8..].iter().all(|said| matches!(said, Said::Line(line) if line.what == "recreated")), "{said:?}");
    }

    #[test]
    fn a_failure_is_said_once_and_what_is_skipped_for_it_is_not() {
        let mut groups = Groups::default();
        let steps = [("api", Kind::Create), ("api", Kind::Start), ("worker", Kind::Create)];
        groups.event(&plan(&steps), Duration::ZERO);
        let message = Message::new("it broke");
        let failed = Event::StepFailed { step: 0, op: op(Kind::Create), service: None, message: message.clone() };
        assert_eq!(groups.event(&failed, Duration::ZERO), line(End::Failed, "not started", "", None));
        for step in [1, 2] {
            let skipped = Event::StepSkipped { step, op: op(Kind::Start), service: None, because: message.clone() };
            assert_eq!(groups.event(&skipped, Duration::ZERO), Said::Nothing);
        }
    }

    #[test]
    fn a_service_whose_old_container_is_gone_does_not_run() {
        use Kind::{Create, Remove, Rename, Start, Stop};
        let recreate = [Create, Stop, Remove, Rename, Start];
        let twice: Vec<_> = recreate.into_iter().chain(recreate).collect();
        let down = "does not run: its new container could not be started";
        for (kinds, failed, want) in [
            (&recreate[..], 0, "not recreated"),
            (&recreate, 1, "not recreated"),
            (&recreate, 3, down),
            (&recreate, 4, down),
            (&[Stop, Start], 1, "does not run: its container could not be started again"),
            (&[Stop, Remove], 1, "not removed"),
            (&twice, 4, "not recreated (2 containers): a new one could not be started"),
        ] {
            let mut groups = Groups::default();
            let steps: Vec<_> = kinds.iter().map(|kind| ("api", *kind)).collect();
            groups.event(&plan(&steps), Duration::ZERO);
            for step in 0..failed {
                groups.event(&done(step), Duration::ZERO);
            }
            let message = Message::new("it broke");
            let failed = Event::StepFailed { step: failed, op: op(Kind::Start), service: None, message };
            assert_eq!(groups.event(&failed, Duration::ZERO), line(End::Failed, want, "", None), "{kinds:?}");
        }
    }

    #[test]
    fn what_is_done_has_a_name() {
        use Kind::{Create, Kill, Remove, Restart, Start, Stop};
        for (kinds, want) in [
            (&[Create, Start][..], "started"),
            (&[Create], "created"),
            (&[Start, Start], "started (2 containers)"),
            (&[Stop, Start], "restarted"),
            (&[Restart], "restarted"),
            (&[Stop, Remove], "removed"),
            (&[Stop], "stopped"),
            (&[Kill], "killed"),
        ] {
            let mut groups = Groups::default();
            let steps: Vec<_> = kinds.iter().map(|kind| ("api", *kind)).collect();
            groups.event(&plan(&steps), Duration::ZERO);
            let said: Vec<_> = (0..kinds.len()).map(|step| groups.event(&done(step), Duration::ZERO)).collect();
            assert_eq!(said.last(), Some(&line(End::Done, want, "network 0 is made again", None)), "{kinds:?}");
        }
        let mut groups = Groups::default();
        let Event::Plan { mut steps, .. } = plan(&[("api", Start), ("api", Start)]) else { panic!() };
        steps[0].op = Operation::Wait { containers: vec!["c".into()], until: Until::Ready };
        steps[1].op = Operation::Tag { image: "a".into(), name: "b".into() };
        groups.event(&Event::Plan { steps, unchanged: vec![], dry_run: false, reload_of: None }, Duration::ZERO);
        let said = [started(0), done(0), started(1), done(1)].map(|event| groups.event(&event, Duration::ZERO));
        assert_eq!(said, [Said::Nothing, Said::Nothing, Said::Nothing, Said::Itself]);
    }
}
