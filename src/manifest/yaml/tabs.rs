//! Tabs: where they may stand as Compose's reader has it, and not as the YAML specification and the parser do. Inside
//! brackets and texts they are taken as spaces are; they never indent, and never follow the dash of a list.

use saphyr_parser::{Event, ScanError, Span as ScanSpan};

use super::moved::Moved;

/// A line and a column, both from one.
type Place = (u32, u32);

/// Where brackets and texts stand in a text that has tabs.
#[derive(Debug, Default)]
pub struct Tabs {
    chars: Vec<char>,
    depth: usize,
    open: Place,
    /// From where to where, in the order of the text; none is inside another one.
    covered: Vec<(Place, Place)>,
}

impl Tabs {
    /// Of a text that is about to be read.
    pub fn of(text: &str) -> Self {
        Self { chars: text.chars().collect(), ..Self::default() }
    }

    /// Takes in the next event of the parser.
    pub fn event(&mut self, event: &Event<'_>, span: ScanSpan, moved: &Moved) {
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

    fn is_covered(&self, at: Place) -> bool {
        let began = self.covered.partition_point(|(start, _)| *start <= at);
        began > 0 && at < self.covered[began - 1].1
    }

    /// The first tab of the original text that indents or follows a dash, outside of brackets and texts.
    pub fn wrong(&self, text: &str) -> Option<Place> {
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

/// The text with spaces for the tabs that begin the line that the parser stopped at, and those right below it. Whether
/// they may stand there is looked at when all has been read.
pub fn repaired(text: &str, error: &ScanError) -> Option<String> {
    let begins = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let mut out = String::with_capacity(text.len());
    let mut found = false;
    let mut goes_on = true;
    for (line, content) in (1..).zip(text.split_inclusive('\n')) {
        let (head, rest) = content.split_at(begins(content));
        goes_on = if line <= error.marker().line() { line == error.marker().line() } else { goes_on };
        goes_on &= head.contains('\t');
        if goes_on {
            found = true;
            out.push_str(&head.replace('\t', " "));
        } else {
            out.push_str(head);
        }
        out.push_str(rest);
    }
    found.then_some(out)
}
