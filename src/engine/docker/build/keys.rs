//! The SSH agents of one build: the user's own, one that the manifest names by its socket, or one that holds the key
//! files that it names. OpenSSH's own `ssh-agent` holds those, for as long as the build runs: hob reads no key.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::engine::{EngineError, Result};

/// How long OpenSSH's programs may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The sockets by id, and the agents behind some of them.
#[derive(Debug, Default)]
pub(super) struct Agents {
    sockets: HashMap<String, PathBuf>,
    /// They end with this.
    own: Vec<KeyAgent>,
}

impl Agents {
    /// Of the entries of `build.ssh`: `id`, `id=SOCKET` or `id=KEY`.
    pub(super) async fn start(entries: &[String], users: Option<&str>) -> Result<Self> {
        let mut agents = Self::default();
        for (index, entry) in entries.iter().enumerate() {
            let (id, path) = entry.split_once('=').unwrap_or((entry, ""));
            let refuse = |why: String, instead: &str| EngineError::build_key(format!("ssh.{index}"), why, instead);
            let path = if path.is_empty() { users.unwrap_or_default() } else { path };
            if path.is_empty() {
                return Err(refuse(
                    format!("build.ssh \"{id}\" needs an SSH agent, and SSH_AUTH_SOCK is not set"),
                    "start one with `eval $(ssh-agent)`, and `ssh-add` your key; or name a key file",
                ));
            }
            if is_socket(Path::new(path)) {
                agents.sockets.insert(id.to_owned(), path.into());
                continue;
            }
            let agent = KeyAgent::start(path).await;
            let own = format!("give the key to your own agent with `ssh-add`, and write `ssh: [{id}]`");
            let agent = agent.map_err(|why| refuse(format!("build.ssh \"{id}\": {why}"), &own))?;
            agents.sockets.insert(id.to_owned(), agent.socket.clone());
            agents.own.push(agent);
        }
        Ok(agents)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// The socket of an agent.
    pub(super) fn get(&self, id: &str) -> Option<&Path> {
        self.sockets.get(id).map(PathBuf::as_path)
    }
}

fn is_socket(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.file_type().is_socket())
}

/// A key is of use for so long at most, whatever becomes of its agent.
const LIFETIME: &str = "14400";

/// Runs the agent for as long as its own input is open, which hob holds: the input ends with hob, however that ends. It
/// is in hob's group of processes, whose Ctrl-C is hob's business.
const KEEPER: &str =
    "trap '' INT TERM HUP QUIT; ssh-agent -D -s -t \"$1\" </dev/null & agent=$!; read -r _; kill \"$agent\"; wait";

/// An agent that ends with this.
#[derive(Debug)]
struct KeyAgent {
    keeper: Child,
    socket: PathBuf,
}

impl KeyAgent {
    async fn start(key: &str) -> std::result::Result<Self, String> {
        let file = File::open(key).map_err(|error| format!("{key} cannot be read: {error}"))?;
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "sh", LIFETIME]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut keeper = command.spawn().map_err(|error| format!("`sh` cannot be started: {error}"))?;
        let mut said = String::new();
        if let Some(out) = keeper.stdout.take() {
            let _ = timeout(PATIENCE, BufReader::new(out).read_line(&mut said)).await;
        }
        // SSH_AUTH_SOCK=/tmp/ssh-XXXX/agent.PID; export SSH_AUTH_SOCK;
        let socket = said.strip_prefix("SSH_AUTH_SOCK=").and_then(|rest| rest.split(';').next()).unwrap_or_default();
        let agent = Self { socket: PathBuf::from(socket), keeper };
        if socket.is_empty() {
            let needs =
                "a key file needs OpenSSH's `ssh-agent`, which cannot be started or does not say where it listens";
            return Err(needs.to_owned());
        }
        agent.add(key, file).await?;
        Ok(agent)
    }

    /// Nobody is asked for a passphrase: the build may run where nobody is.
    async fn add(&self, key: &str, file: File) -> std::result::Result<(), String> {
        let mut command = Command::new("ssh-add");
        command.args(["-q", "-"]).env("SSH_AUTH_SOCK", &self.socket);
        command.env("SSH_ASKPASS", "/bin/false").env("SSH_ASKPASS_REQUIRE", "force").env("DISPLAY", "none");
        command.stdin(Stdio::from(file)).kill_on_drop(true);
        let added = timeout(PATIENCE, command.output()).await;
        let added = added.map_err(|_| "`ssh-add` does not answer".to_owned())?;
        let added = added.map_err(|error| format!("a key file needs OpenSSH's `ssh-add`: {error}"))?;
        if added.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&added.stderr).trim().replace('\n', "; ");
        let why = if said.is_empty() { "it may have a passphrase, which hob does not ask for" } else { &said };
        Err(format!("`ssh-add` does not take the key file {key}: {why}"))
    }
}

impl Drop for KeyAgent {
    fn drop(&mut self) {
        // The end of its input ends it, and then the agent removes its socket.
        drop(self.keeper.stdin.take());
        for _ in 0..100 {
            if !matches!(self.keeper.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ErrorKind;

    struct Lab(tempfile::TempDir);

    impl Lab {
        fn path(&self, name: &str) -> String {
            self.0.path().join(name).display().to_string()
        }

        /// Makes a key; false where there is no OpenSSH here.
        fn key(&self, name: &str, passphrase: &str) -> bool {
            let mut keygen = std::process::Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", passphrase, "-C", name, "-f", &self.path(name)]);
            keygen.status().is_ok_and(|status| status.success())
        }
    }

    fn keys_of(agents: &Agents, id: &str) -> String {
        let mut list = std::process::Command::new("ssh-add");
        list.arg("-l").env("SSH_AUTH_SOCK", agents.get(id).unwrap());
        String::from_utf8(list.output().unwrap().stdout).unwrap()
    }

    async fn refused(entry: &str, users: Option<&str>) -> (String, String) {
        let error = Agents::start(&["a".to_owned(), entry.to_owned()], users).await.unwrap_err();
        let ErrorKind::BuildKey { key, instead } = error.kind else { panic!("{error}") };
        assert_eq!(key, "ssh.1");
        (error.message, instead)
    }

    #[tokio::test]
    async fn sockets_are_handed_on() {
        let lab = Lab(tempfile::tempdir().unwrap());
        let _agent = std::os::unix::net::UnixListener::bind(lab.path("agent")).unwrap();
        let socket = lab.path("agent");
        let entries = ["default".to_owned(), format!("other={socket}")];
        let agents = Agents::start(&entries, Some(&socket)).await.unwrap();
        assert_eq!((agents.get("default"), agents.get("other")), (Some(Path::new(&socket)), Some(Path::new(&socket))));
        assert_eq!(agents.get("none"), None);
        let error = Agents::start(&entries, None).await.unwrap_err();
        assert!(error.message.contains("SSH_AUTH_SOCK is not set"), "{error}");
        let (why, _) = refused(&format!("x={}", lab.path("none")), Some(&socket)).await;
        assert!(why.contains("none cannot be read"), "{why}");
    }

    #[tokio::test]
    async fn key_files_are_held_by_an_agent_for_as_long_as_the_build_runs() {
        let lab = Lab(tempfile::tempdir().unwrap());
        if !lab.key("one", "") {
            eprintln!("no OpenSSH here: skipped");
            return;
        }
        assert!(lab.key("two", "") && lab.key("locked", "secret"));
        let entries = [format!("git={}", lab.path("one")), format!("other={}", lab.path("two"))];
        let agents = Agents::start(&entries, None).await.unwrap();
        let keys = ["git", "other"].map(|id| keys_of(&agents, id));
        assert!(keys[0].contains(" one ") && keys[1].contains(" two "), "{keys:?}");
        let socket = agents.get("git").unwrap().to_owned();
        drop(agents);
        assert!(!socket.exists(), "the agent is gone");

        let _agent = std::os::unix::net::UnixListener::bind(lab.path("agent")).unwrap();
        for (file, part) in [("locked", "locked"), ("one.pub", "does not take the key file")] {
            let (why, instead) = refused(&format!("git={}", lab.path(file)), Some(&lab.path("agent"))).await;
            assert!(why.contains(part) && instead.contains("write `ssh: [git]`"), "{why}; {instead}");
        }
    }
}
