//! Bursts of changes: acts at the first quiet moment, and does not let a program that writes all the time hold it back.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// No event for so long ends a burst. An editor's save is a handful of system calls within a millisecond; a person
/// notices nothing below ten.
const QUIET: Duration = Duration::from_millis(3);

/// A burst is cut after so long, however busy it still is.
const CAP: Duration = Duration::from_millis(100);

/// Gathers changes until they are a burst. Time is passed in.
#[derive(Clone, Debug, Default)]
pub struct Debouncer {
    paths: BTreeSet<PathBuf>,
    began: Option<Instant>,
    last: Option<Instant>,
}

/// A burst that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Burst {
    /// What changed.
    pub paths: BTreeSet<PathBuf>,
    /// When the first change was noticed.
    pub began: Instant,
}

impl Debouncer {
    /// Takes a change that was noticed at `now`.
    pub fn push(&mut self, path: PathBuf, now: Instant) {
        self.began.get_or_insert(now);
        self.last = self.last.max(Some(now));
        self.paths.insert(path);
    }

    /// The moment at which the burst is over if nothing more comes.
    pub fn deadline(&self) -> Option<Instant> {
        Some((self.last? + QUIET).min(self.began? + CAP))
    }

    /// The burst, if it is over.
    pub fn poll(&mut self, now: Instant) -> Option<Burst> {
        if now < self.deadline()? {
            return None;
        }
        self.last = None;
        Some(Burst { paths: std::mem::take(&mut self.paths), began: self.began.take()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn a_burst_ends_at_the_first_quiet_moment() {
        let start = Instant::now();
        let mut debouncer = Debouncer::default();
        assert_eq!(debouncer.deadline(), None);
        debouncer.push("/a".into(), start);
        debouncer.push("/b".into(), at(start, 2));
        debouncer.push("/a".into(), at(start, 2));
        assert_eq!(debouncer.poll(at(start, 4)), None, "still within the quiet time of the last change");
        let burst = debouncer.poll(at(start, 5)).unwrap();
        assert_eq!(burst.paths, BTreeSet::from(["/a".into(), "/b".into()]));
        assert_eq!(burst.began, start);
        assert_eq!(debouncer.poll(at(start, 100)), None, "a burst is given once");
    }

    #[test]
    fn constant_writes_do_not_hold_it_back() {
        let start = Instant::now();
        let mut debouncer = Debouncer::default();
        for millis in 0..100 {
            debouncer.push("/log".into(), at(start, millis));
            assert_eq!(debouncer.poll(at(start, millis)), None);
        }
        assert!(debouncer.poll(at(start, 100)).is_some());
    }
}
