//! Parser events to a tree.

use std::borrow::Cow;
use std::collections::HashMap;

use indexmap::map::Entry;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span as ScanSpan, StrInput, Tag};

use super::node::{FileId, Map, Mark, Node, Span, Value};
use super::reindent::{Reindented, number};
use super::scalar;
use super::tabs::{self, Tabs};

/// The deepest nesting that is read.
const MAX_DEPTH: usize = 128;

/// The most nodes that aliases may add to one file.
const MAX_ALIASED: usize = 250_000;

/// How many bytes are read again at most because a text is written in a way that the parser does not take.
const MAX_READ_AGAIN: usize = 64 << 20;

/// What is wrong with a text as YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What to do about it.
    pub help: Option<String>,
}

/// Reads every document of a text. What could be read before an error is lost: YAML gives no way to go on.
///
/// Compose's reader does not care how lines inside brackets and quotes are indented, where the YAML specification
/// and this parser do. Such lines are moved to the right and the text is read again; places are moved back.
pub fn parse(text: &str, file: FileId) -> (Vec<Node>, Vec<Problem>) {
    let mut moved = Reindented::default();
    let has_tabs = text.contains('\t');
    let mut outcome = attempt(text, file, &moved, has_tabs);
    let mut read = Cow::Borrowed(text);
    let mut read_again = 0;
    while let Some(error) = outcome.error.as_ref().filter(|_| read_again < MAX_READ_AGAIN) {
        let repaired = match moved.line_to_move(&read, error) {
            Some(line) => Some(moved.apply(&read, line)),
            None => tabs::repaired(&read, error),
        };
        let Some(repaired) = repaired else { break };
        read_again += repaired.len();
        read = Cow::Owned(repaired);
        outcome = attempt(&read, file, &moved, has_tabs);
    }
    if outcome.error.is_none()
        && let Some(tabs) = outcome.tabs
        && let Some((line, column)) = tabs.wrong(text)
    {
        let message = "not valid YAML: a tab where spaces are expected".to_owned();
        let help = Some("indent with spaces".to_owned());
        outcome.problems.push(Problem { message, span: Span { file, line, column, length: 1 }, help });
        outcome.documents.clear();
    }
    (outcome.documents, outcome.problems)
}

struct Outcome {
    documents: Vec<Node>,
    problems: Vec<Problem>,
    error: Option<ScanError>,
    tabs: Option<Tabs>,
}

fn attempt(text: &str, file: FileId, moved: &Reindented, has_tabs: bool) -> Outcome {
    let mut builder = Builder {
        parser: Parser::new_from_str(text),
        file,
        moved,
        anchors: HashMap::new(),
        aliased: 0,
        entries: Vec::new(),
        problems: Vec::new(),
        error: None,
        tabs: has_tabs.then(|| Tabs::of(text)),
        open_end: (!text.ends_with('\n')).then(|| text.chars().count()),
    };
    let mut documents = Vec::new();
    let (Ok(()) | Err(Stop)) = builder.stream(&mut documents);
    Outcome { documents, problems: builder.problems, error: builder.error, tabs: builder.tabs }
}

/// Reading cannot go on; the problem is noted.
struct Stop;

struct Builder<'a> {
    parser: Parser<'a, StrInput<'a>>,
    file: FileId,
    moved: &'a Reindented,
    error: Option<ScanError>,
    anchors: HashMap<usize, (Node, usize)>,
    aliased: usize,
    /// The entries of the mappings that are open: a mapping is made when its size is known.
    entries: Vec<(String, Node)>,
    problems: Vec<Problem>,
    tabs: Option<Tabs>,
    /// Where the text ends, in characters, if its last line has no end.
    open_end: Option<usize>,
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<(Event<'a>, ScanSpan), Stop> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                if let Some(tabs) = &mut self.tabs {
                    tabs.event(&event, span, self.moved);
                }
                Ok((event, span))
            }
            Some(Err(error)) => {
                let marker = error.marker();
                let span = Span {
                    file: self.file,
                    line: number(marker.line()).max(1),
                    column: self.moved.column(marker.line(), marker.col()),
                    length: 1,
                };
                self.problem(span, format!("not valid YAML: {}", error.info()), None);
                self.error = Some(error);
                Err(Stop)
            }
            None => Err(Stop),
        }
    }

    fn problem(&mut self, span: Span, message: String, help: Option<String>) {
        self.problems.push(Problem { message, span, help });
    }

    fn span(&self, span: ScanSpan) -> Span {
        let length =
            if span.start.line() == span.end.line() { span.end.index().saturating_sub(span.start.index()) } else { 1 };
        Span {
            file: self.file,
            line: number(span.start.line()),
            column: self.moved.column(span.start.line(), span.start.col()),
            length: number(length),
        }
    }

    fn stream(&mut self, documents: &mut Vec<Node>) -> Result<(), Stop> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(()),
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
                event => {
                    let document = self.node(event, span, 0)?;
                    documents.push(document);
                }
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: ScanSpan, depth: usize) -> Result<Node, Stop> {
        let at = self.span(span);
        if depth > MAX_DEPTH {
            self.problem(at, format!("nested more than {MAX_DEPTH} levels deep"), None);
            return Err(Stop);
        }
        match event {
            Event::Alias(id) => self.alias(id, at),
            Event::Scalar(text, style, anchor, tag) => {
                let text = self.without_added_end(text, style, span);
                let (mark, value) = Self::scalar(text, style, tag.as_deref());
                let node = Node { value, span: at, mark, ..Node::default() };
                Ok(self.anchored(anchor, node))
            }
            Event::SequenceStart(anchor, tag) => {
                let mark = mark(tag.as_deref());
                let mut list = Vec::new();
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::SequenceEnd {
                        break;
                    }
                    list.push(self.node(event, span, depth + 1)?);
                }
                let node = Node { value: Value::List(list), span: at, mark, ..Node::default() };
                Ok(self.anchored(anchor, node))
            }
            Event::MappingStart(anchor, tag) => {
                let mark = mark(tag.as_deref());
                let map = self.mapping(depth)?;
                let node = Node { value: Value::Map(map), span: at, mark, ..Node::default() };
                Ok(self.anchored(anchor, node))
            }
            _ => {
                self.problem(at, "not valid YAML: the text ends too early".to_owned(), None);
                Err(Stop)
            }
        }
    }

    /// The parser gives a block scalar that ends with the text a line end of its own where the last line has none, by
    /// the letter of YAML 1.2. Compose's reader does not.
    fn without_added_end(&self, text: Cow<'a, str>, style: ScalarStyle, span: ScanSpan) -> Cow<'a, str> {
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        if !block || !text.ends_with('\n') || Some(span.end.index()) != self.open_end {
            return text;
        }
        let added = if text.trim_end_matches('\n').is_empty() {
            // Nothing but a line of spaces behind the `|+`.
            span.end.line() == span.start.line() + 1
        } else {
            span.end.col() >= span.start.col().max(1)
        };
        if added { Cow::Owned(text[..text.len() - 1].to_owned()) } else { text }
    }

    fn mapping(&mut self, depth: usize) -> Result<Map, Stop> {
        let start = self.entries.len();
        let mut merges: Vec<Node> = Vec::new();
        let mut merge_key: Option<Span> = None;
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let at = self.span(span);
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let mut value = self.node(event, span, depth + 1)?;
            if is_merge {
                if let Some(first) = merge_key.replace(at) {
                    self.duplicate("<<", at, first);
                }
                merges.push(value);
                continue;
            }
            let Some(name) = self.key(key, at) else { continue };
            value.key = at;
            self.entries.push((name, value));
        }
        let merged: usize = merges.iter().filter_map(Node::as_map).map(|map| map.len()).sum();
        let mut map = Map::with_capacity(self.entries.len() - start + merged);
        let mut twice = Vec::new();
        for (name, value) in self.entries.drain(start..) {
            match map.entry(name) {
                Entry::Occupied(first) => twice.push((first.key().clone(), value.key, first.get().key)),
                Entry::Vacant(entry) => {
                    entry.insert(value);
                }
            }
        }
        for (name, at, first) in twice {
            self.duplicate(&name, at, first);
        }
        for merge in merges {
            self.merge(&mut map, merge);
        }
        Ok(map)
    }

    fn key(&mut self, key: Node, at: Span) -> Option<String> {
        let key = match key.value {
            Value::Str(name) => return Some(name),
            value => Node { value, ..key },
        };
        let help = key.to_text().map(|text| format!("write it in quotes: \"{text}\""));
        self.problem(at, format!("a key must be a string, this one is {}", key.kind()), help);
        None
    }

    fn duplicate(&mut self, name: &str, at: Span, first: Span) {
        self.problem(
            at,
            format!("the key {name:?} is written twice; the first is at line {}", first.line),
            Some("remove one of the two".to_owned()),
        );
    }

    /// A merge key's value into a mapping: what the mapping has itself wins, and of several the first.
    fn merge(&mut self, map: &mut Map, merge: Node) {
        let span = merge.span;
        match merge.value {
            Value::Map(other) => {
                for (key, value) in other {
                    map.entry(key).or_insert(value);
                }
            }
            Value::List(list) if list.iter().all(|node| node.as_map().is_some()) => {
                for node in list {
                    self.merge(map, node);
                }
            }
            _ => self.problem(
                span,
                "a merge key `<<` needs a mapping or a list of mappings".to_owned(),
                Some("write `<<: *anchor` or `<<: [*a, *b]`".to_owned()),
            ),
        }
    }

    fn anchored(&mut self, anchor: usize, node: Node) -> Node {
        if anchor > 0 {
            let size = node.size();
            self.anchors.insert(anchor, (node.clone(), size));
        }
        node
    }

    fn alias(&mut self, id: usize, at: Span) -> Result<Node, Stop> {
        let Some((node, size)) = self.anchors.get(&id) else {
            self.problem(at, "an alias inside the value that it names".to_owned(), None);
            return Err(Stop);
        };
        self.aliased += size;
        if self.aliased > MAX_ALIASED {
            self.problem(at, "the aliases of this file expand to too many values".to_owned(), None);
            return Err(Stop);
        }
        Ok(node.clone())
    }

    fn scalar(text: Cow<'a, str>, style: ScalarStyle, tag: Option<&Tag>) -> (Mark, Value) {
        let mark = mark(tag);
        if let Some(tag) = tag.filter(|tag| tag.is_yaml_core_schema()) {
            let resolved = scalar::resolve(&text);
            let value = match (tag.suffix.as_str(), resolved) {
                ("str" | "binary", _) => Value::Str(text.into_owned()),
                ("float", Value::Int(value)) => {
                    #[allow(clippy::cast_precision_loss, reason = "the tag asks for a float")]
                    let value = value as f64;
                    Value::Float(value)
                }
                ("null", _) => Value::Null,
                (_, resolved) => resolved,
            };
            return (mark, value);
        }
        // A tag of one's own makes a text of what is behind it.
        let value = if style == ScalarStyle::Plain && tag.is_none() {
            scalar::resolve(&text)
        } else {
            Value::Str(text.into_owned())
        };
        (mark, value)
    }
}

/// What a tag asks of merging. Other tags of one's own are let pass, as Compose does.
fn mark(tag: Option<&Tag>) -> Mark {
    match tag {
        Some(tag) if tag.handle == "!" && tag.suffix == "reset" => Mark::Reset,
        Some(tag) if tag.handle == "!" && tag.suffix == "override" => Mark::Override,
        _ => Mark::None,
    }
}
