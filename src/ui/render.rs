//! What every way of showing events has in common.

use std::time::Duration;

use crate::event::Event;

/// One way of showing events. `now` is the time since the renderer was made.
pub(super) trait Render: Send {
    /// Takes one event. What it says may be kept until the next `flush`.
    fn event(&mut self, event: Event, now: Duration);
    /// Brings everything that was said to the terminal. Called when no event is waiting, so a line is never held
    /// back, and a flood is written in large pieces.
    fn flush(&mut self, now: Duration);
    /// How long `tick` may wait if no event comes; `None` where nothing moves.
    fn next_tick(&self, _now: Duration) -> Option<Duration> {
        None
    }
    /// Time has passed.
    fn tick(&mut self, _now: Duration) {}
    /// The terminal is someone else's from here until the next event.
    fn release(&mut self, now: Duration);
}
