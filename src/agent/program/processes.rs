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
