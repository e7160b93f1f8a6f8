//! macOS and other systems: `notify`, which speaks to whatever the system has (`FSEvents`, kqueue).
//!
//! The kinds of these events say too little to be relied upon (`FSEvents` tells neither which of two names of a rename
//! is the new one, nor in which order a file was made and deleted), so each path that is named is looked at, and that
//! decides. Paths are watched and looked up as the system spells them, without symbolic links, so that two paths that
//! lead to the same folder share a watch.
//!
//! Where the system watches whole trees anyway, as these two do, the topmost folders are watched with everything below
//! them ([`RecursiveMode::Recursive`]): most folders then cost nothing, and a new one needs no watch of its own.
//! On Linux this is compiled for tests only, which also watch folder by folder.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::Metadata;
use std::io;
use std::ops::Bound;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::source::{Happening, Raw, Reader, Reading, Refused, Register, WatchId};

/// Events that may wait. What comes beyond that is lost, and said to be.
const WAITING: usize = 16 * 1024;

/// Events per batch, so that a storm is handed on in pieces.
const PIECE: usize = 4096;

/// Makes a watcher.
pub(super) fn start(mode: RecursiveMode) -> io::Result<(Box<dyn Register>, Reading)> {
    let (sender, letters) = sync_channel(WAITING);
    let shared = Arc::new(Shared::default());
    let post = Post { sender, shared: shared.clone() };
    let handler = post.clone();
    let watcher = notify::recommended_watcher(move |news: notify::Result<Event>| match news {
        Ok(event) if event.need_rescan() => handler.lose(),
        Ok(event) if matters(event.kind) => handler.send(Some(event)),
        Ok(_) => {}
        Err(_) => handler.lose(),
    });
    let watcher = watcher.map_err(|error| match error.kind {
        ErrorKind::Io(error) => error,
        _ => io::Error::other(error),
    })?;
    let alive: Box<dyn Any + Send> = Box::new(Alive(post.clone()));
    let reader = Box::new(Events { letters, shared: shared.clone() });
    Ok((Box::new(Registrar { watcher, mode, roots: BTreeSet::new(), post }), Reading { reader, alive }))
}

/// Opening and reading a file is no change of it.
fn matters(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
        // Both halves of a rename are told by themselves as well.
        && kind != EventKind::Modify(ModifyKind::Name(RenameMode::Both))
}

/// What the registering and the reading side share.
#[derive(Default)]
struct Shared {
    folders: Mutex<Folders>,
    lost: AtomicBool,
    stopped: AtomicBool,
}

impl Shared {
    fn folders(&self) -> MutexGuard<'_, Folders> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The folders that have a watch, by the path that the system has for them.
#[derive(Default)]
struct Folders {
    by_path: BTreeMap<PathBuf, Folder>,
    by_watch: HashMap<WatchId, PathBuf>,
    last: WatchId,
}

struct Folder {
    watch: WatchId,
    /// Device and inode; `None` once it was told that this folder is no longer here.
    identity: Option<(u64, u64)>,
}

/// Sends to the reader, without ever waiting for it.
#[derive(Clone)]
struct Post {
    /// An event and its time; none wakes the reader up.
    sender: SyncSender<(Instant, Option<Event>)>,
    shared: Arc<Shared>,
}

impl Post {
    fn send(&self, event: Option<Event>) {
        let event_is_lost = event.is_some();
        if self.sender.try_send((Instant::now(), event)).is_err() && event_is_lost {
            self.shared.lost.store(true, Ordering::Release);
        }
    }

    fn lose(&self) {
        self.shared.lost.store(true, Ordering::Release);
        self.send(None);
    }
}

/// Ends the reader when it is dropped.
struct Alive(Post);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.shared.stopped.store(true, Ordering::Release);
        self.0.send(None);
    }
}

/// The registering side.
struct Registrar {
    watcher: RecommendedWatcher,
    mode: RecursiveMode,
    /// What `notify` was asked to watch.
    roots: BTreeSet<PathBuf>,
    post: Post,
}

impl Registrar {
    /// The root through which a folder is watched.
    fn root_of(&self, folder: &Path) -> Option<PathBuf> {
        let depth = if self.mode == RecursiveMode::Recursive { usize::MAX } else { 1 };
        folder.ancestors().take(depth).find(|above| self.roots.contains(*above)).map(Path::to_path_buf)
    }

    /// To watch one more tree or one less, `FSEvents` starts anew, and what happens meanwhile is not told.
    fn restarted(&self) {
        if self.mode == RecursiveMode::Recursive && !self.roots.is_empty() {
            self.post.lose();
        }
    }
}

impl Register for Registrar {
    fn add(&mut self, folder: &Path) -> Result<WatchId, Refused> {
        let real = folder.canonicalize().map_err(refused)?;
        let seen = real.metadata().map_err(refused)?;
        if !seen.is_dir() {
            return Err(Refused::Missing);
        }
        let before = self.post.shared.folders().by_path.get(&real).map(|folder| (folder.watch, folder.identity));
        match before {
            Some((watch, Some(same))) if same == identity(&seen) => return Ok(watch),
            // Another folder has taken its name.
            Some((watch, _)) => self.remove(watch),
            None => {}
        }
        if self.root_of(&real).is_none() {
            self.watcher.watch(&real, self.mode).map_err(|error| match error.kind {
                ErrorKind::PathNotFound => Refused::Missing,
                ErrorKind::MaxFilesWatch => Refused::Limit,
                ErrorKind::Io(error) => refused(error),
                _ => Refused::Other(io::Error::other(error)),
            })?;
            self.restarted();
            self.roots.insert(real.clone());
        }
        let mut folders = self.post.shared.folders();
        folders.last += 1;
        let watch = folders.last;
        folders.by_watch.insert(watch, real.clone());
        folders.by_path.insert(real, Folder { watch, identity: Some(identity(&seen)) });
        Ok(watch)
    }

    fn remove(&mut self, watch: WatchId) {
        let mut folders = self.post.shared.folders();
        let Some(path) = folders.by_watch.remove(&watch) else { return };
        folders.by_path.remove(&path);
        let Some(root) = self.root_of(&path) else { return };
        let below = (Bound::Included(root.as_path()), Bound::Unbounded);
        let mut others = folders.by_path.range::<Path, _>(below).map(|(other, _)| other);
        if self.mode == RecursiveMode::Recursive && others.next().is_some_and(|other| other.starts_with(&root)) {
            return;
        }
        drop(folders);
        // Fails if the folder is gone, and then there is nothing to take away.
        let _ = self.watcher.unwatch(&root);
        self.roots.remove(&root);
        self.restarted();
    }
}

/// The reading side.
struct Events {
    letters: Receiver<(Instant, Option<Event>)>,
    shared: Arc<Shared>,
}

impl Reader for Events {
    fn next(&mut self) -> Option<(Instant, Vec<Raw>)> {
        let (at, first) = self.letters.recv().ok()?;
        let more = self.letters.try_iter().take(PIECE).filter_map(|(_, event)| event);
        let mut raw = Vec::new();
        for event in first.into_iter().chain(more) {
            for path in &event.paths {
                translate(&mut self.shared.folders(), event.kind, path, &mut raw);
            }
        }
        if self.shared.lost.swap(false, Ordering::AcqRel) {
            raw.push(Raw::Overflow);
        }
        (!self.shared.stopped.load(Ordering::Acquire)).then_some((at, raw))
    }
}

/// What an event says of one of its paths.
fn translate(folders: &mut Folders, kind: EventKind, path: &Path, raw: &mut Vec<Raw>) {
    let parent = path.parent().and_then(|parent| folders.by_path.get(parent)).map(|folder| folder.watch);
    let own = folders.by_path.get_mut(path);
    if parent.is_none() && own.is_none() {
        return;
    }
    let seen = path.symlink_metadata().ok();
    let told_gone = matches!(kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)));
    // The news may be older than what is here now. Only of a deleted folder the number may have been given away again.
    let own_gone = own
        .as_ref()
        .is_some_and(|folder| matches!(kind, EventKind::Remove(_)) || seen.as_ref().map(identity) != folder.identity);
    let is_dir = seen.as_ref().map_or(own.is_some(), Metadata::is_dir);
    let mut entry = |what| {
        if let (Some(watch), Some(name)) = (parent, path.file_name()) {
            raw.push(Raw::Entry { watch, name: Some(name.to_owned()), what, is_dir });
        }
    };
    if told_gone || own_gone || seen.is_none() {
        entry(Happening::Vanished);
    }
    if seen.is_some() {
        match kind {
            _ if told_gone || own_gone => entry(Happening::Appeared),
            EventKind::Modify(ModifyKind::Metadata(_)) => entry(Happening::Attributes),
            EventKind::Modify(ModifyKind::Data(_)) | EventKind::Access(_) if is_dir => {}
            EventKind::Modify(ModifyKind::Data(_)) | EventKind::Access(_) => entry(Happening::Written),
            _ => entry(Happening::Appeared),
        }
    }
    if let Some(folder) = own {
        let watch = folder.watch;
        if own_gone {
            folder.identity = None;
            raw.push(Raw::Gone(watch));
        } else if matches!(kind, EventKind::Modify(ModifyKind::Metadata(_))) {
            raw.push(Raw::Entry { watch, name: None, what: Happening::Attributes, is_dir });
        }
    }
}

fn identity(seen: &Metadata) -> (u64, u64) {
    (seen.dev(), seen.ino())
}

fn refused(error: io::Error) -> Refused {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Refused::Missing,
        _ if matches!(error.raw_os_error(), Some(nix::libc::ELOOP)) => Refused::Missing,
        _ if matches!(error.raw_os_error(), Some(nix::libc::EMFILE | nix::libc::ENOSPC)) => Refused::Limit,
        _ => Refused::Other(error),
    }
}
