//! What is on the disk for a target.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::model::{SyncAction, SyncTarget};

/// What tells whether a path was touched: inode, size, time of the last change. None where nothing is there.
pub type Stamp = Option<(u64, u64, i64, i64)>;

/// How a path is at this moment.
pub fn stamp(path: &Path) -> Stamp {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some((metadata.ino(), metadata.size(), metadata.ctime(), metadata.ctime_nsec()))
}

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
    /// A file whose content is read when its turn comes.
    Large {
        /// The file.
        from: PathBuf,
        /// Its size at this moment.
        size: u64,
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
    /// Bytes of its content.
    pub fn size(&self) -> u64 {
        match self {
            Self::File { content, .. } => content.len() as u64,
            Self::Large { size, .. } => *size,
            _ => 0,
        }
    }
}

/// What a target is, with nothing of its content.
pub(super) fn look(target: &SyncTarget) -> Result<Item, String> {
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
    Ok(Item::Large { from: target.source.clone(), size: metadata.len(), mode })
}
