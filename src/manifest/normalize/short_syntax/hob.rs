//! hob's own keys.

use crate::manifest::read::yaml::{Map, Node, Span, Value};
use crate::manifest::report::Report;
use crate::manifest::report::diagnostic::Code;

/// `x-reload` and its like become `reload`.
pub fn keys(name: &str, service: &mut Map, report: &mut Report) {
    for key in crate::manifest::language::HOB_KEYS {
        let prefixed = format!("x-{key}");
        let shape = crate::manifest::language::MANIFEST
            .key("services")
            .and_then(|key| key.shape.entries())
            .and_then(|entries| entries.shape.object())
            .and_then(|object| object.key(key))
            .map(|key| key.shape);
        if service.get(&prefixed).is_some_and(|node| shape.is_some_and(|s| crate::manifest::check::fits(node, s)))
            && let Some(node) = service.shift_remove(&prefixed)
        {
            if service.contains_key(key) {
                let message = format!("services.{name} has both `{key}` and `{prefixed}`");
                report.error_help(Code::Conflict, node.key_or_span(), message, "remove one of the two");
                continue;
            }
            service.insert(key.to_owned(), node);
        }
    }
    if let Some(node) = service.get("reload")
        && let Some(map) = node.as_map()
        && map.len() != 1
    {
        let message = format!("services.{name}.reload needs one of `signal` and `exec`");
        report.error(Code::Conflict, node.span, message);
    }
}

/// A command alone as a host process.
pub fn process(node: &mut Node) {
    if node.as_map().is_none() {
        let command = Node { key: Span::default(), ..node.clone() };
        node.value = Value::Map(Map::from_iter([("command".to_owned(), command)]));
    }
}
