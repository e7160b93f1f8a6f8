//! Lines of a program's output, and the last of them.

use std::collections::VecDeque;

use futures_util::StreamExt;

pub use super::splitter::{Line, Splitter};
use crate::engine::{BoxStream, Channel, Chunk, Result};
use crate::model::time::nanos_of;

/// Lines that are kept of what a command or a log gave, for a message.
pub const KEPT: usize = 100;

/// The last lines of output, whatever else there was of it.
#[derive(Debug)]
pub struct Last {
    splitters: [Splitter; 2],
    lines: VecDeque<String>,
    /// Lines of a log with timestamps that are older than this are left out.
    since: Option<i64>,
}

impl Default for Last {
    fn default() -> Self {
        Self { splitters: [Splitter::plain(), Splitter::plain()], lines: VecDeque::new(), since: None }
    }
}

impl Last {
    /// Those of a log that was asked for timestamps, which are taken off; only since then, in nanoseconds since 1970.
    fn since(since: Option<i64>) -> Self {
        Self { splitters: [Splitter::stamped(), Splitter::stamped()], lines: VecDeque::new(), since }
    }

    /// Takes bytes, and gives the lines that they complete.
    pub fn push(&mut self, channel: Channel, bytes: &[u8]) -> Vec<String> {
        let lines = self.splitters[index(channel)].push(bytes);
        let lines: Vec<String> = lines.into_iter().filter(|line| self.is_new(line)).map(|line| line.text).collect();
        self.keep(&lines);
        lines
    }

    /// What is left without a line end, and where it was written.
    pub fn finish(&mut self) -> Vec<(Channel, String)> {
        let mut left = Vec::new();
        for channel in [Channel::Out, Channel::Err] {
            let splitter = std::mem::take(&mut self.splitters[index(channel)]);
            left.extend(splitter.finish().filter(|line| self.is_new(line)).map(|line| (channel, line.text)));
        }
        for (_, line) in &left {
            self.keep(std::slice::from_ref(line));
        }
        left
    }

    /// The last lines.
    pub fn lines(self) -> Vec<String> {
        self.lines.into()
    }

    fn is_new(&self, line: &Line) -> bool {
        let time = line.time.as_deref().and_then(nanos_of);
        self.since.zip(time).is_none_or(|(since, time)| time >= since)
    }

    fn keep(&mut self, lines: &[String]) {
        self.lines.extend(lines.iter().cloned());
        while self.lines.len() > KEPT {
            self.lines.pop_front();
        }
    }
}

/// Out and err have a splitter each.
pub(super) fn index(channel: Channel) -> usize {
    match channel {
        Channel::Out => 0,
        Channel::Err => 1,
    }
}

/// The last lines of a log that was asked for timestamps, without them; only since then, in nanoseconds since 1970.
pub async fn collect(mut stream: BoxStream<Result<Chunk>>, since: Option<i64>) -> Vec<String> {
    let mut last = Last::since(since);
    while let Some(Ok(chunk)) = stream.next().await {
        last.push(chunk.channel, &chunk.bytes);
    }
    last.finish();
    last.lines()
}
