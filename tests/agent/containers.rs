//! The agent in real containers. Needs an engine that the `docker` command reaches, with the tests' image on it.

use std::process::Stdio;
use std::time::Duration;

use hob::for_tests::agent::{AgentClient, Meta, Op};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// The image that tests run; `scripts/base-images test` makes it.
const IMAGE: &str = "hob-test/busybox:1";
const GRACE: Duration = Duration::from_mins(10);

/// Runs the `docker` command and gives what it printed, or its error.
async fn docker(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("docker").args(arguments).stdin(Stdio::null()).output().await;
    let output = output.map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Waits for the first line of a container's log.
async fn first_line(container: &str) -> String {
    let mut follow = Command::new("docker");
    follow.args(["logs", "-f", container]).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = follow.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next_line().await.unwrap().unwrap().trim_end().to_owned()
}

/// A volume with the agent, and everything that a test made; removed at the end.
struct Engine {
    name: String,
    made: std::cell::RefCell<Vec<[String; 3]>>,
}

impl Engine {
    /// Fills the volume as hob does: through the archive API of a container that is never started.
    async fn new(test: &str) -> Self {
        docker(&["image", "inspect", IMAGE]).await.expect("this test needs an engine with its image");
        let engine =
            Self { name: format!("hobtest-{test}-{}", std::process::id()), made: std::cell::RefCell::default() };
        docker(&["volume", "create", &engine.name]).await.unwrap();
        engine.made(&["volume", "rm", &engine.name]);
        let filler = format!("{}-fill", engine.name);
        docker(&["create", "--name", &filler, "-v", &format!("{}:/.hob", engine.name), IMAGE, "true"]).await.unwrap();
        let agent = crate::harness::agent().display().to_string();
        docker(&["cp", &agent, &format!("{filler}:/.hob/agent")]).await.unwrap();
        docker(&["rm", &filler]).await.unwrap();
        engine
    }

    fn made(&self, undo: &[&str; 3]) {
        self.made.borrow_mut().push(undo.map(str::to_owned));
    }

    /// Starts a container, with the agent or without, and gives its name.
    async fn run(&self, number: usize, with_agent: bool, flags: &[&str], image: &str, command: &[&str]) -> String {
        let name = format!("{}-{number}{}", self.name, if with_agent { "-agent" } else { "" });
        let volume = format!("{}:/.hob:ro", self.name);
        let mut arguments = vec!["run", "-d", "--name", &name];
        arguments.extend(flags);
        if with_agent {
            arguments.extend(["-v", &volume, "--entrypoint", "/.hob/agent", image, "run", "--"]);
        } else {
            arguments.push(image);
        }
        arguments.extend(command);
        self.made(&["rm", "-f", &name]);
        docker(&arguments).await.unwrap();
        name
    }

    /// A stream to the agent of a container.
    async fn client(&self, container: &str, flags: &[&str]) -> (AgentClient, Child) {
        let mut exec = Command::new("docker");
        exec.args(["exec", "-i", "-u", "0", "-w", "/"]).args(flags).args([container, "/.hob/agent", "serve"]);
        exec.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = exec.spawn().unwrap();
        let (reader, writer) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
        (AgentClient::connect(reader, writer).await.unwrap(), child)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for undo in self.made.borrow().iter().rev() {
            let _ = std::process::Command::new("docker").args(undo).output();
        }
    }
}

/// Ways to run a container, each of which must look the same with the agent and without.
const WAYS: &[&[&str]] = &[
    &[],
    &["-t"],
    &["-u", "1000:50", "-w", "/var", "-e", "ODD=a b"],
    &["-u", "1000", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"],
    &["-t", "-u", "1000", "--ulimit", "nofile=200:300"],
    &["--network", "none", "--ipc", "private"],
    &["--init"],
    &["-t", "--init"],
];

#[tokio::test]
#[ignore = "needs an engine: run it with --include-ignored"]
async fn a_command_has_the_same_surroundings_and_exit_code() {
    let engine = Engine::new("same").await;
    let script = "tty; (: </dev/tty) 2>/dev/null && echo controlling; stty size 2>/dev/null; id; pwd; env | sort; umask; \
                  ulimit -n; ls /proc/self/fd | wc -l; grep -e Sig[BP] -e Cap -e NoNew /proc/self/status; \
                  echo >/file && echo wrote; exit 7";
    for (number, flags) in WAYS.iter().enumerate() {
        let mut seen = Vec::new();
        for with_agent in [false, true] {
            let flags = [&["--hostname", "test"], *flags].concat();
            let name = engine.run(number, with_agent, &flags, IMAGE, &["sh", "-c", script]).await;
            let code = docker(&["wait", &name]).await.unwrap();
            let logs = docker(&["logs", &name]).await.unwrap();
            seen.push((code.trim().to_owned(), logs));
        }
        assert_eq!(seen[0], seen[1], "{flags:?}");
        assert_eq!(seen[0].0, "7", "{flags:?}: {}", seen[0].1);
    }
}

#[tokio::test]
#[ignore = "needs an engine: run it with --include-ignored"]
async fn files_and_restarts_reach_every_kind_of_container() {
    let engine = Engine::new("reach").await;
    let other = engine.run(100, false, &[], IMAGE, &["sleep", "600"]).await;
    let (pid, net) = (format!("container:{other}"), format!("container:{other}"));
    let ways: &[(&[&str], bool)] = &[
        (&[], true),
        (&["-t"], true),
        (&["--init"], true),
        (&["-t", "--init"], true),
        (&["-u", "1000"], true),
        (&["--cap-drop", "ALL", "--security-opt", "no-new-privileges"], true),
        (&["-u", "1000", "--read-only"], false),
        (&["--network", "none"], true),
        (&["--network", "host"], true),
        (&["--network", &net, "-u", "1000"], true),
        (&["--pid", "host"], true),
        (&["--pid", &pid], true),
        (&["--ipc", "host"], true),
    ];
    let script = "[ -e /srv/new/file ] && cat /srv/new/file; exec sleep 600";
    for (number, (flags, writable)) in ways.iter().enumerate() {
        let name = engine.run(number, true, flags, IMAGE, &["sh", "-c", script]).await;
        let (client, _exec) = engine.client(&name, &[]).await;
        let meta = Meta { mode: 0o644, uid: 0, gid: 0, mtime: None };
        let write = Op::Write { path: b"file".to_vec(), meta, data: b"synced\n".to_vec(), last: true };
        let applied = client.apply(vec![Op::Target(b"/srv/new".to_vec()), write]).await.unwrap();
        assert_eq!(applied.errors.is_empty(), *writable, "{flags:?}: {:?}", applied.errors);
        if !writable {
            let message = String::from_utf8_lossy(&applied.errors[0].message);
            assert_eq!(message, "cannot open the target: read-only file system", "{flags:?}");
        }
        let before = client.status().await.unwrap();
        let restarted = client.restart(15, GRACE).await.unwrap();
        assert_eq!(restarted.old, Some(before.pid), "{flags:?}");
        assert!(!restarted.killed, "{flags:?}");
        assert_eq!(client.status().await.unwrap().uid, if flags.contains(&"-u") { 1000 } else { 0 }, "{flags:?}");
        if *writable {
            assert_eq!(first_line(&name).await, "synced", "{flags:?}");
        }
        docker(&["stop", &name]).await.unwrap();
        let code = docker(&["inspect", "-f", "{{.State.ExitCode}}", &name]).await.unwrap();
        assert_eq!(code.trim(), "143", "{flags:?}");
        client.closed().await;
    }
}

#[tokio::test]
#[ignore = "needs an engine: run it with --include-ignored"]
async fn an_image_with_nothing_in_it_can_have_the_agent() {
    let engine = Engine::new("scratch").await;
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("busybox");
    let source = engine.run(100, false, &[], IMAGE, &["sleep", "600"]).await;
    docker(&["cp", &format!("{source}:/bin/busybox"), &binary.display().to_string()]).await.unwrap();
    let archive = folder.path().join("image.tar");
    let mut tar = tar::Builder::new(std::fs::File::create(&archive).unwrap());
    tar.append_path_with_name(&binary, "busybox").unwrap();
    tar.into_inner().unwrap();
    let image = engine.name.clone();
    docker(&["import", "-c", "USER 1000", &archive.display().to_string(), &image]).await.unwrap();
    engine.made(&["image", "rm", &image]);
    let name = engine.run(0, true, &["--read-only"], &image, &["/busybox", "sleep", "600"]).await;
    let (client, _exec) = engine.client(&name, &[]).await;
    assert!(client.restart(15, GRACE).await.unwrap().old.is_some());
    // A failing start says what the engine would have said, in the log.
    let name = engine.run(1, true, &[], &image, &["no-such", "sleep"]).await;
    assert_eq!(docker(&["wait", &name]).await.unwrap().trim(), "127");
}

#[tokio::test]
#[ignore = "needs an engine: run it with --include-ignored"]
async fn without_capabilities_owners_take_a_privileged_exec() {
    let engine = Engine::new("caps").await;
    let name = engine.run(0, true, &["-u", "1000", "--cap-drop", "ALL"], IMAGE, &["sleep", "600"]).await;
    let meta = Meta { mode: 0o600, uid: 1000, gid: 1000, mtime: None };
    let write = Op::Write { path: b"file".to_vec(), meta, data: b"x".to_vec(), last: true };
    let ops = vec![Op::Target(b"/srv/new".to_vec()), write];
    let (client, _exec) = engine.client(&name, &[]).await;
    let errors = client.apply(ops.clone()).await.unwrap().errors;
    assert_eq!(String::from_utf8_lossy(&errors[0].message), "cannot write: operation not permitted");
    // An engine that has not all capabilities itself cannot give them: a container in a container, this machine's own.
    if let Err(why) = docker(&["exec", "--privileged", &name, "true"]).await {
        eprintln!("skipped: this engine cannot make a privileged exec: {}", why.trim());
        return;
    }
    let (client, _exec) = engine.client(&name, &["--privileged"]).await;
    assert_eq!(client.apply(ops).await.unwrap().errors, []);
    let found = docker(&["exec", &name, "stat", "-c", "%u:%g %a", "/srv/new/file"]).await.unwrap();
    assert_eq!(found.trim(), "1000:1000 600");
}

#[tokio::test]
#[ignore = "needs an engine: run it with --include-ignored"]
async fn a_killed_exec_takes_its_process_with_it_and_nothing_else() {
    let engine = Engine::new("killed").await;
    let name = engine.run(0, true, &[], IMAGE, &["sleep", "600"]).await;
    let (client, mut exec) = engine.client(&name, &[]).await;
    let before = client.status().await.unwrap().pid;
    exec.start_kill().unwrap();
    client.closed().await;
    let (client, _exec) = engine.client(&name, &[]).await;
    assert_eq!(client.status().await.unwrap().pid, before);
}

/// fuse-overlayfs shows the image's own file again where one that took its place is removed.
#[tokio::test]
#[ignore = "needs an engine: run it with --include-ignored"]
async fn a_file_of_the_image_that_was_replaced_and_then_deleted_is_gone() {
    let engine = Engine::new("gone").await;
    let name = engine.run(0, true, &[], IMAGE, &["sleep", "600"]).await;
    let (client, _exec) = engine.client(&name, &[]).await;
    let meta = Meta { mode: 0o644, uid: 0, gid: 0, mtime: None };
    let write = Op::Write { path: b"passwd".to_vec(), meta, data: b"x".to_vec(), last: true };
    let delete = Op::Delete { path: b"passwd".to_vec(), recursive: false };
    for step in [write, delete] {
        assert_eq!(client.apply(vec![Op::Target(b"/etc".to_vec()), step]).await.unwrap().errors, []);
    }
    let found = docker(&["exec", &name, "sh", "-c", "ls /etc/passwd 2>&1 || true"]).await.unwrap();
    assert!(found.contains("No such file"), "{found}");
}
