//! From options to the sink that shows events.

use std::io;
use std::sync::Arc;

use super::compose::Compose;
use super::json::Json;
use super::options::{Kind, Options, Settings, Surroundings, Wording};
use super::plain::Plain;
use super::quiet::Quiet;
use super::render::Render;
use super::streams::Streams;
use super::thread::Thread;
use super::tty::{Bars, Tty};
use crate::event::Sink;

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
    Arc::new(Thread::new(renderer(&settings, streams)))
}

/// The time as logs have it.
#[allow(clippy::disallowed_methods, reason = "the clock of this layer; renderers are handed it")]
fn now() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    crate::model::time::rfc3339(i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
}

/// The same without a fraction.
fn now_in_seconds() -> String {
    let now = now();
    now.split('.').next().map(|seconds| format!("{seconds}Z")).unwrap_or_default()
}

pub(super) fn renderer(settings: &Settings, streams: Streams) -> Box<dyn Render> {
    if settings.wording == Wording::Compose {
        return Box::new(Compose::new(settings, streams, Box::new(now_in_seconds)));
    }
    match settings.kind {
        Kind::Tty => Box::new(Tty::new(settings, streams, Bars::stderr(settings.utf8))),
        Kind::Plain => Box::new(Plain::new(settings, streams)),
        Kind::Json => Box::new(Json::new(streams)),
        Kind::Quiet => Box::new(Quiet::new(settings, streams)),
    }
}
