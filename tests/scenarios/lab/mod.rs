//! A project in a temporary folder, the real hob on it, and the real engine as the judge.
//!
//! Tests run side by side: every project has a name of its own, and what a test builds has a label of its own, so that
//! no two tests share an image. Nothing is waited for by the clock: conditions are polled until a deadline.

mod edited;
pub mod engine;
mod proxy;
mod pty;
mod seeds;
mod session;
mod stream;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;

pub use edited::Edited;
pub use proxy::{Proxy, Rule};
pub use pty::Terminal;
pub use seeds::seeds;
pub use session::Session;

/// After so long something that should happen is taken not to.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at something that is waited for.
pub const POLL: Duration = Duration::from_millis(20);

/// A project of one test.
pub struct Lab {
    pub dir: PathBuf,
    pub project: String,
    /// More environment for hob.
    pub env: BTreeMap<String, String>,
    folder: TempDir,
}

/// One container, as the engine has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    pub id: String,
    pub name: String,
    pub service: String,
    pub state: String,
    pub image: String,
}

/// A hob that has ended.
#[derive(Clone, Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Done {
    /// Both streams have to contain these, together.
    #[track_caller]
    pub fn says(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(self.out.contains(text) || self.err.contains(text), "no {text:?} in {self}");
        }
        self
    }

    #[track_caller]
    pub fn silent_about(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(!self.out.contains(text) && !self.err.contains(text), "{text:?} in {self}");
        }
        self
    }
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.out, self.err)
    }
}

/// Polls until it is `Ok`; panics with the last `Err` after a while.
#[track_caller]
pub fn until<T>(mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(not_yet) => assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {not_yet}"),
        }
        std::thread::sleep(POLL);
    }
}

/// A port of this machine that nobody listens on at this moment.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A service that does nothing, starts at once and stops at once.
pub fn idle(name: &str) -> String {
    format!(
        "  {name}:\n    image: hob-test/busybox:1\n    command: sleep 3600\n    stop_signal: SIGKILL\n    network_mode: none\n"
    )
}

/// Makes sure, once, that an engine answers and has the tests' image.
fn need_engine() {
    static LOOKED: OnceLock<Result<(), String>> = OnceLock::new();
    let looked = LOOKED.get_or_init(|| {
        engine::request("GET", "/_ping", "").map_err(|error| format!("no engine at {}: {error}", engine::host()))?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/base-images");
        let made = Command::new(script).arg("test").output().map_err(|error| error.to_string())?;
        if made.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&made.stderr).into_owned()) }
    });
    assert_eq!(*looked, Ok(()), "this test needs an engine");
}

impl Lab {
    /// On the engine, which has to answer.
    pub fn new() -> Self {
        need_engine();
        Self::without_engine()
    }

    /// For what needs no engine.
    pub fn without_engine() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() / 1000;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let project = format!("hobscn{:x}-{:x}-{count}", time & 0xff_ffff, std::process::id());
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join(&project);
        for folder in [&dir, &folder.path().join("cache"), &folder.path().join("run")] {
            fs::create_dir(folder).unwrap();
        }
        Self { dir, project, env: BTreeMap::new(), folder }
    }

    /// A path outside the project that goes with the lab.
    pub fn outside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file as a careful editor does: beside it, then renamed over it.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let beside = path.with_extension("hobscn-tmp~");
        fs::write(&beside, text).unwrap();
        fs::rename(&beside, &path).unwrap();
    }

    pub fn manifest(&self, text: &str) {
        self.write("devenv.yaml", text);
    }

    /// A Dockerfile whose image no other test has.
    pub fn dockerfile(&self, path: &str, text: &str) {
        self.write(path, &format!("FROM hob-test/busybox:1\nLABEL test={}\n{text}", self.project));
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hob"));
        command.current_dir(&self.dir).args(args).env_clear();
        for name in ["PATH", "HOME", "DOCKER_HOST", "TMPDIR", "RUST_BACKTRACE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("HOB_CACHE_DIR", self.outside("cache"))
            .env("HOB_RUNTIME_DIR", self.outside("run"))
            .env("TERM", "xterm-256color")
            .envs(&self.env);
        command
    }

    pub fn start(&self, args: &[&str]) -> Session {
        Session::start(self.command(args))
    }

    pub fn terminal(&self, args: &[&str]) -> Terminal {
        Terminal::start(self.command(args))
    }

    /// Runs hob to its end.
    #[track_caller]
    pub fn hob(&self, args: &[&str]) -> Done {
        self.hob_with_input(args, "")
    }

    #[track_caller]
    pub fn hob_with_input(&self, args: &[&str], input: &str) -> Done {
        run(self.command(args), input)
    }

    /// Runs hob, which has to succeed.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> Done {
        self.ends(args, 0)
    }

    /// Runs hob, which has to end with this code.
    #[track_caller]
    pub fn ends(&self, args: &[&str], code: i32) -> Done {
        let done = self.hob(args);
        assert_eq!(done.code, code, "hob {}: {done}", args.join(" "));
        done
    }

    /// The project's containers, by name.
    pub fn containers(&self) -> Vec<Container> {
        // As Docker Compose tells them from containers that somebody ran of a service's image.
        let labels = [&format!("com.docker.compose.project={}", self.project), "com.docker.compose.config-hash"];
        let listed = engine::labelled("containers/json", &labels);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let container = |one: &Value| Container {
            id: text(&one["Id"]),
            name: text(&one["Names"][0]).trim_start_matches('/').to_owned(),
            service: text(&one["Labels"]["com.docker.compose.service"]),
            state: text(&one["State"]),
            image: text(&one["ImageID"]),
        };
        let mut all: Vec<Container> = listed.as_array().into_iter().flatten().map(container).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// `service state` of all of them.
    pub fn states(&self) -> Vec<String> {
        self.containers().iter().map(|c| format!("{} {}", c.service, c.state)).collect()
    }

    /// The only container of a service.
    #[track_caller]
    pub fn container(&self, service: &str) -> Container {
        let all = self.containers();
        let mut own = all.iter().filter(|c| c.service == service);
        match (own.next(), own.next()) {
            (Some(one), None) => one.clone(),
            _ => panic!("not one container of {service}: {all:?}"),
        }
    }

    #[track_caller]
    pub fn id(&self, service: &str) -> String {
        self.container(service).id
    }

    /// All that the engine knows of a service's container.
    #[track_caller]
    pub fn inspect(&self, service: &str) -> Value {
        engine::get(&format!("/containers/{}/json", self.id(service)))
    }

    /// When the service's container was last started.
    #[track_caller]
    pub fn started(&self, service: &str) -> String {
        self.inspect(service)["State"]["StartedAt"].as_str().unwrap_or_default().to_owned()
    }

    /// Names of the project's networks, or volumes.
    pub fn names(&self, kind: &str) -> Vec<String> {
        let listed = engine::labelled(kind, &[&format!("com.docker.compose.project={}", self.project)]);
        let listed = if kind == "volumes" { listed["Volumes"].clone() } else { listed };
        let name = |one: &Value| one["Name"].as_str().unwrap_or_default().to_owned();
        listed.as_array().into_iter().flatten().map(name).collect()
    }

    /// What a command prints in a service's container.
    #[track_caller]
    pub fn exec(&self, service: &str, command: &str) -> String {
        self.ok(&["exec", "-T", service, "sh", "-c", command]).out.trim_end().to_owned()
    }
}

/// Runs a program to its end.
#[track_caller]
pub fn run(mut command: Command, input: &str) -> Done {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it can be started");
    let (out, err) = (gather(child.stdout.take().unwrap()), gather(child.stderr.take().unwrap()));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // A program that does not read its input is none the worse for it.
    std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let deadline = Instant::now() + PATIENCE;
    let code = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status.code().unwrap_or(-1),
            None if Instant::now() > deadline => {
                let _ = child.kill();
                let _ = child.wait();
                let done = Done { code: -1, out: out.join().unwrap(), err: err.join().unwrap() };
                panic!("{:?} does not end: {done}", command.get_args().collect::<Vec<_>>());
            }
            None => std::thread::sleep(POLL),
        }
    };
    Done { code, out: out.join().unwrap(), err: err.join().unwrap() }
}

/// All that comes from a stream, until it ends.
fn gather(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Drop for Lab {
    /// Removes all that is the project's, whatever became of the test.
    fn drop(&mut self) {
        if engine::request("GET", "/_ping", "").is_err() {
            return;
        }
        let containers = self.containers();
        for container in &containers {
            engine::delete(&format!("/containers/{}?force=1&v=1", container.id));
        }
        for network in self.names("networks") {
            engine::delete(&format!("/networks/{}", engine::escaped(&network)));
        }
        for volume in self.names("volumes") {
            engine::delete(&format!("/volumes/{}", engine::escaped(&volume)));
        }
        let images = engine::labelled("images/json", &[&format!("test={}", self.project)]);
        for image in images.as_array().into_iter().flatten() {
            engine::delete(&format!("/images/{}?force=1", image["Id"].as_str().unwrap_or_default()));
        }
    }
}
