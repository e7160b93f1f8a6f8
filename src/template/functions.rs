//! The functions: Go's own (<https://pkg.go.dev/text/template#hdr-Functions>) and those of Docker's command line
//! (<https://docs.docker.com/engine/cli/formatting/>).

use std::cmp::Ordering;

use super::printf;
use super::value::Value;

/// All of them.
pub(super) const NAMES: [&str; 25] = [
    "and", "eq", "ge", "gt", "html", "index", "join", "js", "json", "le", "len", "lower", "lt", "ne", "not", "or",
    "pad", "print", "printf", "println", "slice", "split", "title", "truncate", "upper",
];

/// Bytes of the text, and of any value.
pub(super) const LENGTH: usize = 16 * 1024 * 1024;

/// Which functions a template has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Functions {
    /// All.
    #[default]
    All,
    /// Those for the head of a table: what changes a text leaves it as it is.
    Head,
}

/// A call with its arguments.
pub(super) struct Call<'a> {
    pub name: &'a str,
    pub arguments: Vec<Value>,
    pub functions: Functions,
}

/// Calls a function.
pub(super) fn call(call: Call<'_>) -> Result<Value, String> {
    let Call { name, arguments, functions } = call;
    if functions == Functions::Head
        && matches!(name, "json" | "split" | "join" | "title" | "lower" | "upper" | "truncate")
    {
        return arguments.into_iter().next().ok_or_else(|| takes("a text"));
    }
    let value = match name {
        "json" => Value::Text(one(&arguments, "a value")?.json()),
        "upper" => Value::Text(text(one(&arguments, "a text")?)?.to_uppercase()),
        "lower" => Value::Text(text(one(&arguments, "a text")?)?.to_lowercase()),
        "title" => Value::Text(title(text(one(&arguments, "a text")?)?)),
        "html" => Value::Text(escaped(&print(&arguments), HTML)),
        "js" => Value::Text(escaped(&print(&arguments), JS)),
        "split" => match arguments.as_slice() {
            [whole, by] => Value::List(split(text(whole)?, text(by)?)),
            _ => return Err(takes("a text and what to split it at")),
        },
        "join" => match arguments.as_slice() {
            [Value::List(list), by] => Value::Text(join(list, text(by)?)?),
            _ => return Err(takes("a list and what to put between")),
        },
        "pad" => match arguments.as_slice() {
            [whole, Value::Int(before), Value::Int(after)] => {
                let whole = text(whole)?;
                let blanks = |count: &i64| blanks(*count);
                // Nothing stays nothing.
                let padded = || Ok::<_, String>(format!("{}{whole}{}", blanks(before)?, blanks(after)?));
                Value::Text(if whole.is_empty() { String::new() } else { padded()? })
            }
            _ => return Err(takes("a text, and the numbers of blanks before and after it")),
        },
        "truncate" => match arguments.as_slice() {
            [whole, Value::Int(length)] => Value::Text(truncated(text(whole)?, *length).to_owned()),
            _ => return Err(takes("a text and a length")),
        },
        "print" => Value::Text(print(&arguments)),
        "println" => {
            let words: Vec<String> = arguments.iter().map(Value::to_string).collect();
            Value::Text(format!("{}\n", words.join(" ")))
        }
        "printf" => match arguments.split_first() {
            Some((Value::Text(format), arguments)) => Value::Text(printf::printf(format, arguments)?),
            _ => return Err(takes("a format and values")),
        },
        "len" => match one(&arguments, "a text or a list")? {
            Value::Text(text) => Value::Int(count(text.len())),
            Value::List(list) => Value::Int(count(list.len())),
            other => return Err(format!("a {} has no length", other.kind())),
        },
        "index" => index(&arguments)?,
        "slice" => slice(&arguments)?,
        "not" => Value::Bool(!one(&arguments, "a value")?.is_true()),
        "and" | "or" => arguments.into_iter().next_back().ok_or_else(|| takes("values"))?,
        "eq" => match arguments.split_first() {
            Some((first, others)) if !others.is_empty() => {
                let mut equal = false;
                for other in others {
                    equal |= compared(first, other, false)? == Ordering::Equal;
                }
                Value::Bool(equal)
            }
            _ => return Err(takes("two values or more")),
        },
        _ => match arguments.as_slice() {
            [a, b] => {
                let ordering = compared(a, b, name != "ne")?;
                Value::Bool(match name {
                    "ne" => ordering.is_ne(),
                    "lt" => ordering.is_lt(),
                    "le" => ordering.is_le(),
                    "gt" => ordering.is_gt(),
                    _ => ordering.is_ge(),
                })
            }
            _ => return Err(takes("two values")),
        },
    };
    match &value {
        Value::Text(text) if text.len() > LENGTH => Err("the text becomes too long".to_owned()),
        _ => Ok(value),
    }
}

fn takes(what: &str) -> String {
    format!("it takes {what}")
}

fn one<'a>(arguments: &'a [Value], what: &str) -> Result<&'a Value, String> {
    match arguments {
        [value] => Ok(value),
        _ => Err(format!("it takes {what}, and got {} arguments", arguments.len())),
    }
}

fn text(value: &Value) -> Result<&str, String> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(format!("expected a text, and got a {}", other.kind())),
    }
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn blanks(count: i64) -> Result<String, String> {
    match usize::try_from(count) {
        Ok(count) if count <= LENGTH => Ok(" ".repeat(count)),
        _ => Err(format!("{count} is no number of blanks")),
    }
}

/// Go's `fmt.Sprint`: a blank between two values of which none is a text.
fn print(arguments: &[Value]) -> String {
    let mut printed = String::new();
    for (index, value) in arguments.iter().enumerate() {
        let is_text = |value: &Value| matches!(value, Value::Text(_));
        if index > 0 && !is_text(value) && !is_text(&arguments[index - 1]) {
            printed.push(' ');
        }
        printed.push_str(&value.to_string());
    }
    printed
}

fn split(whole: &str, by: &str) -> Vec<Value> {
    if by.is_empty() {
        return whole.chars().map(|char| Value::Text(char.to_string())).collect();
    }
    whole.split(by).map(Value::from).collect()
}

fn join(list: &[Value], by: &str) -> Result<String, String> {
    let texts = list.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    Ok(texts.join(by))
}

/// The first letter of each word in upper case.
fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut before = ' ';
    for char in text.chars() {
        let inside = before.is_alphanumeric() || before == '_' || (!before.is_ascii() && !before.is_whitespace());
        if inside {
            titled.push(char);
        } else {
            titled.extend(char.to_uppercase());
        }
        before = char;
    }
    titled
}

/// The first bytes, as far as they are whole characters.
fn truncated(text: &str, length: i64) -> &str {
    let length = usize::try_from(length).unwrap_or_default();
    &text[..text.floor_char_boundary(length)]
}

fn place(index: &Value, length: usize) -> Result<usize, String> {
    match index {
        Value::Int(number) => match usize::try_from(*number) {
            Ok(place) if place <= length => Ok(place),
            _ => Err(format!("{number} is out of range: the length is {length}")),
        },
        other => Err(format!("expected a number, and got a {}", other.kind())),
    }
}

fn index(arguments: &[Value]) -> Result<Value, String> {
    let (first, indices) = arguments.split_first().ok_or_else(|| takes("a list and a number"))?;
    let mut value = first.clone();
    for index in indices {
        let out = |length: usize| format!("{index} is out of range: the length is {length}");
        value = match value {
            Value::List(list) => {
                let at = place(index, list.len())?;
                list.get(at).cloned().ok_or_else(|| out(list.len()))?
            }
            Value::Text(text) => {
                let at = place(index, text.len())?;
                text.as_bytes().get(at).map(|byte| Value::Int((*byte).into())).ok_or_else(|| out(text.len()))?
            }
            Value::Record(record) if record.open => match index {
                Value::Text(name) => record.field(name).cloned().unwrap_or(Value::Nil),
                other => return Err(format!("expected a text, and got a {}", other.kind())),
            },
            other => return Err(format!("a {} has no elements", other.kind())),
        };
    }
    Ok(value)
}

fn slice(arguments: &[Value]) -> Result<Value, String> {
    let (first, bounds) = arguments.split_first().ok_or_else(|| takes("a text or a list, and its bounds"))?;
    let length = match first {
        Value::Text(text) => text.len(),
        Value::List(list) => list.len(),
        other => return Err(format!("a {} has no elements", other.kind())),
    };
    let (from, to) = match bounds {
        [] => (0, length),
        [from] => (place(from, length)?, length),
        [from, to] => (place(from, length)?, place(to, length)?),
        _ => return Err(takes("two bounds at most")),
    };
    match first {
        Value::Text(text) => text.get(from..to).map(Value::from),
        Value::List(list) => list.get(from..to).map(|part| Value::List(part.to_vec())),
        _ => None,
    }
    .ok_or_else(|| format!("{from} to {to} is no part of it"))
}

/// How two values compare. Without an order only that they differ is told.
fn compared(a: &Value, b: &Value, order: bool) -> Result<Ordering, String> {
    let ordering = match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) if !order => Some(a.cmp(b)),
        (Value::Nil, Value::Nil) if !order => Some(Ordering::Equal),
        (Value::Nil, _) | (_, Value::Nil) if !order => Some(Ordering::Less),
        _ => None,
    };
    ordering.ok_or_else(|| format!("a {} and a {} cannot be compared", a.kind(), b.kind()))
}

const HTML: &[(char, &str)] = &[('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&#34;"), ('\'', "&#39;")];
const JS: &[(char, &str)] = &[
    ('\\', "\\\\"),
    ('\'', "\\'"),
    ('"', "\\\""),
    ('<', "\\u003C"),
    ('>', "\\u003E"),
    ('&', "\\u0026"),
    ('=', "\\u003D"),
    ('\n', "\\u000A"),
    ('\t', "\\u0009"),
    ('\r', "\\u000D"),
];

fn escaped(text: &str, by: &[(char, &str)]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match by.iter().find(|(from, _)| *from == char) {
            Some((_, to)) => escaped.push_str(to),
            None => escaped.push(char),
        }
    }
    escaped
}
