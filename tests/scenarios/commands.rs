//! The commands besides `up` and `down`, each as a person uses it.

use serde_json::{Value, json};

use crate::lab::{Lab, engine, idle, until};

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn ps_lists_containers() {
    let lab = Lab::new();
    lab.manifest(&format!(
        "services:\n{}  job:\n    image: hob-test/busybox:1\n    command: 'true'\n    network_mode: none\n{}",
        idle("a"),
        idle("b")
    ));
    lab.ok(&["up", "-d", "a", "job"]);
    until(|| if lab.container("job").state == "exited" { Ok(()) } else { Err("job runs".to_owned()) });
    let table = lab.ok(&["ps"]).out;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 2, "{table}");
    for head in ["NAME", "IMAGE", "COMMAND", "SERVICE", "CREATED", "STATUS", "PORTS"] {
        assert!(lines[0].contains(head), "{table}");
    }
    assert!(lines[1].contains(&format!("{}-a-1", lab.project)) && lines[1].contains("hob-test/busybox:1"), "{table}");
    assert!(lines[1].contains("Up ") && lines[1].contains("\"sleep 3600\""), "{table}");

    assert_eq!(lab.ok(&["ps", "-a"]).out.lines().count(), 3);
    assert_eq!(lab.ok(&["ps", "-q"]).out.trim(), lab.id("a"));
    assert_eq!(lab.ok(&["ps", "-a", "--services"]).out, "a\njob\n");
    assert_eq!(lab.ok(&["ps", "--status", "exited", "--services"]).out, "job\n");
    assert_eq!(lab.ok(&["ps", "-aq", "job"]).out.trim(), lab.id("job"));
    let json = lab.ok(&["ps", "-a", "--format", "json"]).out;
    let rows: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2, "{json}");
    assert_eq!((&rows[0]["Service"], &rows[0]["State"]), (&"a".into(), &"running".into()));
    assert_eq!(
        (&rows[1]["Service"], &rows[1]["State"], &rows[1]["ExitCode"]),
        (&"job".into(), &"exited".into(), &0.into())
    );
    lab.ends(&["ps", "nothing"], 15).says(&["no such service: nothing"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn logs_shows_what_was_written_and_what_comes() {
    let lab = Lab::new();
    lab.manifest(
        "services:
  a:
    image: hob-test/busybox:1
    network_mode: none
    stop_signal: SIGKILL
    command: sh -c 'for i in 1 2 3 4 5; do echo a $$i; done; while [ ! -e /go ]; do sleep 0.05; done; echo a went; exec sleep 3600'
  b:
    image: hob-test/busybox:1
    network_mode: none
    stop_signal: SIGKILL
    command: sh -c 'echo b 1; exec sleep 3600'
",
    );
    lab.ok(&["up", "-d"]);
    until(|| {
        let out = lab.ok(&["logs"]).out;
        if out.lines().count() == 6 { Ok(()) } else { Err(out) }
    });
    let all = lab.ok(&["logs"]);
    assert!(all.out.contains("a-1  | a 5\n") && all.out.contains("b-1  | b 1\n") && !all.out.contains('\x1b'), "{all}");
    assert_eq!(lab.ok(&["logs", "--tail", "2", "a"]).out, "a-1  | a 4\na-1  | a 5\n");
    assert_eq!(lab.ok(&["logs", "-n", "1", "--no-log-prefix", "a"]).out, "a 5\n");
    assert_eq!(lab.ok(&["logs", "b"]).out, "b-1  | b 1\n");
    let stamped = lab.ok(&["logs", "-t", "--no-log-prefix", "b"]).out;
    let (time, rest) = stamped.trim().split_once(' ').unwrap();
    assert!(time.ends_with('Z') && time.contains('T') && rest == "b 1", "{stamped}");
    assert_eq!(lab.ok(&["logs", "--since", "2000-01-01T00:00:00Z", "b"]).out, "b-1  | b 1\n");
    assert_eq!(lab.ok(&["logs", "--since", "2037-01-01T00:00:00Z"]).out, "");
    assert_eq!(lab.ok(&["logs", "--until", "2000-01-01T00:00:00Z"]).out, "");
    lab.ends(&["logs", "--since", "yesterdayish"], 2).says(&["yesterdayish"]);

    let session = lab.start(&["logs", "-f", "--tail", "1"]);
    session.says(0, "a-1  | a 5");
    lab.exec("a", "touch /go");
    session.says(0, "a-1  | a went");
    lab.ok(&["restart", "b"]);
    until(|| {
        let count = session.lines().iter().filter(|line| *line == "b-1  | b 1").count();
        if count == 2 { Ok(()) } else { Err(session.text()) }
    });
    assert!(!session.text().contains("a 4"), "{}", session.text());
    session.interrupt();
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn exec_hands_on_streams_and_exit_codes() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}    environment: {{KEPT: kept}}\n    working_dir: /tmp\n", idle("a")));
    lab.ends(&["exec", "a", "true"], 1).says(&["service \"a\" is not running", "hob up -d a"]);
    lab.ok(&["up", "-d"]);
    for (command, code) in [
        (&["true"][..], 0),
        (&["sh", "-c", "exit 3"], 3),
        (&["sh", "-c", "kill -9 $$"], 137),
        (&["no-such-program"], 127),
        (&["/etc/passwd"], 126),
    ] {
        lab.ends(&[&["exec", "-T", "a"], command].concat(), code);
    }
    let both = lab.ok(&["exec", "a", "sh", "-c", "echo out; echo err >&2"]);
    assert_eq!((both.out.as_str(), both.err.as_str()), ("out\n", "err\n"));
    let input = "x".repeat(300_000);
    let done = lab.hob_with_input(&["exec", "-T", "a", "wc", "-c"], &input);
    assert_eq!((done.code, done.out.trim()), (0, "300000"), "{done}");
    let done = lab.hob_with_input(&["exec", "-T", "a", "cat"], "to and fro\n");
    assert_eq!((done.code, done.out.as_str()), (0, "to and fro\n"), "{done}");
    // It ends although nobody closes its input.
    let mut session = lab.start(&["exec", "-T", "a", "echo", "short"]);
    assert_eq!(session.end(), 0);

    assert_eq!(lab.ok(&["exec", "-e", "A=b", "a", "sh", "-c", "echo $A $KEPT"]).out, "b kept\n");
    assert_eq!(lab.ok(&["exec", "a", "pwd"]).out, "/tmp\n");
    assert_eq!(lab.ok(&["exec", "-w", "/etc", "a", "pwd"]).out, "/etc\n");
    assert_eq!(lab.ok(&["exec", "-u", "65534", "a", "id", "-u"]).out, "65534\n");
    assert_eq!(lab.ok(&["exec", "a", "echo", "--help", "-d"]).out, "--help -d\n", "all that follows is the command's");
    lab.ok(&["exec", "-d", "a", "sh", "-c", "echo detached >/tmp/proof"]);
    until(|| {
        let found = lab.exec("a", "cat /tmp/proof 2>&1 || true");
        if found == "detached" { Ok(()) } else { Err(found) }
    });
    lab.ends(&["exec", "nothing", "true"], 15).says(&["no such service: nothing"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn run_starts_a_one_off_container_and_leaves_nothing() {
    let lab = Lab::new();
    lab.dockerfile("tool/Dockerfile", "COPY text /\nENTRYPOINT [\"echo\", \"entry\"]\nCMD [\"command\"]\n");
    lab.write("tool/text", "built\n");
    lab.manifest(&format!(
        "services:\n{}    healthcheck: {{test: [CMD, \"true\"], interval: 100ms}}\n  tool:\n    build: tool\n    network_mode: none\n    \
         environment: {{KEPT: kept}}\n    depends_on:\n      db: {{condition: service_healthy}}\n{}",
        idle("db"),
        idle("other")
    ));
    assert_eq!(lab.ok(&["run", "--rm", "tool"]).out, "entry command\n");
    assert_eq!(lab.states(), ["db running"], "what it needs runs, it itself is gone");
    assert_eq!(lab.ok(&["run", "--rm", "tool", "words", "-x"]).out, "entry words -x\n");
    let shell = |args: &[&str], command: &str| {
        lab.hob(&[&["run", "--rm", "--entrypoint", "sh"], args, &["tool", "-c", command]].concat())
    };
    assert_eq!(shell(&[], "exit 5").code, 5);
    assert_eq!(shell(&["-e", "A=b"], "echo $A $KEPT; cat /text").out, "b kept\nbuilt\n");
    assert_eq!(shell(&["-w", "/etc"], "pwd").out, "/etc\n");
    assert_eq!(shell(&["-u", "65534"], "id -u").out, "65534\n");
    let both = shell(&[], "echo out; echo err >&2");
    assert!(both.out == "out\n" && both.err.ends_with("err\n"), "{both}");
    let done = lab.hob_with_input(&["run", "--rm", "--entrypoint", "cat", "tool"], "to and fro\n");
    assert_eq!((done.code, done.out.as_str()), (0, "to and fro\n"), "{done}");
    lab.ends(&["run", "--rm", "--entrypoint", "no-such-program", "tool"], 127);
    assert_eq!(lab.states(), ["db running"], "nothing is left");

    let id = lab.ok(&["run", "-d", "--entrypoint", "sleep", "tool", "3600"]).out;
    let id = id.trim();
    assert!(lab.containers().iter().any(|c| c.id == id && c.state == "running"), "{id}");
    assert_eq!(lab.ok(&["ps", "--services"]).out, "db\n");
    assert_eq!(lab.ok(&["ps", "-a", "--services"]).out.lines().count(), 2);
    lab.ok(&["up", "-d", "tool"]).silent_about(&["orphan"]);
    lab.ok(&["down", "-t", "0"]);
    assert_eq!(lab.states(), [""; 0], "down takes one-off containers too");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_service_is_stopped_started_restarted_killed_and_removed() {
    let lab = Lab::new();
    lab.manifest(&format!("services:\n{}{}    depends_on: [a]\n{}", idle("a"), idle("b"), idle("c")));
    lab.ok(&["up", "-d"]);
    let ids: Vec<String> = lab.containers().into_iter().map(|c| c.id).collect();
    lab.ok(&["stop", "b"]);
    assert_eq!(lab.states(), ["a running", "b exited", "c running"]);
    lab.ok(&["start", "b"]);
    assert_eq!(lab.states(), ["a running", "b running", "c running"]);
    let (a, b) = (lab.started("a"), lab.started("b"));
    lab.ok(&["restart", "b"]);
    assert_eq!(lab.started("a"), a);
    assert_ne!(lab.started("b"), b);
    lab.ok(&["kill", "-s", "SIGKILL", "c"]);
    until(|| {
        let states = lab.states();
        if states == ["a running", "b running", "c exited"] { Ok(()) } else { Err(format!("{states:?}")) }
    });
    assert_eq!(lab.inspect("c")["State"]["ExitCode"], 137);
    lab.ok(&["rm", "-f"]);
    assert_eq!(lab.states(), ["a running", "b running"]);
    lab.ok(&["rm", "-fs", "b"]);
    assert_eq!(lab.states(), ["a running"]);
    assert_eq!(lab.id("a"), ids[0]);
    lab.ok(&["stop"]);
    lab.ok(&["up", "-d"]).says(&["it exited with 137"]);
    assert_eq!(lab.states(), ["a running", "b running", "c running"]);
    assert_eq!(lab.id("a"), ids[0], "what was stopped is started, not made again");
    lab.ends(&["stop", "nothing"], 15).says(&["no such service: nothing"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn build_builds_what_is_not_there_and_shows_a_failure_whole() {
    let lab = Lab::new();
    lab.dockerfile("a/Dockerfile", "ARG VERSION=one\nRUN echo version $VERSION >/version\n");
    lab.manifest("services:\n  a:\n    build: a\n    network_mode: none\n    command: sleep 3600\n");
    lab.ok(&["build"]).says(&["build a"]);
    assert!(lab.containers().is_empty());
    lab.ok(&["build"]).says(&["nothing to do"]);
    lab.ok(&["build", "--no-cache"]).says(&["build a"]);
    lab.ok(&["build", "--build-arg", "VERSION=two"]).says(&["build a"]);
    lab.dockerfile("a/Dockerfile", "RUN for i in 1 2 3; do echo output $i; done; echo to stderr >&2; exit 6\n");
    for args in [&["build"][..], &["build", "-q"], &["up", "-d"]] {
        let done = lab.ends(args, 17);
        done.says(&["output 1\n", "output 3", "to stderr", "exit 6", "Dockerfile:3:1"]);
        assert!(done.err.contains('a') && done.err.contains("RUN for i in"), "{done}");
    }
    lab.dockerfile("a/Dockerfile", "RUNN echo\n");
    let done = lab.hob(&["build"]);
    done.says(&["unknown instruction RUNN", "Dockerfile:3:1", "did you mean RUN?"]);
    assert!([15, 17].contains(&done.code), "{done}");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_file_that_is_copied_last_is_one_layer_on_the_last_whole_image() {
    let lab = Lab::new();
    let label = |name: &str| {
        let mut command = std::process::Command::new("docker");
        let format = format!("{{{{index .Config.Labels \"{name}\"}}}}");
        command.args(["image", "inspect", "--format", &format, &format!("{}-a", lab.project)]);
        crate::lab::run(command, "").out.trim().to_owned()
    };
    lab.dockerfile("a/Dockerfile", "RUN mkdir /app\nCOPY . /app\nCMD [\"sleep\", \"3600\"]\n");
    lab.manifest("services:\n  a:\n    build: a\n    network_mode: none\n    stop_signal: SIGKILL\n");
    lab.write("a/f", "one\n");
    lab.ok(&["build"]).silent_about(&["delta:"]);
    let (whole, delta) = (label("io.hob.inputs"), label("io.hob.delta"));
    assert_eq!(delta, "");
    lab.write("a/f", "two\n");
    lab.ok(&["build"]).says(&["put 1 changed file onto"]);
    assert_eq!(label("io.hob.delta"), whole);
    lab.write("a/f", "three\n");
    lab.write("a/d/g", "new\n");
    lab.ok(&["up", "-d"]).says(&["put 3 changed files onto"]);
    assert_eq!(label("io.hob.delta"), whole, "it is on the whole image, not on the last delta");
    assert_eq!(lab.exec("a", "cat /app/f /app/d/g"), "three\nnew");
    assert_eq!(lab.inspect("a")["Config"]["Cmd"], serde_json::json!(["sleep", "3600"]));
    lab.ok(&["build"]).says(&["nothing to do"]);
    lab.ok(&["build", "--no-cache"]).silent_about(&["delta:"]);
    assert_eq!(label("io.hob.delta"), "");
    lab.write("a/f", "four\n");
    lab.ok(&["build"]).says(&["put 1 changed file onto"]);
    lab.write("a/f", "five\n");
    lab.dockerfile("a/Dockerfile", "RUN mkdir /app /more\nCOPY . /app\nCMD [\"sleep\", \"3600\"]\n");
    lab.ok(&["build"]).silent_about(&["delta:"]);
    assert_eq!(label("io.hob.delta"), "");
    let mut command = std::process::Command::new("docker");
    command.args(["rmi", &format!("hob-build:{}", &label("io.hob.inputs")[..40])]);
    crate::lab::run(command, "");
    lab.write("a/f", "six\n");
    lab.ok(&["build"]).silent_about(&["delta:"]);
}

#[test]
fn config_checks_and_prints() {
    let lab = Lab::without_engine();
    lab.manifest(
        "services:\n  api:\n    image: busybox\n    environment:\n      - LEVEL=${LEVEL:-debug}\n    ports: ['8080:80']\n",
    );
    let quiet = lab.ok(&["config", "-q"]);
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
    let yaml = lab.ok(&["config"]).out;
    assert!(yaml.contains("LEVEL: debug") && yaml.contains("published: \"8080\""), "{yaml}");
    // What it prints is a manifest that says the same.
    lab.write("printed.yaml", &yaml);
    assert_eq!(lab.ok(&["-f", "printed.yaml", "config"]).out, yaml);
    let json: Value = serde_json::from_str(&lab.ok(&["config", "--format", "json"]).out).unwrap();
    assert_eq!(json["services"]["api"]["environment"]["LEVEL"], "debug");
    assert_eq!(lab.ok(&["config", "--services"]).out, "api\n");
    assert_eq!(lab.ok(&["config", "--images"]).out, "busybox\n");
    let place = lab.ok(&["config", "--explain", "services.api.environment.LEVEL"]).out;
    assert!(place.contains("debug") && place.contains("devenv.yaml:5:"), "{place}");
    lab.manifest("services:\n  api:\n    image: [busybox]\n");
    let json: Value = serde_json::from_str(&lab.ends(&["config", "--format", "json"], 15).err).unwrap();
    assert_eq!((&json[0]["line"], &json[0]["column"]), (&3.into(), &12.into()), "{json}");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn why_and_explain_name_who_reads_a_file() {
    let lab = Lab::new();
    lab.dockerfile("Dockerfile", "COPY lib /lib\nRUN cat /lib/* >/all\nCOPY app /app\nCMD [\"sleep\", \"3600\"]\n");
    lab.write("lib/a", "a\n");
    lab.write("app/b", "b\n");
    lab.write("unread", "c\n");
    lab.manifest("services:\n  api:\n    build: .\n    network_mode: none\n");
    lab.ok(&["up", "-d"]);
    lab.ok(&["why", "--file", "app/b"]).says(&["api: sync to /app/b, because Dockerfile:5"]);
    lab.ok(&["why", "--file", "lib/a"]).says(&["api: rebuild, because the RUN in line 4"]);
    lab.ok(&["why", "--file", "unread"]).says(&["no service reads it"]);
    lab.ok(&["why", "--file", "devenv.yaml"]).says(&["reads the manifest again"]);
    lab.ok(&["why", "api"]).says(&["it has no container", "`hob up` would do nothing"]);
    lab.write("lib/a", "other\n");
    lab.ok(&["why", "api"]).says(&["`hob up` would", "lib/a changed"]);
    let table = lab.ok(&["explain"]).out;
    for part in ["SERVICE", "app/b", "sync to /app/b", "lib/a", "rebuild"] {
        assert!(table.contains(part), "no {part:?} in\n{table}");
    }
    assert!(!table.contains("unread"), "{table}");
    let json: Value = serde_json::from_str(&lab.ok(&["explain", "--format", "json"]).out).unwrap();
    assert!(json.as_array().unwrap().iter().any(|row| row["path"] == "app/b" && row["service"] == "api"), "{json}");
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn doctor_looks_at_everything() {
    let lab = Lab::new();
    lab.manifest("services:\n  api:\n    image: hob-test/busybox:1\n");
    lab.ok(&["doctor"]).says(&["ok  engine", "API 1.", "ok  agent", "ok  watching", "ok  manifest", "devenv.yaml"]);
    let json: Value = serde_json::from_str(&lab.ok(&["doctor", "--format", "json"]).out).unwrap();
    assert!(json.as_array().unwrap().iter().all(|check| check["ok"] == true), "{json}");
    lab.manifest("services:\n  api:\n    imagee: hob-test/busybox:1\n");
    lab.ends(&["doctor"], 1).says(&["BAD manifest", "devenv.yaml:3:5", "imagee"]);
}

#[test]
fn init_writes_a_manifest_that_is_right() {
    let lab = Lab::without_engine();
    lab.write("Dockerfile", "FROM busybox\nEXPOSE 8000\nCMD [\"httpd\", \"-f\"]\n");
    lab.ok(&["init"]).says(&["devenv.yaml", "next: hob up"]);
    lab.ok(&["config", "-q"]);
    assert!(lab.ok(&["config", "--services"]).out.lines().count() >= 1);
    lab.ends(&["init", "shop"], 1).says(&["there already", "--force"]);

    let shop = Lab::without_engine();
    shop.ok(&["init", "shop"]).says(&["wrote devenv.yaml"]);
    shop.ok(&["config", "-q"]);
    let services = shop.ok(&["config", "--services"]).out;
    for name in ["api", "broker", "cache", "db", "migrate", "web", "worker"] {
        assert!(services.lines().any(|line| line == name), "{services}");
    }
    shop.ends(&["init", "nothing"], 2).says(&["nothing", "shop"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn old_images_of_a_service_go_when_newer_ones_are_built() {
    let lab = Lab::new();
    lab.manifest("services:\n  api:\n    build: .\n    network_mode: none\n");
    lab.dockerfile("Dockerfile", "COPY f /f\nCMD [\"sleep\", \"3600\"]\n");
    lab.write("f", "0");
    lab.ok(&["up", "-d"]);
    let first = lab.container("api").image;
    for text in 1..=10 {
        lab.write("f", &text.to_string());
        lab.ok(&["build"]);
    }
    let label = format!("com.docker.compose.project={}", lab.project);
    let images = engine::labelled("images/json", &[&label]);
    let ids: Vec<&str> = images.as_array().unwrap().iter().filter_map(|image| image["Id"].as_str()).collect();
    // Eleven were built: the newest five stay, and the first, which the container uses.
    assert_eq!(ids.len(), 6, "{ids:?}");
    assert!(ids.contains(&first.as_str()), "{first} in {ids:?}");
    let service = format!("of {}/api", lab.project);
    let shown = lab.ok(&["prune", "--dry-run", "--keep", "3"]).out;
    assert_eq!(shown.lines().filter(|line| line.contains(&service)).count(), 2, "{shown}");
    let after = engine::labelled("images/json", &[&label]);
    assert_eq!(after.as_array().map(Vec::len), Some(6), "--dry-run removes nothing");
}

#[test]
fn completions_version_and_help() {
    let lab = Lab::without_engine();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(lab.ok(&["completions", shell]).out.contains("hob"), "{shell}");
    }
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(lab.ok(&["version"]).out, format!("hob version {version}\n"));
    assert_eq!(lab.ok(&["version", "--short"]).out, format!("{version}\n"));
    assert!(lab.ok(&["-V"]).out.contains(version));
    assert!(lab.ok(&["--help"]).out.contains("up"));
    lab.ends(&["upp"], 2).says(&["upp", "up"]);
    lab.ends(&["up", "--nonsense"], 2).says(&["--nonsense"]);
}

#[test]
fn builds_are_printed_for_bake_without_an_engine() {
    let mut lab = Lab::without_engine();
    lab.env.insert("DOCKER_HOST".into(), format!("unix://{}", lab.outside("dead.sock").display()));
    lab.manifest(
        "services:\n  api:\n    build: ./api\n    depends_on: [web]\n  web:\n    build: {context: ., args: {A: b}}\n  \
         db:\n    image: db\n",
    );
    let printed = |args: &[&str]| serde_json::from_str::<Value>(&lab.ok(args).out).unwrap();
    let all = printed(&["build", "--print", "--pull", "--build-arg", "A=c"]);
    assert_eq!(all["group"]["default"]["targets"], json!(["api", "web"]));
    assert_eq!((&all["target"]["web"]["args"]["A"], &all["target"]["api"]["pull"]), (&json!("c"), &json!(true)));
    assert_eq!(all["target"]["api"]["tags"], json!([format!("{}-api", lab.project)]));
    assert_eq!(printed(&["build", "--print", "api"])["group"]["default"]["targets"], json!(["api"]));
    assert_eq!(
        printed(&["build", "--print", "--with-dependencies", "api"])["group"]["default"]["targets"],
        json!(["api", "web"])
    );
    assert_eq!(lab.ok(&["build", "--print", "db"]).out, "");
}
