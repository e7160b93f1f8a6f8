//! What breaks in the middle, and what puts it right.

use nix::sys::signal::Signal;

use crate::lab::{Lab, Proxy, Rule, idle, until};

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_hob_that_is_killed_leaves_what_the_next_up_mends() {
    let lab = Lab::new();
    lab.manifest(&format!(
        "services:\n{}    healthcheck: {{test: [CMD, test, -e, /ready], interval: 100ms, retries: 1000}}\n{}    depends_on:\n      \
         db: {{condition: service_healthy}}\n",
        idle("db"),
        idle("api")
    ));
    let mut session = lab.start(&["up", "-d"]);
    session.says(0, "its health check has not passed yet");
    session.signal(Signal::SIGKILL);
    session.end();
    assert!(!lab.states().contains(&"api running".to_owned()));
    let db = lab.id("db");
    lab.exec("db", "touch /ready");
    lab.ok(&["up", "-d"]);
    assert_eq!((lab.id("db"), lab.states()), (db, vec!["api running".to_owned(), "db running".to_owned()]));
    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
}

fn changed(lab: &Lab, mode: &str) {
    lab.manifest(&format!("services:\n{}    environment: {{MODE: {mode}}}\n    volumes: [/data]\n", idle("a")));
}

/// The engine goes away at each step of a recreation in turn; each time the next up leaves one right container.
#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn an_interrupted_recreation_is_mended() {
    let mut lab = Lab::new();
    changed(&lab, "first");
    lab.ok(&["up", "-d"]);
    lab.exec("a", "echo kept >/data/file");
    let steps: [&'static [&'static str]; 5] = [
        &["POST", "/containers/create"],
        &["POST", "/stop"],
        &["DELETE", "/containers/"],
        &["POST", "/rename"],
        &["POST", "/start"],
    ];
    for (number, words) in steps.into_iter().enumerate() {
        let proxy = Proxy::start(lab.outside("proxy.sock"));
        proxy.rule(Rule::Cut(words));
        changed(&lab, &number.to_string());
        let own = lab.env.insert("DOCKER_HOST".into(), proxy.host());
        let done = lab.ends(&["up", "-d"], 20);
        done.says(&["hob up"]);
        assert!(done.err.contains("connection") || done.err.contains("engine"), "{words:?}: {done}");
        assert!(own.is_none());
        lab.env.remove("DOCKER_HOST");
        drop(proxy);
        let mended = lab.ok(&["up", "-d"]);
        let all = lab.containers();
        assert_eq!(all.len(), 1, "{words:?}: {all:?} {mended}");
        assert_eq!(
            (all[0].name.as_str(), all[0].state.as_str()),
            (format!("{}-a-1", lab.project).as_str(), "running"),
            "{words:?}"
        );
        assert_eq!(lab.exec("a", "echo $MODE; cat /data/file"), format!("{number}\nkept"), "{words:?}: {mended}");
        lab.ok(&["up", "-d"]).says(&["nothing to do"]);
    }
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_killed_recreation_is_mended() {
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
    let mut session = lab.start(&["up", "-d", "--verbose"]);
    session.says(0, "stop container");
    until(|| if lab.containers().len() == 2 { Ok(()) } else { Err(format!("{:?}", lab.containers())) });
    session.signal(Signal::SIGKILL);
    session.end();
    crate::lab::engine::request("POST", &format!("/containers/{old}/kill"), "").unwrap();
    lab.ok(&["up", "-d", "-t", "0"]);
    assert_eq!((lab.states(), lab.exec("a", "echo $MODE")), (vec!["a running".to_owned()], "two".to_owned()));
    lab.ok(&["kill"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_watching_session_survives_the_engine_and_comes_back() {
    let mut lab = Lab::new();
    let proxy = Proxy::start(lab.outside("proxy.sock"));
    lab.dockerfile("Dockerfile", "COPY text /\nCMD [\"sh\", \"-c\", \"cat /text; exec sleep 3600\"]\n");
    lab.write("text", "one\n");
    lab.manifest("services:\n  a:\n    build: .\n    network_mode: none\n");
    lab.env.insert("DOCKER_HOST".into(), proxy.host());
    let mut session = lab.start(&["--progress", "json", "up"]);
    session.event(0, "watching", |_| true);
    session.log(0, "a", "one");
    let id = lab.id("a");
    let from = session.mark();
    proxy.cut();
    session.event(from, "error", |e| {
        e["text"].as_str().is_some_and(|text| text.contains("lost the connection to the engine"))
    });
    assert!(!session.is_over());
    let from = session.mark();
    // Saved meanwhile: the container still runs, and is synced as ever.
    lab.write("text", "two\n");
    proxy.open();
    session.says(from, "the engine is back");
    session.log(from, "a", "two");
    let event = session.reloaded(from, "a");
    assert_eq!(event["action"]["text"], "synced + restarted", "{event}");
    let from = session.mark();
    lab.write("text", "three\n");
    session.log(from, "a", "three");
    assert_eq!(lab.id("a"), id, "still the same container");
    let ones = session.events().iter().filter(|e| e["type"] == "log" && e["line"] == "one").count();
    assert_eq!(ones, 1, "no line is shown again");
    session.interrupt();
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn what_was_removed_behind_its_back_comes_again() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}{}", idle("a"), idle("b").replace("    network_mode: none\n", "")));
    lab.ok(&["up", "-d"]);
    let a = lab.id("a");
    crate::lab::engine::delete(&format!("/containers/{}?force=1", lab.id("b")));
    crate::lab::engine::delete(&format!("/networks/{}_default", lab.project));
    lab.ok(&["up", "-d"]).says(&["create network", "it has no container"]);
    assert_eq!((lab.id("a"), lab.states()), (a, vec!["a running".to_owned(), "b running".to_owned()]));
}
