//! A whole start, and a failure, in each way of showing it.

use super::*;

#[test]
fn plain_says_every_change_once() {
    insta::assert_snapshot!(shown(&SETTINGS, up()));
}

#[test]
fn plain_shows_a_failure_whole_and_last() {
    insta::assert_snapshot!(shown(&SETTINGS, failing()));
}

#[test]
fn plain_has_a_heartbeat() {
    let buffer = Buffer::default();
    let mut plain =
        plain::Plain::new(&SETTINGS, Streams::new(Box::new(buffer.clone()), Box::new(buffer.clone()), None));
    assert_eq!(plain.next_tick(ms(0)), None, "nothing is going on");
    let api = services(["api"]);
    plain.event(started(1, "api", "build api", Reason::Missing), ms(0));
    plain.event(build_step(&api, "s", "[3/7] RUN make"), ms(0));
    plain.event(started(2, "web", "start container shop-web-1", Reason::NoContainer), ms(1_000));
    plain.event(Event::Pulling { image: "redis:7".into(), current: 1_000, total: 4_000 }, ms(2_000));
    plain.event(held(2, "web", "api", Pending::Starting), ms(2_000));
    plain.event(held(2, "web", "api", Pending::BeingChanged), ms(9_000));
    plain.flush(ms(9_000));
    let before = buffer.text().len();
    assert_eq!(plain.next_tick(ms(9_000)), Some(ms(6_000)));
    plain.tick(ms(14_999));
    assert_eq!(buffer.text().len(), before, "too early");
    plain.tick(ms(15_000));
    plain.tick(ms(17_000));
    plain.tick(ms(17_500));
    plain.event(build_step_done(&api, "s", "[3/7] RUN make", false), ms(29_000));
    plain.tick(ms(75_000));
    insta::assert_snapshot!(&buffer.text()[before..]);
    assert_eq!(plain.next_tick(ms(75_000)), Some(ms(15_000)));
}

#[test]
fn quiet_has_results_and_errors() {
    let quiet = Settings { kind: Kind::Quiet, ..SETTINGS };
    insta::assert_snapshot!(shown(&quiet, up().into_iter().chain(failing()).collect()));
}

#[test]
fn json_is_one_event_per_line() {
    let json = Settings { kind: Kind::Json, ..SETTINGS };
    let (out, err) = apart(
        &json,
        vec![
            Event::Hello { version: 2, hob: "0.1.0".into(), project: "shop".into() },
            log("api", 1, "a\u{9b}2J\x1b[2J\u{7f}é\nb"),
            Event::Output { text: "text\n".into() },
        ],
    );
    assert_eq!(err, "");
    insta::assert_snapshot!(out);
    for line in out.lines() {
        assert!(line.chars().all(|char| !char.is_control()), "{line:?} drives a terminal");
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    let first: serde_json::Value = serde_json::from_str(out.lines().nth(1).unwrap()).unwrap();
    assert_eq!(first["line"], "a\u{9b}2J\x1b[2J\u{7f}é\nb", "the content is whole");
}

#[test]
fn verbose_shows_what_builds_say() {
    for kind in [Kind::Plain, Kind::Tty] {
        let line =
            || Event::BuildOutput { services: services(["api"]), step: "s".into(), line: "cc\x1b[2J -o x".into() };
        assert_eq!(apart(&Settings { kind, ..SETTINGS }, vec![line()]).1, "", "{kind:?}");
        assert_eq!(
            apart(&Settings { kind, verbose: true, ..SETTINGS }, vec![line()]).1,
            "api  # cc -o x\n",
            "{kind:?}"
        );
    }
}
