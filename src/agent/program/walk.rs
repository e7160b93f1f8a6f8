//! Paths that are followed by hand, one part at a time and never through a link that somebody may have put there.
//!
//! The process that applies batches has more rights than the container's own user, so a link planted by that user must
//! not lead it anywhere. `openat2` would do the same in one call, but the seccomp profiles of older engines refuse
//! it; a walk with `O_NOFOLLOW` works everywhere and is the only way taken.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::sys::{self, Errno, Fd, O_DIRECTORY, O_NOFOLLOW, O_PATH, Result, S_IFLNK};

const FOLDER: i32 = O_PATH | O_DIRECTORY | O_NOFOLLOW;

/// How many links the way to a target may have.
const MAX_LINKS: usize = 40;

/// The parts of a path; `.` and empty parts do not count.
pub fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".")
}

/// Opens a target folder, absolute as the image names it. Links on the way are followed only where root owns them:
/// those are the image's own (`/var/run`, `/bin`), and the container's user cannot have made them.
pub fn target(path: &[u8], create: bool) -> Result<Fd> {
    if path.first() != Some(&b'/') || parts(path).any(|part| part == b"..") {
        return Err(Errno::INVAL);
    }
    let root = || sys::openat(sys::CWD, b"/", O_PATH | O_DIRECTORY, 0);
    let mut open = alloc::vec![root()?];
    let mut todo: Vec<Vec<u8>> = parts(path).map(<[u8]>::to_vec).collect();
    todo.reverse();
    let mut links = 0;
    while let Some(part) = todo.pop() {
        let Some(here) = open.last() else { return Err(Errno::INVAL) };
        if part == b".." {
            if open.len() > 1 {
                open.pop();
            }
            continue;
        }
        match step(here.raw(), &part, create) {
            Ok(next) => open.push(next),
            Err(error) => {
                let Ok(stat) = sys::lstat(here.raw(), &part) else { return Err(error) };
                if stat.kind() != S_IFLNK {
                    return Err(error);
                }
                links += 1;
                if stat.uid != 0 || links > MAX_LINKS {
                    return Err(Errno::LOOP);
                }
                let to = sys::readlink(here.raw(), &part)?;
                if to.first() == Some(&b'/') {
                    open = alloc::vec![root()?];
                }
                let at = todo.len();
                todo.extend(parts(&to).map(<[u8]>::to_vec));
                if let Some(new) = todo.get_mut(at..) {
                    new.reverse();
                }
            }
        }
    }
    open.pop().ok_or(Errno::INVAL)
}

/// One folder further, which is made where `create` says so (as a build makes missing parents: root's, 0755).
fn step(dir: i32, part: &[u8], create: bool) -> Result<Fd> {
    match sys::openat(dir, part, FOLDER, 0) {
        Err(Errno::NOENT) if create => {
            match sys::mkdirat(dir, part, 0o755) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
            sys::openat(dir, part, FOLDER, 0)
        }
        other => other,
    }
}

/// A path below a target, split into its folder and its last part. `..` and empty paths are refused.
pub fn split(path: &[u8]) -> Result<(Vec<&[u8]>, &[u8])> {
    if path.first() == Some(&b'/') {
        return Err(Errno::INVAL);
    }
    let mut folders: Vec<&[u8]> = parts(path).collect();
    if folders.contains(&b"..".as_slice()) {
        return Err(Errno::INVAL);
    }
    let last = folders.pop().ok_or(Errno::INVAL)?;
    Ok((folders, last))
}

/// Opens a folder below a target. No link is followed, wherever it points.
pub fn below(target: &Rc<Fd>, folders: &[&[u8]], create: bool) -> Result<Rc<Fd>> {
    let mut here = Rc::clone(target);
    for part in folders {
        here = Rc::new(step(here.raw(), part, create).map_err(|error| {
            let link = matches!(sys::lstat(here.raw(), part), Ok(stat) if stat.kind() == S_IFLNK);
            if link { Errno::LOOP } else { error }
        })?);
    }
    Ok(here)
}
