//! A batch of changed files: everything is written beside its place first, then put there in the order of the batch.
//!
//! Invariants:
//! - The order of the steps is the order in which they take effect.
//! - Content is staged before anything takes effect, as far as the folders for it are there; a step that needs an
//!   earlier one (a folder that has to be made or replaced) makes those before it take effect first.
//! - A step that fails leaves what was there, is reported with its path, and does not stop the others.
//! - A batch that is given up (its stream ended) leaves no staged files.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;

use super::protocol::{Answer, Meta, Op, PathError};
use super::sys::{self, Errno, Fd, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY, Result, S_IFDIR};
use super::walk;

/// Folders held open at most: well below the usual limit of 1024 files.
const MAX_FOLDERS: usize = 200;

/// More errors than this are only counted by what is missing in `done`; the answer must fit a frame.
const MAX_ERRORS: usize = 1000;

/// How deep a folder may be that is removed with all in it.
const MAX_DEPTH: usize = 200;

/// A batch that is being applied.
pub struct Batch {
    began: u64,
    target: Option<(Vec<u8>, Rc<Fd>)>,
    /// The error that the current target gave, if it did: it is every following step's.
    no_target: Errno,
    folders: BTreeMap<Vec<u8>, Rc<Fd>>,
    pending: Vec<Pending>,
    /// Paths that a pending step makes something else of: a step below them has to wait for it.
    turning: Vec<Vec<u8>>,
    open: Option<Open>,
    names: u32,
    done: u32,
    errors: Vec<PathError>,
}

/// A step that waits to take effect.
struct Pending {
    folder: Rc<Fd>,
    name: Vec<u8>,
    path: Vec<u8>,
    what: Change,
}

enum Change {
    Place { staged: Vec<u8> },
    Link { to: Vec<u8>, uid: u32, gid: u32 },
    Delete { recursive: bool },
}

/// A file that is being staged. Without a file the beginning failed, and the rest is skipped.
struct Open {
    file: Option<Fd>,
    meta: Meta,
    place: Option<Pending>,
}

impl Batch {
    pub fn new() -> Self {
        Self {
            began: sys::now(),
            target: None,
            no_target: Errno::INVAL,
            folders: BTreeMap::new(),
            pending: Vec::new(),
            turning: Vec::new(),
            open: None,
            names: 0,
            done: 0,
            errors: Vec::new(),
        }
    }

    /// Takes the next step.
    pub fn step(&mut self, op: Op) {
        if !matches!(op, Op::Append { .. })
            && let Some(unfinished) = self.open.take()
        {
            drop_staged(unfinished.place);
        }
        match op {
            Op::Target(path) => self.target(path),
            Op::Write { path, meta, data, last } => self.write(&path, meta, &data, last),
            Op::Append { data, last } => self.append(&data, last),
            Op::Dir { path, meta } => {
                self.take_effect();
                match self.dir(&path, meta) {
                    Ok(()) => self.done += 1,
                    Err(error) => self.fail(&path, error, "make the folder"),
                }
            }
            Op::Link { path, to, uid, gid } => self.later(&path, Change::Link { to, uid, gid }),
            Op::Delete { path, recursive } => self.later(&path, Change::Delete { recursive }),
        }
    }

    /// The last step was taken.
    pub fn finish(mut self) -> Answer {
        if let Some(unfinished) = self.open.take() {
            drop_staged(unfinished.place);
        }
        self.take_effect();
        let errors = core::mem::take(&mut self.errors);
        Answer::Applied { done: self.done, micros: sys::now().saturating_sub(self.began), errors }
    }

    fn target(&mut self, path: Vec<u8>) {
        self.take_effect();
        self.folders.clear();
        match walk::target(&path, true) {
            Ok(folder) => self.target = Some((path, Rc::new(folder))),
            Err(error) => {
                self.fail_at(path, error, "open the target");
                self.target = None;
                self.no_target = error;
            }
        }
    }

    fn write(&mut self, path: &[u8], meta: Meta, data: &[u8], last: bool) {
        let staged = self.stage(path);
        let (file, place) = match staged {
            Ok((file, place)) => (Some(file), Some(place)),
            Err(error) => {
                self.fail(path, error, "write beside");
                (None, None)
            }
        };
        self.open = Some(Open { file, meta, place });
        self.append(data, last);
    }

    fn append(&mut self, data: &[u8], last: bool) {
        let Some(open) = &mut self.open else { return };
        let mut result = Ok(());
        if let Some(file) = &open.file {
            result = sys::write_all(file.raw(), data);
            if last && result.is_ok() {
                result = finish_file(file.raw(), open.meta);
            }
        }
        if let Err(error) = result {
            open.file = None;
            let place = open.place.take();
            let path = place.as_ref().map(|place| place.path.clone()).unwrap_or_default();
            drop_staged(place);
            self.fail_at(path, error, "write");
        }
        if last
            && let Some(open) = self.open.take()
            && let Some(place) = open.place
        {
            self.pending.push(place);
        }
    }

    /// A new file beside the place of `path`, open for writing.
    fn stage(&mut self, path: &[u8]) -> Result<(Fd, Pending)> {
        let (folder, name) = self.folder(path, true)?;
        loop {
            self.names += 1;
            let staged = format!(".hob-{}-{}", sys::getpid(), self.names).into_bytes();
            match sys::openat(folder.raw(), &staged, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600) {
                Ok(file) => {
                    let what = Change::Place { staged };
                    return Ok((file, Pending { folder, name, path: self.full(path), what }));
                }
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn later(&mut self, path: &[u8], what: Change) {
        let create = matches!(what, Change::Link { .. });
        match self.folder(path, create) {
            Ok((folder, name)) => {
                self.turning.push(path.to_vec());
                self.pending.push(Pending { folder, name, path: self.full(path), what });
            }
            // Where there is no folder there is nothing to delete.
            Err(Errno::NOENT | Errno::NOTDIR) if !create => self.done += 1,
            Err(error) => self.fail(path, error, if create { "make the link" } else { "delete" }),
        }
    }

    fn dir(&mut self, path: &[u8], meta: Meta) -> Result<()> {
        let (folder, name) = self.folder(path, true)?;
        match sys::mkdirat(folder.raw(), &name, 0o700) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        let dir = sys::openat(folder.raw(), &name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)?;
        finish_file(dir.raw(), meta)
    }

    /// The open folder that `path` is in, and its last part.
    fn folder(&mut self, path: &[u8], create: bool) -> Result<(Rc<Fd>, Vec<u8>)> {
        if self.target.is_none() {
            return Err(self.no_target);
        }
        if self.turning.iter().any(|turned| is_below(path, turned)) || self.folders.len() >= MAX_FOLDERS {
            self.take_effect();
        }
        let Some((_, target)) = &self.target else { return Err(self.no_target) };
        let target = Rc::clone(target);
        let (folders, name) = walk::split(path)?;
        let key = folders.join(&b'/');
        if let Some(folder) = self.folders.get(&key) {
            return Ok((Rc::clone(folder), name.to_vec()));
        }
        let folder = match walk::below(&target, &folders, false) {
            Err(Errno::NOENT | Errno::NOTDIR) if create => {
                // An earlier step may be about to make room for the folder.
                self.take_effect();
                walk::below(&target, &folders, true)?
            }
            other => other?,
        };
        self.folders.insert(key, Rc::clone(&folder));
        Ok((folder, name.to_vec()))
    }

    /// Makes all pending steps take effect, in order.
    fn take_effect(&mut self) {
        for step in core::mem::take(&mut self.pending) {
            let (dir, name) = (step.folder.raw(), step.name.as_slice());
            let (result, words) = match &step.what {
                Change::Place { staged } => (place(dir, staged, name), "put in place"),
                Change::Link { to, uid, gid } => {
                    self.names += 1;
                    let staged = format!(".hob-{}-{}", sys::getpid(), self.names).into_bytes();
                    let made = sys::symlinkat(to, dir, &staged)
                        .and_then(|()| own_link(dir, &staged, *uid, *gid))
                        .and_then(|()| place(dir, &staged, name));
                    if made.is_err() {
                        let _ = sys::unlinkat(dir, &staged, false);
                    }
                    (made, "make the link")
                }
                Change::Delete { recursive } => (delete(dir, name, *recursive, 0), "delete"),
            };
            match result {
                Ok(()) => self.done += 1,
                Err(error) => {
                    if let Change::Place { staged } = &step.what {
                        let _ = sys::unlinkat(dir, staged, false);
                    }
                    self.fail_at(step.path, error, words);
                }
            }
        }
        self.folders.clear();
        self.turning.clear();
    }

    fn full(&self, path: &[u8]) -> Vec<u8> {
        let mut full = self.target.as_ref().map(|(target, _)| target.clone()).unwrap_or_default();
        if full.last() != Some(&b'/') && !full.is_empty() {
            full.push(b'/');
        }
        full.extend_from_slice(path);
        full
    }

    fn fail(&mut self, path: &[u8], error: Errno, step: &str) {
        let path = self.full(path);
        self.fail_at(path, error, step);
    }

    fn fail_at(&mut self, path: Vec<u8>, error: Errno, step: &str) {
        let mut path = path;
        if self.errors.len() < MAX_ERRORS {
            path.truncate(512);
            let message = format!("cannot {step}: {}", error.text()).into_bytes();
            self.errors.push(PathError { path, errno: error.0.unsigned_abs(), message });
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let open = self.open.take().and_then(|open| open.place);
        drop_staged(open);
        for step in core::mem::take(&mut self.pending) {
            drop_staged(Some(step));
        }
    }
}

fn drop_staged(place: Option<Pending>) {
    if let Some(Pending { folder, what: Change::Place { staged }, .. }) = place {
        let _ = sys::unlinkat(folder.raw(), &staged, false);
    }
}

fn is_below(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
}

/// Owner, mode and time, in this order: a change of owner takes away set-user-id bits.
fn finish_file(file: i32, meta: Meta) -> Result<()> {
    let stat = sys::fstat(file)?;
    if (stat.uid, stat.gid) != (meta.uid, meta.gid) {
        sys::fchown(file, meta.uid, meta.gid)?;
    }
    sys::fchmod(file, meta.mode)?;
    match meta.mtime {
        Some(nanos) => sys::set_mtime(file, nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000)),
        None => Ok(()),
    }
}

fn own_link(dir: i32, name: &[u8], uid: u32, gid: u32) -> Result<()> {
    let stat = sys::lstat(dir, name)?;
    if (stat.uid, stat.gid) == (uid, gid) { Ok(()) } else { sys::lchownat(dir, name, uid, gid) }
}

/// Renames into place. An empty folder makes way for a file, a full one does not: that takes a delete that says so.
fn place(dir: i32, staged: &[u8], name: &[u8]) -> Result<()> {
    match sys::rename_in(dir, staged, name) {
        Err(Errno::ISDIR | Errno::EXIST | Errno::NOTEMPTY) => {
            sys::unlinkat(dir, name, true)
                .map_err(|error| if error == Errno::NOTEMPTY { Errno::ISDIR } else { error })?;
            sys::rename_in(dir, staged, name)
        }
        other => other,
    }
}

/// Removes what a name is, never following it. On fuse-overlayfs the image's own file comes to light again where one
/// that took its place by a rename is removed; the second time it is gone. What is mounted below stays: the removal of
/// a folder that something is mounted on is tried before anything in it is looked at, and fails as busy.
fn delete(dir: i32, name: &[u8], recursive: bool, depth: usize) -> Result<()> {
    remove(dir, name, recursive, depth)?;
    match sys::lstat(dir, name) {
        Ok(_) => remove(dir, name, recursive, depth),
        Err(_) => Ok(()),
    }
}

fn remove(dir: i32, name: &[u8], recursive: bool, depth: usize) -> Result<()> {
    let is_folder = match sys::lstat(dir, name) {
        Ok(stat) => stat.kind() == S_IFDIR,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error),
    };
    match sys::unlinkat(dir, name, is_folder) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::NOTEMPTY | Errno::EXIST) if is_folder && recursive && depth < MAX_DEPTH => {}
        Err(error) => return Err(error),
    }
    let folder = sys::openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)?;
    for entry in sys::entries(folder.raw())? {
        delete(folder.raw(), &entry, true, depth + 1)?;
    }
    sys::unlinkat(dir, name, true)
}
