//! Changes that no running program waits for: version control, the manifest, files behind mounts; and feedback.

use std::fs;

use serde_json::json;

use crate::lab::{Lab, Session, until};

fn watched(lab: &Lab) -> Session {
    let session = lab.start(&["--progress", "json", "up", "--no-catch-up"]);
    session.event(0, "watching", |_| true);
    session
}

fn identity(lab: &Lab, service: &str) -> (String, String) {
    (lab.id(service), lab.started(service))
}

fn notices(session: &Session, text: &str) -> usize {
    let about = |e: &serde_json::Value| e["type"] == "notice" && e["text"].as_str().is_some_and(|t| t.contains(text));
    session.events().iter().filter(|e| about(e)).count()
}

const SERVICES: &str = "services:\n  copied:\n    build: .\n    network_mode: none\n    stop_signal: SIGKILL\n  mounted:\n    build: .\n    network_mode: none\n    stop_signal: SIGKILL\n    volumes: [\".:/app\", \"/app/tmp\"]\n";

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn what_no_program_waits_for_starts_nothing() {
    let lab = Lab::new();
    lab.dockerfile("Dockerfile", "COPY . /app\nRUN true\nCMD [\"sh\", \"-c\", \"cat /app/app.py; exec sleep 3600\"]\n");
    lab.write(".git/index", "1\n");
    lab.write("app.py", "one\n");
    lab.write("tmp/x", "1\n");
    lab.manifest(SERVICES);
    let session = watched(&lab);
    session.log(0, "copied", "one");
    session.log(0, "mounted", "one");
    let before = ["copied", "mounted"].map(|name| identity(&lab, name));

    // A commit, an editor, an ignore file.
    lab.write(".git/index", "2\n");
    lab.write(".git/refs/heads/main", "2\n");
    lab.write(".idea/workspace.xml", "2\n");
    lab.write(".dockerignore", "*.md\n");
    session.says(0, " goes into the images of copied and mounted, and its changes alone start no build");
    // All of the burst is measured.
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(["copied", "mounted"].map(|name| identity(&lab, name)), before);
    assert_eq!(notices(&session, "in .dockerignore leaves it out"), 1, "once for all services: {}", session.text());

    // The one that copies it is built anew; the one that mounts it is told that nothing follows.
    let from = session.mark();
    lab.write("app.py", "two\n");
    let event = session.reloaded(from, "copied");
    assert_eq!(
        (&event["action"]["text"], &event["files"]),
        (&json!("rebuilt + recreated"), &json!(["app.py"])),
        "{event}"
    );
    let hint = "app.py is mounted at /app/app.py and mounted was not told: `x-reload: restart`";
    assert_eq!(notices(&session, hint), 1, "{}", session.text());
    assert_eq!(identity(&lab, "mounted"), before[1]);
    assert_ne!(identity(&lab, "copied"), before[0]);

    // The manifest is copied too. The two share what they build, and run images of different ages.
    let before = ["copied", "mounted"].map(|name| identity(&lab, name));
    for comment in ["# 1", "# 2"] {
        let from = session.mark();
        // New folders of which nobody has taken note yet.
        lab.write(&format!(".git/refs/{comment}/tag"), "3\n");
        lab.manifest(&format!("{SERVICES}{comment}\n"));
        session.event(from, "plan", |e| e["steps"].as_array().is_some_and(Vec::is_empty));
    }
    assert_eq!(["copied", "mounted"].map(|name| identity(&lab, name)), before);
    assert!(session.events().iter().all(|e| e["type"] != "error"), "{}", session.text());

    let later = "in a session nothing; the next `hob up` builds the image again";
    let mounted = format!("mounted: {later}, because mounted: the container");
    lab.ok(&["why", "--file", "app.py"]).says(&["copied: rebuild", &mounted]);
    let hidden = format!("mounted: {later}, because hidden: something is mounted over it at /app");
    lab.ok(&["why", "--file", "tmp/x"]).says(&[&hidden]);
    lab.ok(&["explain", "mounted"]).says(&["app.py", later, "mounted: the container sees it at /app/app.py"]);
    lab.ok(&["why", "--file", ".git/index"]).says(&[&format!("copied: {later}, because no program needs it")]);
    lab.ok(&["why", "--file", "."]).says(&[". is a folder", "copied: rebuild (", &format!("mounted: {later} (")]);
    lab.ends(&["why", "--file", "nope.py"], 1).says(&["nope.py does not exist"]);
    session.interrupt();
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn a_program_that_writes_what_starts_it_is_started_no_more_for_it() {
    let lab = Lab::new();
    let service = "network_mode: none\n    stop_signal: SIGKILL\n    volumes: [\"./data:/data\"]\n";
    lab.dockerfile(
        "Dockerfile",
        "COPY . /app\nCMD [\"sh\", \"-c\", \"echo started; date >> /data/log; exec sleep 3600\"]\n",
    );
    fs::create_dir(lab.dir.join("data")).unwrap();
    lab.write("data/text", "1\n");
    lab.manifest(&format!(
        "services:\n  quiet:\n    build: .\n    {service}  loud:\n    build: .\n    reload: restart\n    {service}"
    ));
    let session = watched(&lab);
    session.event(0, "warning", |e| {
        e["text"].as_str().is_some_and(|text| text.starts_with("data/log changes right after each time"))
    });
    let from = session.mark();
    lab.write("data/text", "2\n");
    session.event(from, "reloaded", |e| {
        e["service"] == "loud" && e["files"].as_array().is_some_and(|files| files.contains(&json!("data/text")))
    });
    let starts = |name: &str| {
        let of = |e: &&serde_json::Value| e["type"] == "log" && e["service"] == name && e["line"] == "started";
        session.events().iter().filter(of).count()
    };
    until(|| if starts("loud") > 1 { Ok(()) } else { Err("not restarted".to_owned()) });
    assert!(starts("loud") < 50, "{}", starts("loud"));
    assert_eq!(starts("quiet"), 1, "what it sees through a mount asks for nothing");
    session.interrupt();
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn ignore_files_are_written_on_request() {
    let lab = Lab::new();
    lab.dockerfile("Dockerfile", "COPY . /app\n");
    lab.write(".git/index", "1");
    lab.write("lib/.git", "gitdir: elsewhere");
    lab.write(".idea/workspace.xml", "1");
    lab.write("web/Dockerfile", "FROM hob-test/busybox:1\nCOPY . /app\n");
    lab.write("web/Dockerfile.dockerignore", "*.md");
    lab.write("web/.vscode/settings.json", "{}");
    lab.write(".dockerignore", ".idea\n");
    lab.manifest("services:\n  a:\n    build: .\n  b:\n    build: .\n  c:\n    build: web\n");
    let said = lab.ok(&["init", "--ignore"]);
    said.says(&[
        ".dockerignore leaves out from now on: **/.git, **/.vscode, **/Dockerfile.dockerignore, .dockerignore, .git, \
         devenv.yaml",
        "web/Dockerfile.dockerignore leaves out from now on: .vscode, Dockerfile.dockerignore",
    ]);
    let read = |path: &str| fs::read_to_string(lab.dir.join(path)).unwrap();
    assert_eq!(
        read(".dockerignore"),
        ".idea\n**/.git\n**/.vscode\n**/Dockerfile.dockerignore\n.dockerignore\n.git\ndevenv.yaml\n"
    );
    assert_eq!(read("web/Dockerfile.dockerignore"), "*.md\n.vscode\nDockerfile.dockerignore\n");
    lab.ok(&["init", "--ignore"]).says(&["nothing to write"]);
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn writes_beside_a_broken_build_do_not_have_it_tried_for_ever() {
    let lab = Lab::new();
    lab.write("a.txt", "1");
    lab.write("data/.keep", "");
    let dockerfile = |files: &str| {
        lab.dockerfile("Dockerfile", &format!("COPY {files} /d/\nCMD [\"sleep\", \"3600\"]\n"));
    };
    dockerfile("a.txt");
    let service = "network_mode: none\n    stop_signal: SIGKILL\n    volumes: [\"./data:/data\"]\n";
    let command = "command: [sh, -c, 'while :; do date >> /data/log; usleep 50000; done']\n";
    lab.manifest(&format!("services:\n  a:\n    build: .\n    {command}    {service}"));
    let session = watched(&lab);
    dockerfile("a.txt b.txt");
    session.event(0, "warning", |e| {
        e["text"].as_str().is_some_and(|text| text.starts_with("data/log changes right after each time"))
    });
    let tries = || session.events().iter().filter(|e| e["type"] == "reloaded").count();
    std::thread::sleep(std::time::Duration::from_millis(500));
    let before = tries();
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(tries(), before, "{}", session.text());
    // What mends it is seen all the same.
    let from = session.mark();
    lab.write("b.txt", "1");
    session.event(from, "reloaded", |e| e["error"].is_null());
    session.interrupt();
}
