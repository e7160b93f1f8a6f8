//! Reading what is to be synced from the disk, as late as possible, and putting it into the agent's or tar's words.
#![allow(clippy::disallowed_methods, reason = "a door of this room: files are read here and nowhere else")]

mod item;
mod pieces;
mod place;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::agent::{Meta, Op};
use crate::model::SyncTarget;

use item::look;

pub use item::{Item, Stamp, stamp};
pub use pieces::{Compared, Step, archive_to, compare, holds, parts, send};
pub use place::{Place, by_folder, folders_below, place};

/// A file that is larger than this is read while it is sent, piece by piece.
const WHOLE: u64 = 1 << 20;

/// Content of one batch that is read before it is sent.
const ROOM: u64 = 4 << 20;

/// Where more than this has changed it is built: the image needs it anyway.
const MOST: u64 = 2 << 30;

/// The size of a file, if it is one.
pub fn size(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
}

/// Reads all targets. What is gone by now is removed from the container. Removals come first, the deepest before those
/// above them, since a folder is removed only when it is empty; the rest stays in its order.
///
/// # Errors
/// Why it cannot be synced and must be rebuilt.
pub fn read(targets: &[SyncTarget]) -> Result<Vec<(SyncTarget, Item)>, String> {
    let (mut room, mut total) = (ROOM, 0);
    let read = targets.iter().map(|target| {
        let item = read_one(target, &mut room)?;
        total += item.size();
        if total > MOST {
            return Err(format!("more than {} MB have changed", MOST >> 20));
        }
        Ok((target.clone(), item))
    });
    let mut items = read.collect::<Result<Vec<_>, String>>()?;
    items.sort_by_key(|(target, item)| match item {
        Item::Gone { .. } => (false, Reverse(target.path.matches('/').count())),
        _ => (true, Reverse(0)),
    });
    Ok(items)
}

/// Reads a file as long as there is room for it.
fn read_one(target: &SyncTarget, room: &mut u64) -> Result<Item, String> {
    let item = look(target)?;
    let Item::Large { from, size, mode } = &item else { return Ok(item) };
    let error = |error: io::Error| format!("{} cannot be read: {error}", from.display());
    let is_whole = *size <= WHOLE.min(*room);
    if !is_whole && !target.unpacks {
        return Ok(item);
    }
    // Of what is large the beginning tells what it is; a file may also have grown since it was looked at.
    let limit = if is_whole { WHOLE.min(*room) } else { HEAD };
    let mut content = Vec::with_capacity(usize::try_from(limit.min(*size)).unwrap_or_default());
    fs::File::open(from).map_err(error)?.take(limit).read_to_end(&mut content).map_err(error)?;
    if target.unpacks && crate::model::is_archive(&content) {
        return Err(format!("{} is an archive that the build unpacks", from.display()));
    }
    if !is_whole || content.len() as u64 == limit {
        return Ok(item);
    }
    *room -= content.len() as u64;
    Ok(Item::File { content, mode: *mode })
}

/// What tells an archive.
const HEAD: u64 = 512;

/// Who files belong to where their targets say it.
#[derive(Debug, Default)]
pub struct Owners {
    /// User and group of each `--chown`.
    pub named: HashMap<String, (u32, u32)>,
    /// The container's user and group, for what rules of the manifest sync.
    pub user: (u32, u32),
}

impl Owners {
    fn of(&self, target: &SyncTarget) -> (u32, u32) {
        match &target.owner {
            Some(owner) => self.named.get(owner).copied().unwrap_or_default(),
            None if target.by.is_rule() => self.user,
            None => (0, 0),
        }
    }
}

/// The batch for the agent. What one instruction or rule copies shares its folder as the target: the agent follows no
/// link below it.
pub fn steps(items: Vec<(SyncTarget, Item)>, owners: &Owners) -> Vec<Step> {
    let mut steps = Vec::with_capacity(items.len() * 2);
    let mut current = None;
    for (target, item) in items {
        let (uid, gid) = owners.of(&target);
        // The root is there, and is never what a save removes.
        let Some(Place { folder, name }) = place(&target) else { continue };
        if current.as_deref() != Some(folder) {
            steps.push(Step::Op(Op::Target(folder.as_bytes().to_vec())));
            current = Some(folder.to_owned());
        }
        let path = name.as_bytes().to_vec();
        let meta = |mode| Meta { mode, uid, gid, mtime: None };
        steps.push(match item {
            Item::File { content, mode } => Step::Op(Op::Write { path, meta: meta(mode), data: content, last: true }),
            Item::Large { from, size, mode } => Step::Large { path, meta: meta(mode), from, size },
            Item::Folder { mode } => Step::Op(Op::Dir { path, meta: meta(mode) }),
            Item::Link { to } => Step::Op(Op::Link { path, to: to.as_os_str().as_bytes().to_vec(), uid, gid }),
            Item::Gone { recursive } => Step::Op(Op::Delete { path, recursive }),
        });
    }
    steps
}

/// A tar archive in memory, for the engine.
pub fn archive(entries: &[(String, Item)]) -> Vec<u8> {
    let mut tar = Vec::new();
    // Writing to memory cannot fail, and what is in memory can be read.
    let _ = archive_to(entries, &mut tar);
    tar
}
