//! The system's side of watching: setting a watch on one folder, and what the system says about it.
//!
//! [`Register`] is a trait so that tests can hand the watcher a system that refuses.

use std::any::Any;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Instant;

/// Names a watch. Two paths that lead to the same folder share one.
pub(super) type WatchId = i32;

/// Sets and takes away watches.
pub(super) trait Register: Send {
    /// Watches one folder, without what is below it. Setting a watch again gives the same id.
    fn add(&mut self, folder: &Path) -> Result<WatchId, Refused>;
    /// Takes a watch away. One that the system has already dropped is no error.
    fn remove(&mut self, watch: WatchId);
}

/// Waits for what the system says; lives on the watcher's thread.
pub(super) trait Reader: Send {
    /// What was said, and when the first of it; `None` once [`Reading::alive`] is dropped or the system is silent for
    /// good.
    fn next(&mut self) -> Option<(Instant, Vec<Raw>)>;
}

/// A reader, and what keeps it waiting.
pub(super) struct Reading {
    pub(super) reader: Box<dyn Reader>,
    pub(super) alive: Box<dyn Any + Send>,
}

/// Why a folder could not be watched.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is not there, or no folder.
    Missing,
    /// The limit is reached: there is no watch to be had now.
    Limit,
    /// There is no watcher on this system.
    Unsupported,
    /// It may not be read, or the like.
    Other(io::Error),
}

/// What the system says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    /// Something in a watched folder, or, without a name, the folder itself.
    Entry { watch: WatchId, name: Option<OsString>, what: Happening, is_dir: bool },
    /// The watched folder is deleted, moved away or unmounted.
    Gone(WatchId),
    /// Events were lost.
    Overflow,
}

/// What happened to an entry of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// A name appeared: created or moved in.
    Appeared,
    /// Content was written, and the file was closed.
    Written,
    /// Content was written, and the file is still open.
    Writing,
    /// Mode, owner or times changed.
    Attributes,
    /// A name is gone: deleted or moved away.
    Vanished,
}

/// Where there is no watcher to be had: every folder is polled.
pub(super) struct Unsupported;

impl Register for Unsupported {
    fn add(&mut self, folder: &Path) -> Result<WatchId, Refused> {
        if folder.is_dir() { Err(Refused::Unsupported) } else { Err(Refused::Missing) }
    }

    fn remove(&mut self, _watch: WatchId) {}
}
