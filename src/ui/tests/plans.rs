//! Plans, their steps and what they come to.

use super::*;

#[test]
fn what_a_step_waits_for_follows_it() {
    for (what, want) in [
        ("start container x", "api  waiting to start container x: db is starting; its health check has not passed yet"),
        ("wait until x is ready", "api  waiting: db is starting; its health check has not passed yet"),
    ] {
        let events = vec![started(0, "api", what, Reason::NoContainer), held(0, "api", "db", Pending::Starting)];
        let (_, err) = apart(&SETTINGS, events);
        assert_eq!(err.lines().last(), Some(want));
    }
}

#[test]
fn a_dry_run_prints_the_plan() {
    let step = |step, name: &str, what: &str, reason: Reason, after: Vec<usize>| PlannedStep {
        step,
        op: op(what),
        service: (!name.is_empty()).then(|| service(name)),
        reason,
        after,
    };
    let plan = |steps| Event::Plan {
        steps,
        unchanged: services(["cache", "db"]),
        containers: vec![],
        dry_run: true,
        reload_of: None,
    };
    let steps = vec![
        step(1, "", "create network shop_default", Reason::Missing, vec![]),
        step(2, "api", "build api", Reason::Inputs(vec![file("src/app.py")]), vec![]),
        step(3, "api", "create container shop-api-1", Reason::Image, vec![1, 2]),
    ];
    let (out, err) = apart(&SETTINGS, vec![plan(steps)]);
    assert_eq!(err, "");
    insta::assert_snapshot!(out);
    assert_eq!(apart(&SETTINGS, vec![plan(vec![])]).0, "nothing to do: cache and db are as they should be\n");
}

#[test]
fn an_empty_plan_says_so() {
    let plan = |unchanged: Vec<ServiceName>| Event::Plan {
        steps: vec![],
        unchanged,
        containers: vec![],
        dry_run: false,
        reload_of: None,
    };
    let many: Vec<ServiceName> = (0..12).map(|number| format!("s{number}").as_str().into()).collect();
    let cases = [
        (services(["db"]), "nothing to do: db is as it should be\n"),
        (many, "nothing to do: 12 services are as they should be\n"),
        (vec![], "nothing to do\n"),
    ];
    for (unchanged, want) in cases {
        assert_eq!(apart(&SETTINGS, vec![plan(unchanged.clone())]).1, want);
        let up = |services| Event::Ready { services, of: 1, took_ms: 1000, waited: false };
        assert_eq!(apart(&SETTINGS, vec![plan(unchanged.clone()), up(1)]).1, want, "it is said once");
        let missing = apart(&SETTINGS, vec![plan(unchanged), up(0)]).1;
        assert_eq!(missing, format!("{want}up: 0 of 1 service in 1.0 s\n"));
    }
}

#[test]
fn who_does_not_run_is_missing_in_the_count() {
    let ready = |services, of| vec![Event::Ready { services, of, took_ms: 1_200, waited: false }];
    assert_eq!(apart(&SETTINGS, ready(3, 3)).1, "up: 3 services in 1.2 s\n");
    assert_eq!(apart(&SETTINGS, ready(2, 3)).1, "up: 2 of 3 services in 1.2 s\n");
}
