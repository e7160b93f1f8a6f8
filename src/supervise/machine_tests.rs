//! The rules, as tables of what happens and what is done.

use super::machine::CLEAR_TIME;
use super::machine::{Exit, Input, Machine, Phase, Step, Stop};

const STOP: Stop = Stop { signal: 15, grace: 100 };
const SLOW: Stop = Stop { signal: 10, grace: 5000 };
const OVER: Exit = Exit::Code(3);

/// Runs a story: at this time this happens, and that is done.
fn story(steps: &[(u64, Input, Step)]) -> Machine {
    let mut machine = Machine::default();
    for (index, (now, input, expected)) in steps.iter().enumerate() {
        assert_eq!(machine.handle(*now, *input), *expected, "step {index}: {input:?}");
    }
    machine
}

const START: (u64, Input, Step) = (0, Input::Start, Step::Start);
const STARTED: (u64, Input, Step) = (0, Input::Started(7), Step::Nothing);

#[test]
fn a_command_that_ends_by_itself_ends_the_supervision() {
    let machine = story(&[
        START,
        STARTED,
        (1, Input::Exited(8, Exit::Code(0)), Step::Nothing),
        (2, Input::Exited(7, OVER), Step::Clear(7)),
        (3, Input::Cleared, Step::End(OVER)),
        (4, Input::Forward(15), Step::Nothing),
        (4, Input::Exited(7, OVER), Step::Nothing),
    ]);
    assert_eq!((machine.phase(), machine.exit(), machine.deadline()), (Phase::Ended, Some(OVER), None));
}

#[test]
fn a_restart_stops_clears_and_starts() {
    let machine = story(&[
        START,
        STARTED,
        (10, Input::Restart(STOP), Step::Signal(7, 15)),
        (11, Input::Exited(7, OVER), Step::Clear(7)),
        (12, Input::Cleared, Step::Start),
        (13, Input::Started(8), Step::Nothing),
        (14, Input::Tick, Step::Nothing),
    ]);
    assert_eq!((machine.phase(), machine.pid(), machine.deadline()), (Phase::Running, Some(8), None));
}

#[test]
fn the_grace_ends_once_and_with_a_kill() {
    let mut machine = story(&[START, STARTED, (10, Input::Restart(STOP), Step::Signal(7, 15))]);
    assert_eq!(machine.deadline(), Some(110));
    assert_eq!(machine.handle(109, Input::Tick), Step::Nothing);
    assert_eq!(machine.handle(110, Input::Tick), Step::Signal(7, 9));
    assert_eq!((machine.deadline(), machine.handle(999, Input::Tick)), (None, Step::Nothing));
    assert_eq!(machine.handle(999, Input::Exited(7, Exit::Signal(9))), Step::Clear(7));
    assert_eq!(machine.deadline(), Some(999 + CLEAR_TIME));
    assert_eq!(machine.handle(999 + CLEAR_TIME, Input::Tick), Step::Start, "what cannot be killed is not waited for");
}

#[test]
fn a_kill_needs_no_grace() {
    let stop = Stop { signal: 9, grace: 100 };
    let machine = story(&[START, STARTED, (10, Input::Stop(stop), Step::Signal(7, 9))]);
    assert_eq!(machine.deadline(), None);
}

#[test]
fn restarts_that_come_during_one_join_it() {
    story(&[
        START,
        (0, Input::Restart(STOP), Step::Nothing),
        STARTED,
        (10, Input::Restart(SLOW), Step::Signal(7, 10)),
        (11, Input::Restart(STOP), Step::Nothing),
        (12, Input::Exited(7, OVER), Step::Clear(7)),
        (12, Input::Restart(STOP), Step::Nothing),
        (13, Input::Cleared, Step::Start),
        (14, Input::Started(8), Step::Nothing),
    ]);
}

#[test]
fn a_stop_wins_over_a_restart_whenever_it_comes() {
    let restart = (10, Input::Restart(SLOW), Step::Signal(7, 10));
    let gone = (12, Input::Exited(7, OVER), Step::Clear(7));
    let end = (13, Input::Cleared, Step::End(OVER));
    for stop in [(11, Input::Stop(STOP), Step::Nothing), (11, Input::Forward(2), Step::Signal(7, 2))] {
        let machine = story(&[START, STARTED, restart, stop, gone, end]);
        assert_eq!(machine.phase(), Phase::Ended, "{stop:?}");
    }
    // The restart's own signal from outside means the same.
    story(&[START, STARTED, restart, (11, Input::Forward(10), Step::Signal(7, 10)), gone, end]);
    // Another signal is only passed on.
    let hup = (11, Input::Forward(1), Step::Signal(7, 1));
    story(&[START, STARTED, restart, hup, gone, (13, Input::Cleared, Step::Start)]);
    for late in [Input::Stop(STOP), Input::Forward(15)] {
        story(&[START, STARTED, restart, gone, (12, late, Step::Nothing), end]);
    }
    let machine = story(&[START, STARTED, restart, (11, Input::Stop(STOP), Step::Nothing)]);
    assert_eq!(machine.deadline(), Some(111), "the shorter grace counts");
    assert!(machine.ends());
}

#[test]
fn a_stop_while_it_is_being_started_is_not_lost() {
    story(&[
        START,
        (0, Input::Stop(STOP), Step::Nothing),
        (1, Input::Started(7), Step::Signal(7, 15)),
        (1, Input::Tick, Step::Signal(7, 9)),
        (2, Input::Exited(7, OVER), Step::Clear(7)),
        (2, Input::Cleared, Step::End(OVER)),
    ]);
}

#[test]
fn a_start_that_fails_ends_it_and_a_restart_tries_again() {
    story(&[
        START,
        (0, Input::StartFailed(127), Step::End(Exit::Code(127))),
        (1, Input::Restart(STOP), Step::Start),
        (2, Input::Started(8), Step::Nothing),
    ]);
    story(&[(0, Input::Stop(STOP), Step::End(Exit::Code(0)))]);
}

#[test]
fn exit_codes_are_those_of_a_shell() {
    for (exit, code) in [(Exit::Code(0), 0), (Exit::Code(255), 255), (Exit::Signal(9), 137), (Exit::Signal(15), 143)] {
        assert_eq!(exit.code(), code);
    }
}
