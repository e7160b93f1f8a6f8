//! How a folder's entries looked, and what differs since.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::source::Happening;

/// How a folder's entries looked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Snapshot(pub(super) HashMap<OsString, Stamp>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) is_dir: bool,
    pub(super) inode: u64,
    /// Size and time of the last write; zero for a folder, whose own entries are another snapshot's business.
    pub(super) content: (u64, i64, i64),
    /// Mode, owner and the time of the last change to any of these.
    pub(super) attributes: (u32, u32, u32, i64, i64),
}

impl Snapshot {
    /// Looks at a folder; `None` if there is none.
    pub(super) fn take(folder: &Path) -> Option<Self> {
        let entries = std::fs::read_dir(folder).ok()?;
        let stamps = entries.flatten().filter_map(|entry| {
            let seen = entry.metadata().ok()?;
            let is_dir = seen.is_dir();
            let content = if is_dir { (0, 0, 0) } else { (seen.size(), seen.mtime(), seen.mtime_nsec()) };
            let changed = if is_dir { (0, 0) } else { (seen.ctime(), seen.ctime_nsec()) };
            let attributes = (seen.mode(), seen.uid(), seen.gid(), changed.0, changed.1);
            Some((entry.file_name(), Stamp { is_dir, inode: seen.ino(), content, attributes }))
        });
        Some(Self(stamps.collect()))
    }

    /// What must have happened since `before`.
    pub(super) fn since(&self, before: &Self) -> Vec<(OsString, Happening, bool)> {
        let mut news = Vec::new();
        for (name, old) in &before.0 {
            if !self.0.contains_key(name) {
                news.push((name.clone(), Happening::Vanished, old.is_dir));
            }
        }
        for (name, new) in &self.0 {
            let what = match before.0.get(name) {
                Some(old) if old == new => continue,
                Some(old) if (old.inode, old.is_dir) != (new.inode, new.is_dir) => Happening::Appeared,
                Some(old) if old.content != new.content => Happening::Written,
                Some(_) => Happening::Attributes,
                None => Happening::Appeared,
            };
            news.push((name.clone(), what, new.is_dir));
        }
        news
    }
}
