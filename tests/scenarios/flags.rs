//! Flags of the program itself, which stand beside any command.

use crate::lab::{Lab, idle};

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_dry_run_changes_nothing() {
    let lab = Lab::new();
    lab.dockerfile("app/Dockerfile", "");
    lab.write("app/.git/HEAD", "");
    let built = "  built:\n    build: app\n    network_mode: none\n    init: true\n    command: sleep 3600\n    depends_on: [a]\n";
    lab.manifest(&format!("services:\n{}{built}", idle("a")));
    lab.ok(&["--dry-run", "up", "-d"]).says(&["create", "build"]);
    assert!(lab.containers().is_empty());
    lab.ok(&["up", "-d", "a"]);
    let before = (lab.states(), lab.started("a"), lab.id("a"), lab.names("networks"));
    let cases: [(&[&str], &str); 14] = [
        (&["up", "-d", "--force-recreate"], "create"),
        (&["watch"], "build"),
        (&["stop", "--dry-run"], "stop"),
        (&["restart", "a"], "restart"),
        (&["kill", "-s", "SIGTERM"], "SIGTERM"),
        (&["rm", "-fs"], "remove"),
        (&["down", "-v"], "remove"),
        (&["start"], "nothing to do"),
        (&["build", "--no-cache"], "build"),
        (&["pull", "a"], "pull"),
        (&["run", "--rm", "built", "touch", "/x"], "would run `touch /x` in a new container of built"),
        (&["exec", "a", "kill", "1"], "would run `kill 1` in "),
        (&["prune"], "would free"),
        (&["init", "--ignore"], "would leave out"),
    ];
    for (args, said) in cases {
        lab.ok(&[&["--dry-run"], args].concat()).says(&[said]);
    }
    assert_eq!((lab.states(), lab.started("a"), lab.id("a"), lab.names("networks")), before);
    assert!(!lab.dir.join("app/.dockerignore").exists());
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn names_may_be_those_of_docker_compose_1() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}volumes:\n  unused:\n", idle("a")));
    lab.ok(&["--compatibility", "--all-resources", "up", "-d"]);
    assert_eq!(lab.container("a").name, format!("{}_a_1", lab.project));
    assert_eq!(lab.names("volumes"), [format!("{}_unused", lab.project)]);
    let id = lab.id("a");
    // What runs is what is asked for, whatever it is called.
    lab.ok(&["up", "-d"]);
    assert_eq!(lab.id("a"), id);
    lab.ok(&["--all-resources", "down", "-v"]);
    assert!(lab.containers().is_empty() && lab.names("volumes").is_empty());
}
