//! A second terminal: other commands while a session runs in the foreground.

use nix::sys::signal::Signal;

use crate::lab::{Lab, Session, engine, idle, until};

fn json(lab: &Lab, args: &[&str]) -> Session {
    lab.start(&[&["--progress", "json"], args].concat())
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn every_command_works_beside_a_session() {
    let lab = Lab::new();
    let manifest = |mode: &str, more: &str| {
        format!("services:\n{}    environment: {{MODE: {mode}}}\n{}{more}", idle("api"), idle("db"))
    };
    lab.manifest(&manifest("one", ""));
    let mut session = json(&lab, &["up", "--no-watch"]);
    session.event(0, "ready", |_| true);

    lab.ok(&["restart", "api"]);
    lab.ok(&["stop", "api"]);
    assert_eq!(lab.states(), ["api exited", "db running"]);
    lab.ok(&["up", "-d"]);
    let from = session.mark();
    lab.ok(&["kill", "api"]);
    session.event(from, "elsewhere", |e| e["command"] == "hob kill api" && e["changes"]["api"] == "stopped");
    session.event(from, "state", |e| e["state"]["text"] == "exited (137)" && e["elsewhere"] == true);
    lab.ok(&["up", "-d"]);
    lab.manifest(&manifest("two", &idle("new")));
    lab.ok(&["up", "-d"]).says(&["environment.MODE changed"]);
    lab.ok(&["rm", "-sf", "db"]);
    lab.ok(&["up", "-d"]);
    assert_eq!(lab.states(), ["api running", "db running", "new running"]);
    // Who only looks is let in, and what is run besides is nobody's business.
    lab.ok(&["exec", "-T", "api", "true"]);
    lab.ok(&["run", "--rm", "-T", "api", "true"]);
    assert!(!session.is_over());
    lab.ok(&["down"]);
    assert_eq!(session.end(), 0, "there is nothing left to show: {}", session.text());
    let events = session.events();
    let errors: Vec<_> = events.iter().filter(|e| e["type"] == "error").collect();
    assert!(errors.is_empty(), "{errors:?}");
}

/// What somebody stopped is not started by an edit that has nothing to do with it, and what another hob does to a service
/// is told as what it is.
#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_stopped_service_stays_so_and_others_are_told_right() {
    let lab = Lab::new();
    let manifest = |mode: &str| {
        lab.manifest(&format!("services:\n{}    environment: {{MODE: {mode}}}\n{}", idle("api"), idle("worker")));
    };
    manifest("one");
    let session = json(&lab, &["up", "--watch"]);
    session.event(0, "ready", |_| true);
    lab.ok(&["stop", "worker"]);
    session.event(0, "elsewhere", |e| e["changes"]["worker"] == "stopped");
    let from = session.mark();
    manifest("two");
    session.event(from, "changed", |e| e["service"] == "api" && e["did"] == "recreated");
    assert_eq!(lab.states(), ["api running", "worker exited"]);
    let from = session.mark();
    lab.ok(&["up", "-d", "--scale", "api=2"]);
    let told = session.event(from, "elsewhere", |e| e["changes"]["api"].is_string());
    assert_eq!(
        (&told["changes"]["api"], &told["changes"]["worker"]),
        (&"scaled-up".into(), &"started".into()),
        "{told}"
    );
    session.interrupt();
}

/// `timeout` sends its signal twice.
#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_signal_that_comes_twice_at_once_stops_gracefully() {
    let lab = Lab::new();
    lab.manifest(
        "services:\n  a:\n    image: hob-test/busybox:1\n    network_mode: none\n    command: sh -c \"trap 'sleep 0.5; exit 7' \
         TERM; while :; do sleep 0.05; done\"\n",
    );
    let mut session = json(&lab, &["up"]);
    session.event(0, "ready", |_| true);
    session.signal(Signal::SIGTERM);
    std::thread::sleep(std::time::Duration::from_millis(20));
    session.signal(Signal::SIGTERM);
    assert_eq!(session.end(), 143, "{}", session.text());
    assert_eq!(lab.inspect("a")["State"]["ExitCode"], 7);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_second_up_waits_for_the_plan_of_the_first_and_says_so() {
    let lab = Lab::new();
    // It does not stop by itself, so the recreation hangs there for as long as we like.
    let manifest = |mode: &str| {
        format!(
            "services:\n  a:\n    image: hob-test/busybox:1\n    network_mode: none\n    stop_grace_period: 10m\n    \
             command: sh -c \"trap 'touch /asked' TERM; while :; do sleep 0.05; done\"\n    environment: {{MODE: {mode}}}\n"
        )
    };
    lab.manifest(&manifest("one"));
    lab.ok(&["up", "-d"]);
    let old = lab.id("a");
    lab.manifest(&manifest("two"));
    let mut first = lab.start(&["up", "-d"]);
    first.says(0, "stop container");
    let mut second = lab.start(&["up", "-d"]);
    second.says(
        0,
        &format!("waiting for `hob up -d` (process {}), which is changing project {}", first.pid(), lab.project),
    );
    // A wait can be given up, and `kill` is there to end what takes too long.
    second.signal(Signal::SIGINT);
    second.end();
    let mut second = lab.start(&["up", "-d"]);
    second.says(0, "waiting for");
    until(|| if lab.containers().len() == 2 { Ok(()) } else { Err(format!("{:?}", lab.containers())) });
    engine::request("POST", &format!("/containers/{old}/kill"), "").unwrap();
    assert_eq!((first.end(), second.end()), (0, 0), "{}\n{}", first.text(), second.text());
    assert!(second.text().contains("nothing to do"), "{}", second.text());
    assert_eq!((lab.states(), lab.exec("a", "echo $MODE")), (vec!["a running".to_owned()], "two".to_owned()));
    lab.ok(&["kill"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_plan_that_waits_for_health_keeps_nobody_out() {
    let lab = Lab::new();
    lab.manifest(&format!(
        "services:\n{}    healthcheck: {{test: [CMD, test, -e, /ready], interval: 100ms, retries: 1000}}\n{}    depends_on:\n      \
         db: {{condition: service_healthy}}\n{}",
        idle("db"),
        idle("api"),
        idle("other")
    ));
    let mut session = lab.start(&["up", "-d"]);
    session.says(0, "its health check has not passed yet");
    until(|| if lab.states().contains(&"other running".to_owned()) { Ok(()) } else { Err("not yet".into()) });
    let before = lab.started("other");
    lab.ok(&["restart", "other"]);
    assert_ne!(lab.started("other"), before);
    lab.exec("db", "touch /ready");
    assert_eq!(session.end(), 0, "{}", session.text());
    assert_eq!(lab.states(), ["api running", "db running", "other running"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn two_sessions_share_the_services_and_one_puts_saves_in() {
    let lab = Lab::new();
    lab.dockerfile("Dockerfile", "COPY text /\nCMD [\"sh\", \"-c\", \"cat /text; exec sleep 3600\"]\n");
    lab.write("text", "one\n");
    lab.manifest(&format!(
        "services:\n  a:\n    build: .\n    network_mode: none\n    stop_signal: SIGKILL\n{}",
        idle("b")
    ));
    let mut first = json(&lab, &["up"]);
    first.event(0, "watching", |_| true);
    let mut second = json(&lab, &["up"]);
    second.event(0, "notice", |e| {
        e["text"].as_str().is_some_and(|t| t.contains(&format!("`hob up` (process {}) watches a, b", first.pid())))
    });
    second.event(0, "ready", |_| true);
    lab.ends(&["watch"], 21).says(&["watches project", &first.pid().to_string()]);
    let from = second.mark();
    lab.write("text", "two\n");
    assert_eq!(first.reloaded(0, "a")["action"]["text"], "synced + restarted");
    second.log(from, "a", "two");

    // The first ends and stops all; the second ends where it is told to.
    first.signal(Signal::SIGINT);
    assert_eq!(first.end(), 130, "{}", first.text());
    if !second.is_over() {
        second.signal(Signal::SIGINT);
        second.end();
    }
    assert_eq!(lab.states(), ["a exited", "b exited"]);
}
