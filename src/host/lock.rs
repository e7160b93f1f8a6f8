//! One hob at a time changes a project, and one session at a time puts saves into a service.
//!
//! The lock is the kernel's (`flock`): it goes with the process that holds it, however that ends, so a file that is
//! left over never blocks. What is written in the file only serves to name the holder, also for a while after it has
//! let go: what the engine tells then was its doing.
//!
//! Two kinds. The lock of a project is held by everything that looks at the engine to change containers, networks or
//! volumes, from the look to the last change: by `up`, `down`, `stop`, `start`, `restart`, `kill`, `rm` and `run`, and
//! by a session for as long as one of its plans takes, never between them. The lock of a service is held by the
//! session that watches its files. Commands that only look (`ps`, `logs`, `config`) and those that make images
//! (`build`, `pull`) need none.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::model::Digest;

/// The right to change one project on one engine, until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
    holder: Holder,
    before: Option<Holder>,
}

/// Who has a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// What it was started as, for example `hob up`.
    pub command: String,
    /// Seconds since the epoch at which it took the lock.
    pub since: u64,
    /// Milliseconds since the epoch at which it let go; `None` while it has it, or where it was killed.
    #[serde(default)]
    pub until: Option<u64>,
}

impl Holder {
    fn of_this_process(command: &str) -> Self {
        Self { pid: std::process::id(), command: command.to_owned(), since: now().as_secs(), until: None }
    }

    /// Whether this process is it.
    #[must_use]
    pub fn is_this_process(&self) -> bool {
        self.pid == std::process::id()
    }

    /// Whether it has the lock, or let go of it less than this ago. One that was killed does nothing any more.
    #[must_use]
    pub fn is_at_work(&self, echo: Duration) -> bool {
        match self.until {
            Some(until) => now().saturating_sub(Duration::from_millis(until)) < echo,
            None => {
                let pid = i32::try_from(self.pid).map(nix::unistd::Pid::from_raw);
                pid.is_ok_and(|pid| nix::sys::signal::kill(pid, None).is_ok())
            }
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}` (process {})", self.command, self.pid)
    }
}

/// The lock is another's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The project, as given in the key.
    pub project: String,
    /// Who has it. `None` in the short moment between taking the lock and writing the name.
    pub holder: Option<Holder>,
    /// How long it has been held.
    pub time: Option<Duration>,
}

/// Why a lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another hob has it.
    #[error(transparent)]
    Held(#[from] Held),
    /// The file could not be made or locked.
    #[error("cannot lock {}: {source}. hob keeps its locks there; set HOB_RUNTIME_DIR to a folder on a local disk that you may write to", path.display())]
    Io {
        /// The lock's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What is locked: a project on an engine, or the watch of one of its services. Two engines may run the same project
/// at once.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The engine's address, for example `unix:///var/run/docker.sock`.
    pub engine: &'a str,
    /// The project's name.
    pub project: &'a str,
    /// The service that is watched; `None` for the project as a whole.
    pub service: Option<&'a str>,
}

impl Key<'_> {
    /// The names for whoever looks into the folder, and a digest that tells engines apart.
    fn file_name(&self) -> String {
        let dot = self.service.map(|_| "_");
        let readable: String = [Some(self.project), dot, self.service]
            .into_iter()
            .flatten()
            .flat_map(str::chars)
            .map(|letter| if letter.is_ascii_alphanumeric() || "-_".contains(letter) { letter } else { '_' })
            .take(64)
            .collect();
        let service = self.service.map(|service| format!("\0{service}")).unwrap_or_default();
        let digest = Digest::of(format!("{}\0{}{service}", self.engine, self.project).as_bytes());
        format!("{readable}-{}.lock", digest.short())
    }
}

impl Lock {
    /// Takes the lock at once or says who has it. `command` is what a person would recognise, for example `hob up`.
    pub fn acquire(folder: &Path, key: Key<'_>, command: &str) -> Result<Self, LockError> {
        let path = folder.join(key.file_name());
        let failed = |source| LockError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = read(&mut file);
                // What it says may still be of the one before.
                let holder = holder.filter(|holder| holder.until.is_none());
                let time = holder.as_ref().map(|holder| now().saturating_sub(Duration::from_secs(holder.since)));
                return Err(Held { project: key.project.to_owned(), holder, time }.into());
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let before = read(&mut file);
        let holder = Holder::of_this_process(command);
        write(&mut file, &holder).map_err(failed)?;
        Ok(Self { file, holder, before })
    }

    /// Who has the lock, or had it last.
    #[must_use]
    pub fn last(folder: &Path, key: Key<'_>) -> Option<Holder> {
        read(&mut File::open(folder.join(key.file_name())).ok()?)
    }

    /// Who had it before.
    #[must_use]
    pub fn before(&self) -> Option<&Holder> {
        self.before.as_ref()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing it lets go of the lock.
        self.holder.until = Some(u64::try_from(now().as_millis()).unwrap_or(u64::MAX));
        let _ = write(&mut self.file, &self.holder);
    }
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(64 * 1024).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write(file: &mut File, holder: &Holder) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    // In one piece, so that nobody reads half of it.
    file.write_all(&serde_json::to_vec(holder)?)
}

/// The time since the epoch.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl std::error::Error for Held {}

impl fmt::Display for Held {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let project = &self.project;
        let Some(Holder { pid, command, .. }) = &self.holder else {
            return write!(
                out,
                "another hob is at work on project {project}. Try again when it has finished, or stop it with Ctrl-C \
                 in its terminal"
            );
        };
        write!(out, "project {project} is being changed by `{command}` (process {pid}")?;
        if let Some(time) = self.time {
            write!(out, ", {}", ago(time))?;
        }
        write!(out, "). Stop it with Ctrl-C in its terminal or with `kill {pid}`, or wait until it has finished")
    }
}

/// How long, in the largest unit that fits.
fn ago(time: Duration) -> String {
    let seconds = time.as_secs();
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    match (count, unit) {
        (0, _) => "just started".to_owned(),
        (1, unit) => format!("for 1 {unit}"),
        (count, unit) => format!("for {count} {unit}s"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufRead;
    use std::process::{Command, Stdio};

    use super::*;

    const SHOP: Key<'static> = Key { engine: "unix:///run/docker.sock", project: "shop", service: None };

    fn held(folder: &Path, key: Key<'_>) -> Held {
        match Lock::acquire(folder, key, "hob down") {
            Err(LockError::Held(held)) => held,
            other => panic!("the lock is another's, and not {other:?}"),
        }
    }

    #[test]
    fn a_second_holder_is_told_who_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::acquire(folder.path(), SHOP, "hob up --build").unwrap();
        let told = held(folder.path(), SHOP);
        let holder = told.holder.clone().unwrap();
        assert_eq!((holder.pid, holder.command.as_str()), (std::process::id(), "hob up --build"));
        let text = told.to_string();
        assert!(text.contains("project shop") && text.contains("`hob up --build`"), "{text}");
        assert!(text.contains(&format!("`kill {}`", std::process::id())), "{text}");

        drop(lock);
        Lock::acquire(folder.path(), SHOP, "hob down").unwrap();
    }

    #[test]
    fn other_projects_and_other_engines_are_other_locks() {
        let folder = tempfile::tempdir().unwrap();
        let _shop = Lock::acquire(folder.path(), SHOP, "hob up").unwrap();
        let _other = Lock::acquire(folder.path(), Key { project: "shop2", ..SHOP }, "hob up").unwrap();
        let _remote = Lock::acquire(folder.path(), Key { engine: "ssh://far", ..SHOP }, "hob up").unwrap();
        let _api = Lock::acquire(folder.path(), Key { service: Some("api"), ..SHOP }, "hob up").unwrap();
        let _web = Lock::acquire(folder.path(), Key { service: Some("web"), ..SHOP }, "hob up").unwrap();
        held(folder.path(), Key { service: Some("api"), ..SHOP });
        held(folder.path(), SHOP);
    }

    #[test]
    fn a_file_left_over_does_not_block() {
        let folder = tempfile::tempdir().unwrap();
        Lock::acquire(folder.path(), SHOP, "hob up").unwrap();
        let path = folder.path().join(SHOP.file_name());
        for content in [&br#"{"pid":1,"command":"hob up","since":1}"#[..], b"", b"no json at all", b"\xff\xfe"] {
            std::fs::write(&path, content).unwrap();
            Lock::acquire(folder.path(), SHOP, "hob up").unwrap();
        }
    }

    #[test]
    fn a_holder_that_is_killed_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        Lock::acquire(folder.path(), SHOP, "hob up").unwrap();
        let path = folder.path().join(SHOP.file_name());
        // flock(1) takes the same kind of lock; without it there is nothing to learn here.
        let mut command = Command::new("flock");
        command.arg("--no-fork").arg(&path).args(["sh", "-c", "echo locked; read never"]);
        let Ok(mut child) = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else { return };
        let mut line = String::new();
        io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "locked\n");

        let told = held(folder.path(), SHOP);
        assert_eq!(told.holder, None);
        assert!(told.to_string().contains("another hob is at work on project shop"), "{told}");
        child.kill().unwrap();
        child.wait().unwrap();
        Lock::acquire(folder.path(), SHOP, "hob up").unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let error = Lock::acquire(Path::new("/nowhere/at/all"), SHOP, "hob up").unwrap_err();
        let text = error.to_string();
        assert!(text.contains("/nowhere/at/all/shop-") && text.contains("HOB_RUNTIME_DIR"), "{text}");
    }

    #[test]
    fn names_are_safe_in_any_folder() {
        let name = Key { engine: "e", project: "../../etc/passwd", service: Some("../x") }.file_name();
        assert!(!name.contains('/') && !name.starts_with('.'), "{name}");
    }

    #[test]
    fn who_had_it_last_is_known() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Lock::last(folder.path(), SHOP), None);
        let lock = Lock::acquire(folder.path(), SHOP, "hob stop api").unwrap();
        assert_eq!(lock.before(), None);
        let holder = Lock::last(folder.path(), SHOP).unwrap();
        assert_eq!((holder.command.as_str(), holder.until), ("hob stop api", None));
        drop(lock);
        assert!(Lock::last(folder.path(), SHOP).unwrap().until.is_some(), "it has let go");
        let lock = Lock::acquire(folder.path(), SHOP, "hob up").unwrap();
        assert_eq!(lock.before().unwrap().command, "hob stop api");
        assert_eq!(held(folder.path(), SHOP).holder.unwrap().command, "hob up");
    }

    #[test]
    fn time_is_told_in_the_largest_unit_that_fits() {
        for (seconds, text) in [
            (0, "just started"),
            (1, "for 1 second"),
            (59, "for 59 seconds"),
            (60, "for 1 minute"),
            (7200, "for 2 hours"),
            (90_000, "for 1 day"),
        ] {
            assert_eq!(ago(Duration::from_secs(seconds)), text);
        }
    }
}
