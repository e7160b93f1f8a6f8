//! Which folders are watched, how, and why.
//!
//! Invariants: every path in `by_watch` is a node with that watch and the other way round; a node has at least one
//! role; a requested folder is watched, polled, `missing`, or refused with a notice. A missing one has an *anchor*:
//! a watch on its nearest ancestor that exists, of which only news about the way to the missing one is passed on.
//! There is no entry for any file, except in the snapshots of folders that must be polled.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::filesystem::without_events;
use super::notice::{Notice, limit};
use super::snapshot::Snapshot;
use super::source::{Refused, Register, WatchId};

/// Says whether a folder that has just been made is to be watched. It is called with the watcher's state locked:
/// it must be quick, and must not call the watcher.
pub type FolderFilter = Arc<dyn Fn(&Path) -> bool + Send + Sync>;

/// How the folders of the last [`set`](super::Watcher::set) are watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Folders that the system tells about at once.
    pub watched: usize,
    /// Folders that are looked at now and then, because of a limit or because of their file system.
    pub polled: usize,
    /// Folders that are not there; what appears in their place will be told.
    pub missing: usize,
    /// What a person should know, each told once.
    pub notices: Vec<Notice>,
}

/// One watched, polled or missing folder.
#[allow(clippy::struct_excessive_bools, reason = "roles that a folder has in any combination")]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Node {
    pub(super) watch: Option<WatchId>,
    /// In the caller's set.
    pub(super) requested: bool,
    /// Made inside a watched folder, wanted, and not yet in the caller's set.
    pub(super) found: bool,
    /// Watched for the sake of something missing below, or of a symbolic link in it.
    pub(super) anchor: bool,
    pub(super) polled: bool,
}

impl Node {
    /// Whether everything that happens in the folder is passed on.
    pub(super) fn reports(self) -> bool {
        self.requested || self.found
    }
}

/// What came of an attempt to watch a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Yes,
    Missing,
    Refused,
}

#[allow(clippy::struct_excessive_bools, reason = "what was told once, and whether a limit is reached")]
pub(super) struct State {
    pub(super) register: Box<dyn Register>,
    pub(super) wanted: FolderFilter,
    pub(super) nodes: BTreeMap<Arc<Path>, Node>,
    pub(super) by_watch: HashMap<WatchId, Vec<Arc<Path>>>,
    pub(super) missing: BTreeSet<Arc<Path>>,
    /// Missing folders whose whereabouts changed: looked at again at the end of a batch.
    pub(super) unsettled: BTreeSet<Arc<Path>>,
    /// The last look at each polled folder; `None` while it is not there.
    pub(super) snapshots: BTreeMap<Arc<Path>, Option<Snapshot>>,
    pub(super) every: Duration,
    pub(super) stopped: bool,
    limit_reached: bool,
    eventless: Option<(PathBuf, &'static str)>,
    notices: Vec<Notice>,
    told: HashSet<PathBuf>,
    told_limit: bool,
    told_eventless: bool,
}

impl State {
    pub(super) fn new(register: Box<dyn Register>, wanted: FolderFilter, every: Duration) -> Self {
        Self {
            register,
            wanted,
            nodes: BTreeMap::new(),
            by_watch: HashMap::new(),
            missing: BTreeSet::new(),
            unsettled: BTreeSet::new(),
            snapshots: BTreeMap::new(),
            every,
            stopped: false,
            limit_reached: false,
            eventless: None,
            notices: Vec::new(),
            told: HashSet::new(),
            told_limit: false,
            told_eventless: false,
        }
    }

    /// Watches exactly `folders`, and what was found since and is still wanted.
    pub(super) fn set(&mut self, folders: &BTreeSet<PathBuf>) -> Coverage {
        // Something may have been freed since, or the limit raised.
        self.limit_reached = false;
        let anchors = self.lift_anchors();
        let (fresh, gone) = self.difference(folders);
        for path in gone {
            self.drop_role(&path, |node| (node.requested, node.found) = (false, false));
        }
        for path in self.paths(|node| node.watch.is_none() && node.polled) {
            self.hold(&path);
        }
        for path in fresh {
            let path: Arc<Path> = path.into();
            let node = self.nodes.entry(path.clone()).or_default();
            node.requested = true;
            node.found = false;
            if node.watch.is_none() && self.hold(&path) == Held::Missing {
                self.missing.insert(path);
            }
        }
        self.anchor_all();
        for path in anchors {
            self.drop_role(&path, |_| {});
        }
        self.coverage()
    }

    /// Walks the caller's set and ours side by side: both are sorted.
    fn difference<'a>(&self, folders: &'a BTreeSet<PathBuf>) -> (Vec<&'a Path>, Vec<Arc<Path>>) {
        let wanted = self.wanted.clone();
        let (mut fresh, mut gone) = (Vec::new(), Vec::new());
        let mut theirs = folders.iter().map(PathBuf::as_path).peekable();
        for (path, node) in &self.nodes {
            while let Some(new) = theirs.next_if(|new| *new < &**path) {
                fresh.push(new);
            }
            if let Some(same) = theirs.next_if(|new| *new == &**path) {
                if !node.requested {
                    fresh.push(same);
                }
            } else if node.requested || (node.found && !wanted(path)) {
                gone.push(path.clone());
            }
        }
        fresh.extend(theirs);
        (fresh, gone)
    }

    /// Watches one folder, or polls it where that is not to be had. The node is there afterwards if it was before
    /// or if the folder is held.
    pub(super) fn hold(&mut self, path: &Arc<Path>) -> Held {
        let added = if self.limit_reached {
            if path.is_dir() { Err(Refused::Limit) } else { Err(Refused::Missing) }
        } else {
            self.register.add(path)
        };
        match added {
            Ok(watch) => {
                self.attach(path, watch);
                if let Some(name) = without_events(path) {
                    self.eventless.get_or_insert_with(|| (path.to_path_buf(), name));
                    self.poll(path);
                } else if self.nodes.get(path).is_some_and(|node| node.polled) {
                    self.stop_polling(path);
                }
                Held::Yes
            }
            Err(Refused::Missing) => Held::Missing,
            Err(refused @ (Refused::Limit | Refused::Unsupported)) => {
                self.limit_reached |= matches!(refused, Refused::Limit);
                self.detach(path);
                self.poll(path);
                Held::Yes
            }
            Err(Refused::Other(error)) => {
                if self.told.insert(path.to_path_buf()) {
                    self.notices.push(Notice::Unreadable { path: path.to_path_buf(), error: error.to_string() });
                }
                Held::Refused
            }
        }
    }

    pub(super) fn attach(&mut self, path: &Arc<Path>, watch: WatchId) {
        let node = self.nodes.entry(path.clone()).or_default();
        if node.watch == Some(watch) {
            return;
        }
        let old = node.watch.replace(watch);
        self.by_watch.entry(watch).or_default().push(path.clone());
        self.release(path, old);
    }

    /// Takes the watch of one path away and leaves the node.
    fn detach(&mut self, path: &Path) {
        let old = self.nodes.get_mut(path).and_then(|node| node.watch.take());
        self.release(path, old);
    }

    fn release(&mut self, path: &Path, watch: Option<WatchId>) {
        let Some(watch) = watch else { return };
        let Some(paths) = self.by_watch.get_mut(&watch) else { return };
        paths.retain(|other| **other != *path);
        if paths.is_empty() {
            self.by_watch.remove(&watch);
            self.register.remove(watch);
        }
    }

    /// From now on changes of the folder are found by looking at it; what is there now is known.
    pub(super) fn poll(&mut self, path: &Arc<Path>) {
        let node = self.nodes.entry(path.clone()).or_default();
        let polled = std::mem::replace(&mut node.polled, true);
        if !polled || matches!(self.snapshots.get(path), Some(None)) {
            self.snapshots.insert(path.clone(), Snapshot::take(path));
        }
        self.missing.remove(path);
    }

    fn stop_polling(&mut self, path: &Path) {
        if let Some(node) = self.nodes.get_mut(path) {
            node.polled = false;
        }
        self.snapshots.remove(path);
    }

    /// Takes a role from a node, and the node away if that was its last.
    fn drop_role(&mut self, path: &Arc<Path>, change: impl FnOnce(&mut Node)) {
        let Some(node) = self.nodes.get_mut(path) else { return };
        change(node);
        if !node.reports() && !node.anchor {
            self.forget(path);
        } else if !node.reports() {
            self.stop_polling(path);
            self.missing.remove(path);
        }
    }

    fn forget(&mut self, path: &Path) {
        self.detach(path);
        self.stop_polling(path);
        self.missing.remove(path);
        self.unsettled.remove(path);
        self.nodes.remove(path);
    }

    /// The folder at `path` is no longer the one that was watched, and so is everything below it. What was asked
    /// for becomes missing; the rest is forgotten.
    pub(super) fn detach_subtree(&mut self, path: &Path) {
        for (below, node) in self.subtree(path) {
            if !node.requested {
                self.forget(&below);
                continue;
            }
            self.detach(&below);
            if let Some(node) = self.nodes.get_mut(&below) {
                node.anchor = false;
            }
            if node.polled {
                self.snapshots.insert(below, None);
            } else {
                self.missing.insert(below);
            }
        }
        // Also those whose anchor this was.
        let waiting = self.missing.range::<Path, _>(from(path)).take_while(|below| below.starts_with(path)).cloned();
        self.unsettled.extend(waiting);
    }

    pub(super) fn paths(&self, which: impl Fn(&Node) -> bool) -> Vec<Arc<Path>> {
        self.nodes.iter().filter(|(_, node)| which(node)).map(|(path, _)| path.clone()).collect()
    }

    /// All nodes at or below a path.
    pub(super) fn subtree(&self, path: &Path) -> Vec<(Arc<Path>, Node)> {
        self.nodes
            .range::<Path, _>(from(path))
            .take_while(|(below, _)| below.starts_with(path))
            .map(|(below, node)| (below.clone(), *node))
            .collect()
    }

    /// Whether the path is asked for, or on the way to something that is.
    pub(super) fn leads_to_requested(&self, path: &Path) -> bool {
        let mut below = self.nodes.range::<Path, _>(from(path)).take_while(|(below, _)| below.starts_with(path));
        below.any(|(_, node)| node.requested)
    }

    fn coverage(&mut self) -> Coverage {
        let watched = self.count(|node| node.watch.is_some());
        let polled = self.count(|node| node.polled);
        // If the limit is reached again after it was not, that is news again.
        self.told_limit &= self.limit_reached;
        Coverage { watched, polled, missing: self.missing.len(), notices: self.take_notices() }
    }

    fn count(&self, which: impl Fn(&Node) -> bool) -> usize {
        self.nodes.values().filter(|node| node.reports() && which(node)).count()
    }

    pub(super) fn notify(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    /// What a person should know and has not been told.
    pub(super) fn take_notices(&mut self) -> Vec<Notice> {
        let every = self.every;
        if self.limit_reached && !std::mem::replace(&mut self.told_limit, true) {
            let polled = self.count(|node| node.polled && node.watch.is_none());
            let watched = self.count(|node| node.watch.is_some());
            self.notices.push(Notice::WatchLimit { polled, watched, limit: limit("max_user_watches"), every });
        }
        if let Some((example, file_system)) = self.eventless.clone()
            && !std::mem::replace(&mut self.told_eventless, true)
        {
            let folders = self.count(|node| node.polled && node.watch.is_some()).max(1);
            self.notices.push(Notice::NoEvents { example, folders, file_system, every });
        }
        std::mem::take(&mut self.notices)
    }
}

fn from(path: &Path) -> (Bound<&Path>, Bound<&Path>) {
    (Bound::Included(path), Bound::Unbounded)
}
