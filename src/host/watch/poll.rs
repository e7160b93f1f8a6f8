//! Looking at folders instead of being told: for folders that cannot be watched.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::change::{ChangeKind, Gathered};
use super::channel::Sender;
use super::shared::Shared;
use super::snapshot::Snapshot;
use super::state::{Held, State};

/// The snapshots of one round.
type Round = BTreeMap<Arc<Path>, Option<Snapshot>>;

impl State {
    /// Takes in a round: `before` was taken out of the state, `now` is what the folders look like.
    fn looked(&mut self, before: Round, mut now: Round, out: &mut Gathered) {
        for (path, old) in before {
            let new = now.remove(&path).flatten();
            // In the meantime it may have been dropped, or dropped and set again, with a snapshot of its own.
            if !self.nodes.get(&path).is_some_and(|node| node.polled) || self.snapshots.contains_key(&path) {
                continue;
            }
            let news = match (&old, &new) {
                (Some(old), Some(new)) => new.since(old),
                _ => Vec::new(),
            };
            let (was, is) = (old.is_some(), new.is_some());
            let reports = self.nodes.get(&path).is_some_and(|node| node.reports());
            self.snapshots.insert(path.clone(), new);
            for (name, what, is_dir) in news {
                self.entry(&path, Some(&name), what, is_dir, out);
            }
            if was && !is {
                if reports {
                    out.push(&path, ChangeKind::Removed);
                }
                self.detach_subtree(&path);
                self.unsee(&path);
            } else if is && !was && reports {
                out.push(&path, ChangeKind::Created);
                if self.hold(&path) == Held::Yes {
                    self.scan(&path, out);
                }
            }
        }
        self.settle(out);
    }

    /// The folder above counts as looked at without this in it. It may be there again by now, even with the same
    /// number as before, and then the next look finds it.
    fn unsee(&mut self, path: &Path) {
        if let (Some(above), Some(name)) = (path.parent(), path.file_name())
            && let Some(Some(snapshot)) = self.snapshots.get_mut(above)
        {
            snapshot.0.remove(name);
        }
    }
}

/// The poller's thread: sleeps while nothing is polled, ends when the watcher is dropped.
pub(super) fn run(shared: &Shared, sender: &Sender) {
    let mut pause = Duration::ZERO;
    loop {
        let Some(before) = next_round(shared, pause) else { return };
        let at = Instant::now();
        // Without the lock: a slow file system must not hold up anything else.
        let now = before.keys().map(|path| (path.clone(), Snapshot::take(path))).collect();
        // Looking takes at most a twentieth of the time, however slow the file system.
        pause = at.elapsed() * 20;
        let mut out = Gathered::default();
        let notices = {
            let mut state = shared.lock();
            state.looked(before, now, &mut out);
            state.take_notices()
        };
        sender.send(at, out, notices);
    }
}

/// Waits for the next round and takes the snapshots out of the state; `None` when the watcher is dropped.
fn next_round(shared: &Shared, pause: Duration) -> Option<Round> {
    let start = Instant::now();
    let mut state = shared.lock();
    loop {
        if state.stopped {
            return None;
        }
        let due = pause.max(state.every);
        state = if state.snapshots.is_empty() {
            shared.wait(state, None)
        } else if let Some(left) = due.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
            shared.wait(state, Some(left))
        } else {
            return Some(std::mem::take(&mut state.snapshots));
        };
    }
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::Stamp;
    use super::super::source::Happening;
    use super::*;

    fn stamp(inode: u64, content: u64, mode: u32) -> Stamp {
        Stamp { is_dir: false, inode, content: (content, 0, 0), attributes: (mode, 0, 0, 0, 0) }
    }

    #[test]
    fn snapshots_tell_what_happened() {
        let before = Snapshot(
            [
                ("gone", stamp(1, 1, 1)),
                ("same", stamp(2, 1, 1)),
                ("over", stamp(3, 1, 1)),
                ("written", stamp(4, 1, 1)),
                ("mode", stamp(5, 1, 1)),
            ]
            .map(|(name, stamp)| (name.into(), stamp))
            .into(),
        );
        let now = Snapshot(
            [
                ("same", stamp(2, 1, 1)),
                ("over", stamp(9, 1, 1)),
                ("written", stamp(4, 2, 1)),
                ("mode", stamp(5, 1, 2)),
                ("new", stamp(6, 1, 1)),
            ]
            .map(|(name, stamp)| (name.into(), stamp))
            .into(),
        );
        let mut news: Vec<_> =
            now.since(&before).into_iter().map(|(name, what, _)| (name.into_string().unwrap(), what)).collect();
        news.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(
            news,
            [
                ("gone".to_owned(), Happening::Vanished),
                ("mode".to_owned(), Happening::Attributes),
                ("new".to_owned(), Happening::Appeared),
                ("over".to_owned(), Happening::Appeared),
                ("written".to_owned(), Happening::Written),
            ]
        );
    }

    fn round(state: &mut State, look: impl Fn(&Path) -> Option<Snapshot>) {
        let before = std::mem::take(&mut state.snapshots);
        let now = before.keys().map(|path| (path.clone(), look(path))).collect();
        state.looked(before, now, &mut Gathered::default());
    }

    /// A folder was gone when it was looked at, and there again, with the number that the one before had, when the one
    /// above it was.
    #[test]
    fn a_folder_that_comes_back_in_a_round_is_found_by_the_next() {
        let temp = tempfile::tempdir().unwrap();
        let (root, below) = (temp.path().to_owned(), temp.path().join("below"));
        let mut state = State::new(Box::new(super::super::source::Unsupported), Arc::new(|_| true), Duration::ZERO);
        state.set(&[root].into());
        std::fs::create_dir(&below).unwrap();
        round(&mut state, Snapshot::take);
        assert!(state.snapshots.contains_key(&*below));
        round(&mut state, |path| Snapshot::take(path).filter(|_| path != below));
        assert!(!state.snapshots.contains_key(&*below));
        round(&mut state, Snapshot::take);
        assert!(state.snapshots.contains_key(&*below));
    }
}
