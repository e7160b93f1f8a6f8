//! Logs of containers, followed across restarts and recreations, in order and without a line lost or shown twice.
//!
//! Each container number of a service has a lane: a task that follows one container after another. Timestamps are
//! always asked for, so that a lane knows where it was when the same container starts again.

pub mod lines;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::engine::{Channel, Engine, ErrorKind, LogQuery};
use crate::event::{Event, LogStream, Message, Sink};
use crate::model::{ContainerId, ServiceName};

/// A container whose log is to be followed.
#[derive(Clone, Debug)]
pub struct Follow {
    /// The container.
    pub container: ContainerId,
    /// Its name.
    pub name: String,
    /// Its service.
    pub service: ServiceName,
    /// Its number within the service.
    pub number: u32,
    /// What to read of it, the first time.
    pub query: LogQuery,
}

/// How logs are shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogOptions {
    /// The engine's time before each line.
    pub timestamps: bool,
}

/// A container with the engine's time up to which its log is left out.
type Next = (Follow, Option<String>);

/// Follows the logs of a project's containers.
pub struct Logs {
    engine: Arc<dyn Engine>,
    sink: Arc<dyn Sink>,
    options: LogOptions,
    lanes: HashMap<(ServiceName, u32), mpsc::UnboundedSender<Next>>,
    tasks: JoinSet<()>,
}

impl Logs {
    /// Follows nothing yet.
    pub fn new(engine: Arc<dyn Engine>, sink: Arc<dyn Sink>, options: LogOptions) -> Self {
        Self { engine, sink, options, lanes: HashMap::new(), tasks: JoinSet::new() }
    }

    /// Follows a container, after all that its lane was given before. A container that was followed before goes on
    /// where it ended.
    pub fn follow(&mut self, follow: Follow) {
        self.follow_after(follow, None);
    }

    /// The same, without what it wrote until this moment of the engine, as [`end`] tells it.
    pub fn follow_after(&mut self, follow: Follow, after: Option<String>) {
        let key = (follow.service.clone(), follow.number);
        let lane = self.lanes.entry(key).or_insert_with(|| {
            let (sender, receiver) = mpsc::unbounded_channel();
            let (engine, sink, options) = (Arc::clone(&self.engine), Arc::clone(&self.sink), self.options);
            let lane = Lane { engine, sink, options, last: HashMap::new(), said: false };
            self.tasks.spawn(lane.run(receiver));
            sender
        });
        // A lane only ends when its sender is dropped.
        let _ = lane.send((follow, after));
    }

    /// Shows what is left of logs that have ended; a log that goes on is given up after `patience`.
    pub async fn finish(mut self, patience: Duration) {
        self.lanes.clear();
        let _ = tokio::time::timeout(patience, async { while self.tasks.join_next().await.is_some() {} }).await;
    }

    /// Waits until every log has ended by itself.
    pub async fn drain(mut self) {
        self.lanes.clear();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// The engine's time of the last line of a log; `None` where it is empty or cannot be read.
pub async fn end(engine: &dyn Engine, container: &ContainerId) -> Option<String> {
    let query = LogQuery { tail: Some(1), timestamps: true, ..LogQuery::default() };
    let mut stream = engine.logs(container, &query).await.ok()?;
    let mut splitter = lines::Splitter::default();
    let mut last = None;
    while let Some(Ok(chunk)) = stream.next().await {
        last = splitter.push(&chunk.bytes).pop().or(last);
    }
    splitter.finish().or(last)?.time
}

/// How far a container's log was shown: the engine's time of the last line, and how many lines have that time.
#[derive(Clone)]
struct Mark {
    time: String,
    lines: usize,
}

struct Lane {
    engine: Arc<dyn Engine>,
    sink: Arc<dyn Sink>,
    options: LogOptions,
    last: HashMap<ContainerId, Mark>,
    /// That a log cannot be read was said.
    said: bool,
}

impl Lane {
    async fn run(mut self, mut receiver: mpsc::UnboundedReceiver<Next>) {
        while let Some((follow, after)) = receiver.recv().await {
            if let Some(time) = after {
                let mark = Mark { time, lines: usize::MAX };
                self.last.entry(follow.container.clone()).or_insert(mark);
            }
            self.follow(&follow).await;
        }
    }

    async fn follow(&mut self, follow: &Follow) {
        let mut query = LogQuery { timestamps: true, ..follow.query.clone() };
        let mut seen = self.last.get(&follow.container).cloned();
        if let Some(seconds) = seen.as_ref().and_then(|mark| unix_seconds(&mark.time)) {
            // The engine takes whole seconds: what comes again is left out line by line.
            query.since = Some(seconds);
            query.tail = None;
        }
        let mut stream = match self.engine.logs(&follow.container, &query).await {
            Ok(stream) => stream,
            Err(error) => {
                // A container that is gone has been followed to its end, or another event tells of it.
                let known = matches!(error.kind, ErrorKind::NotFound | ErrorKind::Unreachable { .. } | ErrorKind::Lost);
                if !known && !std::mem::replace(&mut self.said, true) {
                    let text = format!("the log of {} cannot be read: {error}", follow.name);
                    self.sink.emit(Event::Warning(Message::new(text).service(&follow.service)));
                }
                return;
            }
        };
        let mut splitters = [lines::Splitter::default(), lines::Splitter::default()];
        while let Some(Ok(chunk)) = stream.next().await {
            let (index, channel) = match chunk.channel {
                Channel::Out => (0, LogStream::Stdout),
                Channel::Err => (1, LogStream::Stderr),
            };
            for line in splitters[index].push(&chunk.bytes) {
                self.show(follow, channel, line, &mut seen);
            }
        }
        for (splitter, channel) in splitters.into_iter().zip([LogStream::Stdout, LogStream::Stderr]) {
            if let Some(line) = splitter.finish() {
                self.show(follow, channel, line, &mut seen);
            }
        }
    }

    /// Shows a line that was not shown before. `seen` counts down the lines of the last moment, which come again.
    fn show(&mut self, follow: &Follow, stream: LogStream, line: lines::Line, seen: &mut Option<Mark>) {
        if let (Some(time), Some(mark)) = (&line.time, seen)
            && !is_later(time, &mark.time)
        {
            if is_later(&mark.time, time) {
                return;
            }
            if mark.lines > 0 {
                mark.lines -= 1;
                return;
            }
        }
        let text = match (&line.time, self.options.timestamps) {
            (Some(time), true) => format!("{time} {}", line.text),
            _ => line.text,
        };
        if let Some(time) = line.time {
            match self.last.get_mut(&follow.container) {
                Some(mark) if mark.time == time => mark.lines = mark.lines.saturating_add(1),
                _ => drop(self.last.insert(follow.container.clone(), Mark { time, lines: 1 })),
            }
        }
        self.sink.emit(Event::Log {
            service: follow.service.clone(),
            container: follow.name.clone(),
            number: follow.number,
            stream,
            line: text,
        });
    }
}

/// Whether one of the engine's timestamps is after another. Both are UTC; trailing zeros of the fraction are left out
/// by the engine, so text order alone does not do.
fn is_later(time: &str, than: &str) -> bool {
    let key = |time: &str| {
        let time = time.trim_end_matches('Z');
        let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
        (seconds.to_owned(), format!("{fraction:0<9}"))
    };
    key(time) > key(than)
}

/// Unix seconds of one of the engine's timestamps (`2024-05-06T07:08:09.123456789Z`).
pub fn unix_seconds(time: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| time.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    Some(((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// Days since 1970-01-01 of a date in the Gregorian calendar, by counting years from March so that the leap day is
/// the last of its year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}
