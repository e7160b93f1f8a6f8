//! `up`: only what differs is touched, and the reason is said.

use std::fs;

use crate::lab::{Lab, engine, idle};

/// A service that is built from its own folder and prints its `text` whenever it starts.
fn printer(lab: &Lab, name: &str) -> String {
    lab.dockerfile(
        &format!("{name}/Dockerfile"),
        "COPY text /text\nCMD [\"sh\", \"-c\", \"cat /text; exec sleep 3600\"]\n",
    );
    lab.write(&format!("{name}/text"), &format!("{name} one\n"));
    format!("  {name}:\n    build: ./{name}\n    network_mode: none\n")
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_second_up_does_nothing_and_says_so() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}{}", idle("a"), idle("b")));
    lab.ok(&["up", "-d"]).says(&["a  started (it has no container)", "up: 2 services"]);
    let before = lab.containers();
    assert_eq!(lab.states(), ["a running", "b running"]);
    lab.ok(&["up", "-d"]).says(&["nothing to do: a and b are as they should be"]).silent_about(&["started"]);
    assert_eq!(before, lab.containers());
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn one_changed_key_recreates_one_service() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}{}", idle("a"), idle("b")));
    lab.ok(&["up", "-d"]);
    let (a, b) = (lab.id("a"), lab.container("b"));
    lab.manifest(&format!("services:\n{}    environment: {{MODE: other}}\n{}", idle("a"), idle("b")));
    lab.ok(&["up", "-d"]).says(&["environment.MODE changed", "unchanged: b"]).silent_about(&[&b.name]);
    assert_ne!(lab.id("a"), a);
    assert_eq!(lab.container("b"), b);
    assert_eq!(lab.exec("a", "echo $MODE"), "other");
    lab.ok(&["why", "a"]).says(&["environment.MODE changed"]);
    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn dependents_restart_only_where_depends_on_says_so() {
    let lab = Lab::new();
    let manifest = |mode: &str| {
        format!(
            "services:\n{}    environment: {{MODE: {mode}}}\n{}    depends_on:\n      db: {{condition: service_started, \
             restart: true}}\n{}    depends_on: [db]\n",
            idle("db"),
            idle("api"),
            idle("web")
        )
    };
    lab.manifest(&manifest("one"));
    lab.ok(&["up", "-d"]);
    let (api, web) = (lab.inspect("api"), lab.inspect("web"));
    lab.manifest(&manifest("two"));
    lab.ok(&["up", "-d"]).says(&["db is recreated or restarted"]);
    assert_eq!(lab.inspect("api")["Id"], api["Id"], "restarted, not recreated");
    assert_ne!(lab.started("api"), api["State"]["StartedAt"]);
    assert_eq!(lab.inspect("web")["State"], web["State"], "nobody asked for this one");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_changed_file_rebuilds_its_readers_and_one_put_back_nobody() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}{}", printer(&lab, "a"), printer(&lab, "b")));
    lab.ok(&["up", "-d"]).says(&["build a", "build b", "it was not built yet"]);
    let (a, b) = (lab.container("a"), lab.container("b"));

    lab.write("a/text", "a two\n");
    lab.ok(&["up", "-d"]).says(&["build a", "text changed", "unchanged: b"]).silent_about(&["build b"]);
    let second = lab.container("a");
    assert_ne!((&second.id, &second.image), (&a.id, &a.image));
    assert_eq!(lab.container("b"), b);
    assert_eq!(lab.exec("a", "cat /text"), "a two");

    lab.write("a/text", "a one\n");
    lab.ok(&["up", "-d"]).silent_about(&["build a", "build b"]);
    assert_eq!(lab.container("a").image, a.image, "the image of the first build is used again");
    assert_eq!(lab.exec("a", "cat /text"), "a one");

    lab.write("a/unread", "no build reads it\n");
    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_dry_run_prints_the_plan_and_changes_nothing() {
    let lab = Lab::new();
    lab.manifest(&format!(
        "services:\n{}  net:\n    image: hob-test/busybox:1\n    command: sleep 3600\n",
        printer(&lab, "a")
    ));
    let plan = lab.ok(&["up", "--dry-run"]);
    for part in
        ["STEP", "WHY", "create network", "build a", "create container", "start container", "it has no container"]
    {
        assert!(plan.out.contains(part), "no {part:?} in {plan}");
    }
    assert!(lab.containers().is_empty() && lab.names("networks").is_empty());
    lab.ok(&["up", "-d"]);
    assert!(lab.ok(&["up", "--dry-run"]).out.contains("nothing to do"));
    lab.write("a/text", "other\n");
    let plan = lab.ok(&["up", "--dry-run"]);
    assert!(plan.out.contains("text changed") && plan.out.contains("unchanged: net"), "{plan}");
    assert_eq!(lab.exec("a", "cat /text"), "a one");
    lab.ok(&["down", "--dry-run"]).says(&["remove container", "remove network"]);
    assert_eq!(lab.states(), ["a running", "net running"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn force_recreate_and_no_recreate() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}", idle("a")));
    lab.ok(&["up", "-d"]);
    let first = lab.id("a");
    lab.ok(&["up", "-d", "--force-recreate"]).says(&["--force-recreate was given"]);
    let second = lab.id("a");
    assert_ne!(first, second);
    lab.manifest(&format!("services:\n{}    environment: {{MODE: other}}\n", idle("a")));
    lab.ok(&["up", "-d", "--no-recreate"]);
    assert_eq!(lab.id("a"), second);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_named_service_comes_with_what_it_needs_and_without_on_request() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}{}    depends_on: [db]\n{}", idle("db"), idle("web"), idle("other")));
    lab.ok(&["up", "-d", "--no-deps", "web"]);
    assert_eq!(lab.states(), ["web running"]);
    lab.ok(&["up", "-d", "web"]);
    assert_eq!(lab.states(), ["db running", "web running"]);
    lab.ok(&["up", "--no-start"]);
    assert_eq!(lab.states(), ["db running", "other created", "web running"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn scale_adds_and_removes_containers() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}", idle("a")));
    lab.ok(&["up", "-d", "--scale", "a=3"]);
    let names: Vec<String> = lab.containers().into_iter().map(|c| c.name).collect();
    assert_eq!(names, [1, 2, 3].map(|number| format!("{}-a-{number}", lab.project)));
    let first = lab.containers().remove(0).id;
    lab.ok(&["up", "-d"]).says(&["scaled to 1"]);
    assert_eq!(lab.id("a"), first);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn profiles_choose_services() {
    let lab = Lab::new();
    lab.manifest(&format!(
        "services:\n{}{}    profiles: [debug]\n{}    profiles: [tools]\n",
        idle("a"),
        idle("shell"),
        idle("tool")
    ));
    lab.ok(&["up", "-d"]);
    assert_eq!(lab.states(), ["a running"]);
    lab.ok(&["--profile", "debug", "up", "-d"]);
    assert_eq!(lab.states(), ["a running", "shell running"]);
    lab.ok(&["up", "-d", "tool"]);
    assert_eq!(lab.states(), ["a running", "shell running", "tool running"], "naming it is enough");
    lab.ok(&["up", "-d"]).silent_about(&["remove", "orphan"]);
    lab.ok(&["down"]);
    assert_eq!(lab.states(), [""; 0], "down takes those of profiles too");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn services_that_share_a_build_have_it_built_once() {
    let lab = Lab::new();
    let a = printer(&lab, "shared");
    lab.manifest(&format!("services:\n{}{}", a.replacen("shared:", "a:", 1), a.replacen("shared:", "b:", 1)));
    let done = lab.ok(&["--progress", "json", "up", "-d"]);
    let builds: Vec<&str> =
        done.out.lines().filter(|line| line.contains("\"step-started\"") && line.contains("\"build ")).collect();
    assert_eq!(builds.len(), 1, "{builds:?}");
    assert!(builds[0].contains("build a, b"), "{builds:?}");
    assert_eq!(lab.container("a").image, lab.container("b").image);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn anonymous_volumes_are_kept_until_they_are_to_be_renewed() {
    let lab = Lab::new();
    let manifest =
        |mode: &str| format!("services:\n{}    volumes: [/data]\n    environment: {{MODE: {mode}}}\n", idle("a"));
    lab.manifest(&manifest("one"));
    lab.ok(&["up", "-d"]);
    let first = lab.id("a");
    lab.exec("a", "echo kept > /data/file");
    lab.manifest(&manifest("two"));
    lab.ok(&["up", "-d"]);
    assert_ne!(lab.id("a"), first);
    assert_eq!(lab.exec("a", "cat /data/file"), "kept");
    lab.manifest(&manifest("three"));
    lab.ok(&["up", "-d", "-V"]);
    assert_eq!(lab.exec("a", "ls /data"), "");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_named_volume_survives_down_and_goes_with_v() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}    volumes: [\"data:/data\"]\nvolumes:\n  data:\n", idle("a")));
    lab.ok(&["up", "-d"]);
    lab.exec("a", "echo kept > /data/file");
    lab.ok(&["down"]);
    assert_eq!(lab.names("volumes"), [format!("{}_data", lab.project)]);
    lab.ok(&["up", "-d"]);
    assert_eq!(lab.exec("a", "cat /data/file"), "kept");
    lab.ok(&["down", "-v"]);
    assert_eq!(lab.names("volumes"), [""; 0]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn down_leaves_nothing() {
    let lab = Lab::new();
    lab.manifest(&format!(
        "services:\n{}  web:\n    image: hob-test/busybox:1\n    command: sleep 3600\n    stop_signal: SIGKILL\n    networks: [front]\n    \
         volumes: [/anonymous, \"data:/data\"]\nnetworks:\n  front:\nvolumes:\n  data:\n",
        printer(&lab, "a")
    ));
    lab.ok(&["up", "-d"]);
    let mounts = lab.inspect("web")["Mounts"].clone();
    let anonymous: Vec<String> =
        mounts.as_array().unwrap().iter().map(|m| m["Name"].as_str().unwrap().to_owned()).collect();
    assert_eq!((anonymous.len(), lab.names("networks").len()), (2, 1));
    let image = lab.container("a").image;
    lab.ok(&["down", "-v", "--rmi", "local"]);
    assert!(lab.containers().is_empty() && lab.names("networks").is_empty() && lab.names("volumes").is_empty());
    for volume in anonymous {
        let found = crate::lab::engine::get(&format!("/volumes/{volume}"));
        assert!(found["Name"].is_null(), "a volume is left: {found}");
    }
    let found = crate::lab::engine::get(&format!("/images/{image}/json"));
    assert!(found["Id"].is_null(), "the image is left: {}", found["RepoTags"]);
    lab.ok(&["down", "-v"]).says(&["nothing to do"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn orphans_are_told_of_and_removed_on_request() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}{}", idle("a"), idle("b")));
    lab.ok(&["up", "-d"]);
    let b = lab.container("b");
    lab.manifest(&format!("services:\n{}", idle("a")));
    lab.ok(&["up", "-d"]).says(&["Found orphan containers", &b.name, "--remove-orphans"]);
    assert_eq!(lab.container("b"), b);
    lab.ok(&["up", "-d", "--remove-orphans"]).says(&["remove container"]);
    assert_eq!(lab.states(), ["a running"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_container_that_somebody_runs_of_a_services_image_is_nobodys() {
    let lab = Lab::new();
    lab.dockerfile("Dockerfile", "CMD [\"sleep\", \"3600\"]\n");
    lab.manifest("services:\n  a:\n    build: .\n    network_mode: none\n    stop_grace_period: 0s\n");
    lab.ok(&["up", "-d"]);
    let a = lab.container("a");
    let body = serde_json::json!({ "Image": a.image }).to_string();
    let (status, made) = engine::request("POST", "/containers/create", &body).unwrap();
    let made: serde_json::Value = serde_json::from_slice(&made).unwrap();
    assert_eq!(status, 201, "{made}");
    let stray = format!("/containers/{}", made["Id"].as_str().unwrap());
    let labels = engine::get(&format!("{stray}/json"))["Config"]["Labels"].clone();
    assert_eq!(labels["com.docker.compose.service"], "a", "it has the image's labels");

    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
    let listed = lab.ok(&["ps", "-a", "-q"]);
    assert_eq!(listed.out.trim(), a.id);
    lab.ok(&["down"]);
    assert_eq!(lab.containers(), []);
    assert_eq!(engine::get(&format!("{stray}/json"))["State"]["Status"], "created", "it is left alone");
    engine::delete(&stray);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_neighbour_in_the_same_folder_is_left_alone() {
    let lab = Lab::new();
    lab.write("one.yaml", &format!("services:\n{}", idle("a")));
    lab.write("two.yaml", &format!("services:\n{}", idle("b")));
    lab.ok(&["-f", "one.yaml", "up", "-d"]);
    let a = lab.container("a");
    lab.ok(&["-f", "two.yaml", "up", "-d", "--remove-orphans"]);
    assert_eq!(lab.states(), ["a running", "b running"], "two manifests of one folder share its name");
    lab.ok(&["-f", "two.yaml", "down", "--remove-orphans"]);
    assert_eq!(lab.containers(), [a]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn the_working_tree_stays_as_it_was() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}", printer(&lab, "a")));
    lab.ok(&["up", "-d"]);
    lab.ok(&["down"]);
    let mut names: Vec<String> =
        fs::read_dir(&lab.dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["a", "devenv.yaml"]);
}
