//! What is said of plans, step by step.

use super::*;
use crate::event::{Message, Reason};
use crate::plan::Until;

fn op(kind: Kind) -> Operation {
    let (container, name, signal) = ("c".to_owned(), "n".to_owned(), "SIGINT".to_owned());
    match kind {
        Kind::Create => Operation::CreateContainer { container },
        Kind::Rename => Operation::RenameContainer { container, name },
        Kind::Start => Operation::StartContainer { container },
        Kind::Stop => Operation::StopContainer { container },
        Kind::Kill => Operation::KillContainer { container, signal },
        Kind::Pause => Operation::PauseContainer { container },
        Kind::Unpause => Operation::UnpauseContainer { container },
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
    Event::Plan { steps: steps.collect(), unchanged: vec![], containers: vec![], dry_run: false, reload_of: None }
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
    let plan =
        Event::Plan { steps, unchanged: vec![], containers: vec![], dry_run: false, reload_of: Some("api".into()) };
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
        groups.event(
            &Event::Plan { steps, unchanged: vec![], containers: vec![], dry_run: false, reload_of: None },
            Duration::ZERO,
        );
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
    groups.event(
        &Event::Plan { steps, unchanged: vec![], containers: vec![], dry_run: false, reload_of: None },
        Duration::ZERO,
    );
    let said = [started(0), done(0), started(1), done(1)].map(|event| groups.event(&event, Duration::ZERO));
    assert_eq!(said, [Said::Nothing, Said::Nothing, Said::Nothing, Said::Itself]);
}
