//! When to act on a burst of changes: at its first quiet moment.
//!
//! A save is one burst: an editor writes a file, sets its mode and moves it into place within a millisecond or two. A
//! `git switch` is one burst too, of thousands of files over a second, with pauses that grow with the load on the
//! machine. And there are programs that write one file all the time. Four rules tell them apart:
//!
//! 1. The *quiet* that ends a burst grows with the number of paths in it. One saved file waits for [`QUIET`]; with
//!    hundreds of files nobody feels [`QUIET_MOST`], and acting in the middle of a checkout would be wasted work.
//! 2. Writing the same paths again and again holds a burst back by [`REPEATS`] at most, counted from the last path
//!    that was new to it.
//! 3. What is gone is believed after [`SETTLE`]: version control and many editors delete a file before they write it.
//!    What was written and is still open is no part of a burst until it is closed, or for [`LONGEST`]: it may be empty,
//!    or half of what it will be. Others do not wait for it.
//! 4. Nothing holds it back by more than [`LONGEST`].
//!
//! Time is passed in. Push what some service reads, and nothing else: a log that grows in a watched folder should
//! not hold back anything at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The quiet that ends a burst of a few paths. An editor's steps follow each other within a millisecond; three leave
/// room for a busy machine, and are a small part of the 25 ms that a save may take to be live.
pub const QUIET: Duration = Duration::from_millis(3);

/// How many more paths make the quiet longer by another [`QUIET`].
const PATHS_PER_STEP: u32 = 10;

/// The quiet that ends a burst of very many paths.
pub const QUIET_MOST: Duration = Duration::from_millis(60);

/// How long writes to paths that are already in the burst can hold it back.
pub const REPEATS: Duration = Duration::from_millis(100);

/// How long a file may be gone before that is believed.
pub const SETTLE: Duration = Duration::from_millis(100);

/// How long anything can hold a burst back.
pub const LONGEST: Duration = Duration::from_secs(2);

/// What changed in one burst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Burst<T = PathBuf> {
    /// What was pushed, each once.
    pub items: BTreeSet<T>,
    /// When the first of it was pushed.
    pub first: Instant,
    /// When the last of it was pushed.
    pub last: Instant,
}

/// Gathers changes until they pause.
#[derive(Clone, Debug)]
pub struct Debouncer<T = PathBuf> {
    pending: Option<Pending<T>>,
    /// What was written and is still open, and since when.
    open: BTreeMap<T, Instant>,
}

#[derive(Clone, Debug)]
struct Pending<T> {
    burst: Burst<T>,
    /// When something was last pushed that was not in the burst before.
    grew: Instant,
    /// What is gone, and since when.
    gone: BTreeMap<T, Instant>,
}

impl<T> Default for Debouncer<T> {
    fn default() -> Self {
        Self { pending: None, open: BTreeMap::new() }
    }
}

impl<T: Ord + Clone> Debouncer<T> {
    /// Takes in what changed at `now`: the moment at which the system told of it, so that time spent on other work
    /// counts as quiet.
    pub fn push(&mut self, items: impl IntoIterator<Item = T>, now: Instant) {
        for item in items {
            self.open.remove(&item);
            let pending = self.pending.get_or_insert_with(|| Pending {
                burst: Burst { items: BTreeSet::new(), first: now, last: now },
                grew: now,
                gone: BTreeMap::new(),
            });
            pending.burst.last = pending.burst.last.max(now);
            pending.gone.remove(&item);
            if pending.burst.items.insert(item) {
                pending.grew = pending.grew.max(now);
            }
        }
    }

    /// The same for what is gone, and may be there again in a moment.
    pub fn push_gone(&mut self, item: T, now: Instant) {
        let since = self.pending.as_ref().and_then(|pending| pending.gone.get(&item)).copied();
        self.push([item.clone()], now);
        if let Some(pending) = &mut self.pending {
            pending.gone.insert(item, since.unwrap_or(now));
        }
    }

    /// The same for a file that was written and is still open.
    pub fn push_open(&mut self, item: T, now: Instant) {
        let mut since = now;
        if let Some(pending) = &mut self.pending
            && pending.burst.items.remove(&item)
        {
            since = pending.burst.first;
            pending.gone.remove(&item);
            if pending.burst.items.is_empty() {
                self.pending = None;
            }
        }
        self.open.entry(item).or_insert(since);
    }

    /// Whether the item is in the burst that goes on.
    pub fn contains(&self, item: &T) -> bool {
        self.open.contains_key(item) || self.pending.as_ref().is_some_and(|pending| pending.burst.items.contains(item))
    }

    /// When to call [`Self::poll`] next, if nothing more is pushed. `None` while there is nothing to wait for.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let burst = self.pending.as_ref().map(|Pending { burst, grew, gone }| {
            let quiet = (burst.last + quiet(burst.items.len())).min(*grew + REPEATS);
            let settled = gone.values().max().map(|since| *since + SETTLE);
            quiet.max(settled.unwrap_or(quiet)).min(burst.first + LONGEST)
        });
        let open = self.open.values().min().map(|since| *since + LONGEST);
        burst.into_iter().chain(open).min()
    }

    /// The burst, if it is time to act on it.
    pub fn poll(&mut self, now: Instant) -> Option<Burst<T>> {
        if self.deadline()? > now {
            return None;
        }
        let due: Vec<(T, Instant)> = self
            .open
            .iter()
            .filter(|(_, since)| **since + LONGEST <= now)
            .map(|(item, since)| (item.clone(), *since))
            .collect();
        for (item, since) in due {
            self.push([item], since);
        }
        if self.deadline()? > now {
            return None;
        }
        self.pending.take().map(|pending| pending.burst)
    }
}

/// The quiet that ends a burst of so many paths.
fn quiet(paths: usize) -> Duration {
    let steps = u32::try_from(paths).unwrap_or(u32::MAX) / PATHS_PER_STEP;
    QUIET.saturating_mul(steps.saturating_add(1)).min(QUIET_MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds from the start of the test.
    struct Clock(Instant);

    impl Clock {
        #[allow(clippy::disallowed_methods, reason = "an Instant cannot be made in any other way")]
        fn new() -> Self {
            Self(Instant::now())
        }

        fn at(&self, milliseconds: u64) -> Instant {
            self.0 + Duration::from_millis(milliseconds)
        }
    }

    fn items<T: Ord + Clone>(burst: Option<Burst<T>>) -> Vec<T> {
        burst.map(|burst| burst.items.into_iter().collect()).unwrap_or_default()
    }

    #[test]
    fn one_save_is_acted_on_after_the_quiet() {
        let clock = Clock::new();
        let mut debouncer = Debouncer::default();
        assert_eq!(debouncer.deadline(), None);
        assert_eq!(debouncer.poll(clock.at(0)), None);

        debouncer.push(["a"], clock.at(10));
        debouncer.push(["a"], clock.at(11));
        assert_eq!(debouncer.deadline(), Some(clock.at(14)));
        assert_eq!(debouncer.poll(clock.at(13)), None);
        let burst = debouncer.poll(clock.at(14)).unwrap();
        assert_eq!((burst.first, burst.last), (clock.at(10), clock.at(11)));
        assert_eq!(items(Some(burst)), ["a"]);
        assert_eq!(debouncer.deadline(), None, "and it starts anew");
    }

    #[test]
    fn nothing_pushed_is_nothing_pending() {
        let clock = Clock::new();
        let mut debouncer = Debouncer::<&str>::default();
        debouncer.push([], clock.at(0));
        assert_eq!(debouncer.deadline(), None);
    }

    #[test]
    fn a_constant_writer_is_not_waited_for() {
        let clock = Clock::new();
        let mut debouncer = Debouncer::default();
        let mut acted = Vec::new();
        for now in 0..1000 {
            acted.extend(debouncer.poll(clock.at(now)).map(|_| now));
            debouncer.push(["log"], clock.at(now));
        }
        assert_eq!(acted, [100, 200, 300, 400, 500, 600, 700, 800, 900]);
    }

    #[test]
    fn a_save_beside_a_constant_writer_is_held_back_a_little() {
        let clock = Clock::new();
        let mut debouncer = Debouncer::default();
        for now in 0..50 {
            debouncer.push(["log"], clock.at(now));
        }
        debouncer.push(["app"], clock.at(50));
        for now in 51..150 {
            assert_eq!(debouncer.poll(clock.at(now)), None);
            debouncer.push(["log"], clock.at(now));
        }
        assert_eq!(items(debouncer.poll(clock.at(150))), ["app", "log"]);
    }

    #[test]
    fn a_checkout_with_pauses_is_one_burst() {
        let clock = Clock::new();
        let mut debouncer = Debouncer::default();
        // Ten files each two milliseconds, and a pause of forty now and then.
        let mut now = 0;
        for number in 0..1000_u32 {
            debouncer.push((0..10).map(|file| number * 10 + file), clock.at(now));
            now += if number % 50 == 49 { 40 } else { 1 };
            assert_eq!(debouncer.poll(clock.at(now)), None, "after {number}");
        }
        assert_eq!(debouncer.poll(clock.at(now + 60)).map(|burst| burst.items.len()), Some(10_000));
    }

    #[test]
    fn nothing_is_held_back_longer_than_the_cap() {
        let clock = Clock::new();
        let mut debouncer = Debouncer::default();
        let acted = (0..5000_u64).find(|now| {
            debouncer.push([*now], clock.at(*now));
            debouncer.poll(clock.at(*now)).is_some()
        });
        assert_eq!(acted, Some(2000));
    }

    #[test]
    fn the_quiet_grows_with_the_burst() {
        for (paths, milliseconds) in [(0, 3), (1, 3), (9, 3), (10, 6), (100, 33), (190, 60), (10_000, 60)] {
            assert_eq!(quiet(paths), Duration::from_millis(milliseconds), "{paths} paths");
        }
    }

    #[test]
    fn news_that_comes_late_does_not_turn_back_time() {
        let clock = Clock::new();
        let mut debouncer = Debouncer::default();
        debouncer.push(["a"], clock.at(10));
        debouncer.push(["b"], clock.at(5));
        assert_eq!(debouncer.deadline(), Some(clock.at(13)));
        assert_eq!(items(debouncer.poll(clock.at(13))), ["a", "b"]);
    }

    #[test]
    fn what_is_gone_is_believed_after_a_while() {
        let clock = Clock::new();
        let mut debouncer = Debouncer::default();
        debouncer.push_gone("a", clock.at(0));
        debouncer.push_gone("a", clock.at(40));
        debouncer.push(["b"], clock.at(50));
        assert_eq!(debouncer.deadline(), Some(clock.at(100)));
        // It is there again.
        debouncer.push(["a"], clock.at(60));
        assert_eq!(debouncer.deadline(), Some(clock.at(63)));
    }

    #[test]
    fn an_open_file_waits_until_it_is_closed_and_holds_nobody_back() {
        let clock = Clock::new();
        let mut debouncer = Debouncer::default();
        debouncer.push_open("slow", clock.at(0));
        debouncer.push(["a"], clock.at(10));
        assert_eq!(items(debouncer.poll(clock.at(13))), ["a"]);
        debouncer.push_open("slow", clock.at(150));
        assert_eq!(debouncer.poll(clock.at(1000)), None);
        debouncer.push(["slow"], clock.at(1000));
        assert_eq!(items(debouncer.poll(clock.at(1003))), ["slow"]);
        assert_eq!(debouncer.deadline(), None);
        // A log that is never closed.
        let acted: Vec<u64> = (0..7000)
            .filter(|now| {
                debouncer.push_open("log", clock.at(2000 + now));
                debouncer.poll(clock.at(2000 + now)).is_some()
            })
            .collect();
        assert_eq!(acted, [2000, 4001, 6002]);
    }
}
