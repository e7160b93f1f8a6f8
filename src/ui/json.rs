//! One JSON object per line on standard output.

use std::io;
use std::time::Duration;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use crate::event::Event;

use super::render::Render;
use super::streams::Streams;

pub(super) struct Json {
    streams: Streams,
}

impl Json {
    pub fn new(streams: Streams) -> Self {
        Self { streams }
    }
}

impl Render for Json {
    fn event(&mut self, event: Event, _: Duration) {
        let mut line = Vec::new();
        // Events are plain data with string keys, which cannot fail to serialise.
        if event.serialize(&mut Serializer::with_formatter(&mut line, Escape)).is_ok()
            && let Ok(line) = String::from_utf8(line)
        {
            self.streams.out(&line);
        }
        if self.streams.full() {
            self.streams.flush();
        }
    }

    fn flush(&mut self, _: Duration) {
        self.streams.flush();
    }

    fn release(&mut self, _: Duration) {
        self.streams.flush();
    }
}

/// Escapes the control characters that JSON allows as they are (U+007F to U+009F), because a terminal obeys them.
struct Escape;

impl Formatter for Escape {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, char)) = rest.char_indices().find(|(_, char)| matches!(char, '\u{7f}'..='\u{9f}')) {
            writer.write_all(&rest.as_bytes()[..at])?;
            write!(writer, "\\u{:04x}", u32::from(char))?;
            rest = &rest[at + char.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}
