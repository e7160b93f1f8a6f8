//! What is shown of services, to whom, and until when.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use crate::lab::{Lab, idle, until};

/// A service that never stops writing.
fn loud(name: &str) -> String {
    format!(
        "  {name}:\n    image: hob-test/busybox:1\n    network_mode: none\n    stop_grace_period: 0s\n    \
         command: sh -c 'i=0; while :; do i=$$((i+1)); echo line $$i; sleep 0.01; done'\n"
    )
}

fn reader(lab: &Lab, args: &[&str]) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut command = lab.command(args);
    let mut hob = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let out = BufReader::new(hob.stdout.take().unwrap());
    (hob, out)
}

/// Runs hob with a reader that has gone after the first line: what it read, and how hob ended.
fn first_line(lab: &Lab, args: &[&str]) -> (String, i32) {
    let (mut hob, mut out) = reader(lab, args);
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    drop(out);
    let code = until(|| hob.try_wait().unwrap().ok_or_else(|| format!("{args:?} goes on")));
    (line.trim_end().to_owned(), code.code().unwrap())
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn it_ends_when_the_reader_has_gone() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}", loud("a")));
    let (line, code) = first_line(&lab, &["up"]);
    assert_eq!((line.starts_with("a-1  | line"), code), (true, 141), "{line}");
    assert_eq!(lab.states(), ["a running"], "services go on, as with Docker Compose");
    for args in [&["logs", "-f"][..], &["up", "--no-watch"]] {
        let (line, code) = first_line(&lab, args);
        assert_eq!((line.starts_with("a-1  | line"), code), (true, 141), "{args:?} {line}");
    }
    assert_eq!(first_line(&lab, &["exec", "-T", "a", "yes"]), ("y".to_owned(), 141));
    assert_eq!(first_line(&lab, &["run", "--rm", "-T", "a", "yes"]), ("y".to_owned(), 141));
    assert_eq!(lab.containers().len(), 1, "the container of `run --rm` is gone: {:?}", lab.containers());
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn without_a_terminal_it_ends_when_everything_has() {
    let lab = Lab::new();
    lab.dockerfile("Dockerfile", "COPY text /\nCMD [\"cat\", \"/text\"]\n");
    lab.write("text", "one");
    lab.manifest("services:\n  a:\n    build: .\n    network_mode: none\n");
    let done = lab.ok(&["up"]);
    assert_eq!(done.out, "a-1  | one\n", "{done}");
    let session = lab.start(&["up", "--watch"]);
    session.says(0, "all services have exited; a save starts them again");
    lab.write("text", "two");
    session.says(0, "a-1  | two");
    session.interrupt();
    assert_eq!(lab.ok(&["logs", "-f"]).out, "a-1  | two\n", "it ends when all containers have");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn no_line_is_lost_where_logs_are_rotated() {
    let lab = Lab::new();
    lab.manifest(
        "services:\n  a:\n    image: hob-test/busybox:1\n    network_mode: none\n    \
         logging: {driver: json-file, options: {max-size: 20k, max-file: \"2\"}}\n    \
         command: sh -c 'seq 1 8000; seq 8001 9000 >&2'\n",
    );
    let done = lab.ok(&["up", "--no-log-prefix"]);
    let numbers = |text: &str| text.lines().filter_map(|line| line.parse().ok()).collect::<Vec<u32>>();
    assert_eq!(numbers(&done.out), (1..=8000).collect::<Vec<_>>());
    assert_eq!(numbers(&done.err), (8001..=9000).collect::<Vec<_>>(), "standard error is standard error");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn no_line_is_lost_in_a_crash_loop() {
    let lab = Lab::new();
    lab.manifest(
        "services:\n  a:\n    image: hob-test/busybox:1\n    network_mode: none\n    restart: on-failure:4\n    \
         volumes: [\"state:/state\"]\n    command: sh -c 'n=$$(($$(cat /state/n 2>/dev/null || echo 0) + 1)); echo $$n >/state/n; \
         echo up; seq 1 40 | while read i; do echo $$n $$i; done; exit 1'\nvolumes:\n  state:\n",
    );
    let done = lab.hob(&["up", "--no-log-prefix"]);
    let mut want = String::new();
    for run in 1..=5 {
        want += "up\n";
        (1..=40).for_each(|line| want += &format!("{run} {line}\n"));
    }
    assert_eq!(done.out, want, "{done}");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_line_without_an_end_is_shown_in_pieces() {
    let lab = Lab::new();
    lab.manifest(
        "services:\n  a:\n    image: hob-test/busybox:1\n    network_mode: none\n    stop_grace_period: 0s\n    \
         command: sh -c 'head -c 300000 /dev/zero | tr \"\\0\" x; sleep 1000'\n",
    );
    let (mut hob, mut out) = reader(&lab, &["up", "--no-log-prefix"]);
    let mut piece = String::new();
    out.read_line(&mut piece).unwrap();
    assert_eq!(piece.trim_end(), "x".repeat(64 * 1024), "it is shown though it goes on");
    drop(out);
    until(|| hob.try_wait().unwrap().ok_or_else(|| "it goes on".to_owned()));
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn the_output_of_a_command_that_follows_a_save_is_shown() {
    let lab = Lab::new();
    lab.write("text", "one");
    lab.manifest(&format!(
        "services:\n{}    develop:\n      watch:\n        - path: text\n          target: /text\n          \
         action: sync+exec\n          exec: {{command: sh -c 'echo it says; cat /text >&2; exit $$(cat /text)'}}\n",
        idle("a")
    ));
    let session = lab.start(&["up", "--progress", "json"]);
    session.event(0, "watching", |_| true);
    lab.write("text", "0");
    session.event(0, "log", |e| e["line"] == "it says" && e["stream"] == "stdout");
    session.event(0, "log", |e| e["line"] == "0" && e["stream"] == "stderr");
    assert_eq!(session.reloaded(0, "a")["action"]["text"], "synced + command run");
    let from = session.mark();
    lab.write("text", "7");
    let failed = session.event(from, "reloaded", |e| e["error"].is_object());
    assert!(failed["error"]["text"].as_str().unwrap().ends_with("exited with 7"), "{failed}");
    session.interrupt();
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn logs_leave_out_what_is_not_to_be_attached_to() {
    let lab = Lab::new();
    let echo = |name: &str| {
        format!("  {name}:\n    image: hob-test/busybox:1\n    network_mode: none\n    command: echo from {name}\n")
    };
    lab.manifest(&format!("services:\n{}{}    attach: false\n", echo("a"), echo("b")));
    assert_eq!(lab.ok(&["up"]).out, "a-1  | from a\n");
    assert_eq!(lab.ok(&["logs"]).out, "a-1  | from a\n");
    assert_eq!(lab.ok(&["logs", "b"]).out, "b-1  | from b\n");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn what_fails_is_said_once_and_last() {
    let lab = Lab::new();
    let done = lab.ends(&["-f", "nope.yaml", "up"], 14);
    assert_eq!(done.err.matches("nope.yaml").count(), 1, "{done}");
    lab.dockerfile("Dockerfile", "RUNN x\n");
    lab.manifest("services:\n  a:\n    build: .\n  b:\n    build: .\n    command: b\n");
    let done = lab.hob(&["up", "-d"]);
    assert_eq!(done.err.matches("unknown instruction RUNN").count(), 1, "{done}");
    done.says(&["a, b: unknown instruction RUNN", "--> Dockerfile:3:1"]);
    // One that works is recreated in one line; one that fails is told of once, and at the end who was left out.
    lab.dockerfile("Dockerfile", "RUN exit 3\n");
    lab.manifest(&format!("services:\n  a:\n    build: .\n    network_mode: none\n{}    depends_on: [a]\n", idle("b")));
    let done = lab.ends(&["up", "-d"], 17);
    assert_eq!(done.err.matches("exit code: 3").count(), 1, "{done}");
    assert!(done.err.trim_end().ends_with("failed: a; left as it is: b"), "{done}");
    lab.manifest(&format!("services:\n{}", idle("b")));
    lab.ok(&["up", "-d"]);
    lab.manifest(&format!("services:\n{}    environment: {{NEW: \"1\"}}\n", idle("b")));
    let done = lab.ok(&["up", "-d"]);
    let lines: Vec<&str> = done.err.lines().filter(|line| line.starts_with("b ")).collect();
    assert_eq!(lines.len(), 1, "{done}");
    assert!(lines[0].contains("recreated (environment.NEW changed) in "), "{done}");
    lab.ok(&["up", "-d", "--force-recreate", "--verbose"]).says(&["create container", "stop container"]);
}
