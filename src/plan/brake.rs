//! A brake on feedback: a program that writes, at each start, the file whose change starts it.
//!
//! Nobody can see who has written a file. But what follows a start shortly, or always after the same time, and does
//! so again and again, is no person's save. Where no container can write the file it takes many more rounds, since then
//! it is most likely a script that saves as fast as it is answered; a file that only grows is a log.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A change so soon after what was done for the last one follows from it.
const SOON: Duration = Duration::from_secs(1);

/// A change that comes later than this follows from nothing.
const LONGEST: Duration = Duration::from_secs(30);

/// How much two delays of one program differ.
const JITTER: Duration = Duration::from_millis(150);

/// Rounds after which a file that a container can write, or that grows each time, is not acted upon any more.
const ROUNDS: u32 = 20;

/// The same for any other file.
const ROUNDS_OF_ANY: u32 = 300;

/// So many paths are remembered at most.
const MOST_PATHS: usize = 10_000;

/// What a change was answered with.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// When the change was noticed.
    pub noticed: Instant,
    /// When what was done for it had ended.
    pub ended: Instant,
    /// The file's size.
    pub size: Option<u64>,
    /// A container can write the file.
    pub shared: bool,
}

/// Counts the rounds of each path of one service.
#[derive(Clone, Debug, Default)]
pub struct Brake {
    paths: BTreeMap<PathBuf, Streak>,
}

#[derive(Clone, Debug)]
struct Streak {
    last: Round,
    delay: Option<Duration>,
    rounds: u32,
    /// Of them, those in which the file had grown.
    grown: u32,
    braked: bool,
}

impl Brake {
    /// Takes note of an answer. What is not acted upon from now on: the path, or the folder in which each round has
    /// another file.
    pub fn answered(&mut self, path: &Path, round: Round) -> Option<PathBuf> {
        if self.paths.len() > MOST_PATHS {
            self.paths.retain(|_, streak| streak.braked);
        }
        let own = self.count(path, round);
        let folder = path.parent().filter(|_| round.shared);
        let together = folder.map_or(0, |folder| self.count(folder, round));
        let limit = if round.shared || self.paths[path].grown >= ROUNDS { ROUNDS } else { ROUNDS_OF_ANY };
        let path = match folder {
            _ if own >= limit => path,
            Some(folder) if together >= limit && own < limit / 4 => folder,
            _ => return None,
        };
        let streak = self.paths.get_mut(path)?;
        (!std::mem::replace(&mut streak.braked, true)).then(|| path.to_owned())
    }

    /// The rounds that have followed each other with this one.
    fn count(&mut self, path: &Path, round: Round) -> u32 {
        let Some(streak) = self.paths.get_mut(path) else {
            let streak = Streak { last: round, delay: None, rounds: 0, grown: 0, braked: false };
            self.paths.insert(path.to_owned(), streak);
            return 0;
        };
        if streak.last.ended == round.ended {
            // Another file of the same folder, in the same round.
            return streak.rounds;
        }
        let delay = round.noticed.saturating_duration_since(streak.last.ended);
        let alike = streak.delay.is_some_and(|last| delay.abs_diff(last) <= JITTER.max(last / 10));
        if delay <= SOON || delay <= LONGEST && alike {
            streak.rounds += 1;
            let grew = matches!((streak.last.size, round.size), (Some(before), Some(now)) if now > before);
            streak.grown = if grew { streak.grown + 1 } else { 0 };
        } else {
            (streak.rounds, streak.grown) = (0, 0);
        }
        (streak.last, streak.delay) = (round, Some(delay));
        streak.rounds
    }

    /// Whether the path is not acted upon any more.
    pub fn holds(&self, path: &Path) -> bool {
        !self.paths.is_empty()
            && [Some(path), path.parent()].into_iter().flatten().any(|p| self.paths.get(p).is_some_and(|s| s.braked))
    }

    /// Begins anew: what is to be followed may have changed.
    pub fn release(&mut self) {
        self.paths.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many answers the brake holds, of changes that come with these delays, in milliseconds.
    fn rounds(delays: impl Fn(u64) -> u64, size: impl Fn(u64) -> u64, shared: bool) -> Option<u64> {
        #[allow(clippy::disallowed_methods, reason = "an Instant cannot be made in any other way")]
        let mut now = Instant::now();
        let mut brake = Brake::default();
        (0..400).find(|n| {
            let noticed = now + Duration::from_millis(delays(*n));
            now = noticed + Duration::from_millis(20);
            let round = Round { noticed, ended: now, size: Some(size(*n)), shared };
            let braked = brake.answered(Path::new("/d/a"), round);
            assert_eq!(brake.holds(Path::new("/d/a")), braked.is_some());
            assert!(braked.is_none_or(|path| path == Path::new("/d/a")));
            brake.holds(Path::new("/d/a"))
        })
    }

    #[test]
    fn what_follows_each_start_is_held_and_a_person_is_not() {
        let (same, grows) = (|_: u64| 7, |n: u64| n);
        // A program that writes as it starts, or always some seconds later.
        assert_eq!(rounds(|_| 5, same, true), Some(20));
        assert_eq!(rounds(|n| 4000 + n % 3 * 40, same, true), Some(21));
        // hob's own output, by way of `tee`.
        assert_eq!(rounds(|_| 5, grows, false), Some(20));
        // A script that saves at once, for a while, and one that does so for ever.
        assert_eq!(rounds(|_| 5, same, false), Some(300));
        // A person saves now and then, in no rhythm.
        assert_eq!(rounds(|n| 1500 + n * 7919 % 9000, grows, true), None);
        assert_eq!(rounds(|n| if n % 15 == 0 { 9000 } else { 300 }, same, true), None);
    }

    #[test]
    fn another_name_each_time_is_held_by_its_folder() {
        #[allow(clippy::disallowed_methods, reason = "an Instant cannot be made in any other way")]
        let now = Instant::now();
        let mut brake = Brake::default();
        let braked = (0..30).find_map(|n| {
            let noticed = now + Duration::from_millis(n * 30);
            let round = Round { noticed, ended: noticed + Duration::from_millis(20), size: Some(1), shared: true };
            brake.answered(Path::new(&format!("/data/{n}.log")), round)
        });
        assert_eq!(braked.as_deref(), Some(Path::new("/data")));
        assert!(brake.holds(Path::new("/data/new.log")) && !brake.holds(Path::new("/src/a")));
    }
}
