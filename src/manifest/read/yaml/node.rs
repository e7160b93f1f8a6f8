//! The tree that every pass works on: YAML values that know where they were written.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use foldhash::fast::FixedState;
use indexmap::IndexMap;

/// A file's number in [`Sources`](crate::manifest::read::source::Sources).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A stretch of one line; line and column count from one, all in characters. Line 0 means "written nowhere".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// Line, from one.
    pub line: u32,
    /// Column, from one.
    pub column: u32,
    /// Characters on that line.
    pub length: u32,
}

impl Span {
    /// Whether it points at text.
    pub fn is_known(self) -> bool {
        self.line > 0
    }
}

/// What a local tag asks of merging.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// Merge as usual.
    #[default]
    None,
    /// `!reset`: remove what is overridden.
    Reset,
    /// `!override`: replace what is overridden.
    Override,
}

/// The hash of keys: a fast one. Whoever writes a manifest decides what is run on the machine, so keys that were made
/// to have equal hashes are no danger worth a slower one.
pub type Hasher = FixedState;

type Entries = IndexMap<String, Node, Hasher>;

/// A mapping in the order written. Behind a pointer: most nodes are scalars, and each would be twice as large with room
/// for a mapping in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map(Box<Entries>);

impl Map {
    /// An empty mapping with room for entries.
    pub fn with_capacity(entries: usize) -> Self {
        Self(Box::new(Entries::with_capacity_and_hasher(entries, Hasher::default())))
    }
}

impl Deref for Map {
    type Target = Entries;

    fn deref(&self) -> &Entries {
        &self.0
    }
}

impl DerefMut for Map {
    fn deref_mut(&mut self) -> &mut Entries {
        &mut self.0
    }
}

impl FromIterator<(String, Node)> for Map {
    fn from_iter<I: IntoIterator<Item = (String, Node)>>(entries: I) -> Self {
        Self(Box::new(entries.into_iter().collect()))
    }
}

impl IntoIterator for Map {
    type Item = (String, Node);
    type IntoIter = indexmap::map::IntoIter<String, Node>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = (&'a String, &'a Node);
    type IntoIter = indexmap::map::Iter<'a, String, Node>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a mut Map {
    type Item = (&'a String, &'a mut Node);
    type IntoIter = indexmap::map::IterMut<'a, String, Node>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter_mut()
    }
}

/// What a node holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Nothing, `null` or `~`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer; wide enough for all that YAML readers take for one.
    Int(i128),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// An unquoted date, which YAML takes for a timestamp.
    Date(String),
    /// Text.
    Str(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping.
    Map(Map),
}

/// How a value came about, for `config --explain`; kept only where something happened to the value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    /// The text before interpolation, and where each variable came from.
    pub variables: Vec<VariableUse>,
    /// The template as written.
    pub template: Option<String>,
    /// What this value overrode, latest first: the value as text, and its place.
    pub overrode: Vec<(String, Span)>,
}

/// One variable that an interpolated value used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableUse {
    /// Its name.
    pub name: String,
    /// Where its value came from.
    pub origin: VariableOrigin,
    /// The value that was put in.
    pub value: String,
}

/// Where a variable's value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VariableOrigin {
    /// The environment that hob was started with.
    Shell,
    /// A `.env` file or an env file, and the line in it.
    File(std::path::PathBuf, u32),
    /// The default in the manifest.
    Default,
    /// The service's own `environment`.
    Manifest,
    /// hob itself (`COMPOSE_PROJECT_NAME`).
    Hob,
    /// Nowhere: an empty text was put in.
    Unset,
}

/// A value with its place.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where the value was written.
    pub span: Span,
    /// Where its key was written, if it is a mapping's entry.
    pub key: Span,
    /// What its tag asks of merging.
    pub mark: Mark,
    /// How it came about.
    pub trail: Option<Arc<Trail>>,
}

/// Places never matter to equality: two nodes are equal if they say the same.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Node {
    /// A node at a place.
    pub fn new(value: Value, span: Span) -> Self {
        Self { value, span, ..Self::default() }
    }

    /// A text at a place.
    pub fn text(text: impl Into<String>, span: Span) -> Self {
        Self::new(Value::Str(text.into()), span)
    }

    /// The same place and key with another value.
    pub fn with(&self, value: Value) -> Self {
        Self { value, span: self.span, key: self.key, mark: self.mark, trail: self.trail.clone() }
    }

    /// The place to point at when the entry itself is wrong: its key, else its value.
    pub fn key_or_span(&self) -> Span {
        if self.key.is_known() { self.key } else { self.span }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The mapping, if it is one.
    pub fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The mapping, if it is one.
    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The sequence, if it is one.
    pub fn as_list(&self) -> Option<&[Self]> {
        match &self.value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// The sequence, if it is one.
    pub fn as_list_mut(&mut self) -> Option<&mut Vec<Self>> {
        match &mut self.value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// An entry of a mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }

    /// What kind of value it is, in words.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "an integer",
            Value::Float(_) => "a number",
            Value::Date(_) => "a date",
            Value::Str(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// A scalar as Go's `%v` prints it; null is empty.
    pub fn to_text(&self) -> Option<String> {
        Some(match &self.value {
            Value::Null => String::new(),
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => value.to_string(),
            Value::Float(value) => go_float(*value),
            Value::Date(text) | Value::Str(text) => text.clone(),
            Value::List(_) | Value::Map(_) => return None,
        })
    }

    /// The number of nodes in it.
    pub fn size(&self) -> usize {
        1 + match &self.value {
            Value::List(list) => list.iter().map(Self::size).sum(),
            Value::Map(map) => map.values().map(Self::size).sum(),
            _ => 0,
        }
    }
}

/// A float as Go's `%v` prints it: shortest form, with an exponent below 1e-4 and from 1e21 on.
pub fn go_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() };
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e21).contains(&magnitude) {
        let text = format!("{value:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    format!("{value}")
}
