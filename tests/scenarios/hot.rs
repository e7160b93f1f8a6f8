//! What a running container holds besides its image: programs that reload themselves, what was synced and is not
//! lost, images that catch up.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::lab::{Lab, Session, engine, until};

/// A service whose files of `app` are only copied; `text` is printed when it starts.
fn service(lab: &Lab) -> String {
    lab.dockerfile("api/Dockerfile", "COPY app /app\nCMD [\"sh\", \"/app/run\"]\n");
    lab.write("api/app/text", "text one\n");
    lab.write("api/app/run", "cat /app/text; exec sleep 3600\n");
    "  api:\n    build: ./api\n    network_mode: none\n".to_owned()
}

fn watched(lab: &Lab, args: &[&str]) -> Session {
    // A service that has exited is edited too.
    let more = if args[0] == "up" { &["--watch"][..] } else { &[] };
    let session = lab.start(&[&["--progress", "json"], args, more].concat());
    session.event(0, "watching", |_| true);
    session
}

/// Makes a service's container anew from this image, as another program would.
fn recreate(lab: &Lab, service: &str, image: &Value) -> String {
    let old = lab.inspect(service);
    let name = old["Name"].as_str().unwrap().trim_start_matches('/');
    engine::delete(&format!("/containers/{}?force=1", lab.id(service)));
    let mut config = old["Config"].clone();
    config["Image"] = image.clone();
    config["HostConfig"] = old["HostConfig"].clone();
    engine::request("POST", &format!("/containers/create?name={name}"), &config.to_string()).unwrap();
    engine::request("POST", &format!("/containers/{name}/start"), "").unwrap();
    lab.id(service)
}

/// The agent is there and starts; what it is to run is not.
#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_command_that_is_not_in_the_image_fails_the_start() {
    let lab = Lab::new();
    let api = service(&lab);
    lab.manifest(&format!("services:\n{api}    command: [slep, '3600']\n"));
    for args in [&["up", "-d"][..], &["up", "-d"], &["up", "--wait"], &["up"]] {
        lab.ends(args, 22).says(&["the image has no program slep", "did you mean `sleep`?"]);
    }
    // An engine that starts it again and again is not left to it.
    lab.manifest(&format!("services:\n{api}    command: [slep, '3600']\n    restart: always\n"));
    lab.ends(&["up", "-d"], 22).says(&["the image has no program slep"]);
    assert_eq!(lab.inspect("api")["State"]["Status"], "exited");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_program_that_reloads_itself_is_left_to_do_it() {
    let lab = Lab::new();
    lab.dockerfile("api/Dockerfile", "COPY bin /bin\nCOPY app /app\nENV DEV=1\nCMD exec air -c /app/.air.toml\n");
    lab.write("api/bin/air", "#!/bin/sh\necho started\nwhile :; do cat /app/text; sleep 0.1; done\n");
    fs::set_permissions(lab.dir.join("api/bin/air"), fs::Permissions::from_mode(0o755)).unwrap();
    lab.write("api/app/text", "text one\n");
    lab.manifest("services:\n  api:\n    build: ./api\n    network_mode: none\n    stop_signal: SIGKILL\n");
    let session = watched(&lab, &["up"]);
    session.log(0, "api", "text one");
    let before = (lab.id("api"), lab.started("api"));

    lab.ok(&["explain"]).says(&["api/app/text", "sync to /app/text", "air reloads itself"]);
    lab.ok(&["why", "--file", "api/app/text"]).says(&["sync to /app/text", "; air reloads itself"]);

    let from = session.mark();
    lab.write("api/app/text", "text two\n");
    let event = session.reloaded(from, "api");
    assert_eq!(event["action"]["text"], "synced", "{event}");
    assert!(event["reason"]["text"].as_str().unwrap().ends_with("; air reloads itself"), "{event}");
    session.log(from, "api", "text two");
    let starts = session.events().iter().filter(|e| e["type"] == "log" && e["line"] == "started").count();
    assert_eq!((starts, (lab.id("api"), lab.started("api"))), (1, before));
    session.interrupt();

    // The manifest has the last word.
    lab.manifest(
        "services:\n  api:\n    build: ./api\n    network_mode: none\n    stop_signal: SIGKILL\n    reload: restart\n",
    );
    let session = watched(&lab, &["up"]);
    session.log(0, "api", "started");
    let from = session.mark();
    lab.write("api/app/text", "text three\n");
    assert_eq!(session.reloaded(from, "api")["action"]["text"], "synced + restarted");
    session.log(from, "api", "started");
    session.interrupt();
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn what_was_synced_is_not_lost_with_the_container() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}", service(&lab)));
    let session = watched(&lab, &["up", "--no-catch-up"]);
    session.log(0, "api", "text one");
    let image = lab.inspect("api")["Image"].clone();
    let from = session.mark();
    lab.write("api/app/text", "text two\n");
    session.log(from, "api", "text two");
    session.reloaded(from, "api");

    // Recreated from the image that has it not.
    let from = session.mark();
    let id = recreate(&lab, "api", &image);
    session.log(from, "api", "text one");
    let event = session.reloaded(from, "api");
    assert_eq!(
        (&event["action"]["text"], &event["files"]),
        (&json!("synced + restarted"), &json!(["api/app/text"])),
        "{event}"
    );
    session.log(from, "api", "text two");
    assert_eq!((lab.exec("api", "cat /app/text"), lab.id("api")), ("text two".to_owned(), id.clone()));

    // Restarted: its files are still there, and nothing is to be done.
    let from = session.mark();
    engine::request("POST", &format!("/containers/{id}/restart?t=0"), "").unwrap();
    session.log(from, "api", "text two");
    lab.write("api/app/text", "text three\n");
    let event = session.reloaded(from, "api");
    assert_eq!(event["files"], json!(["api/app/text"]), "{event}");
    session.log(from, "api", "text three");
    assert_eq!(lab.id("api"), id);
    let answers = session.events().iter().filter(|e| e["type"] == "reloaded").count();
    assert_eq!(answers, 3);
    session.interrupt();
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_quiet_service_gets_the_image_that_its_next_start_needs() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}", service(&lab)));
    let session = watched(&lab, &["up"]);
    session.log(0, "api", "text one");
    let before = (lab.id("api"), lab.started("api"));
    lab.write("api/app/text", "text two\n");
    session.log(0, "api", "text two");
    let from = session.mark();
    session.event(from, "caught-up", |e| e["service"] == "api" && e["tookMs"].is_u64());
    assert_eq!((lab.id("api"), lab.started("api")), before, "the container is left alone");
    assert!(!session.events().iter().skip(from).any(|e| e["type"] == "build-step"), "it is done without a word");
    session.interrupt();

    lab.ok(&["up", "--dry-run"]).silent_about(&["build"]);
    lab.ok(&["up", "-d", "--no-build"]);
    assert_eq!(lab.exec("api", "cat /app/text"), "text two");
    assert_eq!(lab.id("api"), before.0, "what it holds is remembered");

    // Off: no image has it, and the next start needs none, as what the container holds is remembered.
    let session = watched(&lab, &["watch", "--no-catch-up"]);
    lab.write("api/app/text", "text three\n");
    session.reloaded(0, "api");
    session.interrupt();
    lab.ok(&["up", "--dry-run"]).says(&["nothing to do"]);
    lab.ok(&["up", "--dry-run", "--force-recreate"]).says(&["build"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn initial_sync_brings_in_what_no_image_has() {
    let lab = Lab::new();
    lab.write("src/text", "text one\n");
    lab.write("src/.gitignore", "x\n");
    lab.write("src/skip.log", "x\n");
    let rule = |action: &str| {
        format!(
            "services:\n  api:\n    image: hob-test/busybox:1\n    network_mode: none\n    stop_signal: SIGKILL\n    command: [sh, -c, \
             'cat /src/text; exec sleep 3600']\n    develop:\n      watch:\n        - {{path: ./src, target: /src, action: {action}, \
             ignore: ['*.log'], initial_sync: true}}\n"
        )
    };
    lab.manifest(&rule("sync"));
    let session = watched(&lab, &["up"]);
    let event = session.reloaded(0, "api");
    assert_eq!(event["action"]["text"], "synced", "{event}");
    assert_eq!(lab.exec("api", "cat /src/text; ls -A /src"), "text one\n.gitignore\ntext");
    // What is there already is not brought again: the save is the next thing that is done.
    let from = session.mark();
    lab.write("src/text", "text two\n");
    assert_eq!(session.reloaded(from, "api")["files"], json!(["src/text"]));
    // A new container has none of it.
    let from = session.mark();
    recreate(&lab, "api", &json!("hob-test/busybox:1"));
    session.reloaded(from, "api");
    until(|| match lab.exec("api", "cat /src/text; ls -A /src") {
        found if found == "text two\n.gitignore\ntext" => Ok(()),
        other => Err(other),
    });
    session.interrupt();

    // With a restart the program is one that has seen them, and where nothing is missing nothing restarts.
    lab.manifest(&rule("sync+restart"));
    let session = watched(&lab, &["up"]);
    lab.write("src/text", "text three\n");
    session.log(0, "api", "text three");
    session.interrupt();
    lab.ok(&["up", "-d"]);
    let started = lab.started("api");
    let session = watched(&lab, &["watch", "--no-catch-up"]);
    lab.write("src/other", "x\n");
    assert_eq!(session.reloaded(0, "api")["files"], json!(["src/other"]));
    assert_eq!(lab.started("api"), started, "restarted in place, once");
    session.interrupt();
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_crash_after_a_save_is_mended_by_its_policy_or_the_next_save() {
    for policy in ["no", "on-failure"] {
        let lab = Lab::new();
        lab.manifest(&format!("services:\n{}    restart: \"{policy}\"\n", service(&lab)));
        let session = watched(&lab, &["up", "--no-catch-up"]);
        session.log(0, "api", "text one");
        let from = session.mark();
        lab.write("api/app/run", "echo crashed; exit 3\n");
        session.log(from, "api", "crashed");
        let state = |e: &Value| e["service"] == "api" && e["state"]["text"] == "exited (3)";
        session.event(from, "state", state);
        if policy == "on-failure" {
            // The same container with the same files.
            until(|| {
                let count = lab.inspect("api")["RestartCount"].as_u64().unwrap_or_default();
                if count >= 1 { Ok(()) } else { Err(format!("restarted {count} times")) }
            });
        }
        let from = session.mark();
        lab.write("api/app/text", "text two\n");
        lab.write("api/app/run", "cat /app/text; exec sleep 3600\n");
        session.log(from, "api", "text two");
        until(|| match lab.container("api").state.as_str() {
            "running" => Ok(()),
            other => Err(format!("{policy}: {other}")),
        });
        session.interrupt();
    }
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn what_an_ignore_file_leaves_out_is_in_no_container() {
    let lab = Lab::new();
    lab.dockerfile("Dockerfile", "COPY . /app/\nCMD [\"sleep\", \"3600\"]\n");
    lab.write(".dockerignore", "Dockerfile*\n");
    lab.write("old.log", "1");
    lab.write("src/a", "1");
    lab.manifest("services:\n  a:\n    build: .\n    network_mode: none\n    stop_signal: SIGKILL\n    reload: none\n");
    let mut session = watched(&lab, &["watch"]);
    // As a switch of branches brings them: the file, and the rule that leaves it out.
    let from = session.mark();
    fs::write(lab.dir.join("src/new.log"), "1").unwrap();
    fs::write(lab.dir.join(".dockerignore"), "Dockerfile*\n**/*.log\n").unwrap();
    fs::write(lab.dir.join("src/a"), "2").unwrap();
    session.reloaded(from, "a");
    let files = "cat /app/src/a; cd /app; find . -name '*.log'";
    until(|| if lab.exec("a", files) == "2" { Ok(()) } else { Err(lab.exec("a", files)) });
    // A container that is behind by more than files.
    session.signal(Signal::SIGINT);
    session.end();
    lab.ok(&["up", "-d"]);
    fs::write(lab.dir.join(".dockerignore"), "Dockerfile*\n").unwrap();
    lab.ok(&["up", "-d"]);
    assert_eq!(lab.exec("a", files).matches(".log").count(), 2);
    fs::write(lab.dir.join(".dockerignore"), "Dockerfile*\n**/*.log\n").unwrap();
    let session = watched(&lab, &["watch", "--no-up"]);
    session.reloaded(0, "a");
    assert_eq!(lab.exec("a", files), "2");
    session.interrupt();
}
