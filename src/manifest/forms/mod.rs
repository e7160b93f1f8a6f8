//! Short forms to long ones, in place on the tree, so that places stay known. Every function leaves alone what has the
//! wrong kind: the check has complained about that already.
//!
//! There are two steps, because Compose has two and they can be told apart: [`canonical`] after every document, so that
//! the next document is merged with long forms, and [`finish`] when all are merged.

pub mod command;
mod finish;
mod hob;
pub mod port;
mod service;
pub mod volume;

use super::diagnostic::Code;
use super::report::Report;
use super::yaml::{Map, Node, Span, Value};

/// The first step: mounts, ports, references, dependencies and their like.
/// `templates` says that variables were not put in: ports that cannot be read then stay as they are.
pub fn canonical(manifest: &mut Map, templates: bool, report: &mut Report) {
    if let Some(services) = manifest.get_mut("services").and_then(Node::as_map_mut) {
        for service in services.values_mut() {
            if let Some(map) = service.as_map_mut() {
                service::canonical(map, templates, report);
            }
        }
    }
    for section in RESOURCES {
        let Some(resources) = manifest.get_mut(section).and_then(Node::as_map_mut) else { continue };
        for (name, resource) in resources {
            if let Some(map) = resource.as_map_mut() {
                external(section, name, map, report);
            }
        }
    }
}

const RESOURCES: [&str; 4] = ["networks", "volumes", "secrets", "configs"];

/// The second step: lists of `KEY=value`, command lines, health checks, `/etc/hosts` lines, hob's keys.
pub fn finish(manifest: &mut Map, report: &mut Report) {
    if let Some(services) = manifest.get_mut("services").and_then(Node::as_map_mut) {
        for (name, service) in services {
            if let Some(map) = service.as_map_mut() {
                finish::finish(name, map, report);
            }
        }
    }
    for section in RESOURCES {
        let Some(resources) = manifest.get_mut(section).and_then(Node::as_map_mut) else { continue };
        for labels in resources.values_mut().filter_map(|resource| resource.as_map_mut()?.get_mut("labels")) {
            pairs(labels);
        }
    }
}

/// `external: {name: x}`, the old form of `external: true` and `name: x`.
fn external(section: &str, key: &str, map: &mut Map, report: &mut Report) {
    let Some(node) = map.get("external") else { return };
    let Some(name) = node.as_map().map(|old| old.get("name").cloned()) else { return };
    let span = node.span;
    let message = format!("{section}.{key}: `external.name` is deprecated");
    let help = "write `external: true` and `name: …` beside it".to_owned();
    report.warn(Code::Obsolete, node.key_or_span(), message, Some(help));
    if let (Some(old), Some(new)) = (&name, map.get("name"))
        && old != new
    {
        let message = format!("{section}.{key} has a `name` and another `external.name`");
        report.error_help(Code::Conflict, new.span, message, "remove `external.name`, which is the old form");
    }
    if let Some(old) = map.get_mut("external") {
        *old = old.with(Value::Bool(true));
    }
    if let Some(name) = name {
        map.insert("name".to_owned(), name);
    } else if !map.contains_key("name") {
        map.insert("name".to_owned(), Node::text(key, span));
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

/// One string as a list of one.
pub fn strings(node: &mut Node) {
    if let Value::Str(_) = node.value {
        let item = Node { key: Span::default(), ..node.clone() };
        node.value = Value::List(vec![item]);
    }
}
