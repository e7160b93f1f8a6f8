//! What is at a path, for comparing a container's files with what they should be.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::protocol::{Entry, EntryKind};
use super::sha256::Sha256;
use super::sys::{self, Errno, Fd, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, Result, S_IFDIR, S_IFLNK, S_IFREG};
use super::walk;

/// How deep folders are looked into.
const MAX_DEPTH: usize = 200;

/// Gives every entry to `each`, a folder before what is in it.
pub fn list(target: &[u8], paths: &[Vec<u8>], recursive: bool, digest: bool, each: &mut dyn FnMut(Entry)) {
    let target = walk::target(target, false).map(Rc::new);
    for path in paths {
        let found = target.as_ref().map_err(|error| *error).and_then(|target| open(target, path));
        match found {
            Ok((folder, name)) => visit(&folder, &name, path, Options { recursive, digest }, 0, each),
            Err(Errno::NOENT | Errno::NOTDIR) => each(bare(path, EntryKind::Missing)),
            Err(error) => each(bare(path, EntryKind::Failed(error.0.unsigned_abs()))),
        }
    }
}

#[derive(Clone, Copy)]
struct Options {
    recursive: bool,
    digest: bool,
}

/// The folder that a path is in and its name there; the target itself is `.` in itself.
fn open(target: &Rc<Fd>, path: &[u8]) -> Result<(Rc<Fd>, Vec<u8>)> {
    if walk::parts(path).next().is_none() && path.first() != Some(&b'/') {
        return Ok((Rc::clone(target), b".".to_vec()));
    }
    let (folders, name) = walk::split(path)?;
    Ok((walk::below(target, &folders, false)?, name.to_vec()))
}

fn bare(path: &[u8], kind: EntryKind) -> Entry {
    Entry { path: path.to_vec(), kind, mode: 0, uid: 0, gid: 0 }
}

fn visit(dir: &Fd, name: &[u8], path: &[u8], options: Options, depth: usize, each: &mut dyn FnMut(Entry)) {
    let failed = |error: Errno| match error {
        Errno::NOENT => bare(path, EntryKind::Missing),
        error => bare(path, EntryKind::Failed(error.0.unsigned_abs())),
    };
    let stat = match sys::lstat(dir.raw(), name) {
        Ok(stat) => stat,
        Err(error) => return each(failed(error)),
    };
    let kind = match stat.kind() {
        S_IFDIR => EntryKind::Dir,
        S_IFLNK => match sys::readlink(dir.raw(), name) {
            Ok(to) => EntryKind::Link(to),
            Err(error) => return each(failed(error)),
        },
        S_IFREG if options.digest => match content(dir, name) {
            Ok((size, digest)) => EntryKind::File(size, Some(digest)),
            Err(error) => return each(failed(error)),
        },
        S_IFREG => EntryKind::File(stat.size, None),
        _ => EntryKind::Other,
    };
    let is_folder = kind == EntryKind::Dir;
    each(Entry { path: path.to_vec(), kind, mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid });
    if is_folder && options.recursive && depth < MAX_DEPTH {
        let names = sys::openat(dir.raw(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
            .and_then(|folder| sys::entries(folder.raw()).map(|names| (folder, names)));
        match names {
            Ok((folder, mut names)) => {
                names.sort_unstable();
                for name in names {
                    let mut full = path.to_vec();
                    if !full.is_empty() {
                        full.push(b'/');
                    }
                    full.extend_from_slice(&name);
                    visit(&folder, &name, &full, options, depth + 1, each);
                }
            }
            Err(error) => each(failed(error)),
        }
    }
}

/// Size and digest of a file's content. It is opened by way of what it is, so that a pipe that took its place in
/// between cannot hold us up.
fn content(dir: &Fd, name: &[u8]) -> Result<(u64, [u8; 32])> {
    let file = sys::openat(dir.raw(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0)?;
    let mut digest = Sha256::default();
    let mut size = 0u64;
    let mut buffer = alloc::vec![0u8; 16 << 10];
    loop {
        let count = sys::read(file.raw(), &mut buffer)?;
        if count == 0 {
            return Ok((size, digest.finish()));
        }
        size += count as u64;
        digest.update(buffer.get(..count).unwrap_or_default());
    }
}
