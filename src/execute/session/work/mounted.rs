//! What files hold that containers see through a mount. No build measures them, so their content is remembered here: one
//! that was only touched is nothing to act upon.
#![allow(clippy::disallowed_methods, reason = "a door of this room: files behind mounts are read here")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{Digest, Effect, ServiceName, Watch};

/// A larger file is not read: each change of it is acted upon.
const LARGEST: u64 = 1 << 20;

/// So much is read ahead of the first change, and of so many files.
const AHEAD: u64 = 64 << 20;
const FILES: usize = 10_000;

/// What a path was when it was last looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    File { mode: u32, digest: Digest },
    Folder { mode: u32 },
    Nothing,
}

/// What files behind the mounts of one service held.
#[derive(Clone, Debug, Default)]
pub struct Mounted {
    seen: Arc<Mutex<HashMap<PathBuf, Seen>>>,
    /// Folders whose files were looked at ahead of their first change.
    ahead: Arc<Mutex<BTreeSet<PathBuf>>>,
}

impl Mounted {
    /// Whether a path is another than when it was last looked at. What was never seen, or is not read, is.
    pub fn has_changed(&self, path: &Path) -> bool {
        let now = look(path).map(|(seen, _)| seen);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match &now {
            Some(now) => seen.insert(path.to_path_buf(), now.clone()),
            None => seen.remove(path),
        };
        now.is_none() || now != before
    }

    /// Looks at what is there, as far as it is not known.
    pub fn read_ahead(&self, watch: &Watch) {
        let mut left = AHEAD;
        let is_new =
            |folder: &&PathBuf| self.ahead.lock().unwrap_or_else(PoisonError::into_inner).insert((*folder).clone());
        let entries = watch.folders.iter().filter(is_new).filter_map(|folder| fs::read_dir(folder).ok()).flatten();
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()).take(FILES) {
            let entry = crate::host::entry_at(&path).ok();
            if !matches!(watch.effects.effect(&path, entry.as_ref()), Effect::Reload { .. }) {
                continue;
            }
            let Some((now, size)) = look(&path) else { continue };
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.entry(path).or_insert(now);
            drop(seen);
            left = left.saturating_sub(size);
            if left == 0 {
                return;
            }
        }
    }
}

/// What is at a path, and how much was read for it; `None` where that is not to be read.
fn look(path: &Path) -> Option<(Seen, u64)> {
    let Ok(metadata) = path.symlink_metadata() else { return Some((Seen::Nothing, 0)) };
    let mode = metadata.permissions().mode();
    if metadata.is_dir() {
        return Some((Seen::Folder { mode }, 0));
    }
    if !metadata.is_file() || metadata.len() > LARGEST {
        return None;
    }
    let mut content = Vec::new();
    // It may have grown since.
    fs::File::open(path).ok()?.take(LARGEST + 1).read_to_end(&mut content).ok()?;
    let size = u64::try_from(content.len()).ok().filter(|size| *size <= LARGEST)?;
    Some((Seen::File { mode, digest: Digest::of(&content) }, size))
}

/// What files behind the mounts of all services held.
#[derive(Default)]
pub struct Mounts(Mutex<BTreeMap<ServiceName, Mounted>>);

impl Mounts {
    /// Those of a service.
    pub fn of(&self, service: &ServiceName) -> Mounted {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(service.clone()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_touch_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        let (mounted, file) = (Mounted::default(), folder.path().join("a"));
        assert!(mounted.has_changed(&file), "nothing is known");
        assert!(!mounted.has_changed(&file), "it is still not there");
        fs::write(&file, "1").unwrap();
        assert!(mounted.has_changed(&file));
        fs::write(&file, "1").unwrap();
        assert!(!mounted.has_changed(&file));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
        assert!(mounted.has_changed(&file));
        fs::write(&file, vec![0; usize::try_from(LARGEST).unwrap() + 1]).unwrap();
        assert!(mounted.has_changed(&file) && mounted.has_changed(&file), "it is not read");
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(mounted.has_changed(&file) && !mounted.has_changed(&file));
    }
}
