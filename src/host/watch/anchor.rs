//! Watches that are there for the sake of other folders: of missing ones, of links, of what may be moved as a whole.

use std::path::Path;
use std::sync::Arc;

use super::filesystem::without_events;
use super::source::Refused;
use super::state::{Held, State};

impl State {
    pub(super) fn lift_anchors(&mut self) -> Vec<Arc<Path>> {
        let anchors = self.nodes.iter_mut().filter(|(_, node)| node.anchor).map(|(path, node)| {
            node.anchor = false;
            path.clone()
        });
        anchors.collect()
    }

    pub(super) fn anchor_all(&mut self) {
        for path in self.missing.clone() {
            self.anchor(&path);
        }
        for path in self.paths(|node| node.requested) {
            self.anchor_way(&path);
        }
    }

    /// Sees to it that a watched folder that comes to lie elsewhere is noticed: if it is a symbolic link, by watching
    /// the folder that the link is in; if it is below another one of the set, by watching what is between the two,
    /// since whoever moves a folder is heard only from the folder itself and its parent.
    pub(super) fn anchor_way(&mut self, path: &Path) {
        let Some(parent) = path.parent() else { return };
        // The usual case, and the reason why this costs next to nothing.
        if self.nodes.get(parent).is_some_and(|node| node.reports()) {
            return;
        }
        let above = |above: &Path| self.nodes.get(above).is_some_and(|node| node.requested);
        let between = path.ancestors().skip(1).position(above);
        let count = between.unwrap_or(0).max(usize::from(path.is_symlink()));
        for above in path.ancestors().skip(1).take(count) {
            let above: Arc<Path> = match self.nodes.get_key_value(above) {
                Some((_, node)) if node.anchor => break,
                Some((known, _)) => known.clone(),
                None => above.into(),
            };
            if self.hold(&above) == Held::Yes
                && let Some(node) = self.nodes.get_mut(&above)
            {
                node.anchor = true;
            }
        }
    }

    /// Watches the nearest ancestor of a missing folder. Says whether the folder has appeared in the meantime.
    pub(super) fn anchor(&mut self, path: &Arc<Path>) -> bool {
        // Each round gets at least one step nearer; the bound is for a tree that is made and deleted all the time.
        for _ in 0..64 {
            let Some(anchor) = self.nearest(path) else { return false };
            let Some(next) = path.ancestors().take_while(|above| **above != *anchor).last() else { return false };
            // The next step may have been made before the anchor was watched.
            if !next.is_dir() {
                return false;
            }
            if next == &**path {
                match self.hold(path) {
                    Held::Yes => return true,
                    Held::Refused => return false,
                    Held::Missing => {}
                }
            }
        }
        false
    }

    /// The nearest ancestor that is there, watched from now on. `None` if that cannot be: then `path` is polled.
    fn nearest(&mut self, path: &Arc<Path>) -> Option<Arc<Path>> {
        for above in path.ancestors().skip(1) {
            let above: Arc<Path> = match self.nodes.get_key_value(above) {
                Some((known, _)) => known.clone(),
                None => above.into(),
            };
            let held = if self.nodes.get(&above).is_some_and(|node| node.watch.is_some()) {
                Ok(())
            } else {
                self.register.add(&above).map(|watch| self.attach(&above, watch))
            };
            match held {
                Ok(()) => {
                    if let Some(node) = self.nodes.get_mut(&above) {
                        node.anchor = true;
                    }
                    if without_events(&above).is_some() {
                        self.poll(path);
                    }
                    return Some(above);
                }
                Err(Refused::Missing) => {}
                Err(_) => {
                    self.poll(path);
                    return None;
                }
            }
        }
        None
    }
}
