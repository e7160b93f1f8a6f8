//! Secrets stay secret, and other tools see what hob starts.

use std::process::Command;

use crate::lab::{Lab, engine, idle, run};

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_secret_gets_into_the_container_and_nowhere_else() {
    let mut lab = Lab::new();
    let secret = format!("s3cret-{}", lab.project);
    lab.env.insert("API_KEY".into(), secret.clone());
    lab.write("token", &format!("file-{secret}\n"));
    lab.manifest(&format!(
        "services:\n{}    secrets: [key, token]\nsecrets:\n  key: {{environment: API_KEY}}\n  token: {{file: ./token}}\n",
        idle("a")
    ));
    let done = lab.ok(&["--progress", "json", "--verbose", "up", "-d"]);
    assert_eq!(lab.exec("a", "cat /run/secrets/key"), secret);
    assert_eq!(lab.exec("a", "cat /run/secrets/token"), format!("file-{secret}"));
    let inspected = engine::get(&format!("/containers/{}/json", lab.id("a")));
    for (what, text) in [
        ("the engine's view", inspected.to_string()),
        ("events", done.out + &done.err),
        ("the plan", lab.ok(&["up", "--dry-run", "--force-recreate"]).out),
        ("config", lab.ok(&["config"]).out),
        ("why", lab.ok(&["why"]).out),
        ("hob's own folders", files(&lab.outside("cache")) + &files(&lab.outside("run"))),
    ] {
        assert!(!text.contains("s3cret"), "the secret is in {what}:\n{text}");
    }
    let id = lab.id("a");
    lab.ok(&["up", "-d"]).says(&["nothing to do"]);
    lab.env.insert("API_KEY".into(), format!("other {secret}"));
    lab.ok(&["up", "-d"]).says(&["secrets"]).silent_about(&["s3cret"]);
    assert_ne!(lab.id("a"), id, "another secret, another container");
    assert_eq!(lab.exec("a", "cat /run/secrets/key"), format!("other {secret}"));
}

/// All that is in the files of a folder, as text.
fn files(folder: &std::path::Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
            }
        })
        .collect()
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_build_secret_is_not_in_the_image_nor_in_what_is_said() {
    let mut lab = Lab::new();
    let secret = format!("s3cret-{}", lab.project);
    lab.env.insert("API_KEY".into(), secret.clone());
    // Secrets do not count in the builder's cache, so the step has a name of its own.
    let run = format!("RUN --mount=type=secret,id=key wc -c </run/secrets/key >/size # {}\n", lab.project);
    lab.dockerfile("Dockerfile", &run);
    lab.manifest(
        "services:\n  a:\n    build:\n      context: .\n      secrets: [key]\n    network_mode: none\n    command: sleep 3600\n    \
         stop_signal: SIGKILL\nsecrets:\n  key: {environment: API_KEY}\n",
    );
    let done = lab.ok(&["--progress", "json", "up", "-d"]);
    assert!(!format!("{done}").contains("s3cret"), "{done}");
    assert_eq!(lab.exec("a", "cat /size"), secret.len().to_string());
    let image = lab.container("a").image;
    let history = engine::get(&format!("/images/{image}/history")).to_string()
        + &engine::get(&format!("/images/{image}/json")).to_string();
    assert!(!history.contains("s3cret"), "{history}");
}

/// `HOB_COMPOSE` names a Docker Compose program.
#[test]
#[ignore = "needs an engine and HOB_COMPOSE"]
fn docker_compose_lists_what_hob_starts() {
    let compose = std::env::var_os("HOB_COMPOSE").expect("this test needs Docker Compose: HOB_COMPOSE names it");
    let lab = Lab::new();
    lab.write("compose.yaml", &format!("services:\n{}{}    depends_on: [a]\n", idle("a"), idle("b")));
    lab.ok(&["up", "-d"]);
    let compose = |args: &[&str]| {
        let mut command = Command::new(&compose);
        command.args(args).current_dir(&lab.dir);
        let done = run(command, "");
        assert_eq!(done.code, 0, "{args:?}: {done}");
        done.out
    };
    let mut names: Vec<String> = compose(&["ps", "--services"]).lines().map(str::to_owned).collect();
    names.sort();
    assert_eq!(names, ["a", "b"]);
    assert!(compose(&["ls"]).contains(&lab.project));
    assert_eq!(compose(&["ps", "-q", "a"]).trim(), lab.id("a"));
    assert_eq!(compose(&["exec", "-T", "a", "echo", "from compose"]), "from compose\n");
    compose(&["down", "-t", "0"]);
    assert!(lab.containers().is_empty());
}
