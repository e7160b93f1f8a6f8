//! Logs of containers, followed across restarts and recreations, in order and without a line lost or shown twice.
//!
//! Each container number of a service has a lane: a task that follows one container after another. Timestamps are
//! always asked for, so that a lane knows where it was when the same container starts again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::engine::{Channel, Engine, LogQuery};
use crate::event::{Event, LogStream, Sink};
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

/// Follows the logs of a project's containers.
pub struct Logs {
    engine: Arc<dyn Engine>,
    sink: Arc<dyn Sink>,
    options: LogOptions,
    lanes: HashMap<(ServiceName, u32), mpsc::UnboundedSender<Follow>>,
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
        let key = (follow.service.clone(), follow.number);
        let lane = self.lanes.entry(key).or_insert_with(|| {
            let (sender, receiver) = mpsc::unbounded_channel();
            let (engine, sink, options) = (Arc::clone(&self.engine), Arc::clone(&self.sink), self.options);
            self.tasks.spawn(async move { Lane { engine, sink, options, last: HashMap::new() }.run(receiver).await });
            sender
        });
        // A lane only ends when its sender is dropped.
        let _ = lane.send(follow);
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

struct Lane {
    engine: Arc<dyn Engine>,
    sink: Arc<dyn Sink>,
    options: LogOptions,
    /// The engine's time of the last line shown, by container.
    last: HashMap<ContainerId, String>,
}

impl Lane {
    async fn run(mut self, mut receiver: mpsc::UnboundedReceiver<Follow>) {
        while let Some(follow) = receiver.recv().await {
            self.follow(&follow).await;
        }
    }

    async fn follow(&mut self, follow: &Follow) {
        let mut query = LogQuery { timestamps: true, ..follow.query.clone() };
        let last = self.last.get(&follow.container).cloned();
        if let Some(seconds) = last.as_deref().and_then(unix_seconds) {
            query.since = Some(seconds);
            query.tail = None;
        }
        let Ok(mut stream) = self.engine.logs(&follow.container, &query).await else { return };
        let mut splitters = [lines::Splitter::default(), lines::Splitter::default()];
        while let Some(Ok(chunk)) = stream.next().await {
            let (index, channel) = match chunk.channel {
                Channel::Out => (0, LogStream::Stdout),
                Channel::Err => (1, LogStream::Stderr),
            };
            for line in splitters[index].push(&chunk.bytes) {
                self.show(follow, channel, line, last.as_deref());
            }
        }
        for (splitter, channel) in splitters.into_iter().zip([LogStream::Stdout, LogStream::Stderr]) {
            if let Some(line) = splitter.finish() {
                self.show(follow, channel, line, last.as_deref());
            }
        }
    }

    fn show(&mut self, follow: &Follow, stream: LogStream, line: lines::Line, seen: Option<&str>) {
        if let (Some(time), Some(seen)) = (&line.time, seen)
            && !is_later(time, seen)
        {
            return;
        }
        let text = match (&line.time, self.options.timestamps) {
            (Some(time), true) => format!("{time} {}", line.text),
            _ => line.text,
        };
        if let Some(time) = line.time {
            self.last.insert(follow.container.clone(), time);
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

/// Bytes to lines.
pub mod lines {
    use futures_util::StreamExt;

    use crate::engine::{BoxStream, Chunk, Result};

    /// A line of a log with the engine's time.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Line {
        /// RFC 3339, where the log was asked for timestamps.
        pub time: Option<String>,
        /// The line without its end.
        pub text: String,
    }

    /// Cuts one stream of bytes into lines. The engine cuts a line of more than 16 KiB into pieces and puts a
    /// timestamp before each; they are joined again.
    #[derive(Debug, Default)]
    pub struct Splitter {
        time: Option<String>,
        rest: Vec<u8>,
    }

    impl Splitter {
        /// Takes bytes and gives the lines that are complete.
        pub fn push(&mut self, bytes: &[u8]) -> Vec<Line> {
            let mut lines = Vec::new();
            let mut bytes = bytes;
            while !bytes.is_empty() {
                if let Some((time, after)) = timestamp(bytes) {
                    self.time.get_or_insert(time);
                    bytes = after;
                }
                match bytes.iter().position(|b| *b == b'\n') {
                    Some(end) => {
                        self.rest.extend_from_slice(&bytes[..end]);
                        bytes = &bytes[end + 1..];
                        lines.push(self.take());
                    }
                    None => {
                        self.rest.extend_from_slice(bytes);
                        break;
                    }
                }
            }
            lines
        }

        /// What is left without a line end.
        pub fn finish(mut self) -> Option<Line> {
            (!self.rest.is_empty()).then(|| self.take())
        }

        fn take(&mut self) -> Line {
            let rest = std::mem::take(&mut self.rest);
            let text = String::from_utf8_lossy(&rest);
            Line { time: self.time.take(), text: text.strip_suffix('\r').unwrap_or(&text).to_owned() }
        }
    }

    /// A leading `2024-05-06T07:08:09.123456789Z ` and what follows it.
    fn timestamp(bytes: &[u8]) -> Option<(String, &[u8])> {
        let end = bytes.iter().take(40).position(|b| *b == b' ')?;
        let word = std::str::from_utf8(&bytes[..end]).ok()?;
        let shape = word.len() >= 20
            && word.ends_with('Z')
            && word.as_bytes()[4] == b'-'
            && word.as_bytes()[10] == b'T'
            && word.as_bytes()[13] == b':'
            && word[..4].bytes().all(|b| b.is_ascii_digit());
        shape.then(|| (word.to_owned(), &bytes[end + 1..]))
    }

    /// All lines of a log that was asked for without timestamps.
    pub async fn collect(mut stream: BoxStream<Result<Chunk>>) -> Vec<String> {
        let mut bytes = Vec::new();
        while let Some(Ok(chunk)) = stream.next().await {
            bytes.extend_from_slice(&chunk.bytes);
        }
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_long_ones_joined() {
        let mut splitter = lines::Splitter::default();
        let first = splitter.push(b"2024-05-06T07:08:09.5Z one\n2024-05-06T07:08:10Z tw");
        assert_eq!(first.len(), 1);
        assert_eq!(first[0].text, "one");
        assert_eq!(first[0].time.as_deref(), Some("2024-05-06T07:08:09.5Z"));
        let second = splitter.push(b"2024-05-06T07:08:10.1Z o\r\n");
        assert_eq!(second[0].text, "two", "a long line comes in pieces, each with a timestamp");
        assert_eq!(splitter.finish(), None);
    }

    #[test]
    fn times_compare_though_zeros_are_left_out() {
        assert!(is_later("2024-05-06T07:08:09.5Z", "2024-05-06T07:08:09.49Z"));
        assert!(!is_later("2024-05-06T07:08:09.5Z", "2024-05-06T07:08:09.500Z"));
        assert!(is_later("2024-05-06T07:08:10Z", "2024-05-06T07:08:09.999999999Z"));
    }

    #[test]
    fn unix_time_of_a_timestamp() {
        assert_eq!(unix_seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(unix_seconds("2024-02-29T12:00:00.1Z"), Some(1_709_208_000));
        assert_eq!(unix_seconds("nonsense"), None);
    }
}
