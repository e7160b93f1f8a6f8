//! The machine by itself: inputs and moments go in, and nothing else has to run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::options;
use crate::event::Request;
use crate::execute::beside::Working;
use crate::execute::session::action::{Action, Work};
use crate::execute::session::ended::Ended;
use crate::execute::session::input::{Input, Moment};
use crate::execute::session::machine::Machine;
use crate::execute::testing::project;
use crate::execute::{Loaded, session::SessionOptions};

struct Stepped {
    machine: Machine,
    began: Instant,
}

impl Stepped {
    fn new(options: SessionOptions) -> Self {
        let began = Instant::now();
        let project = Arc::new(project(json!({"web": {"image": "web"}})));
        Self { machine: Machine::new(project, options, at(began, 0)), began }
    }

    /// A step, so many milliseconds after the beginning: how many pieces of work it starts.
    fn step(&mut self, input: Input, millis: u64) -> Vec<Work> {
        let (actions, end) = self.machine.step(input, at(self.began, millis));
        assert!(end.is_none());
        let work = |action| if let Action::Start(work) = action { Some(*work) } else { None };
        actions.into_iter().filter_map(work).collect()
    }

    /// In how many milliseconds the machine is to be woken.
    fn wakes_in(&mut self, millis: u64) -> Option<u128> {
        let now = at(self.began, millis);
        self.machine.deadline(now).map(|at| at.saturating_duration_since(now.now).as_millis())
    }
}

fn at(began: Instant, millis: u64) -> Moment {
    Moment { now: began + Duration::from_millis(millis), clock: 0, is_with_engine: false }
}

fn waits() -> Input {
    Input::Progress(Some(Working { waits: true, ..Working::default() }))
}

#[test]
fn a_deadline_that_nothing_may_answer_yet_wakes_nobody() {
    let mut session = Stepped::new(options());
    assert!(matches!(session.step(Input::Begin, 0)[..], [Work::TakeSnapshot(_)]));
    session.step(waits(), 0);
    assert_eq!(session.wakes_in(0), Some(1000), "it is said that saves are seen");
    assert!(matches!(session.step(Input::EngineLost, 500)[..], [Work::Reconnect]));
    assert_eq!(session.wakes_in(1500), None, "nothing begins while the engine is away");

    let mut session = Stepped::new(options());
    session.step(Input::Begin, 0);
    session.step(waits(), 0);
    session.step(Input::Request(Request::Stop), 500);
    assert_eq!(session.wakes_in(1500), Some(1000), "jobs are given up two seconds after a stop");
}

#[test]
fn a_plan_that_only_waits_is_ended_for_a_newer_manifest() {
    let mut session = Stepped::new(options());
    session.step(Input::Begin, 0);
    session.step(waits(), 0);
    let loaded = Loaded { project: project(json!({"web": {"image": "other"}})), warnings: Vec::new() };
    let (actions, _) = session.machine.step(Input::Ended(Ended::Read(Ok(Box::new(loaded)))), at(session.began, 5000));
    assert!(actions.iter().any(|action| matches!(action, Action::Cancel(_))), "its wait may never end");
    assert!(!actions.iter().any(|action| matches!(action, Action::Start(_))), "the new one begins when it has ended");
    assert_eq!(session.wakes_in(9000), None);
}
