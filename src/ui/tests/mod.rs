//! Events in, text out.

mod events;
mod kinds;
mod plans;
mod reloads;
mod streams;
mod terminal;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::options::{Kind, Settings, Wording};
use super::render::Render;
use super::sink::renderer;
use super::streams::Streams;
use super::*;
use crate::event::{
    Did, Elsewhere, EndCause, Event, Followed, Hold, LogStream, Message, Pending, PlannedStep, ReloadAction, Reloaded,
    State, Timings,
};
use crate::model::{Part, Place, RebuildReason, ServiceName};
use crate::plan::{Operation, Reason, ReloadReason, Until};

use events::{
    build_step, build_step_done, done, failing, file, held, log, op, reloaded, started, timings, to_stderr, up,
};

const SETTINGS: Settings = Settings {
    wording: Wording::Hob,
    kind: Kind::Plain,
    out_color: false,
    err_color: false,
    status_color: false,
    out_tty: false,
    utf8: true,
    log_prefix: true,
    log_color: true,
    timings: false,
    verbose: false,
    relative_to: None,
};

/// Writes what standard output and standard error get, each line with its stream where asked for.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn service(name: &str) -> ServiceName {
    name.into()
}

fn services<const N: usize>(names: [&str; N]) -> Vec<ServiceName> {
    names.into_iter().map(ServiceName::from).collect()
}

/// Runs events through a renderer; both streams go to the same text, as on a terminal.
fn shown(settings: &Settings, events: Vec<(u64, Event)>) -> String {
    let buffer = Buffer::default();
    let streams = Streams::new(Box::new(buffer.clone()), Box::new(buffer.clone()), None);
    play(renderer(settings, streams).as_mut(), events);
    buffer.text()
}

fn play(renderer: &mut dyn Render, events: Vec<(u64, Event)>) {
    let mut last = 0;
    for (at, event) in events {
        renderer.event(event, ms(at));
        renderer.flush(ms(at));
        last = at;
    }
    renderer.release(ms(last));
}

/// The same with each stream apart.
fn apart(settings: &Settings, events: Vec<Event>) -> (String, String) {
    let (out, err) = (Buffer::default(), Buffer::default());
    let streams = Streams::new(Box::new(out.clone()), Box::new(err.clone()), None);
    play(renderer(settings, streams).as_mut(), events.into_iter().map(|event| (0, event)).collect());
    (out.text(), err.text())
}
