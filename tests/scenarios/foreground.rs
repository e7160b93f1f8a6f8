//! `up` in the foreground: logs, and how it ends.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;

use crate::lab::{Lab, idle, until};

/// Says `ready`, and `bye` when it is asked to stop.
fn polite(name: &str) -> String {
    format!(
        "  {name}:\n    image: hob-test/busybox:1\n    network_mode: none\n    \
         command: sh -c \"trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done\"\n"
    )
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn logs_are_prefixed_and_plain_and_it_ends_when_all_have() {
    let lab = Lab::new();
    lab.manifest(
        "services:
  a:
    image: hob-test/busybox:1
    command: sh -c 'echo one; echo two >&2'
    network_mode: none
  longer:
    image: hob-test/busybox:1
    command: echo three
    network_mode: none
",
    );
    let done = lab.ok(&["up", "--no-watch"]);
    let logs: Vec<&str> = done.out.lines().collect();
    for line in ["a-1       | one", "longer-1  | three"] {
        assert_eq!(logs.iter().filter(|found| **found == line).count(), 1, "{line:?} in {done}");
    }
    assert_eq!(logs.len(), 2, "only logs on standard output: {done}");
    assert_eq!(done.err.matches("a-1       | two\n").count(), 1, "standard error is standard error: {done}");
    assert!(!done.out.contains('\x1b') && !done.err.contains('\x1b'), "{done}");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn logs_of_what_fails_at_once_are_shown() {
    let lab = Lab::new();
    lab.manifest(&format!(
        "services:\n  a:\n    image: hob-test/busybox:1\n    command: sh -c 'echo no config >&2; exit 4'\n    network_mode: none\n{}",
        idle("b")
    ));
    let mut session = lab.start(&["up", "--no-watch"]);
    session.says(0, "| no config");
    session.says(0, "exited (4)");
    assert!(!session.is_over(), "another service goes on");
    session.interrupt();
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn logs_survive_recreations_with_no_line_lost_or_doubled() {
    let lab = Lab::new();
    lab.dockerfile("app/Dockerfile", "COPY run text /\nCMD [\"sh\", \"/run\"]\n");
    lab.write("app/text", "one");
    // Each start has a number of its own, and so has each line.
    lab.write(
        "app/run",
        "n=$(($(cat /state/n 2>/dev/null || echo 0) + 1)); echo $n >/state/n\n\
         trap 'echo $n bye $i; exit 0' TERM\n\
         i=0; while :; do i=$((i + 1)); echo $n line $i; sleep 0.02; done\n",
    );
    let manifest = |mode: &str| {
        format!(
            "services:\n  app:\n    build: app\n    network_mode: none\n    volumes: [\"state:/state\"]\n    \
             environment: {{MODE: {mode}}}\nvolumes:\n  state:\n"
        )
    };
    lab.manifest(&manifest("one"));
    let mut session = lab.start(&["up", "--watch", "--progress", "json"]);
    session.event(0, "watching", |_| true);
    session.log(0, "app", "1 line 5");
    lab.write("app/text", "two");
    session.log(0, "app", "2 line 5"); // in place
    lab.ok(&["restart", "app"]);
    session.log(0, "app", "3 line 5"); // the same container
    lab.manifest(&manifest("two"));
    session.log(0, "app", "4 line 5"); // another one
    session.signal(Signal::SIGINT);
    assert_eq!(session.end(), 130, "{}", session.text());

    let mut of_start: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for event in session.events().iter().filter(|event| event["type"] == "log") {
        let (number, rest) = event["line"].as_str().unwrap().split_once(' ').unwrap();
        of_start.entry(number.parse().unwrap()).or_default().push(rest.to_owned());
    }
    assert_eq!(of_start.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4]);
    for (number, lines) in of_start {
        let count = lines.len() - 1;
        let mut want: Vec<String> = (1..=count).map(|line| format!("line {line}")).collect();
        want.push(format!("bye {count}"));
        assert_eq!(lines, want, "start {number}");
    }
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn ctrl_c_stops_gracefully_in_reverse_order() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}{}    depends_on: [db]\n", polite("db"), polite("api")));
    let mut session = lab.start(&["up"]);
    session.says(0, "db-1   | ready");
    session.says(0, "api-1  | ready");
    session.says(0, "ready: 2 services");
    session.signal(Signal::SIGINT);
    assert_eq!(session.end(), 130, "{}", session.text());
    let text = session.text();
    for line in ["db-1   | bye", "api-1  | bye"] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    let (db, api) = (lab.inspect("db")["State"].clone(), lab.inspect("api")["State"].clone());
    assert_eq!((&db["ExitCode"], &api["ExitCode"]), (&0.into(), &0.into()), "{db} {api}");
    assert!(api["FinishedAt"].as_str() <= db["FinishedAt"].as_str(), "{api} before {db}");
    assert_eq!(lab.states(), ["api exited", "db exited"], "stopped, not removed");
}

fn stubborn(lab: &Lab) {
    lab.manifest(
        "services:\n  a:\n    image: hob-test/busybox:1\n    network_mode: none\n    stop_grace_period: 10m\n    \
         command: sh -c \"trap 'echo no' TERM; echo ready; while :; do sleep 0.05; done\"\n",
    );
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_second_ctrl_c_kills() {
    let lab = Lab::new();
    stubborn(&lab);
    let mut session = lab.start(&["up"]);
    session.says(0, "a-1  | ready");
    session.says(0, "ready: 1 service");
    session.signal(Signal::SIGINT);
    session.says(0, "a-1  | no");
    assert!(!session.is_over());
    session.signal(Signal::SIGINT);
    assert_eq!(session.end(), 137, "{}", session.text());
    let state = until(|| {
        let state = lab.inspect("a")["State"].clone();
        if state["Running"] == false { Ok(state) } else { Err(state.to_string()) }
    });
    assert_eq!(state["ExitCode"], 137);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn sigterm_and_sighup_stop_gracefully_too() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let lab = Lab::new();
        lab.manifest(&format!("services:\n{}", polite("a")));
        let mut session = lab.start(&["up"]);
        session.says(0, "a-1  | ready");
        session.says(0, "ready: 1 service");
        session.signal(signal);
        assert_eq!(session.end(), 143, "{signal}: {}", session.text());
        assert!(session.text().contains(&format!("stopping ({signal})")), "{}", session.text());
        assert_eq!(lab.inspect("a")["State"]["ExitCode"], 0);
    }
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn ctrl_c_in_the_middle_of_a_start_ends_it() {
    let lab = Lab::new();
    lab.manifest(&format!(
        "services:\n{}    healthcheck: {{test: [CMD, \"false\"], interval: 1s, start_period: 1h}}\n{}    depends_on:\n      \
         db: {{condition: service_healthy}}\n",
        idle("db"),
        idle("api")
    ));
    for args in [&["up"][..], &["up", "-d"]] {
        let mut session = lab.start(args);
        session.says(0, "its health check has not passed yet");
        session.signal(Signal::SIGINT);
        assert_eq!(session.end(), 130, "{args:?}: {}", session.text());
        let db = lab.container("db");
        assert_eq!(db.state, if args.len() == 1 { "exited" } else { "running" }, "{args:?}");
    }
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn it_ends_with_a_container_where_that_is_asked_for() {
    let lab = Lab::new();
    let manifest = |code: i32| {
        format!(
            "services:\n{}  test:\n    image: hob-test/busybox:1\n    network_mode: none\n    command: sh -c 'sleep 0.2; exit {code}'\n",
            idle("db")
        )
    };
    lab.manifest(&manifest(5));
    for (args, code) in [
        (&["up", "--no-watch", "--exit-code-from", "test"][..], 5),
        (&["up", "--abort-on-container-exit"], 5),
        (&["up", "--abort-on-container-failure"], 5),
    ] {
        let done = lab.ends(args, code);
        assert_eq!(lab.states(), ["db exited", "test exited"], "{args:?}: {done}");
    }
    lab.manifest(&manifest(0));
    lab.ends(&["up", "--exit-code-from", "db"], 137);
    lab.ends(&["up", "--abort-on-container-exit"], 0);
    // A job that others wait for is to end, and ends nothing.
    lab.manifest(&format!(
        "{}  api:\n    image: hob-test/busybox:1\n    network_mode: none\n    command: sh -c 'exit 6'\n    depends_on:\n      \
         test: {{condition: service_completed_successfully}}\n",
        manifest(0)
    ));
    lab.ends(&["up", "--abort-on-container-exit", "--force-recreate"], 6);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn attach_and_no_attach_choose_whose_logs_are_shown() {
    let lab = Lab::new();
    let echo = |name: &str| {
        format!("  {name}:\n    image: hob-test/busybox:1\n    network_mode: none\n    command: echo from {name}\n")
    };
    lab.manifest(&format!("services:\n{}{}    attach: false\n{}", echo("a"), echo("b"), echo("c")));
    let shown = |args: &[&str]| {
        let done = lab.ok(&[&["up", "--no-watch", "--force-recreate", "--no-log-prefix"], args].concat());
        let mut lines: Vec<String> = done.out.lines().map(|line| line.replace("from ", "")).collect();
        lines.sort();
        lines.join(" ")
    };
    assert_eq!(shown(&[]), "a c");
    assert_eq!(shown(&["--no-attach", "a"]), "c");
    assert_eq!(shown(&["--attach", "b"]), "b");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn progress_json_is_one_event_per_line() {
    let lab = Lab::new();
    // With a name of its own: what the builder has in its cache has no output.
    let run = format!("RUN echo building for {}; echo warn >&2\nCMD [\"echo\", \"it runs\"]\n", lab.project);
    lab.dockerfile("Dockerfile", &run);
    lab.manifest("services:\n  a:\n    build: .\n    network_mode: none\n");
    let done = lab.ok(&["--progress", "json", "up", "--no-watch"]);
    let events: Vec<serde_json::Value> = done
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}")))
        .collect();
    assert_eq!((&events[0]["type"], &events[0]["version"]), (&"hello".into(), &2.into()));
    assert_eq!(events[0]["project"], lab.project.as_str());
    for kind in ["plan", "step-started", "step-done", "build-step", "build-output", "build-step-done", "log", "state"] {
        assert!(events.iter().any(|event| event["type"] == kind), "no {kind} in {done}");
    }
    let started = events.iter().filter(|event| event["type"] == "step-started").count();
    let ended = events.iter().filter(|event| event["type"] == "step-done").count();
    assert_eq!(started, ended);
    assert_eq!(done.err, "");
}
