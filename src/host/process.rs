//! Names of processes that outlive them. What a hob makes for itself carries the name of its process, so that a later hob
//! can tell what still has an owner from what a kill left behind.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::model::Digest;

/// The name of this process: where it runs, its id, and when it began, so that an id that is used again is another name.
pub fn mark() -> &'static str {
    static MARK: OnceLock<String> = OnceLock::new();
    MARK.get_or_init(|| {
        let pid = std::process::id();
        format!("{}.{pid}.{}", place(), began(pid).unwrap_or_default())
    })
}

/// Whether the process of a name has ended. Of a process that ran elsewhere (another machine, another boot, another
/// namespace of processes) that is not known, and so it is false.
pub fn is_gone(mark: &str) -> bool {
    let mut words = mark.split('.');
    let (Some(place_of), Some(pid), Some(began_at), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return false;
    };
    let (Ok(pid), Ok(began_at)) = (pid.parse::<u32>(), began_at.parse::<u64>()) else { return false };
    if place_of != place() {
        return false;
    }
    if has_proc() {
        return began(pid) != Some(began_at);
    }
    is_free(pid)
}

/// Whether no process has this id.
pub fn is_free(pid: u32) -> bool {
    if has_proc() {
        return began(pid).is_none();
    }
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0);
    pid.is_some_and(|pid| kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH))
}

fn has_proc() -> bool {
    Path::new("/proc/self/stat").exists()
}

/// The machine since its last start, and the namespace of processes.
fn place() -> &'static str {
    static PLACE: OnceLock<String> = OnceLock::new();
    PLACE.get_or_init(|| {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let host = nix::unistd::gethostname().unwrap_or_default();
        let text = format!("{boot}{}{}", namespace.display(), host.display());
        Digest::of(text.as_bytes()).short().to_owned()
    })
}

/// When a process began, in ticks since the machine did; `None` for one that is not there or has ended and was not yet
/// asked for its exit code.
fn began(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, with whatever is in it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_surely_ended_is_gone() {
        assert!(!is_gone(mark()), "this process");
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        let other = format!("{}.{}.{}", place(), child.id(), began(child.id()).unwrap_or_default());
        assert!(!is_gone(&other));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_gone(&other));
        for unclear in ["", "x", "elsewhere.1.5", "a.b.c", &format!("{}.1.x", place()), &format!("{other}.1")] {
            assert!(!is_gone(unclear), "{unclear}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_id_that_is_used_again_is_another_process() {
        let before = format!("{}.{}.1", place(), std::process::id());
        assert!(is_gone(&before));
    }
}
