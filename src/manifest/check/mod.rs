//! Holds a merged manifest against the table: unknown keys, wrong types, missing keys, equal items.

pub mod consistency;
pub mod lints;
pub mod references;

use std::collections::HashMap;
use std::fmt;

use crate::manifest::language::{Check, Entries, HOB_KEYS, Object, Scalar, Shape, Types};
use crate::manifest::read::yaml::{Map, Node, Value};
use crate::manifest::report::Report;
use crate::manifest::report::diagnostic::Code;
use crate::model::{ByteSize, Interval, closest};

/// Checks a document that is merged but still in short forms. `templates` says that variables were not put in, so that
/// a text with a dollar sign may become anything.
pub fn check(node: &Node, object: &'static Object, templates: bool, report: &mut Report) {
    Checker { report, templates }.object(node, object, Path::Top(""));
}

/// Whether a value has a shape; says nothing where it does not.
pub fn fits(node: &Node, shape: &Shape) -> bool {
    let mut report = Report::default();
    Checker { report: &mut report, templates: false }.shape(node, shape, Path::Top(""));
    report.errors() == 0
}

/// Where the check is. It becomes text only if there is something to say.
#[derive(Clone, Copy)]
enum Path<'a> {
    Top(&'a str),
    Key(&'a Self, &'a str),
    Index(&'a Self, usize),
}

impl Path<'_> {
    fn is_empty(self) -> bool {
        matches!(self, Self::Top(""))
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top(text) => f.write_str(text),
            Self::Key(parent, key) if parent.is_empty() => f.write_str(key),
            Self::Key(parent, key) => write!(f, "{parent}.{key}"),
            Self::Index(parent, index) => write!(f, "{parent}.{index}"),
        }
    }
}

struct Checker<'a> {
    report: &'a mut Report,
    templates: bool,
}

impl Checker<'_> {
    fn shape(&mut self, node: &Node, shape: &Shape, path: Path<'_>) {
        match shape {
            Shape::Any => {}
            Shape::Scalar(scalar) => self.scalar(node, scalar, shape, path),
            Shape::Object(object) => self.object(node, object, path),
            Shape::Map(entries) => self.map(node, entries, shape, path),
            Shape::List(items, unique) => self.list(node, items, *unique, shape, path),
            Shape::Either(shapes) => match shapes.iter().find(|shape| accepts(shape, node)) {
                Some(chosen) => self.shape(node, chosen, path),
                None => self.mismatch(node, shape, path),
            },
        }
    }

    fn mismatch(&mut self, node: &Node, shape: &Shape, path: Path<'_>) {
        let name = if path.is_empty() { Path::Top("the manifest") } else { path };
        let found = match &node.value {
            Value::Str(text) if text.chars().count() < 40 => format!("the string {text:?}"),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Date(_) => {
                format!("{} ({})", node.kind(), node.to_text().unwrap_or_default())
            }
            _ => node.kind().to_owned(),
        };
        let message = format!("{name} must be {}, found {found}", expectation(shape));
        let wants_text = shape.scalar().is_some_and(|scalar| scalar.types.has(Types::STRING));
        let span = if node.span.is_known() { node.span } else { node.key };
        match (&node.value, wants_text) {
            (Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Date(_), true) => {
                let help = format!("put it in quotes: \"{}\"", self.written(node));
                self.report.error_help(Code::Type, span, message, help);
            }
            _ => self.report.error(Code::Type, span, message),
        }
    }

    /// The text of a scalar as it stands in the file.
    fn written(&self, node: &Node) -> String {
        let line = self.report.sources.line(node.span).unwrap_or_default();
        let start = (node.span.column as usize).saturating_sub(1);
        let text: String = line.chars().skip(start).take(node.span.length as usize).collect();
        if text.trim().is_empty() { node.to_text().unwrap_or_default() } else { text }
    }

    fn scalar(&mut self, node: &Node, scalar: &Scalar, shape: &Shape, path: Path<'_>) {
        if !accepts(shape, node) {
            self.mismatch(node, shape, path);
            return;
        }
        if self.templates && node.as_str().is_some_and(|text| text.contains('$')) {
            return;
        }
        let problem = match (scalar.check, &node.value) {
            (Check::OneOf(words), Value::Str(text)) if !words.contains(&text.as_str()) => {
                let message = format!("{path} cannot be {text:?}: expected {}", alternatives(words));
                if let Some(word) = closest(text, words.iter().copied()) {
                    let help = format!("did you mean `{word}`?");
                    self.report.error_help(Code::Value, node.span, message, help);
                    return;
                }
                Some(message)
            }
            (Check::Range(least, most), Value::Int(number))
                if !(i128::from(least)..=i128::from(most)).contains(number) =>
            {
                Some(if most == i64::MAX {
                    format!("{path} cannot be {number}: expected {least} or more")
                } else {
                    format!("{path} cannot be {number}: expected {least} to {most}")
                })
            }
            (Check::Duration, Value::Str(text)) => {
                text.parse::<Interval>().err().map(|error| format!("{path}: {error}"))
            }
            (Check::Size, Value::Str(text)) if text.starts_with('-') => {
                Some(format!("{path} cannot be the text {text:?}: a negative number is written without quotes"))
            }
            (Check::Size, Value::Str(text)) => text.parse::<ByteSize>().err().map(|error| format!("{path}: {error}")),
            (Check::Size, Value::Float(_)) => {
                let message = format!("{path} is ignored: a bare number must be whole");
                let help = format!("write a unit and quotes, such as \"{}m\"", self.written(node));
                self.report.warn(Code::Suspicious, node.span, message, Some(help));
                None
            }
            (Check::Octal, Value::Str(text)) if u32::from_str_radix(text, 8).is_err() => {
                Some(format!("{path} cannot be {text:?}: expected permissions in octal such as \"0440\""))
            }
            (Check::ContainerName, Value::Str(text)) if !is_container_name(text) => Some(format!(
                "{path} cannot be {text:?}: expected a letter or digit, and then letters, digits, `_`, `.` and `-`"
            )),
            (Check::PullPolicy, Value::Str(text)) if !is_pull_policy(text) => Some(format!(
                "{path} cannot be {text:?}: expected `always`, `never`, `missing`, `build`, `daily`, `weekly` or \
                 `every_` and a time such as `every_2d`"
            )),
            _ => None,
        };
        if let Some(message) = problem {
            self.report.error(Code::Value, node.span, message);
        }
    }

    fn object(&mut self, node: &Node, object: &'static Object, path: Path<'_>) {
        let Some(map) = node.as_map() else {
            self.mismatch(node, &Shape::Object(object), path);
            return;
        };
        let misplaced = self.misplaced(map, object, path);
        for (name, child) in map {
            if misplaced.contains(&name.as_str()) {
                continue;
            }
            let child_path = Path::Key(&path, name);
            if let Some(key) = object.key(name) {
                self.shape(child, key.shape, child_path);
            } else if object.extensions && name.starts_with("x-") {
                self.extension(child, name, object, child_path);
            } else {
                self.unknown(child, name, object, path);
            }
        }
        for name in object.required {
            if !map.contains_key(*name) {
                let message = format!(
                    "{}: the key `{name}` is missing",
                    if path.is_empty() { Path::Top(object.title) } else { path }
                );
                self.report.error(Code::Missing, node.key_or_span(), message);
            }
        }
    }

    /// Keys that stand at the wrong depth, and what they were meant for; each kind is said once.
    fn misplaced<'m>(&mut self, map: &'m Map, object: &'static Object, path: Path<'_>) -> Vec<&'m str> {
        let mut misplaced = Vec::new();
        let mut parent: Option<(&str, &Node, &'static Object)> = None;
        let mut children: Vec<&str> = Vec::new();
        let mut services: Vec<(&str, &Node)> = Vec::new();
        for (name, node) in map {
            match object.key(name) {
                Some(key) => {
                    // What is empty may be followed by what should be in it.
                    if node.is_null()
                        && children.is_empty()
                        && let Some(inner) = key.shape.object()
                    {
                        parent = Some((name, node, inner));
                    }
                }
                None if object.extensions && name.starts_with("x-") => {}
                None if path.is_empty() && is_service(node) => services.push((name, node)),
                None => {
                    if parent.is_some_and(|(.., inner)| inner.key(name).is_some()) {
                        children.push(name);
                    }
                }
            }
        }
        if let Some((name, node, _)) = parent.filter(|_| !children.is_empty()) {
            let message =
                format!("{} is empty: {} beside it belong under it", Path::Key(&path, name), all_of(&children));
            let help = format!("indent {} further than `{name}`", if children.len() == 1 { "it" } else { "them" });
            self.report.error_help(Code::UnknownKey, node.key_or_span(), message, help);
            misplaced.push(name);
            misplaced.extend(children);
        }
        if let Some((_, first)) = services.first() {
            let names: Vec<&str> = services.iter().map(|(name, _)| *name).collect();
            let message = match names.as_slice() {
                [name] => format!("`{name}` is a service, and stands at the top level"),
                names => format!("{} are services, and stand at the top level", all_of(names)),
            };
            self.report.error_help(
                Code::UnknownKey,
                first.key_or_span(),
                message,
                "put them under `services:`, indented",
            );
            misplaced.extend(names);
        }
        misplaced
    }

    /// `x-reload` and its like are hob's if they have the right shape, and anybody's otherwise.
    fn extension(&mut self, node: &Node, name: &str, object: &'static Object, path: Path<'_>) {
        let Some(key) =
            name.strip_prefix("x-").filter(|name| HOB_KEYS.contains(name)).and_then(|name| object.key(name))
        else {
            return;
        };
        if !fits(node, key.shape) {
            let message = format!("{path} is not what hob's `{}` looks like, and is ignored", key.name);
            self.report.warn(Code::Suspicious, node.key_or_span(), message, None);
        }
    }

    fn unknown(&mut self, node: &Node, name: &str, object: &'static Object, path: Path<'_>) {
        let owner = if path.is_empty() { String::new() } else { format!(" in {path}") };
        let message = format!("unknown key `{name}`{owner}: {} has no such key", object.title);
        let known = object.keys.iter().map(|key| key.name);
        let help = match habit(object.title, name).or_else(|| closest(name, known)) {
            Some(known) => format!("did you mean `{known}`?"),
            None if object.extensions => format!("if it is your own, call it `x-{name}`"),
            None => {
                format!("it has {}", alternatives(&object.keys.iter().map(|key| key.name).collect::<Vec<_>>()))
            }
        };
        self.report.error_help(Code::UnknownKey, node.key_or_span(), message, help);
    }

    fn map(&mut self, node: &Node, entries: &'static Entries, shape: &Shape, path: Path<'_>) {
        let Some(map) = node.as_map() else {
            self.mismatch(node, shape, path);
            return;
        };
        for (name, child) in map {
            if entries.names && !is_name(name) {
                let message = format!("{name:?} cannot be the name of a {}", entries.title);
                let help = "use letters, digits, `.`, `_` and `-`".to_owned();
                self.report.error_help(Code::Value, child.key_or_span(), message, help);
                continue;
            }
            self.shape(child, &entries.shape, Path::Key(&path, name));
        }
    }

    fn list(&mut self, node: &Node, items: &Shape, unique: bool, shape: &Shape, path: Path<'_>) {
        let Some(list) = node.as_list() else {
            self.mismatch(node, shape, path);
            return;
        };
        for (index, item) in list.iter().enumerate() {
            self.shape(item, items, Path::Index(&path, index));
        }
        if unique && list.len() > 1 {
            self.unique(list, path);
        }
    }

    fn unique(&mut self, list: &[Node], path: Path<'_>) {
        let mut seen: HashMap<String, &Node> = HashMap::with_capacity(list.len());
        let mut maps: Vec<(&Map, &Node)> = Vec::new();
        for item in list {
            let first = match &item.value {
                Value::Map(map) => {
                    let first = maps.iter().find(|(other, _)| *other == map).map(|(_, node)| *node);
                    maps.push((map, item));
                    first
                }
                value => {
                    let kind = if matches!(value, Value::Str(_)) { "s" } else { "n" };
                    item.to_text().and_then(|text| seen.insert(format!("{kind}{text}"), item))
                }
            };
            if let Some(first) = first {
                let text = item.to_text().map_or_else(|| "an item".to_owned(), |text| format!("{text:?}"));
                let message = format!("{path} has {text} twice; the first is at line {}", first.span.line);
                self.report.error_help(Code::Conflict, item.span, message, "remove one of the two");
            }
        }
    }
}

/// What is meant by keys of other tools, and of Compose's first versions.
fn habit(object: &str, name: &str) -> Option<&'static str> {
    Some(match (object, name) {
        ("a service", "net") => "network_mode",
        ("a service", "base") => "image",
        ("a service", "cmd" | "run" | "exec") => "command",
        ("a service", "env" | "envs" | "variables") => "environment",
        ("a service", "port") => "ports",
        ("a service", "volume" | "mount" | "mounts") => "volumes",
        ("a service", "depends" | "needs" | "requires") => "depends_on",
        ("a service", "mem" | "memory") => "mem_limit",
        ("a service", "cpu") => "cpus",
        ("a service", "name") => "container_name",
        ("a service", "log_driver") => "logging.driver",
        ("a service", "log_opt" | "log_opts") => "logging.options",
        ("a service", "dockerfile") => "build.dockerfile",
        ("a service", "context") => "build.context",
        ("a service", "args") => "build.args",
        ("a service", "target") => "build.target",
        ("a build", "file") => "dockerfile",
        ("a build", "base" | "path" | "dir" | "folder") => "context",
        _ => return None,
    })
}

/// Whether something at the top level is a service that was not put under `services`.
fn is_service(node: &Node) -> bool {
    node.as_map().is_some_and(|map| map.contains_key("image") || map.contains_key("build"))
}

/// Whether a value's kind is one that a shape takes.
fn accepts(shape: &Shape, node: &Node) -> bool {
    match shape {
        Shape::Any => true,
        Shape::Object(_) | Shape::Map(_) => matches!(node.value, Value::Map(_)),
        Shape::List(..) => matches!(node.value, Value::List(_)),
        Shape::Either(shapes) => shapes.iter().any(|shape| accepts(shape, node)),
        Shape::Scalar(scalar) => match &node.value {
            Value::Str(_) => scalar.types.has(Types::STRING),
            Value::Int(_) => scalar.types.has(Types::INTEGER),
            Value::Float(value) => {
                scalar.types.has(Types::NUMBER) || scalar.types.has(Types::INTEGER) && value.fract() == 0.0
            }
            Value::Bool(_) => scalar.types.has(Types::BOOLEAN),
            Value::Null => scalar.types.has(Types::NULL),
            Value::Date(_) | Value::List(_) | Value::Map(_) => false,
        },
    }
}

/// Whether a name is made of the characters that names may have.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// As strict as Compose: two characters of a name must stand side by side somewhere.
fn is_container_name(text: &str) -> bool {
    text.as_bytes()
        .windows(2)
        .any(|pair| pair[0].is_ascii_alphanumeric() && (pair[1].is_ascii_alphanumeric() || b"_.-".contains(&pair[1])))
}

fn is_pull_policy(text: &str) -> bool {
    const WORDS: [&str; 8] = ["always", "never", "build", "if_not_present", "missing", "refresh", "daily", "weekly"];
    WORDS.iter().any(|word| text.contains(word))
        || text.split("every_").skip(1).any(|age| {
            let digits = age.bytes().take_while(u8::is_ascii_digit).count();
            digits > 0 && age.as_bytes().get(digits).is_some_and(|unit| b"wdhms".contains(unit))
        })
}

/// `a`, `b` or `c`.
pub fn alternatives(words: &[&str]) -> String {
    listed(words, "or")
}

/// `a`, `b` and `c`.
fn all_of(words: &[&str]) -> String {
    listed(words, "and")
}

fn listed(words: &[&str], joined: &str) -> String {
    match words {
        [] => "nothing".to_owned(),
        [word] => format!("`{word}`"),
        [rest @ .., last] => {
            let rest: Vec<String> = rest.iter().map(|word| format!("`{word}`")).collect();
            format!("{} {joined} `{last}`", rest.join(", "))
        }
    }
}

/// What a shape accepts, in words.
pub fn expectation(shape: &Shape) -> String {
    let mut parts = Vec::new();
    collect(shape, &mut parts);
    parts.dedup();
    match parts.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => parts.concat(),
    }
}

fn collect(shape: &Shape, parts: &mut Vec<String>) {
    match shape {
        Shape::Any => parts.push("anything".to_owned()),
        Shape::Object(object) => parts.push(format!("a mapping ({})", object.title)),
        Shape::Map(_) => parts.push("a mapping".to_owned()),
        Shape::List(..) => parts.push("a list".to_owned()),
        Shape::Either(shapes) => shapes.iter().for_each(|shape| collect(shape, parts)),
        Shape::Scalar(scalar) => match scalar.check {
            Check::OneOf(words) => parts.push(alternatives(words)),
            Check::Size => parts.push("a byte size such as \"512m\"".to_owned()),
            Check::Duration => parts.push("a duration in a string such as \"10s\"".to_owned()),
            Check::None | Check::Range(..) | Check::Octal | Check::ContainerName | Check::PullPolicy => {
                let types = scalar.types;
                if types.has(Types::BOOLEAN) {
                    parts.push("`true` or `false`".to_owned());
                }
                if types.has(Types::NUMBER) {
                    parts.push("a number".to_owned());
                } else if types.has(Types::INTEGER) {
                    parts.push("a whole number".to_owned());
                }
                if types.has(Types::STRING) {
                    parts.push("a string".to_owned());
                }
            }
        },
    }
}

/// Checks one entry of `include`, which is used before the whole manifest is checked.
pub fn check_include(node: &Node, report: &mut Report) {
    if let Some(items) = crate::manifest::language::MANIFEST.key("include").and_then(|key| key.shape.items()) {
        Checker { report, templates: false }.shape(node, items, Path::Top("include"));
    }
}
