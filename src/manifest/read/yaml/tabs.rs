//! Tabs: where they may stand as Compose's reader has it, and not as the YAML specification and the parser do. Inside
//! brackets and texts they are taken as spaces are; they never indent, and never follow the dash of a list.

use saphyr_parser::{Event, ScanError, Span as ScanSpan};

use super::reindent::Reindented;

const BLANKS: [char; 2] = [' ', '\t'];

/// A line and a column, both from one.
type Position = (u32, u32);

/// Where brackets and texts stand in a text that has tabs.
#[derive(Debug, Default)]
pub struct Tabs {
    chars: Vec<char>,
    depth: usize,
    open: Position,
    /// From where to where, in the order of the text; none is inside another one.
    covered: Vec<(Position, Position)>,
}

impl Tabs {
    /// Of a text that is about to be read.
    pub fn of(text: &str) -> Self {
        Self { chars: text.chars().collect(), ..Self::default() }
    }

    /// Takes in the next event of the parser.
    pub fn event(&mut self, event: &Event<'_>, span: ScanSpan, moved: &Reindented) {
        let (start, end) = (moved.place(span.start), moved.place(span.end));
        match event {
            Event::Scalar(..) if self.depth == 0 => self.covered.push((start, end)),
            Event::SequenceStart(..) | Event::MappingStart(..) if self.depth > 0 => self.depth += 1,
            Event::SequenceStart(..) | Event::MappingStart(..)
                if matches!(self.chars.get(span.start.index()), Some('[' | '{')) =>
            {
                (self.depth, self.open) = (1, start);
            }
            Event::SequenceEnd | Event::MappingEnd if self.depth > 0 => {
                self.depth -= 1;
                if self.depth == 0 {
                    self.covered.push((self.open, end));
                }
            }
            _ => {}
        }
    }

    fn is_covered(&self, at: Position) -> bool {
        let began = self.covered.partition_point(|(start, _)| *start <= at);
        began > 0 && at < self.covered[began - 1].1
    }

    /// The first tab of the original text that indents or follows a dash, outside of brackets and texts.
    pub fn wrong(&self, text: &str) -> Option<Position> {
        let mut after_comment = false;
        for (line, content) in (1..).zip(text.lines()) {
            let is_comment = content.trim_start().starts_with('#');
            // The last character, and the last that is no blank.
            let (mut before, mut word) = (None, None);
            for (column, c) in (1..).zip(content.chars()) {
                let at = (line, column);
                match c {
                    // The rest is a comment.
                    '#' if matches!(before, None | Some(' ' | '\t')) && !self.is_covered(at) => break,
                    '\t' if matches!(word, None | Some('-' | '?'))
                        && !(is_comment && after_comment || self.is_covered(at)) =>
                    {
                        return Some(at);
                    }
                    ' ' | '\t' => {}
                    c => word = Some(c),
                }
                before = Some(c);
            }
            after_comment = is_comment;
        }
        None
    }
}

/// The text with spaces for the tabs that the parser stopped at. Whether they may stand there is looked at when all has
/// been read.
pub fn repaired(text: &str, error: &ScanError) -> Option<String> {
    let before: usize = text.split_inclusive('\n').take(error.marker().line().saturating_sub(1)).map(str::len).sum();
    let (before, rest) = text.split_at(before);
    let spaced = if error.info() == "':' must be followed by a valid YAML whitespace" {
        around(rest, error.marker().col())
    } else {
        leading(rest)
    };
    (spaced != rest).then(|| format!("{before}{spaced}"))
}

/// Spaces for the tabs among the blanks at a column of the first line.
fn around(text: &str, column: usize) -> String {
    let at = text.char_indices().nth(column).map_or(text.len(), |(at, _)| at);
    let begin = text[..at].trim_end_matches(BLANKS).len();
    let end = text.len() - text[at..].trim_start_matches(BLANKS).len();
    format!("{}{}{}", &text[..begin], text[begin..end].replace('\t', " "), &text[end..])
}

/// Spaces for the tabs that begin the first line, and those right below it.
fn leading(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (blanks, rest) = line.split_at(line.len() - line.trim_start_matches(BLANKS).len());
        if !blanks.contains('\t') {
            break;
        }
        out.push_str(&blanks.replace('\t', " "));
        out.push_str(rest);
    }
    out.push_str(&text[out.len()..]);
    out
}
