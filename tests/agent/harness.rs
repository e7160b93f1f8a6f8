//! Starts supervisors and streams, and reads what the commands print.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::OnceLock;

use hob::for_tests::agent::AgentClient;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The agent as a file: this machine's, or that of the architecture that `HOB_AGENT_ARCH` names (`aarch64`), by way of
/// qemu-user. Written once and before any test starts a process: a file that is open for writing in some child cannot
/// be executed.
pub fn agent() -> &'static Path {
    static FILE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = FILE.get_or_init(|| {
        let own = std::env::consts::ARCH;
        let architecture = std::env::var("HOB_AGENT_ARCH").unwrap_or_else(|_| own.to_owned());
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let program = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let binary = hob::for_tests::agent::binary(&format!("linux/{architecture}"));
        let mut path = program("agent", binary.expect("hob carries this agent"));
        if architecture != own {
            let script = format!("#!/bin/sh\nexec qemu-{architecture} {} \"$@\"\n", path.display());
            path = program("agent-in-qemu", script.as_bytes());
        }
        (folder, path)
    });
    path
}

pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Arguments of `unshare` for a mount namespace.
fn unshare_flags() -> &'static str {
    if is_root() { "-m" } else { "-rm" }
}

/// The tests' supervisors have a mount namespace each, which this user has to be allowed.
pub fn need_isolation() {
    let result = std::process::Command::new("unshare").args([unshare_flags(), "true"]).output();
    let can = result.is_ok_and(|output| output.status.success());
    assert!(can, "this test needs `unshare {}`: allow it to this user, or be root", unshare_flags());
}

/// A supervisor with its command.
pub struct Supervised {
    pub child: Child,
    pub stdin: Option<ChildStdin>,
    pub lines: Lines<BufReader<ChildStdout>>,
    /// `nsenter` can get at the supervisor's namespaces through it.
    pub pid: u32,
}

impl Supervised {
    pub fn shell(script: &str) -> Self {
        Self::start(&["sh", "-c", script], |_| {})
    }

    pub fn start(command: &[&str], adjust: impl FnOnce(&mut Command)) -> Self {
        let mut start = Command::new("unshare");
        start.args([unshare_flags(), "--"]).arg(agent()).args(["run", "--"]).args(command);
        start.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        adjust(&mut start);
        let mut child = start.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let pid = child.id().unwrap();
        let stdin = child.stdin.take();
        Self { child, stdin, lines, pid }
    }

    pub async fn line(&mut self) -> String {
        self.lines.next_line().await.unwrap().expect("the command prints one more line")
    }

    /// The next line as a number.
    pub async fn number(&mut self) -> u32 {
        self.line().await.trim().parse().unwrap()
    }

    pub fn signal(&self, signal: i32) {
        let signal = nix::sys::signal::Signal::try_from(signal).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid.cast_signed()), signal).unwrap();
    }

    pub async fn wait(&mut self) -> ExitStatus {
        self.child.wait().await.unwrap()
    }

    pub async fn code(&mut self) -> i32 {
        self.wait().await.code().unwrap()
    }

    /// A process of the agent's in the supervisor's namespaces, as an engine's exec would start it. The command must
    /// have printed something: before that the namespaces may not be there yet.
    pub fn serve(&self, adjust: impl FnOnce(&mut Command)) -> Child {
        let mut enter = Command::new("nsenter");
        enter.args(["-t", &self.pid.to_string(), "-m"]);
        if !is_root() {
            enter.args(["-U", "--preserve-credentials"]);
        }
        enter.arg("--").arg(agent()).arg("serve");
        enter.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        adjust(&mut enter);
        enter.spawn().unwrap()
    }

    pub async fn client(&self) -> (AgentClient, Child) {
        let mut child = self.serve(|_| {});
        let (reader, writer) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
        (AgentClient::connect(reader, writer).await.unwrap(), child)
    }
}

impl Drop for Supervised {
    /// Nothing that a test started outlives it, also where the test failed.
    fn drop(&mut self) {
        let mut all = vec![self.pid];
        let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| {
                let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
                let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
                Some((pid, stat.rsplit_once(')')?.1.split(' ').nth(2)?.parse().ok()?))
            })
            .collect();
        let mut next = 0;
        while let Some(parent) = all.get(next).copied() {
            all.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| pid));
            next += 1;
        }
        // The supervisor first, where it still is ours: then it starts nothing any more.
        if self.child.id().is_some() {
            for pid in all {
                let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            }
        }
    }
}

/// Whether a process is there, zombies not counted.
pub fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Whether a process is there, be it as a zombie.
pub fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}
