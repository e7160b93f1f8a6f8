//! Saves, and what others do meanwhile.

use super::*;

#[test]
fn an_error_that_goes_on_from_save_to_save_is_said_once() {
    let reloaded = |error: Option<&str>| {
        Event::Reloaded(Reloaded {
            service: service("api"),
            files: vec!["src/a".into()],
            action: if error.is_some() { ReloadAction::Failed } else { ReloadAction::Synced { then: None } },
            reason: None,
            timings: Timings::default(),
            error: error.map(Message::new),
        })
    };
    let said = |errors: &[Option<&str>]| {
        let (_, err) = apart(&SETTINGS, errors.iter().map(|error| reloaded(*error)).collect());
        [err.matches("error: one").count(), err.matches("error: two").count(), err.matches("as before").count()]
    };
    assert_eq!(said(&[Some("one"), Some("one"), Some("one")]), [1, 0, 2]);
    assert_eq!(said(&[Some("one"), Some("two"), Some("one")]), [2, 1, 0]);
    assert_eq!(said(&[Some("one"), None, Some("one")]), [2, 0, 0]);
}

#[test]
fn a_reload_is_one_line() {
    let zero = Timings::default();
    let error = Message::new("it does not compile");
    let cases = [
        (
            reloaded(ReloadAction::Synced { then: Some(Followed::Restarted) }, timings(), None),
            "api  src/app.py and 1 more  synced + restarted in 14 ms\n",
        ),
        (
            reloaded(ReloadAction::Rebuilt { recreated: false }, Timings { synced_us: 4_200_000, ..zero }, None),
            "api  src/app.py and 1 more  rebuilt in 4.2 s (the RUN in line 2 reads it)\n",
        ),
        (
            reloaded(ReloadAction::NothingToDo, zero, None),
            "api  src/app.py and 1 more  nothing to do (the RUN in line 2 reads it)\n",
        ),
        (
            reloaded(ReloadAction::Failed, zero, Some(error)),
            "api  src/app.py and 1 more  failed\nerror: api: it does not compile\n",
        ),
    ];
    for (event, want) in cases {
        let want = want.replace("error: api: ", "error: ");
        assert_eq!(apart(&SETTINGS, vec![event]).1, want);
    }
    let split = apart(
        &Settings { timings: true, ..SETTINGS },
        vec![reloaded(ReloadAction::Synced { then: None }, timings(), None)],
    )
    .1;
    let want = "api  src/app.py and 1 more  synced in 14 ms \
                (noticed 3.0 ms, decided 1.2 ms, synced 2.0 ms, restarted 7.8 ms) (the RUN in line 2 reads it)\n";
    assert_eq!(split, want);
}

#[test]
fn a_failed_build_of_a_save_is_shown_once() {
    let message = Message::new("it does not compile").detail(["cc: no such file".to_owned()]);
    let (step, service) = (1, Some(service("api")));
    let events = || {
        let failed =
            Event::StepFailed { step, op: op("build api"), service: service.clone(), message: message.clone() };
        vec![
            started(1, "api", "build api", Reason::Inputs(vec![file("src/app.py")])),
            failed,
            reloaded(ReloadAction::Failed, Timings::default(), Some(message.clone())),
        ]
    };
    for kind in [Kind::Plain, Kind::Tty] {
        let text = apart(&Settings { kind, ..SETTINGS }, events()).1;
        assert_eq!(text.matches("it does not compile").count(), 1, "{text}");
        assert!(text.contains("src/app.py and 1 more  failed"), "{text}");
    }
}

#[test]
fn what_another_command_did_is_said_once() {
    let state = |state| Event::State {
        service: service("api"),
        container: "shop-api-1".into(),
        number: 1,
        state,
        elsewhere: true,
    };
    for kind in [Kind::Plain, Kind::Tty] {
        let settings = Settings { kind, ..SETTINGS };
        assert_eq!(apart(&settings, vec![state(State::Exited { code: 143 }), state(State::Running)]).1, "");
    }
}
