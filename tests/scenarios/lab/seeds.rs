//! Seeds of tests that do things at random.
//!
//! `HOB_SEED` is the first seed and `HOB_CASES` the number of cases, each with the next seed. A failure prints the seed,
//! the steps, and what hob said. Threads and the machine's load are not in the seed: what is found once may need
//! some runs of the same seed to come again.

/// Seeds of the cases of this run.
pub fn seeds(cases: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (seed, count) = (number("HOB_SEED"), number("HOB_CASES"));
    let first = seed.unwrap_or(1);
    first..first + count.unwrap_or(if seed.is_some() { 1 } else { cases })
}
