//! A coalescing channel from the watcher's threads to whoever listens: what nobody has taken yet waits in one batch.
//!
//! A listener that is busy while ten thousand files change finds one batch with each path once, and not thousands of
//! them; the threads never wait for it, so the system's queue is always emptied.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use super::change::{Batch, Gathered};
use super::notice::Notice;

/// The receiving end. Dropping it makes the watcher throw away what it sees.
#[derive(Debug)]
pub struct Changes {
    shared: Arc<Shared>,
}

/// The sending end; the channel is closed when the last one is dropped.
#[derive(Debug)]
pub(super) struct Sender {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pending: Mutex<Pending>,
    woken: Notify,
    /// Held by the thread that looks and tells. Who listens does not wait for it.
    order: Mutex<()>,
}

#[derive(Debug, Default)]
struct Pending {
    /// When the oldest of it was told.
    since: Option<Instant>,
    changes: Gathered,
    notices: Vec<Notice>,
    senders: usize,
    receiver_gone: bool,
}

pub(super) fn channel() -> (Sender, Changes) {
    let pending = Pending { senders: 1, ..Pending::default() };
    let shared = Arc::new(Shared { pending: Mutex::new(pending), woken: Notify::new(), order: Mutex::default() });
    (Sender { shared: shared.clone() }, Changes { shared })
}

impl Shared {
    fn with<T>(&self, work: impl FnOnce(&mut Pending) -> T) -> T {
        work(&mut self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Changes {
    /// The next batch; `None` when the watcher is dropped and all that it told is taken. May be dropped while
    /// waiting without losing one.
    pub async fn recv(&mut self) -> Option<Batch> {
        loop {
            let (batch, closed) = self.shared.with(|pending| (pending.take(), pending.senders == 0));
            if batch.is_some() || closed {
                return batch;
            }
            self.shared.woken.notified().await;
        }
    }

    /// What waits now, without waiting for more.
    #[cfg(test)]
    pub fn try_recv(&mut self) -> Option<Batch> {
        self.shared.with(Pending::take)
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.shared
            .with(|pending| *pending = Pending { receiver_gone: true, senders: pending.senders, ..Pending::default() });
    }
}

impl Sender {
    /// Adds to what waits. `at` is when the system told of it.
    pub(super) fn send(&self, at: Instant, mut changes: Gathered, notices: Vec<Notice>) {
        if changes.is_empty() && notices.is_empty() {
            return;
        }
        // What was looked at later is told later.
        let _order = self.shared.order.lock().unwrap_or_else(PoisonError::into_inner);
        changes.look();
        self.shared.with(|pending| {
            if !pending.receiver_gone {
                pending.since = Some(pending.since.map_or(at, |since| since.min(at)));
                pending.changes.append(changes);
                pending.notices.extend(notices);
            }
        });
        self.shared.woken.notify_one();
    }
}

impl Clone for Sender {
    fn clone(&self) -> Self {
        self.shared.with(|pending| pending.senders += 1);
        Self { shared: self.shared.clone() }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.shared.with(|pending| pending.senders -= 1);
        self.shared.woken.notify_one();
    }
}

impl Pending {
    fn take(&mut self) -> Option<Batch> {
        let at = self.since.take()?;
        let changes = std::mem::take(&mut self.changes).into_changes();
        Some(Batch { at, changes, notices: std::mem::take(&mut self.notices) })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::super::change::{Change, ChangeKind};
    use super::*;

    fn one(path: &str, kind: ChangeKind) -> Gathered {
        let mut changes = Gathered::default();
        changes.push(Path::new(path), kind);
        changes
    }

    #[tokio::test]
    async fn what_is_not_taken_grows_together() {
        let (sender, mut changes) = channel();
        let now = Instant::now();
        sender.send(now, one("/a", ChangeKind::Created), Vec::new());
        sender.send(now + Duration::from_secs(1), one("/a", ChangeKind::Modified), Vec::new());
        sender.send(now + Duration::from_secs(2), one("/b", ChangeKind::Removed), Vec::new());
        let batch = changes.recv().await.unwrap();
        assert_eq!(batch.at, now);
        let told = batch.changes.into_iter().map(|Change { path, kind, .. }| (path.display().to_string(), kind));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [("/a".to_owned(), ChangeKind::Created), ("/b".to_owned(), ChangeKind::Removed)]
        );
        assert!(changes.try_recv().is_none());
    }

    #[tokio::test]
    async fn what_was_told_is_taken_before_the_end() {
        let (sender, mut changes) = channel();
        let other = sender.clone();
        drop(sender);
        other.send(Instant::now(), one("/a", ChangeKind::Created), Vec::new());
        drop(other);
        assert!(changes.recv().await.is_some());
        assert!(changes.recv().await.is_none());
    }

    #[tokio::test]
    async fn a_waiting_listener_is_woken() {
        let (sender, mut changes) = channel();
        let listener = tokio::spawn(async move { changes.recv().await.map(|batch| batch.changes.len()) });
        tokio::task::yield_now().await;
        sender.send(Instant::now(), one("/a", ChangeKind::Created), Vec::new());
        assert_eq!(listener.await.unwrap(), Some(1));
    }

    #[test]
    fn nothing_piles_up_for_a_listener_that_is_gone() {
        let (sender, changes) = channel();
        drop(changes);
        sender.send(Instant::now(), one("/a", ChangeKind::Created), Vec::new());
        assert!(sender.shared.with(Pending::take).is_none());
    }
}
