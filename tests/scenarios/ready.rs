//! What "ready" means: it lives, and it answers.

use crate::lab::{Lab, free_port, idle};

/// A one-shot and a program that fails soon are judged the same every time, whenever they are looked at.
#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn wait_is_decided_by_how_long_a_program_lived() {
    let lab = Lab::new();
    for (command, code, says) in [
        ("'true'", 22, "once exited with 0 after"),
        ("sh -c 'sleep 0.3; exit 3'", 22, "once exited with 3 after"),
        ("sh -c 'sleep 1.3; exit 3'", 0, "once"),
    ] {
        lab.manifest(&format!("services:\n{}", idle("once").replace("sleep 3600", command)));
        lab.ends(&["up", "--wait"], code).says(&[says]);
        lab.ok(&["rm", "-f"]);
    }
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn what_nobody_answers_on_is_no_url() {
    let lab = Lab::new();
    let (good, bad) = (free_port(), free_port());
    let serves = |name: &str, at: &str, port: u16| {
        format!(
            "  {name}:\n    image: hob-test/busybox:1\n    stop_signal: SIGKILL\n    ports: ['127.0.0.1:{port}:8000']\n    \
             command: [sh, -c, 'while :; do nc -l -p {at} -e sleep 1; done']\n"
        )
    };
    lab.manifest(&format!("services:\n{}{}", serves("good", "8000", good), serves("bad", "5000", bad)));
    let session = lab.start(&["up", "--no-watch"]);
    session.says(0, "ready: 1 of 2 services");
    session.says(0, "nothing listens on 8000; in the container the program listens on");
    session.says(0, ":5000");
    session.says(0, &format!("http://localhost:{good}"));
    assert!(!session.text().contains(&format!("http://localhost:{bad}")), "{}", session.text());
    session.interrupt();
    lab.ok(&["up", "-d", "bad"]).says(&["up: 1 service", "nothing answers yet"]);
}
