//! The watcher on real folders. Tests wait for what must be told and never for time to pass; that something is not
//! told is shown by a later change that is, since changes come in order.

mod by_notify;
mod edits;
mod fallback;
mod random;
mod trees;

use std::collections::BTreeSet;
use std::fs;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::*;

/// Long enough for the slowest machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a scene is watched with.
trait Backend {
    fn open() -> Opened;
}

/// What this system has.
struct Native;

impl Backend for Native {
    fn open() -> Opened {
        open()
    }
}

type Scene = SceneOf<Native>;

/// A folder, a watcher, and everything that was told so far.
struct SceneOf<B> {
    root: PathBuf,
    watcher: Watcher,
    batches: Changes,
    told: Vec<Change>,
    notices: Vec<Notice>,
    sentinels: usize,
    _temp: tempfile::TempDir,
    _backend: PhantomData<B>,
}

impl<B: Backend> SceneOf<B> {
    fn new() -> Self {
        Self::with(Duration::from_millis(20), B::open)
    }

    /// Everything is wanted but `node_modules`.
    fn with(every: Duration, open: impl FnOnce() -> Opened) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().canonicalize().unwrap();
        let wanted: FolderFilter = Arc::new(|path: &Path| !path.ends_with("node_modules"));
        let (watcher, batches) = Watcher::with(wanted, every, open).unwrap();
        let (told, notices) = (Vec::new(), Vec::new());
        Self { root, watcher, batches, told, notices, sentinels: 0, _temp: temp, _backend: PhantomData }
    }

    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.root.clone() } else { self.root.join(name) }
    }

    fn dir(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    fn set(&mut self, names: &[&str]) -> Coverage {
        let folders: BTreeSet<_> = names.iter().map(|name| self.path(name)).collect();
        self.watcher.set(&folders)
    }

    /// Waits until `enough` holds for what was told since the last [`Self::forget`].
    async fn until(&mut self, what: &str, enough: impl Fn(&[Change]) -> bool) {
        while !enough(&self.told) {
            match tokio::time::timeout(PATIENCE, self.batches.recv()).await {
                Ok(Some(batch)) => {
                    self.told.extend(batch.changes);
                    self.notices.extend(batch.notices);
                }
                other => panic!("waited in vain for {what}: {other:?}; told: {:#?}", self.told),
            }
        }
    }

    /// Waits for a change of one path.
    async fn expect(&mut self, name: &str, kind: ChangeKind) {
        let path = self.path(name);
        self.until(&format!("{name}: {kind:?}"), |told| told.iter().any(|c| c.path == path && c.kind == kind)).await;
    }

    /// Waits for a write or a creation.
    async fn expect_write(&mut self, name: &str) {
        let path = self.path(name);
        let written =
            |change: &Change| change.path == path && matches!(change.kind, ChangeKind::Created | ChangeKind::Modified);
        self.until(&format!("a write of {name}"), |told| told.iter().any(written)).await;
    }

    /// Makes sure that everything that happened in a watched folder so far has been told.
    async fn catch_up(&mut self, folder: &str) {
        self.sentinels += 1;
        let name = format!("sentinel-{}", self.sentinels);
        let name = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        self.write(&name, "");
        self.expect_write(&name).await;
        let sentinel = self.path(&name);
        self.told.retain(|change| change.path != sentinel);
    }

    fn forget(&mut self) {
        self.told.clear();
    }

    fn tells(&self, name: &str) -> bool {
        let path = self.path(name);
        self.told.iter().any(|change| change.path == path)
    }
}
