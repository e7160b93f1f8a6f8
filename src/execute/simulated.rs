//! What a simulation needs of this layer: no thread but its own, and no clock but tokio's.

use std::cell::RefCell;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

/// The fake engine's first second, in nanoseconds since 1970.
const EPOCH: i64 = 1_767_225_600_000_000_000;

struct Simulation {
    /// How long threads take.
    rng: Rng,
    began: Option<Instant>,
}

thread_local! {
    static SIMULATION: RefCell<Option<Simulation>> = const { RefCell::new(None) };
}

/// Until this is dropped, this thread simulates.
pub struct Simulated(());

/// Simulates on this thread.
pub fn enter(seed: u64) -> Simulated {
    SIMULATION.set(Some(Simulation { rng: Rng::with_seed(seed), began: None }));
    Simulated(())
}

impl Drop for Simulated {
    fn drop(&mut self) {
        SIMULATION.set(None);
    }
}

/// Whether this thread simulates.
pub fn is_on() -> bool {
    SIMULATION.with_borrow(Option::is_some)
}

/// The time by the fake engine's clock, where this thread simulates.
pub fn clock() -> Option<i64> {
    SIMULATION.with_borrow_mut(|simulation| {
        let began = *simulation.as_mut()?.began.get_or_insert_with(Instant::now);
        Some(EPOCH + i64::try_from(began.elapsed().as_nanos()).unwrap_or(i64::MAX))
    })
}

/// Work that a thread would do: at some moment of virtual time.
pub async fn blocking<T>(work: impl FnOnce() -> T) -> T {
    pause().await;
    let done = work();
    pause().await;
    done
}

async fn pause() {
    let millis = SIMULATION.with_borrow_mut(|simulation| {
        let rng = simulation.as_mut().map(|simulation| &mut simulation.rng)?;
        Some(if rng.u8(..10) == 0 { rng.u64(1..60) } else { 0 })
    });
    match millis {
        Some(millis) if millis > 0 => tokio::time::sleep(Duration::from_millis(millis)).await,
        _ => tokio::task::yield_now().await,
    }
}
