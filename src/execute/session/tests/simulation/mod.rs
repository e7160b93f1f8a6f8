//! Simulations of the session: random things happen to a stack, in virtual time and in an order that one number gives.
//! `HOB_SEED` runs one case and prints what happened, `HOB_CASES` says how many run.

mod client;
mod laws;
mod schedule;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use schedule::Ended;

use crate::execute::simulated;

/// Cases that run by default.
const CASES: u64 = 600;

fn case(seed: u64) -> Ended {
    let _simulated = simulated::enter(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(schedule::run(seed))
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("invalid number {name}={value}")))
}

/// What is wrong, in a line.
fn said(seed: u64, ended: &Ended) -> String {
    let violation = ended.violation.as_ref();
    violation.map(|v| format!("seed {seed}: {}: {}", v.law, v.what)).unwrap_or_default()
}

fn judge(seed: u64, ended: &Ended) {
    assert!(ended.violation.is_none(), "{}\n{}", ended.trace.join("\n"), said(seed, ended));
}

#[test]
fn whatever_happens_the_laws_hold() {
    if let (Some(seed), None) = (number("HOB_SEED"), number("HOB_CASES")) {
        let ended = case(seed);
        judge(seed, &ended);
        println!("{}", ended.trace.join("\n"));
        return;
    }
    let (first, cases) = (number("HOB_SEED").unwrap_or(0), number("HOB_CASES").unwrap_or(CASES));
    let (next, failed) = (AtomicU64::new(first), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + cases {
                        return;
                    }
                    let ended = case(seed);
                    if ended.violation.is_some() {
                        failed.lock().unwrap().push((seed, ended));
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort_by_key(|(seed, _)| *seed);
    for (seed, ended) in &failed {
        println!("{}", said(*seed, ended));
    }
    if let Some((seed, ended)) = failed.first() {
        judge(*seed, ended);
    }
}

/// Seeds that found something, as long as the schedule is as it was then.
const FOUND: [u64; 3] = [504, 1519, 1546];

#[test]
fn what_was_found_stays_mended() {
    for seed in FOUND {
        judge(seed, &case(seed));
    }
}

#[test]
fn the_same_seed_is_the_same_case() {
    for seed in 0..20 {
        let (one, other) = (case(seed), case(seed));
        let differs = one.trace.iter().zip(&other.trace).position(|(one, other)| one != other);
        if let Some(at) = differs {
            let upto = one.trace[..at].join("\n");
            panic!("seed {seed} differs:\n{upto}\none:   {}\nother: {}", one.trace[at], other.trace[at]);
        }
        assert_eq!(one.trace.len(), other.trace.len(), "seed {seed}");
    }
}
