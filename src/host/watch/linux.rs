//! inotify: the Linux watcher.
//!
//! Used directly and not through `notify` 8, which subscribes to every `open` of every file: see `docs/dependencies.md`
//! for what that costs. It also knows one path per inode and talks to its thread once per folder.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use inotify::{EventMask, Inotify, WatchDescriptor, WatchMask, Watches};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::source::{Happening, Raw, Reader, Reading, Refused, Register, WatchId};

/// Only what tells of a change. Opening and reading are not asked for, so they cannot cause one, and cost nothing.
fn mask() -> WatchMask {
    WatchMask::CREATE
        | WatchMask::DELETE
        | WatchMask::MODIFY
        // Says that a slow writer has finished, and is the only sign of a write through a memory map.
        | WatchMask::CLOSE_WRITE
        | WatchMask::ATTRIB
        | WatchMask::MOVED_FROM
        | WatchMask::MOVED_TO
        | WatchMask::DELETE_SELF
        | WatchMask::MOVE_SELF
        | WatchMask::ONLYDIR
        // A file that was deleted while somebody has it open no longer belongs to its folder.
        | WatchMask::EXCL_UNLINK
}

/// One read takes this much: some hundreds of events.
const BUFFER: usize = 64 * 1024;

/// Reads per batch, so that a storm is handed on in pieces.
const READS: usize = 16;

/// The registering side.
struct Registrar {
    watches: Watches,
    descriptors: std::collections::HashMap<WatchId, WatchDescriptor>,
}

/// The reading side.
struct Events {
    inotify: Inotify,
    buffer: Vec<u8>,
    /// Becomes readable when its other end is closed.
    stop: UnixStream,
}

/// Makes a watcher.
pub(super) fn start() -> io::Result<(Box<dyn Register>, Reading)> {
    let inotify = Inotify::init()?;
    let registrar = Registrar { watches: inotify.watches(), descriptors: std::collections::HashMap::new() };
    let (alive, stop) = UnixStream::pair()?;
    let reader = Box::new(Events { inotify, buffer: vec![0; BUFFER], stop });
    Ok((Box::new(registrar), Reading { reader, alive: Box::new(alive) }))
}

impl Register for Registrar {
    fn add(&mut self, folder: &Path) -> Result<WatchId, Refused> {
        match self.watches.add(folder, mask()) {
            Ok(descriptor) => {
                let watch = descriptor.get_watch_descriptor_id();
                self.descriptors.insert(watch, descriptor);
                Ok(watch)
            }
            Err(error) => Err(match error.raw_os_error().map(Errno::from_raw) {
                Some(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Refused::Missing,
                Some(Errno::ENOSPC | Errno::ENOMEM) => Refused::Limit,
                _ => Refused::Other(error),
            }),
        }
    }

    fn remove(&mut self, watch: WatchId) {
        if let Some(descriptor) = self.descriptors.remove(&watch) {
            // Fails if the folder is gone, and then there is nothing to take away.
            let _ = self.watches.remove(descriptor);
        }
    }
}

impl Reader for Events {
    fn next(&mut self) -> Option<(Instant, Vec<Raw>)> {
        wait(self.inotify.as_fd(), &self.stop)?;
        let at = Instant::now();
        let mut events = Vec::new();
        for _ in 0..READS {
            match self.inotify.read_events(&mut self.buffer) {
                Ok(read) => events.extend(read.filter_map(|event| translate(&event))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        Some((at, events))
    }
}

/// Waits until there is something to read.
fn wait(inotify: BorrowedFd<'_>, stop: &UnixStream) -> Option<()> {
    loop {
        let mut watched = [PollFd::new(inotify, PollFlags::POLLIN), PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(_) => return None,
        }
        // Nobody writes to this: it becomes readable when its other end is closed.
        if watched[1].any().unwrap_or(true) {
            return None;
        }
        if watched[0].any().unwrap_or(true) {
            return Some(());
        }
    }
}

fn translate(event: &inotify::Event<&std::ffi::OsStr>) -> Option<Raw> {
    let mask = event.mask;
    if mask.contains(EventMask::Q_OVERFLOW) {
        return Some(Raw::Overflow);
    }
    let watch = event.wd.get_watch_descriptor_id();
    if mask.intersects(EventMask::DELETE_SELF | EventMask::MOVE_SELF | EventMask::UNMOUNT | EventMask::IGNORED) {
        return Some(Raw::Gone(watch));
    }
    let what = if mask.intersects(EventMask::CREATE | EventMask::MOVED_TO) {
        Happening::Appeared
    } else if mask.intersects(EventMask::DELETE | EventMask::MOVED_FROM) {
        Happening::Vanished
    } else if mask.contains(EventMask::CLOSE_WRITE) {
        Happening::Written
    } else if mask.contains(EventMask::MODIFY) {
        Happening::Writing
    } else if mask.contains(EventMask::ATTRIB) {
        Happening::Attributes
    } else {
        return None;
    };
    Some(Raw::Entry { watch, name: event.name.map(ToOwned::to_owned), what, is_dir: mask.contains(EventMask::ISDIR) })
}
