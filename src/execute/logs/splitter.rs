//! Cutting a program's output into lines: bytes in, lines out. Whatever a program writes, it takes bounded memory.

/// A line of a program's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// RFC 3339, where a log was asked for timestamps.
    pub time: Option<String>,
    /// The line without its end.
    pub text: String,
}

/// A line that is longer than this comes in pieces, so that a program that never ends a line is seen, and takes no
/// more memory than this.
pub const LONGEST: usize = 64 * 1024;

/// The engine cuts lines of a log that are longer than this.
const PIECE: usize = 16 * 1024;

/// Cuts one stream of bytes into lines. In a log with timestamps the engine cuts a line of more than 16 KiB into pieces
/// and puts the timestamp of the first before each; they are joined again. A line without an end, because the program
/// ended in the middle of it, is a line of its own and is not joined with the first of the next run.
#[derive(Debug, Default)]
pub struct Splitter {
    /// Each line begins with the engine's timestamp.
    stamped: bool,
    time: Option<String>,
    rest: Vec<u8>,
}

impl Splitter {
    /// For the output as the program writes it.
    pub fn plain() -> Self {
        Self::default()
    }

    /// For a log that was asked for timestamps.
    pub fn stamped() -> Self {
        Self { stamped: true, ..Self::default() }
    }

    /// Takes bytes and gives the lines that are complete, and the pieces of one that is too long.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut bytes = bytes;
        while !bytes.is_empty() {
            if let Some((time, after)) = self.timestamp(bytes) {
                let another = self.time.as_ref().is_some_and(|begun| *begun != time);
                if another && !self.rest.is_empty() && self.rest.len() < PIECE {
                    lines.push(self.take());
                }
                self.time.get_or_insert(time);
                bytes = after;
            }
            let end = bytes.iter().position(|b| *b == b'\n');
            let (mut line, after) =
                end.map_or((bytes, &bytes[bytes.len()..]), |end| (&bytes[..end], &bytes[end + 1..]));
            while self.rest.len() + line.len() > LONGEST {
                let (now, later) = line.split_at(LONGEST - self.rest.len());
                self.rest.extend_from_slice(now);
                line = later;
                lines.push(self.piece());
            }
            self.rest.extend_from_slice(line);
            bytes = after;
            if end.is_some() {
                lines.push(self.take());
            }
        }
        lines
    }

    /// What is left without a line end.
    pub fn finish(mut self) -> Option<Line> {
        (!self.rest.is_empty()).then(|| self.take())
    }

    /// A piece of a line that is not over: behind the last return, after which a terminal writes over it, else between
    /// two characters.
    fn piece(&mut self) -> Line {
        let at = match self.rest.iter().rposition(|b| *b == b'\r') {
            Some(at) => at + 1,
            None => self.rest.len() - unfinished(&self.rest),
        };
        let later = self.rest.split_off(at);
        let time = self.time.clone();
        let piece = self.take();
        (self.time, self.rest) = (time, later);
        piece
    }

    fn take(&mut self) -> Line {
        let rest = std::mem::take(&mut self.rest);
        let mut line = rest.as_slice();
        // A terminal's stream is cut anywhere, also within a timestamp.
        if self.time.is_none()
            && let Some((time, after)) = self.timestamp(line)
        {
            (self.time, line) = (Some(time), after);
        }
        let text = String::from_utf8_lossy(line);
        Line { time: self.time.take(), text: text.strip_suffix('\r').unwrap_or(&text).to_owned() }
    }

    /// A leading `2024-05-06T07:08:09.123456789Z ` and what follows it.
    fn timestamp<'a>(&self, bytes: &'a [u8]) -> Option<(String, &'a [u8])> {
        if !self.stamped {
            return None;
        }
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
}

/// How many bytes at the end are the beginning of a character.
fn unfinished(bytes: &[u8]) -> usize {
    let start = bytes.iter().rev().take(3).position(|b| b & 0xc0 != 0x80).map(|back| back + 1);
    let Some(back) = start.filter(|back| *back < bytes.len()) else { return 0 };
    let needs = match bytes[bytes.len() - back] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    if needs > back { back } else { 0 }
}
