//! Which processes a command left behind.
//!
//! A restart in place must leave what a restart of the container would: nothing of the old command. So everything in
//! its session or process group goes, and everything that descended from it when the stop began (which also finds
//! children that made sessions of their own). Processes that somebody started with `docker exec`, and their
//! orphans, are not the command's and stay.

use alloc::vec::Vec;

use super::sys;

/// A process as `/proc` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    pub parent: u32,
    pub group: u32,
    pub session: u32,
    /// Ticks since boot: tells a process from a later one with the same number.
    pub born: u64,
    /// Dead, only not yet waited for.
    pub zombie: bool,
}

/// All processes.
pub fn all() -> Vec<Process> {
    let Ok(folder) = sys::openat(sys::CWD, b"/proc", sys::O_RDONLY | sys::O_DIRECTORY, 0) else { return Vec::new() };
    let names = sys::entries(folder.raw()).unwrap_or_default();
    names.iter().filter(|name| name.iter().all(u8::is_ascii_digit)).filter_map(|name| read(&folder, name)).collect()
}

fn read(folder: &sys::Fd, name: &[u8]) -> Option<Process> {
    let mut path = name.to_vec();
    path.extend_from_slice(b"/stat");
    let file = sys::openat(folder.raw(), &path, sys::O_RDONLY, 0).ok()?;
    let mut text = [0u8; 1024];
    let count = sys::read(file.raw(), &mut text).ok()?;
    parse(text.get(..count)?)
}

/// `pid (name) state ppid pgrp session …`; the name may contain anything, so the last `)` ends it.
pub fn parse(line: &[u8]) -> Option<Process> {
    let end = line.iter().rposition(|byte| *byte == b')')?;
    let pid = number(line.split(|byte| *byte == b' ').next()?)?;
    let mut fields = line.get(end + 2..)?.split(|byte| *byte == b' ');
    let zombie = matches!(fields.next()?, b"Z" | b"X");
    let parent = number(fields.next()?)?;
    let group = number(fields.next()?)?;
    let session = number(fields.next()?)?;
    let born = core::str::from_utf8(fields.nth(15)?).ok()?.trim().parse().ok()?;
    Some(Process { pid, parent, group, session, born, zombie })
}

fn number(text: &[u8]) -> Option<u32> {
    core::str::from_utf8(text).ok()?.parse().ok()
}

/// Everything that descends from `root`, without itself.
pub fn descendants(all: &[Process], root: u32) -> Vec<Process> {
    grow(all, Vec::new(), Some(root))
}

/// What is left of a command that is gone: `known` are its descendants when the stop began.
pub fn leftovers(all: &[Process], command: u32, known: &[Process]) -> Vec<Process> {
    let own = |process: &&Process| {
        process.session == command
            || process.group == command
            || known.iter().any(|k| k.pid == process.pid && k.born == process.born)
    };
    let first = all.iter().filter(own).copied().collect();
    grow(all, first, None).into_iter().filter(|process| !process.zombie && process.pid != command).collect()
}

/// Adds children until there are no more.
fn grow(all: &[Process], mut found: Vec<Process>, root: Option<u32>) -> Vec<Process> {
    loop {
        let more: Vec<Process> = all
            .iter()
            .filter(|process| {
                let child = root == Some(process.parent) || found.iter().any(|f| f.pid == process.parent);
                child && !found.iter().any(|f| f.pid == process.pid)
            })
            .copied()
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, parent: u32, group: u32, session: u32) -> Process {
        Process { pid, parent, group, session, born: u64::from(pid), zombie: false }
    }

    fn pids(found: &[Process]) -> Vec<u32> {
        let mut pids: Vec<u32> = found.iter().map(|process| process.pid).collect();
        pids.sort_unstable();
        pids
    }

    #[test]
    fn a_line_of_proc_is_read_whatever_the_name_is() {
        let tail = "S 1 10 11 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 777 1 1";
        for name in ["sh", "a b", ") S 9 9 9 (", "", "\n"] {
            let line = format!("12 ({name}) {tail}\n");
            let expected = Process { pid: 12, parent: 1, group: 10, session: 11, born: 777, zombie: false };
            assert_eq!(parse(line.as_bytes()), Some(expected), "{name:?}");
        }
        assert!(parse(b"12 (sh) Z 1 10 11 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 777 1 1").unwrap().zombie);
        for broken in ["", "12", "12 (sh)", "12 (sh) S", "x (sh) S 1 1 1"] {
            assert_eq!(parse(broken.as_bytes()), None, "{broken:?}");
        }
    }

    #[test]
    fn leftovers_are_the_session_the_group_and_the_known_family() {
        let before = [
            process(1, 0, 1, 1),
            process(7, 1, 7, 7),    // the command
            process(8, 7, 7, 7),    // a child in its session
            process(9, 8, 9, 9),    // a grandchild with a session of its own
            process(20, 0, 20, 20), // somebody's exec
            process(21, 1, 20, 20), // and its orphan
        ];
        let family = descendants(&before, 7);
        assert_eq!(pids(&family), [8, 9]);
        let after = [
            process(1, 0, 1, 1),
            process(8, 1, 7, 7),
            process(9, 1, 9, 9),
            process(10, 9, 10, 10), // started by the grandchild since
            process(20, 0, 20, 20),
            process(21, 1, 20, 20),
        ];
        assert_eq!(pids(&leftovers(&after, 7, &family)), [8, 9, 10]);
        // A number that was given to another process since is not the one that was known.
        let reused = [process(1, 0, 1, 1), Process { born: 99, ..process(9, 1, 9, 9) }];
        assert_eq!(pids(&leftovers(&reused, 7, &family)), [0u32; 0]);
        let dead = [Process { zombie: true, ..process(8, 1, 7, 7) }];
        assert_eq!(pids(&leftovers(&dead, 7, &family)), [0u32; 0], "the dead need no killing");
    }
}
