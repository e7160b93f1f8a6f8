//! Bytes of a log to lines.

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

/// The engine cuts lines that are longer than this.
const PIECE: usize = 16 * 1024;

/// Cuts one stream of bytes into lines. The engine cuts a line of more than 16 KiB into pieces and puts the
/// timestamp of the first before each; they are joined again. A line without an end, because the program ended in
/// the middle of it, is a line of its own and is not joined with the first of the next run.
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
                let another = self.time.as_ref().is_some_and(|begun| *begun != time);
                if another && !self.rest.is_empty() && self.rest.len() < PIECE {
                    lines.push(self.take());
                }
                self.time.get_or_insert(time);
                bytes = after;
            }
            let Some(end) = bytes.iter().position(|b| *b == b'\n') else {
                self.rest.extend_from_slice(bytes);
                break;
            };
            self.rest.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end + 1..];
            lines.push(self.take());
        }
        lines
    }

    /// What is left without a line end.
    pub fn finish(mut self) -> Option<Line> {
        (!self.rest.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> Line {
        let rest = std::mem::take(&mut self.rest);
        let mut line = rest.as_slice();
        // A terminal's stream is cut anywhere, also within a timestamp.
        if self.time.is_none()
            && let Some((time, after)) = timestamp(line)
        {
            (self.time, line) = (Some(time), after);
        }
        let text = String::from_utf8_lossy(line);
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
