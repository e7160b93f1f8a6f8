//! Reading what is to be synced from the disk, as late as possible, and putting it into the agent's or tar's words.
#![allow(clippy::disallowed_methods, reason = "a door of this room: files are read here and nowhere else")]

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::agent::{Entry, EntryKind, Meta, Op};
use crate::model::{Digest, SyncAction, SyncTarget};

/// What a path is at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A file.
    File {
        /// Its content.
        content: Vec<u8>,
        /// Permission bits.
        mode: u32,
    },
    /// A folder.
    Folder {
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// What it says.
        to: PathBuf,
    },
    /// Nothing: the target goes.
    Gone {
        /// A folder goes with all that is in it.
        recursive: bool,
    },
}

impl Item {
    /// Whether an entry of a container is this already, whoever owns it.
    pub fn is(&self, there: &Entry) -> bool {
        match (self, &there.kind) {
            (Self::File { content, mode }, EntryKind::File(_, Some(digest))) => {
                *mode == there.mode && Digest::of(content) == Digest::from_bytes(digest)
            }
            (Self::Folder { mode }, EntryKind::Dir) => *mode == there.mode,
            (Self::Link { to }, EntryKind::Link(there)) => to.as_os_str().as_bytes() == there.as_slice(),
            (Self::Gone { .. }, EntryKind::Missing) => true,
            _ => false,
        }
    }
}

/// What tells whether a path was touched: inode, size, time of the last change. None where nothing is there.
pub type Stamp = Option<(u64, u64, i64, i64)>;

/// How a path is at this moment.
pub fn stamp(path: &Path) -> Stamp {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some((metadata.ino(), metadata.size(), metadata.ctime(), metadata.ctime_nsec()))
}

/// Reads all targets. What is gone by now is removed from the container. Removals come first, the deepest before those
/// above them, since a folder is removed only when it is empty; the rest stays in its order.
///
/// # Errors
/// Why it cannot be synced and must be rebuilt.
pub fn read(targets: &[SyncTarget]) -> Result<Vec<(SyncTarget, Item)>, String> {
    let read = targets.iter().map(|target| Ok((target.clone(), read_one(target)?)));
    let mut items = read.collect::<Result<Vec<_>, String>>()?;
    items.sort_by_key(|(target, item)| match item {
        Item::Gone { .. } => (false, Reverse(target.path.matches('/').count())),
        _ => (true, Reverse(0)),
    });
    Ok(items)
}

fn read_one(target: &SyncTarget) -> Result<Item, String> {
    match target.action {
        SyncAction::Remove => return Ok(Item::Gone { recursive: true }),
        SyncAction::RemoveFolder => return Ok(Item::Gone { recursive: false }),
        SyncAction::Put | SyncAction::MakeFolder => {}
    }
    let error = |error: io::Error| format!("{} cannot be read: {error}", target.source.display());
    let metadata = match fs::symlink_metadata(&target.source) {
        Ok(metadata) => metadata,
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(Item::Gone { recursive: true }),
        Err(other) => return Err(error(other)),
    };
    let mode = match &target.mode {
        None => metadata.permissions().mode() & 0o7777,
        Some(text) => {
            let mode = u32::from_str_radix(text, 8).map_err(|_| format!("--chmod={text} is not octal"))?;
            if (mode | metadata.permissions().mode() & 0o7000) > 0o777 && !metadata.is_symlink() {
                let path = target.source.display();
                return Err(format!("builders differ in what --chmod={text} makes of the set-id bits of {path}"));
            }
            mode
        }
    };
    if metadata.is_symlink() {
        return Ok(Item::Link { to: fs::read_link(&target.source).map_err(error)? });
    }
    if metadata.is_dir() {
        return Ok(Item::Folder { mode });
    }
    if !metadata.is_file() || metadata.nlink() == 0 {
        return Err(format!("{} is not a file", target.source.display()));
    }
    let content = fs::read(&target.source).map_err(error)?;
    if target.unpacks && crate::model::is_archive(&content) {
        return Err(format!("{} is an archive that the build unpacks", target.source.display()));
    }
    Ok(Item::File { content, mode })
}

/// The batch for the agent. Files that go below one folder share its target.
pub fn ops(items: Vec<(SyncTarget, Item)>, owners: &HashMap<String, (u32, u32)>) -> Vec<Op> {
    let mut ops = Vec::with_capacity(items.len() * 2);
    let mut current = None;
    for (target, item) in items {
        let (uid, gid) = target.owner.as_ref().and_then(|owner| owners.get(owner)).copied().unwrap_or((0, 0));
        let path = target.path.trim_end_matches('/');
        // The root is there, and is never what a save removes.
        if path.is_empty() {
            continue;
        }
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = if folder.is_empty() { "/" } else { folder };
        if current.as_deref() != Some(folder) {
            ops.push(Op::Target(folder.as_bytes().to_vec()));
            current = Some(folder.to_owned());
        }
        let path = name.as_bytes().to_vec();
        let meta = |mode| Meta { mode, uid, gid, mtime: None };
        ops.push(match item {
            Item::File { content, mode } => Op::Write { path, meta: meta(mode), data: content, last: true },
            Item::Folder { mode } => Op::Dir { path, meta: meta(mode) },
            Item::Link { to } => Op::Link { path, to: to.as_os_str().as_bytes().to_vec(), uid, gid },
            Item::Gone { recursive } => Op::Delete { path, recursive },
        });
    }
    ops
}

/// A tar archive, for the engine.
pub fn archive(entries: &[(String, Item)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, item) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_uid(0);
        header.set_gid(0);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        header.set_mtime(now.as_secs());
        // Writing to memory cannot fail, and a path that no tar can hold is left out by the engine anyway.
        let _ = match item {
            Item::File { content, mode } => {
                header.set_entry_type(tar::EntryType::Regular);
                header.set_mode(*mode);
                header.set_size(content.len() as u64);
                builder.append_data(&mut header, path, content.as_slice())
            }
            Item::Folder { mode } => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(*mode);
                header.set_size(0);
                builder.append_data(&mut header, path, io::empty())
            }
            Item::Link { to } => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_mode(0o777);
                header.set_size(0);
                builder.append_link(&mut header, path, to)
            }
            Item::Gone { .. } => Ok(()),
        };
    }
    builder.into_inner().unwrap_or_default()
}
