//! What is remembered from one hob to the next: what containers hold, and what was done to them. And what the engine
//! remembers without any manifest.

use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::lab::{Lab, Session, free_port, idle, until};

const SERVER: &str = "CMD [\"sh\", \"-c\", \"cat /text; exec sleep 3600\"]\n";

fn hot(lab: &Lab) {
    lab.dockerfile("Dockerfile", &format!("COPY text /\n{SERVER}"));
    lab.write("text", "one\n");
    lab.manifest("services:\n  a:\n    build: .\n    network_mode: none\n    stop_signal: SIGKILL\n");
}

fn saved(lab: &Lab, session: &Session, text: &str) {
    let from = session.mark();
    lab.write("text", text);
    assert_eq!(session.reloaded(from, "a")["action"]["text"], "synced + restarted");
    assert_eq!(lab.exec("a", "cat /text"), text.trim());
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn what_was_synced_is_left_by_the_next_up_for_what_it_is() {
    let mut lab = Lab::new();
    hot(&lab);
    lab.ok(&["up", "-d"]);
    let built = lab.id("a");
    let mut session = lab.start(&["--progress", "json", "watch"]);
    session.event(0, "watching", |_| true);
    saved(&lab, &session, "two\n");

    // Beside the session and after it: the same container, and everybody says so.
    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
    lab.ok(&["why", "a"]).says(&["`hob up` would do nothing", "synced + restarted (text)"]);
    session.signal(Signal::SIGINT);
    session.end();
    lab.ok(&["up", "--dry-run"]).says(&["nothing to do"]);
    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
    lab.ok(&["stop"]);
    lab.ok(&["up", "-d"]);
    assert_eq!((lab.id("a"), lab.exec("a", "cat /text")), (built.clone(), "two".to_owned()));
    // Names that people know, whatever was built meanwhile.
    let shown = lab.ok(&["ps"]);
    shown.says(&[&format!("{}-a", lab.project), "\"sh -c"]).silent_about(&["sha256:", "/.hob/agent", "hob-build"]);

    // The files are again what the container was made of, and it holds something else.
    lab.write("text", "one\n");
    lab.ok(&["up", "-d"]).says(&["text changed"]);
    let again = lab.id("a");
    assert_ne!(again, built);
    assert_eq!(lab.exec("a", "cat /text"), "one");
    // A clean one, for whoever asks.
    lab.ok(&["up", "-d", "--force-recreate"]);
    let forced = lab.id("a");
    assert_ne!(forced, again);

    // Another user's hob knows nothing of what was synced, and believes nobody.
    lab.env.insert("HOB_CACHE_DIR".into(), lab.outside("another").display().to_string());
    lab.ok(&["up", "-d"]);
    assert_ne!(lab.id("a"), forced);
    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
    lab.ok(&["why", "--history", "a"])
        .says(&["recreated, because it is not known which version of the files is in it"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn what_a_killed_session_was_doing_is_not_believed() {
    let lab = Lab::new();
    hot(&lab);
    let mut session = lab.start(&["--progress", "json", "up"]);
    session.event(0, "watching", |_| true);
    // The agent hangs in the middle of a sync.
    let pids = lab.exec("a", "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -q '[a]gent serve' && echo ${p#/proc/}; done; true");
    for pid in pids.split_whitespace() {
        lab.exec("a", &format!("kill -STOP {pid}"));
    }
    lab.write("text", "two\n");
    let notes = lab.outside("cache").join("contents");
    until(|| {
        let note = std::fs::read_dir(&notes).unwrap().next().unwrap().unwrap();
        let text = std::fs::read_to_string(note.path()).unwrap();
        if text.starts_with("syncing") { Ok(()) } else { Err(text) }
    });
    session.signal(Signal::SIGKILL);
    session.end();
    lab.write("text", "one\n");
    let before = lab.id("a");
    lab.ok(&["up", "-d"]);
    assert_ne!(lab.id("a"), before);
    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn why_tells_what_was_done_and_a_new_address_is_said() {
    let lab = Lab::new();
    let (first, second) = (free_port(), free_port());
    let manifest = |port: u16| {
        lab.manifest(&format!(
            "services:\n  a:\n    image: hob-test/busybox:1\n    command: httpd -f -p 80\n    stop_signal: SIGKILL\n    \
             environment: {{MODE: \"${{MODE}}\", OTHER: same}}\n    ports: [\"127.0.0.1:{port}:80\"]\n"
        ));
    };
    lab.write(".env", "MODE=one\n");
    manifest(first);
    let session = lab.start(&["--progress", "json", "up", "--watch"]);
    session.event(0, "ready", |_| true);
    session.event(0, "url", |e| e["url"] == format!("http://localhost:{first}"));
    let from = session.mark();
    lab.write(".env", "MODE=two\n");
    session.event(from, "changed", |e| e["did"] == "recreated" && e["reason"]["text"] == "environment.MODE changed");
    manifest(second);
    session.event(from, "changed", |e| e["reason"]["text"] == "ports changed");
    session.event(from, "url", |e| e["url"] == format!("http://localhost:{second}"));
    session.interrupt();
    lab.ok(&["restart", "a"]);
    let why = lab.ok(&["why", "a"]);
    why.says(&[
        "created, because it has no container [hob up]",
        "recreated, because environment.MODE changed [hob up]",
        "recreated, because ports changed [hob up]",
        "restarted, because requested by `restart` [hob restart a]",
    ]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_dockerfile_that_ends_hot_sync_says_so() {
    let lab = Lab::new();
    hot(&lab);
    let session = lab.start(&["--progress", "json", "up"]);
    session.event(0, "watching", |_| true);
    let from = session.mark();
    lab.dockerfile("Dockerfile", &format!("COPY text /\nRUN cat /text >/made\n{SERVER}"));
    session.event(from, "notice", |e| e["text"].as_str().is_some_and(|text| text.starts_with("a: hot sync is off")));
    let event = session.reloaded(from, "a");
    assert_eq!(
        (&event["action"]["text"], &event["reason"]["text"]),
        (&json!("rebuilt + recreated"), &json!("Dockerfile changed"))
    );
    let from = session.mark();
    lab.dockerfile("Dockerfile", &format!("COPY text /\n{SERVER}"));
    session.event(from, "notice", |e| e["text"].as_str().is_some_and(|text| text.starts_with("a: hot sync is on")));
    session.interrupt();
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_project_is_known_by_its_name_where_no_manifest_is() {
    let lab = Lab::new();
    lab.manifest(&format!(
        "services:\n{}    volumes: [\"data:/data\"]\n{}    depends_on: [db]\nvolumes:\n  data:\n",
        idle("db"),
        idle("api")
    ));
    lab.ok(&["up", "-d"]);
    let elsewhere = lab.outside("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let hob = |args: &[&str], code: i32| {
        let mut command: Command = lab.command(&[&["-p", &lab.project], args].concat());
        command.current_dir(&elsewhere);
        let done = crate::lab::run(command, "");
        assert_eq!(done.code, code, "{args:?}: {done}");
        done
    };
    assert_eq!(hob(&["ps", "--services"], 0).out, "api\ndb\n");
    assert_eq!(hob(&["exec", "-T", "api", "echo", "hello"], 0).out, "hello\n");
    hob(&["logs"], 0);
    hob(&["stop", "api"], 0);
    assert_eq!(lab.states(), ["api exited", "db running"]);
    hob(&["start"], 0);
    hob(&["restart", "db"], 0);
    hob(&["kill", "api"], 0);
    hob(&["rm", "-f"], 0);
    assert_eq!(lab.states(), ["db running"]);
    hob(&["stop", "nobody"], 15).says(&["no such service: nobody"]);
    hob(&["up", "-d"], 14);
    hob(&["down", "-v"], 0);
    assert_eq!((lab.states().len(), lab.names("volumes").len(), lab.names("networks").len()), (0, 0, 0));
    assert_eq!(hob(&["ps", "-q"], 0).out.trim(), "");
}
