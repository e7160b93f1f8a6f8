//! The manifest's language as it shows at the command line and on the engine.

use std::process::Command;

use crate::lab::{Lab, idle};

/// What would take for ever is an error, or is done at once.
#[test]
fn no_input_holds_hob_up() {
    let lab = Lab::without_engine();
    let pipe = lab.dir.join("devenv.yaml");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    lab.ends(&["config"], 14).says(&["it is a pipe", "devenv.yaml"]);
    std::fs::remove_file(&pipe).unwrap();
    lab.manifest(&format!("services:\n{}    env_file: /dev/zero\n", idle("a")));
    lab.ends(&["config"], 14).says(&["it is a device", "devenv.yaml:"]);
    lab.manifest(&format!("services:\n{}    env_file: /dev/null\n", idle("a")));
    lab.ok(&["config", "-q"]);
    let includes = |level: usize| format!("include: [l{level}a.yaml, l{level}b.yaml]\n");
    lab.manifest(&includes(0));
    for level in 0..20 {
        for side in ["a", "b"] {
            let next = if level < 19 { includes(level + 1) } else { String::new() };
            lab.write(
                &format!("l{level}{side}.yaml"),
                &format!("{next}services:\n{}", idle(&format!("s{level}{side}"))),
            );
        }
    }
    assert_eq!(lab.ok(&["config", "--services"]).out.lines().count(), 40);
    lab.write("big.yaml", &"#".repeat((16 << 20) + 1));
    lab.ends(&["-f", "big.yaml", "config"], 14).says(&["too large", "16 MB", "big.yaml"]);
}

/// Patterns of an ignore file and of `COPY` that a matcher with backtracking needs years for.
#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn patterns_with_many_wildcards_are_matched_at_once() {
    let lab = Lab::new();
    let name = "a".repeat(200);
    lab.write(&format!("d/{name}"), "x\n");
    lab.write(".dockerignore", &format!("d/{}b\n", "a*".repeat(60)));
    let wild = "a*".repeat(60);
    lab.dockerfile("Dockerfile", &format!("COPY d/{wild} /x/\nCMD sleep 3600\n"));
    lab.manifest("services:\n  a:\n    build: .\n    stop_signal: SIGKILL\n    network_mode: none\n");
    lab.ok(&["up", "-d"]);
    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
    // Expansions that nest without an end name their place; the stack holds.
    lab.dockerfile("Dockerfile", &format!("ARG A=1\nWORKDIR /{}\n", "${A:-".repeat(50_000)));
    lab.ends(&["up", "-d"], 17).says(&["nested more than 100 levels deep", "Dockerfile:4"]);
    lab.ok(&["down", "--rmi", "local", "-t", "0"]);
}

/// A command is not in the way of what it does not use.
#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn only_what_a_command_uses_is_checked() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}", idle("other")));
    lab.ok(&["up", "-d"]);
    lab.manifest(&format!(
        "services:\n{}{}    container_name: {2}-same\n{3}    container_name: {2}-same\n    env_file: [missing.env]\n",
        idle("other"),
        idle("a"),
        lab.project,
        idle("b"),
    ));
    lab.ok(&["ps"]).says(&["other"]);
    lab.ok(&["logs"]);
    assert_eq!(lab.ok(&["config", "--services"]).out.lines().count(), 3);
    lab.ok(&["up", "-d", "other"]).says(&["nothing to do"]);
    lab.ok(&["stop", "-t", "0"]);
    lab.ends(&["up", "-d"], 15).says(&["missing.env", "is taken by a"]);
    lab.ok(&["down", "-t", "0"]);
    assert!(lab.containers().is_empty());
}

/// What the engine would refuse after builds and pulls is found before.
#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn late_errors_come_early() {
    let lab = Lab::new();
    let broken = |line: &str| lab.manifest(&format!("services:\n{}    {line}\n", idle("a")));
    broken("restart: allways");
    lab.ends(&["up", "-d"], 15).says(&["devenv.yaml:7:14", "did you mean `always`?"]);
    lab.ok(&["config", "-q"]);
    lab.manifest("services:\n  a:\n    image: Not/AnImage\n");
    lab.ends(&["up", "-d"], 15).says(&["devenv.yaml:3:12", "small letters"]);
    broken("volumes: ['./app.conf:/etc/app.conf', './data:/data']");
    lab.ends(&["up", "-d"], 14).says(&["app.conf is not there", "devenv.yaml:7:"]);
    assert!(!lab.dir.join("app.conf").exists() && lab.containers().is_empty());
    lab.write("app.conf", "x\n");
    lab.ok(&["up", "-d"]);
    assert!(lab.dir.join("data").is_dir(), "a folder is made");
    lab.ok(&["down", "-t", "0"]);
}

/// Links in the engine's bridge, and an address on an engine of any version.
#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn links_and_addresses_reach_the_container() {
    let lab = Lab::new();
    lab.manifest(
        "services:\n  db: {image: hob-test/busybox:1, command: sleep 3600, network_mode: bridge, stop_signal: SIGKILL}\n  \
         a: {image: hob-test/busybox:1, command: sleep 3600, network_mode: bridge, stop_signal: SIGKILL, links: ['db:base']}\n  \
         m: {image: hob-test/busybox:1, command: sleep 3600, stop_signal: SIGKILL, mac_address: '02:42:ac:11:00:77'}\n",
    );
    lab.ok(&["up", "-d"]);
    lab.ok(&["exec", "-T", "a", "grep", "-w", "base", "/etc/hosts"]);
    lab.ok(&["exec", "-T", "m", "ip", "addr"]).says(&["02:42:ac:11:00:77"]);
    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
    lab.ok(&["down", "-t", "0"]);
}

/// Compose's variables that change what a command does.
#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn variables_of_compose_are_read() {
    let mut lab = Lab::new();
    lab.manifest(&format!("services:\n{}{}", idle("a"), idle("b")));
    lab.ok(&["up", "-d"]);
    lab.manifest(&format!("services:\n{}", idle("a")));
    lab.ok(&["up", "-d"]).says(&["Found orphan containers", "--remove-orphans"]);
    lab.env.insert("COMPOSE_IGNORE_ORPHANS".into(), "true".into());
    lab.ok(&["up", "-d"]).silent_about(&["orphan"]);
    lab.ends(&["up", "-d", "--remove-orphans"], 2).says(&["COMPOSE_IGNORE_ORPHANS"]);
    lab.env.clear();
    lab.write(".env", "COMPOSE_REMOVE_ORPHANS=1\nCOMPOSE_PARALLEL_LIMIT=1\n");
    // The option is more than the variable, also where it says no.
    lab.ok(&["up", "-d", "--remove-orphans=false"]);
    assert_eq!(lab.containers().len(), 2);
    lab.ok(&["up", "-d"]);
    assert_eq!(lab.containers().len(), 1);
    lab.env.insert("COMPOSE_STATUS_STDOUT".into(), "1".into());
    let done = lab.ok(&["down", "-t", "0"]);
    assert!(done.err.is_empty() && !done.out.is_empty(), "{done}");
    // Errors, warnings and what a program writes to its standard error stay there.
    let wrong = lab.ends(&["up", "-d", "nothing"], 15);
    assert!(wrong.err.contains("nothing") && wrong.out.is_empty(), "{wrong}");
    let program = "services: {p: {image: hob-test/busybox:1, command: [sh, -c, 'echo out; echo err >&2']}}\n";
    lab.manifest(program);
    let shown = lab.ok(&["up", "--no-watch"]);
    assert!(shown.err.contains("| err") && !shown.err.contains("started"), "{shown}");
    assert!(shown.out.contains("| out") && shown.out.contains("started"), "{shown}");
    lab.ok(&["down", "-t", "0"]);
}
