//! Lists and mappings that stand for each other.

use crate::manifest::merge::sequence;
use crate::manifest::read::yaml::{Map, Node, Span, Value};
use crate::manifest::report::Report;
use crate::manifest::report::diagnostic::Code;

/// One string as a list of one.
pub fn strings(node: &mut Node) {
    if let Value::Str(_) = node.value {
        let item = Node { key: Span::default(), ..node.clone() };
        node.value = Value::List(vec![item]);
    }
}

/// One mapping as a list of one.
pub fn items(node: &mut Node) {
    if let Value::Map(_) = node.value {
        let item = Node { key: Span::default(), ..node.clone() };
        node.value = Value::List(vec![item]);
    }
}

/// A list of `KEY=value` as a mapping. A key without a value is null.
pub fn pairs(node: &mut Node) {
    let Value::List(list) = &mut node.value else { return };
    let mut map = Map::with_capacity(list.len());
    for item in std::mem::take(list) {
        let Value::Str(text) = &item.value else { continue };
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key.to_owned(), Value::Str(value.to_owned())),
            None => (text.clone(), Value::Null),
        };
        let entry = Node { value, key: item.span, ..item };
        map.insert(key, entry);
    }
    node.value = Value::Map(map);
}

/// Variables of an environment: in a list, a space before the `=` is a mistake.
pub fn variables(node: &mut Node, report: &mut Report) {
    for item in node.as_list().into_iter().flatten() {
        let name = item.as_str().map(|text| text.split_once('=').map_or(text, |(name, _)| name));
        if let Some(name) = name.filter(|name| name.ends_with(char::is_whitespace)) {
            let message = format!("the name of the variable {name:?} ends with a space");
            report.error_help(Code::Value, item.span, message, format!("write `{}=…`", name.trim_end()));
        }
    }
    pairs(node);
}

/// SSH agents and keys as a list of `id` or `id=path`.
pub fn ssh(node: &mut Node) {
    strings(node);
    let Value::Map(map) = &mut node.value else { return };
    let list = std::mem::take(map)
        .into_iter()
        .map(|(key, item)| {
            let text = match item.to_text() {
                Some(text) if !text.is_empty() => format!("{key}={text}"),
                _ => key,
            };
            Node { value: Value::Str(text), ..item }
        })
        .collect();
    node.value = Value::List(list);
}

/// `/etc/hosts` lines as a list of `name=address`, sorted.
pub fn hosts(node: &mut Node, report: &mut Report) {
    let mut list = sequence(std::mem::take(node));
    for item in &mut list {
        let Value::Str(text) = &mut item.value else { continue };
        if !text.contains('=')
            && let Some((host, address)) = text.split_once(':')
        {
            *text = format!("{}={}", host.trim(), address.trim());
        }
        if text.split_once('=').is_none_or(|(host, _)| host.is_empty()) {
            let message = format!("{text:?} is no line for /etc/hosts: expected `name:address`");
            report.error(Code::Value, item.span, message);
        }
        if let Some((host, address)) = text.split_once('=') {
            let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            if let Some(bare) = bare {
                *text = format!("{host}={bare}");
            }
        }
    }
    list.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    node.value = Value::List(list);
}
