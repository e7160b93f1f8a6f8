//! Who waits for a change is woken in the order in which they began to wait, so that a test runs the same every time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counts changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    count: AtomicU64,
    news: Notify,
}

/// How many of them somebody has seen.
pub(super) struct Seen {
    changes: Arc<Changes>,
    count: u64,
}

impl Changes {
    pub(super) fn tell(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.news.notify_waiters();
    }

    pub(super) fn subscribe(self: &Arc<Self>) -> Seen {
        Seen { changes: Arc::clone(self), count: self.count.load(Ordering::Relaxed) }
    }
}

impl Seen {
    /// All until now are seen.
    pub(super) fn update(&mut self) {
        self.count = self.changes.count.load(Ordering::Relaxed);
    }

    /// Waits for one that was not.
    pub(super) async fn changed(&mut self) {
        let changes = Arc::clone(&self.changes);
        let news = changes.news.notified();
        tokio::pin!(news);
        news.as_mut().enable();
        if changes.count.load(Ordering::Relaxed) == self.count {
            news.await;
        }
        self.update();
    }
}
