//! A save goes live: by sync and restart in place where that is enough, by a rebuild of just that service else.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::lab::{Lab, Session, idle, until};

/// A service with a step that is run from `steps`, and files of `app` that are only copied.
const DOCKERFILE: &str = "COPY steps /steps
RUN sh /steps/check && cat /steps/text >/built
COPY app /app
CMD [\"sh\", \"/app/run\"]
";

fn hot(lab: &Lab, name: &str) -> String {
    lab.dockerfile(&format!("{name}/Dockerfile"), DOCKERFILE);
    lab.write(&format!("{name}/steps/check"), "true\n");
    lab.write(&format!("{name}/steps/text"), &format!("{name} built one\n"));
    lab.write(&format!("{name}/app/text"), &format!("{name} text one\n"));
    lab.write(&format!("{name}/app/run"), "cat /built /app/text; exec sleep 3600\n");
    format!("  {name}:\n    build: ./{name}\n    network_mode: none\n")
}

/// `up` in the foreground with everything ready and watched.
fn watched(lab: &Lab) -> Session {
    let session = lab.start(&["--progress", "json", "up", "--watch"]);
    session.event(0, "watching", |_| true);
    session
}

/// Id and time of start: the same where nothing was done to a container.
fn identity(lab: &Lab, service: &str) -> (Value, Value) {
    let found = lab.inspect(service);
    (found["Id"].clone(), found["State"]["StartedAt"].clone())
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn an_edit_is_synced_and_restarts_only_that_service_in_place() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}{}", hot(&lab, "api"), hot(&lab, "web")));
    let session = watched(&lab);
    session.log(0, "api", "api text one");
    session.log(0, "web", "web text one");
    let (api, web) = (identity(&lab, "api"), identity(&lab, "web"));

    let from = session.mark();
    lab.write("api/app/text", "api text two\n");
    session.log(from, "api", "api text two");
    let event = session.reloaded(from, "api");
    assert_eq!(event["action"]["text"], "synced + restarted", "{event}");
    assert_eq!(event["files"], serde_json::json!(["api/app/text"]));
    assert_eq!(identity(&lab, "api"), api, "the container itself goes on");
    assert_eq!(lab.exec("api", "cat /app/text"), "api text two");

    // New, deleted, a folder, a script with its mode, a link.
    let from = session.mark();
    lab.write("api/app/sub/new", "new\n");
    session.reloaded(from, "api");
    until(|| {
        let found = lab.exec("api", "cat /app/sub/new 2>&1 || true");
        if found == "new" { Ok(()) } else { Err(found) }
    });
    let from = session.mark();
    fs::remove_dir_all(lab.dir.join("api/app/sub")).unwrap();
    session.reloaded(from, "api");
    until(|| {
        let found = lab.exec("api", "ls /app");
        if found == "run\ntext" { Ok(()) } else { Err(found) }
    });
    assert_eq!(identity(&lab, "api"), api);

    // What nobody reads, and a save that changes nothing: the next real save is the first that is answered.
    let from = session.mark();
    lab.write("api/unread", "x\n");
    lab.write("api/app/text", "api text two\n");
    lab.write("web/app/text", "web text two\n");
    session.reloaded(from, "web");
    session.log(from, "web", "web text two");
    let answered: Vec<Value> =
        session.events().into_iter().filter(|e| e["type"] == "reloaded" && e["service"] == "api").collect();
    assert_eq!(answered.iter().filter(|e| e["files"].to_string().contains("unread")).count(), 0, "{answered:?}");
    let boots = |service: &str, text: &str| {
        session.events().iter().filter(|e| e["type"] == "log" && e["service"] == service && e["line"] == text).count()
    };
    assert_eq!(boots("web", "web text one"), 1, "web was left alone until its own save");
    assert_eq!(identity(&lab, "web"), web);
    session.interrupt();

    // What was synced is in the image of the next start.
    lab.ok(&["up", "-d"]);
    assert_eq!(lab.exec("api", "cat /app/text; ls /app"), "api text two\nrun\ntext");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn an_edit_before_a_run_rebuilds_only_that_service() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}{}", hot(&lab, "api"), hot(&lab, "web")));
    let session = watched(&lab);
    session.log(0, "api", "api text one");
    session.log(0, "web", "web text one");
    let (api, web) = (identity(&lab, "api"), identity(&lab, "web"));

    let from = session.mark();
    lab.write("api/steps/text", "api built two\n");
    session.log(from, "api", "api built two");
    let event = session.reloaded(from, "api");
    assert_eq!(event["action"]["text"], "rebuilt + recreated", "{event}");
    assert!(event["reason"]["text"].as_str().unwrap().contains("RUN"), "{event}");
    assert!(!session.events().iter().any(|e| e["type"] == "changed" && e["did"] == "recreated"), "told twice");
    let second = identity(&lab, "api");
    assert_ne!(second.0, api.0);
    assert_eq!(identity(&lab, "web"), web);

    let from = session.mark();
    lab.write("api/steps/check", "echo the check fails; exit 9\n");
    let event = session.reloaded(from, "api");
    assert!(event["error"].to_string().contains("the check fails"), "{event}");
    assert_eq!(identity(&lab, "api"), second, "the old container goes on");
    assert_eq!(lab.container("api").state, "running");

    // A save of another file while the build is broken, then the mend: both go live.
    lab.write("api/app/text", "api text three\n");
    let from = session.mark();
    lab.write("api/steps/check", "true # mended\n");
    session.log(from, "api", "api text three");
    // A program may write before the engine says that it runs.
    session.event(from, "reloaded", |e| e["service"] == "api" && e["error"].is_null());
    assert_eq!(lab.exec("api", "cat /app/text /built"), "api text three\napi built two");
    session.interrupt();
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn an_edit_of_the_manifest_plans_again() {
    let lab = Lab::new();
    let hot = hot(&lab, "b");
    let manifest = |mode: &str| format!("services:\n{}    environment: {{MODE: {mode}}}\n{hot}", idle("a"));
    lab.manifest(&manifest("one"));
    let session = watched(&lab);
    session.log(0, "b", "b text one");
    let (a, b) = (lab.id("a"), identity(&lab, "b"));
    lab.manifest(&manifest("two"));
    until(|| {
        let found = lab.containers().into_iter().find(|c| c.service == "a" && c.id != a && c.state == "running");
        found.map(drop).ok_or_else(|| format!("{:?}", lab.containers()))
    });
    session.event(0, "step-started", |e| {
        e["service"] == "a" && e["reason"]["text"].as_str().is_some_and(|reason| reason.starts_with("environment"))
    });
    assert_eq!(identity(&lab, "b"), b);

    let from = session.mark();
    lab.manifest("services:\n  a:\n    imagee: busybox\n");
    let error = session.event(from, "error", |_| true);
    assert!(error["text"].as_str().unwrap().contains("imagee"), "{error}");
    assert_eq!((&error["location"]["line"], &error["location"]["column"]), (&3.into(), &5.into()), "{error}");
    session.says(from, "the stack goes on as it was");
    // It does go on: a save is still answered.
    let from = session.mark();
    lab.write("b/app/text", "b text two\n");
    session.log(from, "b", "b text two");
    assert_eq!(identity(&lab, "b"), b);

    // Mended, with a new service.
    lab.manifest(&format!("{}{}", manifest("two"), idle("c")));
    until(|| if lab.states().contains(&"c running".to_owned()) { Ok(()) } else { Err(format!("{:?}", lab.states())) });
    assert_eq!(identity(&lab, "b"), b);
    session.interrupt();
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn develop_watch_rules_win() {
    let lab = Lab::new();
    lab.dockerfile("Dockerfile", "COPY . /src\nCMD [\"sh\", \"/src/run\"]\n");
    lab.write("run", "echo boot; exec sleep 3600\n");
    for name in ["sync", "both", "exec", "restart", "build"] {
        lab.write(&format!("{name}/f"), "one\n");
    }
    lab.manifest(
        "services:
  a:
    build: .
    network_mode: none
    develop:
      watch:
        - {action: sync, path: sync, target: /sync}
        - {action: sync+restart, path: both, target: /both}
        - {action: sync+exec, path: exec, target: /exec, exec: {command: [sh, -c, cp /exec/f /proof]}}
        - {action: restart, path: restart}
        - {action: rebuild, path: build, ignore: [ignored]}
",
    );
    let session = watched(&lab);
    session.log(0, "a", "boot");
    let boots = || session.events().iter().filter(|e| e["type"] == "log" && e["line"] == "boot").count();
    let first = identity(&lab, "a");
    let reads = |path: &str, want: &str| {
        until(|| {
            let found = lab.exec("a", &format!("cat {path} 2>&1 || true"));
            if found == want { Ok(()) } else { Err(found) }
        });
    };
    lab.write("build/ignored", "x\n");
    lab.write("sync/f", "two\n");
    reads("/sync/f", "two");
    lab.write("exec/f", "two\n");
    reads("/proof", "two");
    assert_eq!(boots(), 1);
    assert_eq!(identity(&lab, "a"), first);

    let from = session.mark();
    lab.write("both/f", "two\n");
    session.log(from, "a", "boot");
    reads("/both/f", "two");
    let from = session.mark();
    lab.write("restart/f", "two\n");
    session.log(from, "a", "boot");
    assert_eq!(identity(&lab, "a").0, first.0, "restarted, not recreated");
    let from = session.mark();
    lab.write("build/f", "two\n");
    session.log(from, "a", "boot");
    assert_ne!(identity(&lab, "a").0, first.0, "rebuilt");
    reads("/src/build/f", "two");
    session.interrupt();
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn reload_says_what_follows_a_sync() {
    let lab = Lab::new();
    lab.dockerfile("Dockerfile", "COPY run text /\nCMD [\"sh\", \"/run\"]\n");
    lab.write("text", "one\n");
    lab.write("run", "trap 'echo signalled; cat /text' HUP\necho boot; cat /text; while :; do sleep 0.05; done\n");
    let service =
        |name: &str, reload: &str| format!("  {name}:\n    build: .\n    network_mode: none\n    reload: {reload}\n");
    lab.manifest(&format!(
        "services:\n{}{}{}{}{}",
        service("none", "none"),
        service("signal", "{signal: SIGHUP}"),
        service("exec", "{exec: [sh, -c, cp /text /proof]}"),
        service("container", "container"),
        service("rebuild", "rebuild"),
    ));
    let session = watched(&lab);
    for name in ["none", "signal", "exec", "container", "rebuild"] {
        session.log(0, name, "one");
    }
    let first = |name: &str| identity(&lab, name);
    let before = ["none", "signal", "exec", "container", "rebuild"].map(first);
    let from = session.mark();
    lab.write("text", "two\n");
    let actions = ["none", "signal", "exec", "container", "rebuild"]
        .map(|name| session.reloaded(from, name)["action"]["text"].clone());
    assert_eq!(
        actions,
        ["synced", "synced + signalled", "synced + command run", "synced + container restarted", "rebuilt + recreated"]
    );
    session.log(from, "signal", "two");
    session.log(from, "container", "two");
    session.log(from, "rebuild", "two");
    assert_eq!(lab.exec("none", "cat /text"), "two");
    assert_eq!(lab.exec("exec", "cat /proof"), "two");
    let after = ["none", "signal", "exec", "container", "rebuild"].map(first);
    assert_eq!(before[..3], after[..3], "nothing was started again");
    assert_eq!(before[3].0, after[3].0);
    assert_ne!(before[3].1, after[3].1);
    assert_ne!(before[4].0, after[4].0);
    let boots = session.events().iter().filter(|e| e["type"] == "log" && e["line"] == "boot").count();
    assert_eq!(boots, 7, "five starts, one restart, one recreation");
    session.interrupt();
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_job_that_has_completed_is_not_run_again_by_a_save() {
    let lab = Lab::new();
    lab.dockerfile("job/Dockerfile", "COPY text /\nCMD [\"cat\", \"/text\"]\n");
    lab.write("job/text", "migrated\n");
    lab.manifest(&format!(
        "services:\n  job:\n    build: job\n    network_mode: none\n{}    depends_on:\n      job: {{condition: \
         service_completed_successfully}}\n",
        hot(&lab, "api")
    ));
    let session = watched(&lab);
    session.log(0, "api", "api text one");
    let job = identity(&lab, "job");
    let from = session.mark();
    lab.write("job/text", "migrated again\n");
    let event = session.reloaded(from, "job");
    assert!(event["reason"]["text"].as_str().unwrap().contains("completed"), "{event}");
    let from = session.mark();
    lab.write("api/app/text", "api text two\n");
    session.log(from, "api", "api text two");
    assert_eq!(identity(&lab, "job"), job);
    session.interrupt();
    lab.ok(&["up", "-d"]);
    assert_ne!(identity(&lab, "job").0, job.0, "the next up runs what changed");
    lab.ok(&["logs", "job"]).says(&["migrated again"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_bind_mount_with_a_reload_restarts_on_a_change() {
    let lab = Lab::new();
    lab.write("conf/text", "one\n");
    for key in ["reload", "x-reload"] {
        lab.manifest(&format!(
            "services:\n  a:\n    image: hob-test/busybox:1\n    network_mode: none\n    stop_signal: SIGKILL\n    \
             command: sh -c 'cat /conf/text; exec sleep 3600'\n    volumes: [\"./conf:/conf:ro\"]\n    {key}: restart\n"
        ));
        lab.write("conf/text", "one\n");
        let session = watched(&lab);
        session.log(0, "a", "one");
        let id = lab.id("a");
        lab.write("conf/text", "two\n");
        session.log(0, "a", "two");
        assert_eq!(lab.id("a"), id);
        // Written and the same as before, and only touched.
        let started = lab.started("a");
        let from = session.mark();
        lab.write("conf/text", "two\n");
        fs::File::open(lab.dir.join("conf/text")).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(lab.started("a"), started, "{}", session.text());
        lab.write("conf/text", "three\n");
        session.log(from, "a", "three");
        session.interrupt();
    }
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn hob_watch_leaves_the_services_running() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}", hot(&lab, "a")));
    let session = lab.start(&["--progress", "json", "watch"]);
    session.event(0, "watching", |_| true);
    let id = lab.id("a");
    let logs = |text: &str| {
        until(|| {
            let out = lab.ok(&["logs", "a"]).out;
            if out.contains(text) { Ok(()) } else { Err(out) }
        });
    };
    logs("a text one");
    let from = session.mark();
    lab.write("a/app/text", "a text two\n");
    assert_eq!(session.reloaded(from, "a")["action"]["text"], "synced + restarted");
    assert!(!session.events().iter().any(|e| e["type"] == "log"), "no logs: {}", session.text());
    session.interrupt();
    assert_eq!((lab.id("a"), lab.states()), (id, vec!["a running".to_owned()]));
    logs("a text two");
    lab.ok(&["down"]);
    let session = lab.start(&["--progress", "json", "watch", "--no-up"]);
    session.event(0, "watching", |_| true);
    assert_eq!(lab.states(), [""; 0]);
    session.interrupt();
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn many_saves_at_once_end_with_the_last_of_each() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}", hot(&lab, "a")));
    let session = watched(&lab);
    session.log(0, "a", "a text one");
    let id = lab.id("a");
    for round in 0..30 {
        for file in 0..10 {
            lab.write(&format!("a/app/many/{file}"), &format!("{round}\n"));
        }
    }
    lab.write("a/app/text", "a text last\n");
    session.log(0, "a", "a text last");
    until(|| {
        let found = lab.exec("a", "cat /app/many/* | sort | uniq -c | tr -s ' '");
        if found.trim() == "10 29" { Ok(()) } else { Err(found) }
    });
    assert_eq!(lab.id("a"), id);
    session.interrupt();
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_file_that_mends_a_failed_build_is_seen_when_it_comes() {
    let lab = Lab::new();
    let dockerfile = |text: &str| lab.dockerfile("Dockerfile", &format!("{text}CMD [\"sleep\", \"3600\"]\n"));
    lab.write("a.txt", "a");
    dockerfile("COPY a.txt /d/\n");
    lab.manifest("services:\n  a:\n    build: .\n    network_mode: none\n    stop_signal: SIGKILL\n");
    let session = watched(&lab);
    let answered = |from: usize, well: bool| {
        session.event(from, "reloaded", |e| e["service"] == "a" && e["error"].is_null() == well);
    };
    // What a COPY names is not there, nor is its folder.
    let from = session.mark();
    dockerfile("COPY a.txt new/b.txt /d/\n");
    answered(from, false);
    let from = session.mark();
    lab.write("new/b.txt", "b");
    answered(from, true);
    assert_eq!(lab.exec("a", "cat /d/b.txt"), "b");
    // Only the Dockerfile that fails reads it.
    let from = session.mark();
    dockerfile("COPY . /d/\nRUN test -f /d/deep/need.txt\n");
    answered(from, false);
    let from = session.mark();
    lab.write("deep/need.txt", "1");
    answered(from, true);
    assert_eq!(lab.exec("a", "cat /d/deep/need.txt"), "1");
    session.interrupt();
}

/// Version control and many editors delete or empty a file before they write it.
#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn what_is_gone_for_a_moment_is_not_believed() {
    let lab = Lab::new();
    lab.write("text", "one");
    lab.dockerfile("Dockerfile", "COPY text /\nCMD [\"sleep\", \"3600\"]\n");
    lab.write(".env", "MODE=one\n");
    lab.manifest(
        "services:\n  a:\n    build: .\n    network_mode: none\n    stop_signal: SIGKILL\n    environment: {MODE: \
         \"${MODE:-none}\"}\n",
    );
    let session = watched(&lab);
    let id = lab.id("a");
    for (file, text) in [("devenv.yaml", None), (".env", Some("MODE=one\n")), ("text", Some("one"))] {
        let path = lab.dir.join(file);
        let text = text.map_or_else(|| fs::read_to_string(&path).unwrap(), str::to_owned);
        for empty in [false, true] {
            if empty {
                let mut open = fs::File::create(&path).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(20));
                std::io::Write::write_all(&mut open, text.as_bytes()).unwrap();
            } else {
                fs::remove_file(&path).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(20));
                fs::write(&path, &text).unwrap();
            }
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
    }
    // What is really gone is believed.
    let from = session.mark();
    fs::remove_file(lab.dir.join(".env")).unwrap();
    session
        .event(from, "changed", |e| e["reason"]["text"].as_str().is_some_and(|text| text.starts_with("environment")));
    let before = &session.events()[..from];
    let told = |e: &&Value| ["error", "changed", "reloaded"].contains(&e["type"].as_str().unwrap_or_default());
    let created = |e: &&Value| e["did"] == "created";
    assert_eq!(before.iter().filter(told).filter(|e| !created(e)).collect::<Vec<_>>(), Vec::<&Value>::new());
    assert_ne!(lab.id("a"), id);
    session.interrupt();
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn another_name_of_the_project_makes_no_second_stack() {
    let lab = Lab::new();
    lab.write(".env", "");
    let manifest = format!("services:\n{}", idle("a"));
    lab.manifest(&manifest);
    let session = lab.start(&["--progress", "json", "up", "--watch"]);
    session.event(0, "ready", |_| true);
    let id = lab.id("a");
    let from = session.mark();
    let name = format!("{}b", lab.project);
    lab.manifest(&format!("name: {name}\n{manifest}"));
    session.event(from, "error", |e| e["text"].as_str().is_some_and(|text| text.contains(&name)));
    let from = session.mark();
    lab.manifest(&format!("{manifest}    environment: {{A: b}}\n"));
    session.event(from, "changed", |e| e["did"] == "recreated");
    assert_ne!(lab.id("a"), id);
    session.interrupt();
    let other = lab.hob(&["-p", &name, "ps", "-aq"]);
    assert_eq!(other.out.trim(), "", "{other}");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn files_of_the_manifest_are_seen_when_they_come() {
    let lab = Lab::new();
    lab.write("compose.yaml", &format!("services:\n{}    environment: {{A: \"${{A:-0}}\"}}\n", idle("a")));
    let session = lab.start(&["--progress", "json", "up", "--watch"]);
    session.event(0, "ready", |_| true);
    let value = || lab.exec("a", "echo $A $B");
    let recreated = |from: usize| {
        session.event(from, "changed", |e| e["service"] == "a" && e["did"] == "recreated");
    };
    for a in ["1", "2"] {
        let from = session.mark();
        lab.write(".env", &format!("A={a}\n"));
        recreated(from);
        assert_eq!(value(), a);
        let from = session.mark();
        fs::remove_file(lab.dir.join(".env")).unwrap();
        recreated(from);
        assert_eq!(value(), "0");
    }
    for b in ["1", "2"] {
        let from = session.mark();
        lab.write("compose.override.yaml", &format!("services: {{a: {{environment: {{B: \"{b}\"}}}}}}\n"));
        recreated(from);
        assert_eq!(value(), format!("0 {b}"));
        let from = session.mark();
        fs::remove_file(lab.dir.join("compose.override.yaml")).unwrap();
        recreated(from);
    }
    // What a broken manifest lacks.
    let from = session.mark();
    lab.write("compose.yaml", &format!("include: [more.yaml]\nservices:\n{}", idle("a")));
    session.event(from, "error", |e| e["text"].as_str().is_some_and(|text| text.contains("more.yaml")));
    let from = session.mark();
    lab.write("more.yaml", &format!("services:\n{}", idle("b")));
    session.event(from, "changed", |e| e["service"] == "b");
    session.interrupt();
}
