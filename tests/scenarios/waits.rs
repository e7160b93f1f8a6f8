//! Waits: one that may never end holds back nobody else, and every one has an end.

use std::fs;
use std::os::unix::fs::FileExt as _;

use nix::sys::signal::Signal;

use crate::lab::{Lab, engine, idle};

/// A service that prints its text; a save of it is synced.
fn printing(lab: &Lab, name: &str) -> String {
    lab.dockerfile(&format!("{name}/Dockerfile"), "COPY app /app\nCMD [\"sh\", \"/app/run\"]\n");
    lab.write(&format!("{name}/app/text"), "one\n");
    lab.write(&format!("{name}/app/run"), "cat /app/text; exec sleep 3600\n");
    format!("  {name}:\n    build: ./{name}\n    network_mode: none\n    stop_signal: SIGKILL\n")
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_service_that_is_not_healthy_holds_back_no_save() {
    let lab = Lab::new();
    let check = "    healthcheck: {test: [CMD, test, -e, /ready], interval: 100ms, retries: 100000}\n";
    let needs = "    depends_on: {db: {condition: service_healthy}}\n";
    lab.manifest(&format!("services:\n{}{check}{}{needs}{}", printing(&lab, "db"), idle("api"), printing(&lab, "web")));
    let session = lab.start(&["--progress", "json", "up", "--no-catch-up"]);
    session.event(0, "step-held", |_| true);
    session.event(0, "watching", |_| true);
    for (service, text) in [("web", "two"), ("db", "three")] {
        let from = session.mark();
        lab.write(&format!("{service}/app/text"), &format!("{text}\n"));
        assert_eq!(session.reloaded(from, service)["action"]["text"], "synced + restarted");
        session.log(from, service, text);
    }
    // What is waited for is made anew, and is waited for as before.
    let from = session.mark();
    lab.dockerfile("db/Dockerfile", "RUN true\nCOPY app /app\nCMD [\"sh\", \"/app/run\"]\n");
    assert_eq!(session.reloaded(from, "db")["action"]["text"], "rebuilt + recreated");
    assert!(!lab.states().contains(&"api running".to_owned()), "{:?}", lab.states());
    lab.exec("db", "touch /ready");
    session.event(from, "ready", |_| true);
    assert_eq!(lab.states(), ["api running", "db running", "web running"]);
    session.interrupt();
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn what_does_not_answer_has_an_end() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}", printing(&lab, "web")));
    let session = lab.start(&["--progress", "json", "up", "--no-catch-up"]);
    session.event(0, "watching", |_| true);
    let from = session.mark();
    lab.write("web/app/text", "two\n");
    session.log(from, "web", "two");

    // Paused: said, and done when it goes on.
    let id = lab.id("web");
    engine::request("POST", &format!("/containers/{id}/pause"), "").unwrap();
    let from = session.mark();
    lab.write("web/app/text", "three\n");
    let error = &session.reloaded(from, "web")["error"]["text"];
    assert_eq!(error, "web is paused; it is brought up to date once it goes on");
    let from = session.mark();
    engine::request("POST", &format!("/containers/{id}/unpause"), "").unwrap();
    session.reloaded(from, "web");
    session.log(from, "web", "three");
    assert_eq!(lab.id("web"), id);

    // Its agent is stopped: said, and no reason not to end.
    let pids = "ps -o pid,args | awk '/agent serve/ && !/awk/ {print $1}'";
    lab.exec("web", &format!("kill -STOP $({pids})"));
    let from = session.mark();
    lab.write("web/app/text", "four\n");
    session.says(from, "web: waiting for its");
    session.interrupt();
    assert_eq!(lab.states(), ["web exited"]);
}

/// An engine that accepts and says nothing, as one that was stopped does.
#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn an_engine_that_hangs_does_not_hold_the_end() {
    let mut lab = Lab::new();
    lab.manifest(&format!("services:\n{}", idle("a")));
    let proxy = crate::lab::Proxy::start(lab.outside("proxy.sock"));
    lab.env.insert("DOCKER_HOST".into(), proxy.host());
    let mut session = lab.start(&["up"]);
    session.says(0, "ready: 1 service");
    proxy.rule(crate::lab::Rule::Hang(&[""]));
    session.signal(Signal::SIGINT);
    assert_eq!(session.end(), 20, "{}", session.text());
    assert!(session.text().contains("does not answer; services may still run"), "{}", session.text());
    lab.env.remove("DOCKER_HOST");
    lab.ok(&["down", "-t", "0"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_large_file_is_synced_piece_by_piece() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}{}", printing(&lab, "big"), printing(&lab, "web")));
    let session = lab.start(&["--progress", "json", "up", "--no-catch-up"]);
    session.event(0, "watching", |_| true);
    let most = || {
        let status = fs::read_to_string(format!("/proc/{}/status", session.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    };
    let before = most();
    let from = session.mark();
    let file = fs::File::create(lab.dir.join("big/app/new")).unwrap();
    let size = 150 << 20;
    file.set_len(size).unwrap();
    file.write_all_at(b"the end", size - 7).unwrap();
    drop(file);
    session.event(from, "syncing", |event| event["service"] == "big");
    lab.write("web/app/text", "two\n");
    session.reloaded(from, "web");
    // The file may have been seen before it was complete.
    session.event(from, "reloaded", |event| {
        event["service"] == "big"
            && lab.exec("big", "stat -c %s /app/new; tail -c 7 /app/new") == format!("{size}\nthe end")
    });
    let grown = most() - before;
    assert!(grown < 64, "{grown} MB more than before");
    session.interrupt();
}
