//! A brake on feedback: a program that writes, at each start, the file whose change starts it.
//!
//! Nobody can see who has written a file. But what follows a start shortly, or always after the same time, and does
//! so again and again, may be no person's save. Where no container can write the file it takes many more rounds, since
//! then it is most likely a script that saves as fast as it is answered; a file that only grows is a log.
//!
//! A person who saves often looks the same, so a suspicion is tried before it is believed: from then on a change is
//! acted upon when the path has been quiet, for longer each time. A program that writes because it was started is quiet
//! for as long as it is not started, and writes at once when it is. A person does neither, again and again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A change so soon after what was done for the last one follows from it.
const SOON: Duration = Duration::from_secs(1);

/// A change that comes later than this follows from nothing.
const LONGEST: Duration = Duration::from_secs(30);

/// How much two delays of one program differ.
const JITTER: Duration = Duration::from_millis(150);

/// Rounds after which a file that a container can write, or that grows each time, is suspected.
const ROUNDS: u32 = 20;

/// The same for any other file.
const ROUNDS_OF_ANY: u32 = 300;

/// How long a suspected path must be quiet before a change of it is acted upon, trial by trial. After the last, changes of
/// it are not acted upon any more.
const TRIALS: [Duration; 3] = [Duration::from_secs(3), Duration::from_secs(6), Duration::from_secs(12)];

/// The same for a folder, once it has failed them all: a person may save a file in it that was never saved before.
const FOLDER: Duration = Duration::from_mins(1);

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

/// What becomes of the changes of a path, or of new files in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Braked {
    /// They are acted upon when it has been quiet.
    OnTrial(PathBuf),
    /// They are not acted upon any more.
    Ignored(PathBuf),
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
    /// How many trials it has failed, once it is suspected.
    trials: Option<usize>,
}

impl Streak {
    fn is_ignored(&self) -> bool {
        self.trials == Some(TRIALS.len())
    }
}

impl Brake {
    /// Takes note of an answer. Says what is another way from now on: for the path, or for the folder in which each round
    /// has another file.
    pub fn answered(&mut self, path: &Path, round: Round) -> Option<Braked> {
        if self.paths.len() > MOST_PATHS {
            self.paths.retain(|_, streak| streak.trials.is_some());
        }
        let folder = path.parent().filter(|_| round.shared);
        let failed = |brake: &Self| brake.paths.get(path).and_then(|streak| streak.trials);
        let before = failed(self);
        let own = self.count(path, round);
        let together = folder.map_or(0, |folder| self.count(folder, round));
        if before.is_some() {
            let ignored = failed(self) == Some(TRIALS.len()) && before != failed(self);
            return ignored.then(|| Braked::Ignored(path.to_owned()));
        }
        let limit = if round.shared || self.paths[path].grown >= ROUNDS { ROUNDS } else { ROUNDS_OF_ANY };
        let path = match folder {
            _ if own >= limit => path,
            // Another file each time; not one of them, beside files that somebody saves.
            Some(folder) if together >= limit && self.most_in(folder) < limit / 4 => folder,
            _ => return None,
        };
        let streak = self.paths.get_mut(path)?;
        if streak.trials.is_some() {
            return None;
        }
        streak.trials = Some(0);
        Some(Braked::OnTrial(path.to_owned()))
    }

    /// The most rounds that a file of the folder has.
    fn most_in(&self, folder: &Path) -> u32 {
        let below = self.paths.range(folder.to_path_buf()..).take_while(|(path, _)| path.starts_with(folder));
        below.filter(|(path, _)| path.parent() == Some(folder)).map(|(_, streak)| streak.rounds).max().unwrap_or(0)
    }

    /// The rounds that have followed each other with this one.
    fn count(&mut self, path: &Path, round: Round) -> u32 {
        let Some(streak) = self.paths.get_mut(path) else {
            let streak = Streak { last: round, delay: None, rounds: 0, grown: 0, trials: None };
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
            streak.trials = streak.trials.map(|failed| (failed + 1).min(TRIALS.len()));
        } else {
            (streak.rounds, streak.grown, streak.trials) = (0, 0, None);
        }
        (streak.last, streak.delay) = (round, Some(delay));
        streak.rounds
    }

    /// Whether the path is not acted upon any more.
    pub fn holds(&self, path: &Path) -> bool {
        self.paths.get(path).is_some_and(Streak::is_ignored)
    }

    /// For how long the path must be quiet before a change of it is acted upon, where it is on trial. That of a folder is
    /// about files that were never acted upon.
    pub fn trial(&self, path: &Path) -> Option<Duration> {
        match self.paths.get(path) {
            Some(own) => TRIALS.get(own.trials?).copied(),
            None => {
                let failed = self.paths.get(path.parent()?)?.trials?;
                Some(TRIALS.get(failed).copied().unwrap_or(FOLDER))
            }
        }
    }

    /// Begins anew: what is to be followed may have changed.
    pub fn release(&mut self) {
        self.paths.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many answers the brake suspects, and ignores, changes that come with these delays, in milliseconds.
    /// While it tries, a change is answered when its path was quiet.
    fn rounds(delays: impl Fn(u64) -> u64, size: impl Fn(u64) -> u64, shared: bool) -> [Option<u64>; 2] {
        #[allow(clippy::disallowed_methods, reason = "an Instant cannot be made in any other way")]
        let mut now = Instant::now();
        let path = Path::new("/d/a");
        let (mut brake, mut found) = (Brake::default(), [None, None]);
        for n in 0..400 {
            let noticed = now + Duration::from_millis(delays(n));
            now = noticed + brake.trial(path).unwrap_or_default() + Duration::from_millis(20);
            let round = Round { noticed, ended: now, size: Some(size(n)), shared };
            match brake.answered(path, round) {
                Some(Braked::OnTrial(of)) if of == path => found[0] = found[0].or(Some(n)),
                Some(Braked::Ignored(of)) if of == path => found[1] = Some(n),
                None => {}
                other => panic!("{other:?}"),
            }
            assert_eq!(brake.holds(path), found[1].is_some());
            if found[1].is_some() {
                break;
            }
        }
        found
    }

    #[test]
    fn what_follows_each_start_is_held_and_a_person_is_not() {
        let (same, grows) = (|_: u64| 7, |n: u64| n);
        // A program that writes as it starts, or always some seconds later.
        assert_eq!(rounds(|_| 5, same, true), [Some(20), Some(23)]);
        assert_eq!(rounds(|n| 4000 + n % 3 * 40, same, true), [Some(21), Some(24)]);
        // hob's own output, by way of `tee`.
        assert_eq!(rounds(|_| 5, grows, false), [Some(20), Some(23)]);
        // A script that saves at once, for a while, and one that does so for ever.
        assert_eq!(rounds(|_| 5, same, false), [Some(300), Some(303)]);
        // A person saves now and then, in no rhythm.
        assert_eq!(rounds(|n| 1500 + n * 7919 % 9000, grows, true), [None, None]);
        assert_eq!(rounds(|n| if n % 15 == 0 { 9000 } else { 300 }, same, true), [None, None]);
        // An editor saves each second, and a person pauses.
        assert_eq!(rounds(|n| if n < 21 { 900 } else { 2500 + n % 4 * 900 }, grows, true), [Some(20), None]);
    }

    #[test]
    fn another_name_each_time_is_held_by_its_folder() {
        #[allow(clippy::disallowed_methods, reason = "an Instant cannot be made in any other way")]
        let mut now = Instant::now();
        let mut brake = Brake::default();
        let path = |n: u64| PathBuf::from(format!("/data/{n}.log"));
        let braked: Vec<Braked> = (0..30)
            .filter_map(|n| {
                let noticed = now + Duration::from_millis(10);
                now = noticed + brake.trial(&path(n)).unwrap_or_default() + Duration::from_millis(20);
                brake.answered(&path(n), Round { noticed, ended: now, size: Some(1), shared: true })
            })
            .collect();
        assert_eq!(braked, [Braked::OnTrial("/data".into())]);
        // Nothing is ignored: somebody may save a file there. One that was saved before is answered at once.
        let new = Path::new("/data/new.log");
        assert_eq!((brake.trial(new), brake.trial(&path(3)), brake.holds(new)), (Some(FOLDER), None, false));
    }

    #[test]
    fn a_log_beside_files_that_somebody_saves_is_told_apart() {
        #[allow(clippy::disallowed_methods, reason = "an Instant cannot be made in any other way")]
        let mut now = Instant::now();
        let mut brake = Brake::default();
        let (log, main) = (Path::new("/app/log"), Path::new("/app/main"));
        let mut braked = Vec::new();
        // Each save restarts the program, which writes its log at once; that is brought in with the next save at the latest.
        for n in 0..40 {
            let noticed = now + Duration::from_millis(if n == 0 { 0 } else { 5 });
            let held = brake.trial(log).is_some();
            let saved = noticed + Duration::from_millis(if held { 1480 } else { 0 });
            now = saved + Duration::from_millis(20);
            let round = Round { noticed, ended: now, size: Some(n), shared: true };
            braked.extend(brake.answered(log, round));
            if held {
                braked.extend(brake.answered(main, Round { noticed: saved, ..round }));
            }
            assert_eq!((brake.trial(main), brake.holds(main)), (None, false), "round {n}");
            if brake.holds(log) {
                break;
            }
        }
        assert_eq!(braked, [Braked::OnTrial(log.into()), Braked::Ignored(log.into())]);
    }
}
