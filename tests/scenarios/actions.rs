//! Commands that act on a project's containers: `pause`, `unpause`, `wait`, `scale` and `create`.

use crate::lab::{Lab, idle};

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn what_is_paused_is_frozen_until_it_is_unpaused() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}{}", idle("a"), idle("b")));
    assert_eq!(lab.ok(&["pause"]).out, "", "there is nothing to pause");
    lab.ok(&["up", "-d"]);
    lab.ok(&["pause", "--dry-run", "a"])
        .says(&[&format!("pause container {}-a-1", lab.project), "requested by `pause`"]);
    assert_eq!(lab.states(), ["a running", "b running"], "--dry-run does nothing");
    lab.ok(&["pause", "a"]).says(&["a  paused"]);
    assert_eq!(lab.states(), ["a paused", "b running"]);
    lab.ends(&["pause", "a"], 1).says(&["already paused"]);
    lab.ends(&["pause"], 1).says(&["already paused"]);
    assert_eq!(lab.states(), ["a paused", "b paused"], "one that is paused holds no other back");
    lab.ok(&["unpause", "b"]).says(&["b  unpaused"]);
    lab.ends(&["unpause"], 1).says(&["not paused"]);
    assert_eq!(lab.states(), ["a running", "b running"]);
    lab.ends(&["pause", "nothing"], 15).says(&["no such service: nothing"]);
    lab.ok(&["stop", "-t", "0", "a"]);
    lab.ok(&["pause", "a"]);
    assert_eq!(lab.states(), ["a exited", "b running"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn wait_ends_with_the_code_of_the_last_container() {
    let lab = Lab::new();
    let job = |name: &str, command: &str| {
        format!("  {name}:\n    image: hob-test/busybox:1\n    network_mode: none\n    command: sh -c '{command}'\n")
    };
    let until = |file: &str, code: u8| format!("while [ ! -e /{file} ]; do sleep 0.05; done; exit {code}");
    lab.manifest(&format!("services:\n{}{}{}", job("fast", &until("go", 3)), job("slow", &until("go", 5)), idle("a")));
    lab.ends(&["wait", "fast"], 1).says(&[&format!("no containers for project \"{}\"", lab.project)]);
    lab.ok(&["up", "-d"]);
    let (fast, slow) = (lab.id("fast"), lab.id("slow"));
    let line = |id: &str, code: u8| format!("container \"{id}\" exited with status code {code}");
    // By the engine's clock the second one ends after the first has been told.
    let mut session = lab.start(&["wait", "slow", "fast"]);
    lab.ok(&["exec", "-T", "fast", "touch", "/go"]);
    session.says(0, &line(&fast, 3));
    lab.ok(&["exec", "-T", "slow", "touch", "/go"]);
    assert_eq!(session.end(), 5);
    assert_eq!(session.lines(), [line(&fast, 3), line(&slow, 5)]);

    lab.ends(&["wait"], 2);
    lab.ends(&["wait", "nothing"], 15).says(&["no such service: nothing"]);
    lab.ok(&["up", "-d", "--force-recreate", "fast"]);
    let mut session = lab.start(&["wait", "--down-project", "fast"]);
    lab.ok(&["exec", "-T", "fast", "touch", "/go"]);
    assert_eq!(session.end(), 3);
    assert_eq!(lab.states(), [""; 0], "the project is down");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn scale_adds_and_removes_containers_and_starts_what_they_need() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}{}    depends_on: [db]\n{}", idle("db"), idle("a"), idle("other")));
    lab.ok(&["scale", "a=2"]);
    assert_eq!(lab.states(), ["a running", "a running", "db running"]);
    let ids: Vec<String> = lab.containers().into_iter().map(|c| c.id).collect();
    lab.ok(&["scale", "--dry-run", "a=3"]).says(&[&format!("create container {}-a-3", lab.project), "scaled to 3"]);
    assert_eq!(lab.containers().len(), 3, "--dry-run does nothing");
    lab.ok(&["scale", "--no-deps", "a=1", "other=2"]);
    assert_eq!(lab.states(), ["a running", "db running", "other running", "other running"]);
    assert!(lab.containers().iter().filter(|c| c.service != "other").all(|c| ids.contains(&c.id)), "none is made anew");
    lab.ok(&["scale", "a=0"]);
    assert_eq!(lab.states(), ["db running", "other running", "other running"]);
    lab.ends(&["scale"], 2);
    lab.ends(&["scale", "a"], 2).says(&["SERVICE=NUM"]);
    lab.ends(&["scale", "a=-1"], 2).says(&["SERVICE=NUM"]);
    lab.ends(&["scale", "nothing=1"], 15).says(&["no such service: nothing"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn create_makes_containers_and_starts_none() {
    let lab = Lab::new();
    lab.dockerfile("Dockerfile", "CMD [\"sleep\", \"3600\"]\n");
    lab.manifest(&format!(
        "services:\n{}{}    depends_on: [db]\n  built:\n    build: .\n    network_mode: none\n",
        idle("db"),
        idle("a")
    ));
    lab.ends(&["create", "--no-build", "built"], 15);
    lab.ok(&["create", "--dry-run"]).says(&["create container", "build built"]);
    assert_eq!(lab.states(), [""; 0], "--dry-run does nothing");
    lab.ok(&["create", "--quiet-pull", "--pull", "build", "-y", "--scale", "a=2", "a"]);
    assert_eq!(lab.states(), ["a created", "a created", "db created"]);
    lab.ok(&["create", "--build"]);
    assert_eq!(lab.states(), ["a created", "built created", "db created"]);
    let id = lab.id("a");
    lab.ok(&["create", "a"]);
    assert_eq!(lab.id("a"), id, "what is there stays");
    lab.ok(&["create", "--force-recreate", "a"]);
    assert_ne!(lab.id("a"), id);
    lab.ok(&["start"]);
    assert_eq!(lab.states(), ["a running", "built running", "db running"]);
    lab.ok(&["create"]);
    assert_eq!(lab.states(), ["a running", "built running", "db running"], "what runs goes on");
    lab.ends(&["create", "--pull", "policy"], 2);
    lab.ends(&["create", "--build", "--no-build"], 2);
}
