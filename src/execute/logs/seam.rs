//! Where two readings of one output meet. To follow a program that runs already, hob attaches to it and then reads its log
//! for what was before. The log's last lines are the attached stream's first ones; they are shown once.
//!
//! What was written is compared, because an attached stream tells no times. Where that leaves a choice (a program that
//! writes the same line again and again) the moment of attaching decides, by the log's own times.

/// Lines of a log that may come again.
const KNOWN: usize = 4_096;

/// The seam between a log and an attached stream.
#[derive(Debug)]
pub struct Seam {
    /// The last lines of the log.
    known: Vec<String>,
    /// The first of them that was written after the stream was attached, as far as times tell.
    guess: usize,
    /// Where in `known` the stream may begin.
    candidates: Vec<usize>,
    /// Lines of the stream that are not decided upon.
    held: Vec<String>,
}

impl Seam {
    /// `log` are lines with their times, `attached` is when the stream was attached, by the same clock, or earlier. Lines
    /// that were written more than `slack` before do not come again.
    pub fn new(log: &[(i64, String)], attached: i64, slack: i64) -> Self {
        let may_come = log.iter().skip(log.len().saturating_sub(KNOWN));
        let may_come: Vec<_> = may_come.filter(|(time, _)| *time >= attached.saturating_sub(slack)).collect();
        let guess = may_come.iter().filter(|(time, _)| *time < attached).count();
        let known: Vec<String> = may_come.into_iter().map(|(_, line)| line.clone()).collect();
        Self { guess, candidates: (0..known.len()).collect(), known, held: Vec::new() }
    }

    /// Something is held until more is known.
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Takes the stream's next line and gives those that are to be shown.
    pub fn push(&mut self, line: String) -> Vec<String> {
        if self.candidates.is_empty() {
            return vec![line];
        }
        let at = self.held.len();
        self.held.push(line);
        let (known, line) = (&self.known, &self.held[at]);
        self.candidates.retain(|from| match known.get(from + at) {
            // The stream may have been attached in the middle of a line.
            Some(known) if at == 0 => known.ends_with(line.as_str()),
            Some(known) => known == line,
            None => true,
        });
        // A beginning that is right shows all of the log's rest.
        let open = self.candidates.iter().any(|from| from + self.held.len() < self.known.len());
        if open { Vec::new() } else { self.settle() }
    }

    /// No more of the log's lines will come: decides, and gives what was held and is to be shown.
    pub fn settle(&mut self) -> Vec<String> {
        let held = std::mem::take(&mut self.held);
        let candidates = std::mem::take(&mut self.candidates);
        let complete = candidates.into_iter().filter(|from| from + held.len() >= self.known.len());
        let from = complete.min_by_key(|from| from.abs_diff(self.guess));
        let again = from.map_or(0, |from| self.known.len() - from);
        held.into_iter().skip(again).collect()
    }
}

/// How many lines of a log were shown already, which are those up to the last place where it has the lines that were
/// shown last. `None` where it does not have them.
pub fn shown<T: PartialEq>(log: &[T], last: &[T]) -> Option<usize> {
    let of = last.len().min(64);
    let last = &last[last.len() - of..];
    let ends = |end: &usize| {
        let count = of.min(*end);
        count > 0 && log[end - count..*end] == last[of - count..]
    };
    (1..=log.len()).rev().find(ends)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn log(lines: &[&str]) -> Vec<(i64, String)> {
        lines.iter().zip(1..).map(|(line, time)| (time * 10, (*line).to_owned())).collect()
    }

    /// What is shown of a stream behind this log, the stream having been attached at a time.
    fn behind(known: &[&str], attached: i64, stream: &[&str]) -> Vec<String> {
        let mut seam = Seam::new(&log(known), attached, 1_000);
        let mut shown: Vec<String> = stream.iter().flat_map(|line| seam.push((*line).to_owned())).collect();
        shown.extend(seam.settle());
        shown
    }

    #[test]
    fn what_both_have_is_shown_once() {
        for (known, attached, stream, want) in [
            (&[][..], 0, &["a", "b"][..], &["a", "b"][..]),
            (&["a", "b"], 25, &["c"], &["c"]),
            (&["a", "b"], 15, &["b", "c"], &["c"]),
            // The clock says that nothing comes again, and is wrong.
            (&["a", "b", "c"], 100, &["b", "c", "d"], &["d"]),
            (&["a", "b", "c"], 0, &["a", "b", "c"], &[]),
            (&["a", "b", "a", "c"], 25, &["a", "c", "d"], &["d"]),
            // In the middle of a line.
            (&["one", "two"], 15, &["wo", "three"], &["three"]),
            // The same line again and again: by the time.
            (&["y", "y", "y", "y"], 25, &["y", "y", "y", "y"], &["y", "y"]),
            // The log ends in a line that the stream did not bring: nothing is left out.
            (&["a", "b"], 15, &["a", "x"], &["a", "x"]),
        ] {
            assert_eq!(behind(known, attached, stream), want, "{known:?} {stream:?}");
        }
    }

    #[test]
    fn what_is_long_ago_does_not_come_again() {
        let mut seam = Seam::new(&log(&["up"]), 5_000, 1_000);
        assert_eq!(seam.push("up".to_owned()), ["up"]);
    }

    #[test]
    fn the_shown_part_of_a_log_is_found() {
        let lines = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
        for (log, last, want) in [
            ("abcdef", "bcd", Some(4)),
            ("cdef", "abcd", Some(2)),
            ("abab", "ab", Some(4)),
            ("xyz", "abc", None),
            ("", "abc", None),
            ("abc", "", None),
        ] {
            assert_eq!(shown(&lines(log), &lines(last)), want, "{log} {last}");
        }
    }

    proptest! {
        /// Whatever a program writes: the log up to a moment and the stream from another one before that give it whole.
        #[test]
        fn no_line_is_lost_and_none_doubled(
            lines in prop::collection::vec("[a-c]", 0..24), a in 0usize..25, b in 0usize..25
        ) {
            let (attach, read) = (a.min(b).min(lines.len()), a.max(b).min(lines.len()));
            let timed: Vec<(i64, String)> = lines.iter().cloned().zip(0..).map(|(l, t)| (t * 10, l)).collect();
            let at = i64::try_from(attach).unwrap() * 10;
            let mut seam = Seam::new(&timed[..read], at, 0);
            let mut all: Vec<String> = lines[..read].to_vec();
            for line in &lines[attach..] {
                all.extend(seam.push(line.clone()));
            }
            all.extend(seam.settle());
            prop_assert_eq!(all, lines);
        }
    }
}
