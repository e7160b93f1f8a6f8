//! Lines that were moved to the right to please the parser.

use std::collections::BTreeMap;

use saphyr_parser::{Marker, ScanError};

/// How far a line is moved; deeper than any nesting that is read.
const STEP: usize = 160;

/// The most lines that are moved in one text.
const MAX_MOVED: usize = 200;

/// The lines that were moved, counted from one.
#[derive(Debug, Default)]
pub struct Reindented(BTreeMap<usize, usize>);

impl Reindented {
    /// The column, from one, that a place had before its line was moved.
    pub fn column(&self, line: usize, column: usize) -> u32 {
        number(column.saturating_sub(self.0.get(&line).copied().unwrap_or(0))) + 1
    }

    /// The line and the column, both from one, that a place had before its line was moved.
    pub fn place(&self, marker: Marker) -> (u32, u32) {
        (number(marker.line()), self.column(marker.line(), marker.col()))
    }

    /// The line that stands too far left for the parser, if moving it changes nothing else.
    pub fn line_to_move(&self, text: &str, error: &ScanError) -> Option<usize> {
        if self.0.len() >= MAX_MOVED {
            return None;
        }
        let line = error.marker().line();
        match error.info() {
            "invalid indentation in quoted scalar" => {
                // The error names the line that the quote opens in; the lines behind it are tried one by one.
                (line + 1..=text.lines().count()).find(|line| !self.0.contains_key(line))
            }
            // The scanner says this only inside brackets: elsewhere a line further left ends what is open.
            "invalid indentation" | "invalid indentation in flow construct" => {
                (!self.0.contains_key(&line)).then_some(line)
            }
            _ => None,
        }
    }

    /// Moves a line.
    pub fn apply(&mut self, text: &str, line: usize) -> String {
        self.0.insert(line, STEP);
        let mut out = String::with_capacity(text.len() + STEP);
        for (index, content) in text.split_inclusive('\n').enumerate() {
            if index + 1 == line {
                out.extend(std::iter::repeat_n(' ', STEP));
            }
            out.push_str(content);
        }
        out
    }
}

/// A count as the spans keep it.
pub fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
