//! The two streams and what waits to be written to them.
//!
//! Lines are collected, in order over both streams, and written in large pieces when `flush` is called. A stream
//! whose reader has gone (a broken pipe) takes no more, and that is no error.

use std::io::Write;
use std::sync::Arc;

use crate::event::LogStream;

/// A flood is written in pieces of about this size, so that memory stays bounded.
const PIECE: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Out,
    Err,
}

/// Tells the time, as it is to be shown.
pub(super) type Clock = Box<dyn Fn() -> String + Send>;

/// Standard output and standard error.
pub(super) struct Streams {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    /// Where hob says what it does.
    status: Which,
    out_closed: bool,
    err_closed: bool,
    on_closed: Option<Arc<dyn Fn() + Send + Sync>>,
    waiting: Vec<(Which, String)>,
    size: usize,
    /// The time, where it stands before each line of hob's own.
    clock: Option<Clock>,
}

impl Streams {
    pub fn new(
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
        on_closed: Option<Arc<dyn Fn() + Send + Sync>>,
    ) -> Self {
        let (status, waiting) = (Which::Err, Vec::new());
        Self { out, err, status, out_closed: false, err_closed: false, on_closed, waiting, size: 0, clock: None }
    }

    /// The same with what hob does on standard output. Errors, warnings and programs' standard error stay where they
    /// are, as with Compose's `COMPOSE_STATUS_STDOUT`.
    pub fn with_status_on_stdout(mut self) -> Self {
        self.status = Which::Out;
        self
    }

    /// The same with the time before each line of hob's own.
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// A line for standard output.
    pub fn out(&mut self, line: &str) {
        self.add(Which::Out, line, true);
    }

    /// Text for standard output; a line end is added where it has none.
    pub fn out_text(&mut self, text: &str) {
        if !text.is_empty() {
            self.add(Which::Out, text, !text.ends_with('\n'));
        }
    }

    /// Text for standard output as it is.
    pub fn out_piece(&mut self, text: &str) {
        self.add(Which::Out, text, false);
    }

    /// A line of hob's own for standard error: of a warning or an error.
    pub fn err(&mut self, line: &str) {
        self.own(Which::Err, line);
    }

    /// A line of hob's own that says what it does.
    pub fn status(&mut self, line: &str) {
        self.own(self.status, line);
    }

    fn own(&mut self, which: Which, line: &str) {
        match &self.clock {
            Some(clock) => self.add(which, &format!("{} {line}", clock()), true),
            None => self.add(which, line, true),
        }
    }

    /// A line of a program, for the stream that it was written to.
    pub fn log(&mut self, stream: LogStream, line: &str) {
        match stream {
            LogStream::Stdout => self.add(Which::Out, line, true),
            LogStream::Stderr => self.add(Which::Err, line, true),
        }
    }

    /// Text as it is, where hob says what it does.
    pub fn status_text(&mut self, text: &str) {
        if !text.is_empty() {
            self.add(self.status, text, false);
        }
    }

    /// The same before everything that waits.
    pub fn status_first(&mut self, text: &str) {
        if !text.is_empty() {
            self.waiting.insert(0, (self.status, text.to_owned()));
        }
    }

    fn add(&mut self, which: Which, text: &str, end: bool) {
        if !matches!(self.waiting.last(), Some((last, _)) if *last == which) {
            self.waiting.push((which, String::new()));
        }
        if let Some((_, waiting)) = self.waiting.last_mut() {
            waiting.push_str(text);
            if end {
                waiting.push('\n');
            }
        }
        self.size += text.len() + 1;
    }

    /// Something waits.
    pub fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Something waits for the stream on which hob says what it does.
    pub fn status_waits(&self) -> bool {
        self.waiting.iter().any(|(which, _)| *which == self.status)
    }

    /// So much waits that it should be written now.
    pub fn full(&self) -> bool {
        self.size > PIECE
    }

    /// Writes what waits.
    pub fn flush(&mut self) {
        self.size = 0;
        for (which, text) in self.waiting.drain(..) {
            let (writer, closed) = match which {
                Which::Out => (&mut self.out, &mut self.out_closed),
                Which::Err => (&mut self.err, &mut self.err_closed),
            };
            if !*closed {
                *closed = writer.write_all(text.as_bytes()).and_then(|()| writer.flush()).is_err();
            }
        }
        if (self.out_closed || self.err_closed)
            && let Some(on_closed) = self.on_closed.take()
        {
            on_closed();
        }
    }
}
