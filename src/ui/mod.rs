//! Shows events: for a person on a terminal (`tty`), as plain lines (`plain`), as JSON (`json`), or hardly at all
//! (`quiet`). Nothing else in hob writes to the terminal, but the byte pump of an interactive `exec` or `run`.
//!
//! - Results of a command (tables, output, logs) go to standard output, everything else to standard error.
//! - Text from containers and builds never drives the terminal: see `clean`.
//! - One thread renders, in the order of the events. Whoever emits an event does not wait for the terminal, unless
//!   the terminal is thousands of lines behind. Who brings a line of a program waits until most of what came before is
//!   shown, so that a flood slows itself and nobody else.

mod ask;
mod clean;
mod common;
mod fields;
mod groups;
mod json;
mod live;
mod message;
mod options;
mod palette;
mod plain;
mod prefix;
mod quiet;
mod streams;
mod summary;
mod table;
mod thread;
mod tty;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::event::{Event, Sink};

pub use ask::confirm;
pub use options::{Ansi, Options, Progress, Surroundings};

use options::Kind;
use streams::Streams;

/// Starts the rendering thread at the first event. Its end waits for everything that was emitted: drop every clone of the sink, or call
/// [`Sink::flush`], before the process exits.
pub fn sink(options: &Options) -> Arc<dyn Sink> {
    let surroundings = Surroundings::detect();
    let settings = options.settle(surroundings);
    let mut streams = Streams::new(Box::new(io::stdout()), Box::new(io::stderr()), options.on_closed.clone());
    if options.status_to_stdout {
        streams = streams.with_status_on_stdout();
    }
    if options.timestamps {
        streams = streams.with_clock(Box::new(now));
    }
    Arc::new(thread::Thread::new(renderer(&settings, streams)))
}

/// The time as logs have it.
#[allow(clippy::disallowed_methods, reason = "the clock of this layer; renderers are handed it")]
fn now() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    crate::model::time::rfc3339(i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
}

fn renderer(settings: &options::Settings, streams: Streams) -> Box<dyn Render> {
    match settings.kind {
        Kind::Tty => Box::new(tty::Tty::new(settings, streams, tty::Bars::stderr(settings.utf8))),
        Kind::Plain => Box::new(plain::Plain::new(settings, streams)),
        Kind::Json => Box::new(json::Json::new(streams)),
        Kind::Quiet => Box::new(quiet::Quiet::new(settings, streams)),
    }
}

/// One way of showing events. `now` is the time since the renderer was made.
trait Render: Send {
    /// Takes one event. What it says may be kept until the next `flush`.
    fn event(&mut self, event: Event, now: Duration);
    /// Brings everything that was said to the terminal. Called when no event is waiting, so a line is never held
    /// back, and a flood is written in large pieces.
    fn flush(&mut self, now: Duration);
    /// How long `tick` may wait if no event comes; `None` where nothing moves.
    fn next_tick(&self, now: Duration) -> Option<Duration>;
    /// Time has passed.
    fn tick(&mut self, now: Duration);
    /// The terminal is someone else's from here until the next event.
    fn release(&mut self, now: Duration);
}

#[cfg(test)]
mod tests;
