//! What the watcher says: changes, in batches, with the moment at which the system spoke.

use std::path::{Path, PathBuf};
use std::time::Instant;

use indexmap::IndexMap;

use super::Notice;
use crate::host::tree::entry_at;
use crate::model::Entry;

/// What happened to a path.
///
/// A rename is told as `Removed` of the old name and `Created` of the new one, in that order: editors save by
/// moving a new file over the old one, and to whoever reads the file that is a write like any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChangeKind {
    /// The name is new, or something else was moved to it. For a folder that is wanted, everything in it that is
    /// wanted is told as `Created` too, since it may have been written before the watch was set.
    Created,
    /// The content was written, or a file that was open for writing was closed.
    Modified,
    /// Mode, owner or times changed.
    Attributes,
    /// The name is gone: deleted or moved away. For a folder it stands for everything that was below it.
    Removed,
    /// Anything at or below this path may have changed; the root stands for everything. Comes when the system
    /// lost events.
    Rescan,
}

/// One change of one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The absolute path, as spelled in the set of watched folders.
    pub path: PathBuf,
    /// What happened to it.
    pub kind: ChangeKind,
    /// More is likely to follow at once where it is not: a name that was there is gone (`Removed`), or a file that was
    /// written is still open. Version control and many editors delete or empty a file before they write it.
    pub settled: bool,
    /// What was there when it was told; `None` if nothing was. What is there later is told by a later change.
    pub now: Option<Entry>,
}

/// What was told since the last batch was taken. A path appears once, with the last thing that happened to it; or twice,
/// as `Removed` and then `Created`, if something else is there now (which, for a folder, says that what was below it
/// is gone).
#[derive(Clone, Debug)]
pub struct Batch {
    /// When the system reported the first of it. Latency is measured from here.
    pub at: Instant,
    /// The changes in the order in which their paths first appeared; empty if there are only notices.
    pub changes: Vec<Change>,
    /// What the watcher had to give up or work around since the last batch.
    pub notices: Vec<Notice>,
}

/// Gathers changes, one per path.
#[derive(Debug, Default)]
pub(super) struct Gathered(IndexMap<PathBuf, Gist>);

/// So many paths wait for a listener; beyond that it is cheaper to look at everything.
const MOST: usize = 200_000;

/// What came of one path.
#[derive(Clone, Debug)]
struct Gist {
    kind: ChangeKind,
    /// It was removed before it was created.
    replaced: bool,
    settled: bool,
    /// What is there.
    now: Option<Entry>,
}

impl Gist {
    fn new(kind: ChangeKind, settled: bool) -> Self {
        Self { kind, replaced: false, settled, now: None }
    }
}

impl Gathered {
    /// A file was written and is still open.
    pub(super) fn push_open(&mut self, path: &Path) {
        self.add(path, ChangeKind::Modified, false);
    }

    pub(super) fn push(&mut self, path: &Path, kind: ChangeKind) {
        self.add(path, kind, kind != ChangeKind::Removed);
    }

    fn add(&mut self, path: &Path, kind: ChangeKind, settled: bool) {
        use ChangeKind::{Attributes, Created, Modified, Removed, Rescan};
        // Most of the news of a storm is of paths that are known already.
        let Some(gist) = self.0.get_mut(path) else {
            self.0.insert(path.to_owned(), Gist::new(kind, settled));
            return;
        };
        gist.settled = match (gist.kind, kind) {
            // It came and went, such as an editor's temporary file.
            (Created, Removed) => !gist.replaced,
            // A new file is as far as its writer is.
            (Created | Rescan, Modified) => true,
            (_, Attributes) => gist.settled,
            _ => settled,
        };
        match (gist.kind, kind) {
            // A new file that is then written or given a mode is still news of a new file, and a written file whose
            // mode changes is still news of its content. Nothing says more than a rescan.
            (Created | Rescan, Modified | Attributes) | (Modified, Attributes) | (Rescan, Created | Removed) => {}
            (Removed, Created) => (gist.kind, gist.replaced) = (kind, true),
            (_, Removed) => (gist.kind, gist.replaced) = (kind, false),
            _ => gist.kind = kind,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what happened after what is here.
    pub(super) fn append(&mut self, later: Self) {
        if self.is_empty() {
            *self = later;
            return;
        }
        for (path, gist) in later.0 {
            if gist.replaced {
                self.push(&path, ChangeKind::Removed);
            }
            self.add(&path, gist.kind, gist.settled);
            if let Some(known) = self.0.get_mut(&path) {
                known.now = gist.now;
            }
        }
        if self.0.len() > MOST {
            self.0 = IndexMap::from([(PathBuf::from("/"), Gist::new(ChangeKind::Rescan, true))]);
        }
    }

    /// Looks at what is there. Done by whoever saw the changes, so that nobody who acts upon them has to.
    pub(super) fn look(&mut self) {
        for (path, gist) in self.0.iter_mut().filter(|(_, gist)| gist.kind != ChangeKind::Rescan) {
            gist.now = entry_at(path).ok();
        }
    }

    pub(super) fn into_changes(self) -> Vec<Change> {
        let mut changes = Vec::with_capacity(self.0.len());
        for (path, gist) in self.0 {
            if gist.replaced {
                let now = gist.now.clone();
                changes.push(Change { path: path.clone(), kind: ChangeKind::Removed, settled: true, now });
            }
            changes.push(Change { path, kind: gist.kind, settled: gist.settled, now: gist.now });
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ChangeKind::{Attributes, Created, Modified, Removed, Rescan};

    #[test]
    fn the_strongest_or_last_news_of_a_path_wins() {
        let table: &[(&[ChangeKind], &[ChangeKind])] = &[
            (&[Created, Modified, Attributes], &[Created]),
            (&[Modified, Attributes], &[Modified]),
            (&[Attributes, Modified], &[Modified]),
            (&[Created, Removed], &[Removed]),
            (&[Removed, Created, Modified], &[Removed, Created]),
            (&[Removed, Created, Removed], &[Removed]),
            (&[Created, Removed, Created], &[Removed, Created]),
            (&[Rescan, Removed], &[Rescan]),
            (&[Modified, Rescan], &[Rescan]),
        ];
        for (seen, expected) in table {
            let mut gathered = Gathered::default();
            for kind in *seen {
                gathered.push(Path::new("/a"), *kind);
            }
            let told: Vec<_> = gathered.into_changes().into_iter().map(|change| change.kind).collect();
            assert_eq!(&told, expected, "after {seen:?}");
        }
    }
}
