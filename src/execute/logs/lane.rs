//! One container after another.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::follow::{Follow, From, LogOptions, Next, clock};
use super::lines::{Line, Splitter, index};
use super::seam::{Seam, shown};
use crate::engine::{BoxStream, Channel, Chunk, Engine, EngineError, ErrorKind, LogQuery, Result};
use crate::event::{Event, LogStream, Message, Sink};
use crate::model::{ContainerId, time};

/// How long an engine has to attach.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long lines of a stream are held until they decide where it begins.
const HELD: Duration = Duration::from_millis(200);
/// Clocks differ a little, and what a log has is with a stream within this time.
const SLACK: Duration = Duration::from_secs(1);
/// So much of a stream waits at most while the log is read; more waits in the engine.
const WAITING: usize = 4 * 1024 * 1024;
/// So much of a log is kept to be compared with the stream.
const TAIL: usize = 1024 * 1024;
/// Lines that are remembered of what was shown.
const REMEMBERED: usize = 64;

const CHANNELS: [Channel; 2] = [Channel::Out, Channel::Err];

/// What is read of a log in front of an attached stream.
struct Before {
    query: LogQuery,
    /// Without what was written until this moment.
    after: Option<i64>,
    /// Without what was shown already.
    shown: bool,
    /// A moment of the engine's clock, and when it was here.
    clock: (i64, Instant),
    /// What was written so long before that moment may still be what a stream begins with: clocks differ.
    slack: Duration,
    /// Whether it is worth a word that the log cannot be read.
    says: bool,
}

/// A line of a log with its time.
type Timed = (i64, String);

/// Shows the output of one container of a service after the other.
pub(super) struct Lane {
    engine: Arc<dyn Engine>,
    sink: Arc<dyn Sink>,
    options: LogOptions,
    /// The last lines that were shown of each channel, by their hashes.
    last: [VecDeque<u64>; 2],
    /// The container whose log was read last, and the time of its last line.
    read: Option<(ContainerId, i64)>,
    /// That a log cannot be read was said.
    said: bool,
    /// It has a line that cannot be shown yet.
    behind: Arc<AtomicBool>,
}

impl Lane {
    pub(super) fn new(
        engine: Arc<dyn Engine>,
        sink: Arc<dyn Sink>,
        options: LogOptions,
        behind: Arc<AtomicBool>,
    ) -> Self {
        Self { engine, sink, options, last: Default::default(), read: None, said: false, behind }
    }

    pub(super) async fn run(mut self, mut receiver: mpsc::UnboundedReceiver<Next>) {
        while let Some(next) = receiver.recv().await {
            match next {
                Next::Attached(follow, output, stop) => self.live(&follow, output, None, &stop).await,
                Next::Follow(follow, from) => self.follow(&follow, from).await,
            }
        }
    }

    async fn follow(&mut self, follow: &Follow, from: From) {
        let here = (clock(), Instant::now());
        let mut started = None;
        let since = |nanos: i64| LogQuery { since: Some(nanos / 1_000_000_000), ..LogQuery::default() };
        let before = match from {
            From::Log(query) => {
                let before = Before { query, after: None, shown: false, clock: here, slack: SLACK, says: true };
                self.log(follow, before).await;
                return;
            }
            From::LogAndOn(query) => {
                // All that is there may be much, and would hold up the program if it had to wait for it. What it writes
                // meanwhile is what is read the second time.
                let before = Before { query, after: None, shown: false, clock: here, slack: SLACK, says: true };
                let end = self.log(follow, before).await;
                let query = since(end.unwrap_or(here.0));
                let after = Some(end.unwrap_or(here.0));
                Some(Before { query, after, shown: false, clock: (clock(), Instant::now()), slack: SLACK, says: false })
            }
            From::Now => None,
            From::Start { after, at, heard } => {
                started = Some(at);
                // The log of an earlier start may have been read when this one had begun to write.
                let known = self.read.as_ref().filter(|(container, _)| *container == follow.container);
                let after = known.map_or(after, |(_, read)| after.max(*read));
                let query = since(after);
                // The event is older than its arrival: what the stream has was written later than this says.
                let slack = Duration::ZERO;
                Some(Before { query, after: Some(after), shown: false, clock: (at, heard), slack, says: false })
            }
            From::Lost { at } => {
                let query = since(at.saturating_sub(5 * nanos(SLACK)));
                Some(Before { query, after: Some(at), shown: true, clock: here, slack: SLACK, says: false })
            }
        };
        let attaching = Instant::now();
        let attached = tokio::time::timeout(PATIENCE, self.attach(follow, started)).await;
        match (attached, before) {
            (Ok(Ok(Some(output))), before) => {
                let before = before.map(|before| (before, attaching));
                self.live(follow, output, before, &CancellationToken::new()).await;
            }
            // It has ended already: its log is all there is.
            (_, Some(before)) => drop(self.log(follow, before).await),
            (Ok(Err(error)), None) => self.unreadable(follow, &error),
            (Ok(Ok(None)) | Err(_), None) => {}
        }
    }

    /// Attaches to a container; `None` where it does not run. An engine lets one attach to what has ended, until it
    /// starts again: what has started since the start that an event has told of is followed for its own event.
    async fn attach(&self, follow: &Follow, told: Option<i64>) -> Result<Option<BoxStream<Result<Chunk>>>> {
        let output = self.engine.output(&follow.container).await?;
        let container = self.engine.inspect(&follow.container).await?;
        let is_later = |started: &str| told.zip(time::nanos_of(started)).is_some_and(|(told, started)| started > told);
        let runs = container.is_some_and(|c| c.state.is_running() && !is_later(&c.started));
        Ok(runs.then_some(output))
    }

    /// Shows what a log has by now, and gives the time of its last line.
    async fn log(&mut self, follow: &Follow, before: Before) -> Option<i64> {
        let mut output = futures_util::stream::pending().boxed();
        let lines = self.past(follow, &before, &mut output, &mut VecDeque::new()).await;
        lines.into_iter().flatten().map(|(time, _)| time).max()
    }

    /// Shows what the stream brings, behind what the log has.
    async fn live(
        &mut self,
        follow: &Follow,
        mut output: BoxStream<Result<Chunk>>,
        before: Option<(Before, Instant)>,
        stop: &CancellationToken,
    ) {
        let mut seams = [Seam::new(&[], 0, 0), Seam::new(&[], 0, 0)];
        let mut waiting = VecDeque::new();
        if let Some((before, attached)) = before {
            let (then, at) = before.clock;
            let attached = then.saturating_add(nanos(attached.saturating_duration_since(at)));
            let log = self.past(follow, &before, &mut output, &mut waiting).await;
            seams = log.map(|lines| Seam::new(&lines, attached, nanos(before.slack)));
        }
        let over = Instant::now() + SLACK;
        let mut splitters = [Splitter::plain(), Splitter::plain()];
        let mut held_since = None;
        loop {
            let chunk = match waiting.pop_front() {
                Some(chunk) => Some(chunk),
                None => tokio::select! {
                    biased;
                    () = stop.cancelled() => None,
                    chunk = output.next() => chunk,
                    () = until(held_since.map(|since: Instant| since + HELD)) => {
                        self.settle(follow, &mut seams).await;
                        held_since = None;
                        continue;
                    }
                },
            };
            let Some(Ok(Chunk { channel, bytes })) = chunk else { break };
            let index = index(channel);
            if Instant::now() > over {
                // What comes so late was not in the log.
                self.settle(follow, &mut seams).await;
            }
            for line in splitters[index].push(&bytes) {
                for text in seams[index].push(line.text) {
                    self.show(follow, channel, text, None).await;
                }
            }
            held_since = seams.iter().any(Seam::holds).then(|| held_since.unwrap_or_else(Instant::now));
        }
        for (channel, splitter) in CHANNELS.into_iter().zip(splitters) {
            let last = splitter.finish().map(|line| line.text);
            let seam = &mut seams[index(channel)];
            let mut lines: Vec<String> = last.into_iter().flat_map(|line| seam.push(line)).collect();
            lines.extend(seam.settle());
            for line in lines {
                self.show(follow, channel, line, None).await;
            }
        }
    }

    async fn settle(&mut self, follow: &Follow, seams: &mut [Seam; 2]) {
        for channel in CHANNELS {
            for line in seams[index(channel)].settle() {
                self.show(follow, channel, line, None).await;
            }
        }
    }

    /// Shows what the log has, and gives the last of it; what the stream brings meanwhile waits.
    async fn past(
        &mut self,
        follow: &Follow,
        before: &Before,
        output: &mut BoxStream<Result<Chunk>>,
        waiting: &mut VecDeque<Result<Chunk>>,
    ) -> [Vec<Timed>; 2] {
        let query = LogQuery { timestamps: true, follow: false, ..before.query.clone() };
        let mut log = match self.engine.logs(&follow.container, &query).await {
            Ok(log) => log,
            Err(error) => {
                if before.says {
                    self.unreadable(follow, &error);
                }
                return Default::default();
            }
        };
        let mut past = Past::default();
        let mut splitters = [Splitter::stamped(), Splitter::stamped()];
        let (mut size, mut open) = (0, true);
        loop {
            tokio::select! {
                chunk = log.next() => {
                    let Some(Ok(chunk)) = chunk else { break };
                    for line in splitters[index(chunk.channel)].push(&chunk.bytes) {
                        self.past_line(follow, before, chunk.channel, line, &mut past).await;
                    }
                }
                chunk = output.next(), if open && size < WAITING => match chunk {
                    Some(chunk) => {
                        size += chunk.as_ref().map_or(0, |chunk| chunk.bytes.len());
                        waiting.push_back(chunk);
                    }
                    None => open = false,
                },
            }
        }
        for (channel, splitter) in CHANNELS.into_iter().zip(splitters) {
            if let Some(line) = splitter.finish() {
                self.past_line(follow, before, channel, line, &mut past).await;
            }
        }
        for channel in CHANNELS {
            self.not_shown(follow, before, channel, &mut past).await;
        }
        past.tails.map(Vec::from)
    }

    async fn past_line(&mut self, follow: &Follow, before: &Before, channel: Channel, line: Line, past: &mut Past) {
        let at = line.time.as_deref().and_then(time::nanos_of).unwrap_or_default();
        if before.shown {
            past.held[index(channel)].push((at, line.text));
            return;
        }
        if before.after.is_some_and(|after| at <= after) {
            return;
        }
        past.remember(channel, at, &line.text);
        match &mut self.read {
            Some((container, read)) if *container == follow.container => *read = at.max(*read),
            other => *other = Some((follow.container.clone(), at)),
        }
        self.show(follow, channel, line.text, line.time).await;
    }

    /// Of what the log has from a while before the engine went away, what was not shown then.
    async fn not_shown(&mut self, follow: &Follow, before: &Before, channel: Channel, past: &mut Past) {
        let held = std::mem::take(&mut past.held[index(channel)]);
        let texts: Vec<u64> = held.iter().map(|(_, text)| hash(text)).collect();
        let last: Vec<u64> = self.last[index(channel)].iter().copied().collect();
        let late = |(at, _): &&Timed| before.after.is_none_or(|after| *at <= after);
        let from = shown(&texts, &last).unwrap_or_else(|| held.iter().take_while(late).count());
        for (at, text) in held.into_iter().skip(from) {
            past.remember(channel, at, &text);
            self.show(follow, channel, text, Some(time::rfc3339(at))).await;
        }
    }

    async fn show(&mut self, follow: &Follow, channel: Channel, text: String, time: Option<String>) {
        let last = &mut self.last[index(channel)];
        last.push_back(hash(&text));
        if last.len() > REMEMBERED {
            last.pop_front();
        }
        let line = if self.options.timestamps {
            format!("{} {text}", time.unwrap_or_else(|| time::rfc3339(clock())))
        } else {
            text
        };
        let line = Event::Log {
            service: follow.service.clone(),
            container: follow.name.clone(),
            number: follow.number,
            stream: match channel {
                Channel::Out => LogStream::Stdout,
                Channel::Err => LogStream::Stderr,
            },
            line,
        };
        self.behind.store(true, Ordering::Relaxed);
        self.sink.line(line).await;
        self.behind.store(false, Ordering::Relaxed);
    }

    fn unreadable(&mut self, follow: &Follow, error: &EngineError) {
        // A container that is gone has been followed to its end, or another event tells of it.
        let known = matches!(error.kind, ErrorKind::NotFound | ErrorKind::Unreachable { .. } | ErrorKind::Lost);
        if !known && !std::mem::replace(&mut self.said, true) {
            let text = format!("the log of {} cannot be read: {error}", follow.name);
            self.sink.emit(Event::Warning(Message::new(text).service(&follow.service)));
        }
    }
}

/// What was read of a log.
#[derive(Default)]
struct Past {
    /// The last lines that were shown, which an attached stream may bring too.
    tails: [VecDeque<Timed>; 2],
    sizes: [usize; 2],
    /// Lines of which some were shown before.
    held: [Vec<Timed>; 2],
}

impl Past {
    fn remember(&mut self, channel: Channel, at: i64, text: &str) {
        let (tail, size) = (&mut self.tails[index(channel)], &mut self.sizes[index(channel)]);
        tail.push_back((at, text.to_owned()));
        *size += text.len();
        while *size > TAIL && tail.len() > 1 {
            *size -= tail.pop_front().map_or(0, |(_, text)| text.len());
        }
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Sleeps until a moment; forever without one.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
