//! What a template is filled in with.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap as _, Serializer};

/// A value, as Go has it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// What a table's head has no word for.
    Nil,
    /// `bool`.
    Bool(bool),
    /// `int`.
    Int(i64),
    /// `float64`.
    Float(f64),
    /// `string`.
    Text(String),
    /// A slice.
    List(Vec<Value>),
    /// A struct.
    Record(Record),
}

/// A method that takes one text.
pub type Method = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// Named values, in the order in which JSON has them.
#[derive(Clone, Default)]
pub struct Record {
    /// The fields.
    pub fields: Vec<(&'static str, Value)>,
    /// Methods, which JSON does not have.
    pub methods: Vec<(&'static str, Method)>,
    /// A field that is not there is [`Value::Nil`], and no error.
    pub open: bool,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.fields.iter().map(|(name, value)| (name, value))).finish()
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.fields == other.fields
    }
}

impl Record {
    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    /// A method by its name.
    pub fn method(&self, name: &str) -> Option<&Method> {
        self.methods.iter().find(|(method, _)| *method == name).map(|(_, method)| method)
    }
}

impl From<Record> for Value {
    fn from(record: Record) -> Self {
        Self::Record(record)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Value {
    /// Whether `if` and `with` take it.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Record(_) => true,
        }
    }

    /// Go's word for its type.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(_) => "list",
            Self::Record(_) => "struct",
        }
    }

    /// As JSON on one line. The text of a record has `<`, `>` and `&` escaped, as Go writes structs.
    pub fn json(&self) -> String {
        // Text keys and plain values, which cannot fail.
        let text = serde_json::to_string(self).unwrap_or_default();
        // Go escapes these in any text, and the first three only where a struct writes itself.
        let text = text.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
        match self {
            Self::Record(_) => text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"),
            _ => text,
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => serializer.collect_seq(list),
            Self::Record(record) => {
                let mut map = serializer.serialize_map(Some(record.fields.len()))?;
                for (name, value) in &record.fields {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

/// Go's `%v`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("<nil>"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Float(number) => f.write_str(&float(*number)),
            Self::Text(text) => f.write_str(text),
            Self::List(list) => within(f, ('[', ']'), list.iter()),
            Self::Record(record) => within(f, ('{', '}'), record.fields.iter().map(|(_, value)| value)),
        }
    }
}

fn within<'a>(
    f: &mut fmt::Formatter<'_>,
    (open, close): (char, char),
    values: impl Iterator<Item = &'a Value>,
) -> fmt::Result {
    f.write_char(open)?;
    for (index, value) in values.enumerate() {
        if index > 0 {
            f.write_char(' ')?;
        }
        write!(f, "{value}")?;
    }
    f.write_char(close)
}

/// Go's `%v` of a float: with an exponent where it is very small or very large.
fn float(number: f64) -> String {
    let size = number.abs();
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if size != 0.0 && !(1e-4..1e21).contains(&size) {
        return exponent(&format!("{number:e}"));
    }
    number.to_string()
}

/// `1e5` with a sign and two digits, as C and Go write it: `1e+05`.
pub(super) fn exponent(text: &str) -> String {
    let Some((mantissa, exponent)) = text.split_once('e') else { return text.to_owned() };
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}
