//! From what the system says to changes, keeping the watches in step with the tree.

use std::ffi::OsStr;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use super::change::{ChangeKind, Gathered};
use super::editor_files::is_editor_temporary;
use super::source::{Happening, Raw};
use super::state::{Held, State};

impl State {
    /// Takes in what was read in one go.
    pub(super) fn handle(&mut self, events: Vec<Raw>, out: &mut Gathered) {
        let mut lost = false;
        for event in events {
            match event {
                Raw::Overflow => lost = true,
                Raw::Gone(watch) => {
                    for path in self.by_watch.get(&watch).cloned().unwrap_or_default() {
                        self.vanished(&path, out);
                    }
                }
                Raw::Entry { watch, name, what, is_dir } => {
                    for folder in self.by_watch.get(&watch).cloned().unwrap_or_default() {
                        self.entry(&folder, name.as_deref(), what, is_dir, out);
                    }
                }
            }
        }
        if lost {
            self.recover();
            out.push(Path::new("/"), ChangeKind::Rescan);
        }
        self.settle(out);
    }

    /// One thing that happened in a folder, or to the folder itself if there is no name.
    pub(super) fn entry(
        &mut self,
        folder: &Path,
        name: Option<&OsStr>,
        what: Happening,
        is_dir: bool,
        out: &mut Gathered,
    ) {
        let Some(reports) = self.nodes.get(folder).map(|node| node.reports()) else { return };
        let Some(name) = name else {
            if reports {
                out.push(folder, ChangeKind::Attributes);
            }
            return;
        };
        let path = folder.join(name);
        let known = self.nodes.get(&*path).copied();
        let requested = known.is_some_and(|node| node.requested);
        if !reports && !self.leads_to_requested(&path) {
            return;
        }
        if !is_dir && !requested && is_editor_temporary(name) {
            return;
        }
        let told = reports || requested;
        match what {
            Happening::Appeared => {
                if told {
                    out.push(&path, ChangeKind::Created);
                }
                self.appeared(&path, is_dir, reports, out);
            }
            Happening::Vanished => {
                if is_dir || known.is_some() {
                    self.detach_subtree(&path);
                }
                // Told even if nobody asked for this very folder: it stands for what was asked for below it.
                out.push(&path, ChangeKind::Removed);
            }
            Happening::Written if told => out.push(&path, ChangeKind::Modified),
            Happening::Writing if told => out.push_open(&path),
            Happening::Attributes if told => out.push(&path, ChangeKind::Attributes),
            Happening::Written | Happening::Writing | Happening::Attributes => {}
        }
    }

    /// A name is there that was not, or something else is at a name that was.
    fn appeared(&mut self, path: &Path, is_dir: bool, in_watched: bool, out: &mut Gathered) {
        let known = self.nodes.get_key_value(path).map(|(known, node)| (known.clone(), *node));
        if let Some((known, node)) = &known {
            self.again(known);
            if node.requested {
                self.scan(known, out);
            }
        }
        if is_dir && in_watched && !known.is_some_and(|(_, node)| node.requested) && (self.wanted)(path) {
            let path: Arc<Path> = path.into();
            self.find(&path);
            self.scan(&path, out);
        }
        let waiting = self.missing.range::<Path, _>((Bound::Included(path), Bound::Unbounded));
        self.unsettled.extend(waiting.take_while(|below| below.starts_with(path)).cloned());
    }

    /// Watches a folder that may or may not be the one that was watched under this path.
    fn again(&mut self, path: &Arc<Path>) {
        let Some(node) = self.nodes.get(path).copied() else { return };
        if let Some(before) = node.watch {
            if matches!(self.register.add(path), Ok(watch) if watch == before) {
                return;
            }
            self.detach_subtree(path);
        }
        if node.requested {
            self.settle_one(path);
        }
    }

    /// Starts to watch a folder that nobody asked for by name, but that is wanted.
    fn find(&mut self, path: &Arc<Path>) {
        self.nodes.entry(path.clone()).or_default().found = true;
        if self.hold(path) != Held::Yes {
            // Gone again already, or not to be read: its parent tells the rest.
            self.detach_subtree(path);
        }
    }

    /// Tells everything in a folder that has just come to be watched, since it may have been there before the watch,
    /// and watches the folders in it that are wanted.
    pub(super) fn scan(&mut self, path: &Arc<Path>, out: &mut Gathered) {
        let mut stack = vec![path.clone()];
        while let Some(folder) = stack.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let child = entry.path();
                if !is_dir && is_editor_temporary(&entry.file_name()) {
                    continue;
                }
                out.push(&child, ChangeKind::Created);
                let requested = self.nodes.get(&*child).is_some_and(|node| node.requested);
                if requested {
                    let child: Arc<Path> = child.into();
                    self.again(&child);
                    stack.push(child);
                } else if is_dir && (self.wanted)(&child) {
                    let child: Arc<Path> = child.into();
                    self.find(&child);
                    stack.push(child);
                }
            }
        }
    }

    /// A watched folder is gone, or is no longer what this path leads to.
    fn vanished(&mut self, path: &Arc<Path>, out: &mut Gathered) {
        let Some(node) = self.nodes.get(path).copied() else { return };
        if node.reports() {
            out.push(path, ChangeKind::Removed);
        }
        self.detach_subtree(path);
        // The news may be older than the watch: a folder that was moved here from a place where it was watched too
        // says that it was moved after its new parent has said that it is here, and then says no more.
        let parent = path.parent().and_then(|parent| self.nodes.get(parent));
        if node.found && parent.is_some_and(|parent| parent.reports()) && is_real_dir(path) && (self.wanted)(path) {
            out.push(path, ChangeKind::Created);
            self.find(path);
            self.scan(path, out);
        }
    }

    /// Looks again for the missing folders whose surroundings changed.
    pub(super) fn settle(&mut self, out: &mut Gathered) {
        // Finding one may unsettle others, each of them once: what is found is no longer missing.
        while let Some(path) = self.unsettled.pop_first() {
            if self.missing.contains(&path) && self.settle_one(&path) {
                out.push(&path, ChangeKind::Created);
                self.scan(&path, out);
            }
        }
    }

    /// Watches a missing folder if it is there, and its nearest ancestor if not. Says whether it is there.
    fn settle_one(&mut self, path: &Arc<Path>) -> bool {
        let there = match self.hold(path) {
            Held::Yes => true,
            Held::Missing => self.anchor(path),
            Held::Refused => false,
        };
        if there {
            self.missing.remove(path);
            self.anchor_way(path);
        }
        there
    }

    /// Events were lost: makes sure that every path is watched as the folder that it is now, and that no wanted
    /// folder was made unseen. What is in them is for the caller to measure.
    fn recover(&mut self) {
        let all = self.subtree(Path::new("/"));
        for (path, _) in &all {
            self.again(path);
        }
        for (path, node) in all {
            // From the topmost ones: looking through one comes by the others.
            let parent = path.parent().and_then(|parent| self.nodes.get(parent));
            if node.reports() && !parent.is_some_and(|parent| parent.reports()) {
                self.scan(&path, &mut Gathered::default());
            }
        }
        self.unsettled.extend(self.missing.iter().cloned());
    }
}

/// A folder, and not a link to one.
fn is_real_dir(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|seen| seen.is_dir())
}
