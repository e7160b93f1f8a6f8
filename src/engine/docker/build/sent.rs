//! Whether what a builder was sent is what was measured. Both take time, and a file may be one thing at the measure,
//! another when it is read for the transfer, and the first one again when anybody looks next.

use std::fs::Metadata;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use crate::engine::{BuildProgress, BuildSink, ContextFile};
use crate::model::{Digest, EntryKind};

/// What a builder needs at most to put away what it was sent.
const SETTLING: Duration = Duration::from_secs(2);

/// What is known of the transfers of one build.
#[derive(Debug, Default)]
pub(super) struct Sent {
    differs: AtomicBool,
    open: AtomicUsize,
    /// When the last one came to its end.
    ended: Mutex<Option<Instant>>,
}

impl Sent {
    /// Nothing that was sent was seen to differ from what was measured.
    pub(super) fn is_as_measured(&self) -> bool {
        !self.differs.load(Ordering::Acquire)
    }

    /// Every transfer that began has come to its end.
    pub(super) fn is_whole(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0
    }

    /// The same for so long that the builder has put away what it was sent.
    fn is_settled(&self) -> bool {
        let ended = *self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_whole() && ended.is_some_and(|ended| ended.elapsed() > SETTLING)
    }

    /// A transfer begins.
    pub(super) fn begin(&self) {
        self.open.fetch_add(1, Ordering::AcqRel);
    }

    /// The builder has all that it asked for.
    pub(super) fn end(&self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.open.fetch_sub(1, Ordering::AcqRel);
    }

    /// Compares what an entry is, all but a file's content.
    pub(super) fn look(&self, file: &ContextFile, now: &Metadata) -> io::Result<()> {
        let Some(was) = &file.was else { return Ok(()) };
        let kind = now.file_type();
        let is_mode = now.mode() & 0o7777 == was.mode;
        let same = match &was.kind {
            EntryKind::Dir => kind.is_dir() && is_mode,
            EntryKind::File { size } => kind.is_file() && is_mode && now.len() == *size,
            EntryKind::Symlink(target) => kind.is_symlink() && std::fs::read_link(&file.source)? == *target,
            EntryKind::Other => !kind.is_dir() && !kind.is_file() && !kind.is_symlink(),
        };
        if !same {
            self.differs.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Compares the content of a file that was sent.
    pub(super) fn content(&self, was: Option<&Digest>, now: &Digest) {
        if was.is_some_and(|was| was != now) {
            self.differs.store(true, Ordering::Release);
        }
    }
}

/// Tells of a build that is given up whether its transfers were whole.
pub(super) struct Watch<'a> {
    pub(super) sent: &'a Sent,
    pub(super) progress: &'a BuildSink,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if self.sent.is_settled() {
            (self.progress)(BuildProgress::Sent);
        }
    }
}

/// A reader that makes a digest of what it reads.
pub(super) struct Hashed<R> {
    inner: R,
    hasher: Sha256,
}

impl<R> Hashed<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, hasher: Sha256::new() }
    }

    pub(super) fn digest(self) -> Digest {
        Digest::from_hasher(self.hasher)
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}
