//! Watches folders and tells what changed in them, as soon as the system does.
//!
//! The caller gives the exact set of folders that matter ([`Watcher::set`]); each is watched by itself and not what
//! is below it. Files are seen through the folder that they are in, so that a save by rename is seen like any other.
//! Nothing is kept per file: a tree of any size costs as much as the folders in the set.
//!
//! What the caller may rely upon:
//! - A change in a folder of the set that happens after `set` has returned is told. So: set first, then measure.
//! - A folder that is made inside a watched one and is *wanted* is watched at once, and everything in it is told as
//!   created, since it may have been there before the watch was. It stays watched until a later `set` whose
//!   predicate no longer wants it.
//! - A folder of the set that is not there, or goes away, is waited for. A file in the set is watched through its
//!   folder. A symbolic link to a folder is watched for being pointed elsewhere, if it is the last part of the path.
//! - Where the system loses events, `Rescan` of `/` says so. Where it refuses to watch, the folder is polled and a
//!   [`Notice`] says why.
//! - Opening and reading files never causes a change. Editors' temporary files are not told.

mod anchor;
mod change;
mod channel;
mod editor_files;
mod events;
mod filesystem;
#[cfg(target_os = "linux")]
mod linux;
mod notice;
mod poll;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;
mod shared;
mod snapshot;
mod source;
mod state;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

pub use change::{Batch, Change, ChangeKind};
pub use channel::Changes;
pub use notice::Notice;
pub use state::{Coverage, FolderFilter};

use channel::channel;
use shared::Shared;
use source::{Reading, Register};
use state::State;

/// How often polled folders are looked at, if that does not take too long. Only a fallback needs it: a person waits
/// half of it on average, and a thousand local folders take about one per cent of a core.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// A running watcher. Dropping it ends its threads and closes the channel.
pub struct Watcher {
    shared: Arc<Shared>,
    /// The reading thread ends when this is dropped.
    _alive: Option<Box<dyn Any + Send>>,
}

impl Watcher {
    /// Starts to watch nothing. Fails only if a thread or a socket cannot be had: where the system has no watcher to
    /// give, folders are polled, and the first batch says why.
    pub fn start(wanted: FolderFilter) -> io::Result<(Self, Changes)> {
        Self::with(wanted, POLL_EVERY, open)
    }

    /// For tests: another source of events, and another rhythm.
    fn with(wanted: FolderFilter, every: Duration, open: impl FnOnce() -> Opened) -> io::Result<(Self, Changes)> {
        let (sender, changes) = channel();
        let opened = open();
        let mut state = State::new(opened.register, wanted, every);
        if let Some(error) = &opened.error {
            state.notify(no_watcher(error, every));
        }
        let shared = Arc::new(Shared { state: Mutex::new(state), woken: Condvar::new() });
        let mut alive = None;
        if let Some(reading) = opened.reading {
            let (shared, sender, mut reader) = (shared.clone(), sender.clone(), reading.reader);
            std::thread::Builder::new().name("hob-watch".into()).spawn(move || {
                while let Some((at, events)) = reader.next() {
                    let mut out = change::Gathered::default();
                    let (notices, polls) = {
                        let mut state = shared.lock();
                        state.handle(events, &mut out);
                        (state.take_notices(), !state.snapshots.is_empty())
                    };
                    // What has just been found may have to be polled.
                    if polls {
                        shared.woken.notify_all();
                    }
                    sender.send(at, out, notices);
                }
            })?;
            alive = Some(reading.alive);
        }

        let poller = shared.clone();
        std::thread::Builder::new().name("hob-poll".into()).spawn(move || poll::run(&poller, &sender))?;
        Ok((Self { shared, _alive: alive }, changes))
    }

    /// Watches exactly these folders from now on, and what was found since and is still wanted. Costs a system call
    /// for each folder that was not watched before, and next to nothing for the others.
    ///
    /// Paths must be absolute and without `.` and `..`; changes are told with these paths as prefix.
    pub fn set(&mut self, folders: &BTreeSet<PathBuf>) -> Coverage {
        let coverage = self.shared.lock().set(folders);
        self.shared.woken.notify_all();
        coverage
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.woken.notify_all();
    }
}

/// A source of events, as far as there is one.
struct Opened {
    register: Box<dyn Register>,
    reading: Option<Reading>,
    error: Option<io::Error>,
}

fn open() -> Opened {
    #[cfg(target_os = "linux")]
    let started = linux::start();
    #[cfg(not(target_os = "linux"))]
    let started = portable::start(notify::RecursiveMode::Recursive);
    opened(started)
}

fn opened(started: io::Result<(Box<dyn Register>, Reading)>) -> Opened {
    match started {
        Ok((register, reading)) => Opened { register, reading: Some(reading), error: None },
        Err(error) => Opened { register: Box::new(source::Unsupported), reading: None, error: Some(error) },
    }
}

fn no_watcher(error: &io::Error, every: Duration) -> Notice {
    // inotify_init says EMFILE for the limit per user, and for that of open files per process alike.
    let limit_reached = cfg!(target_os = "linux") && error.raw_os_error() == Some(nix::libc::EMFILE);
    Notice::NoWatcher { error: error.to_string(), limit_reached, limit: notice::limit("max_user_instances"), every }
}
