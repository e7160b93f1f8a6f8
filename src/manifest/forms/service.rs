//! The short forms of a service that merging must not see.

use super::{pairs, port, strings, volume};
use crate::manifest::diagnostic::Code;
use crate::manifest::merge::{as_build, by_name};
use crate::manifest::report::Report;
use crate::manifest::yaml::{Map, Node, Value};
use crate::model::clean_path;

/// Brings one service to long forms, as far as merging needs them.
pub fn canonical(service: &mut Map, templates: bool, report: &mut Report) {
    for (key, node) in service.iter_mut() {
        match key.as_str() {
            "build" => build(node),
            "depends_on" => depends_on(node),
            "networks" | "models" => *node = by_name(std::mem::take(node), false),
            "dns" | "label_file" => strings(node),
            "devices" => each(node, device),
            "env_file" => env_file(node),
            "gpus" => gpus(node),
            "secrets" | "configs" => each(node, reference),
            "ports" if (!templates || readable(node)) => {
                ports(node, report);
            }
            "volumes" => volumes(node, report),
            _ => {}
        }
    }
}

fn depends_on(node: &mut Node) {
    *node = by_name(std::mem::take(node), true);
    for dependency in node.as_map_mut().into_iter().flat_map(|map| map.values_mut()) {
        let span = dependency.span;
        if let Some(map) = dependency.as_map_mut() {
            map.entry("required".to_owned()).or_insert_with(|| Node::new(Value::Bool(true), span));
        }
    }
}

pub(super) fn each(node: &mut Node, change: impl Fn(&mut Node)) {
    if let Some(list) = node.as_list_mut() {
        list.iter_mut().for_each(change);
    }
}

fn build(node: &mut Node) {
    *node = as_build(std::mem::take(node));
    let Some(map) = node.as_map_mut() else { return };
    for (key, node) in map {
        match key.as_str() {
            "additional_contexts" => pairs(node),
            "secrets" => each(node, reference),
            "ssh" => ssh(node),
            _ => {}
        }
    }
}

/// SSH agents and keys as a list of `id` or `id=path`.
fn ssh(node: &mut Node) {
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

fn gpus(node: &mut Node) {
    if node.as_str() == Some("all") {
        let mut map = Map::default();
        map.insert("count".to_owned(), Node::new(Value::Int(-1), node.span));
        node.value = Value::List(vec![Node::new(Value::Map(map), node.span)]);
    }
}

fn device(node: &mut Node) {
    let Some(text) = node.as_str() else { return };
    let parts: Vec<&str> = text.splitn(3, ':').collect();
    let source = parts[0];
    let target = parts.get(1).copied().unwrap_or(source);
    let permissions = parts.get(2).copied().unwrap_or("rwm");
    let map = [("source", source), ("target", target), ("permissions", permissions)]
        .into_iter()
        .map(|(key, text)| (key.to_owned(), Node::text(text, node.span)))
        .collect();
    node.value = Value::Map(map);
}

fn env_file(node: &mut Node) {
    strings(node);
    each(node, |item| {
        if let Value::Str(path) = &item.value {
            let map = Map::from_iter([("path".to_owned(), Node::text(path.clone(), item.span))]);
            item.value = Value::Map(map);
        }
    });
}

fn reference(node: &mut Node) {
    if let Value::Str(source) = &node.value {
        let map = Map::from_iter([("source".to_owned(), Node::text(source.clone(), node.span))]);
        node.value = Value::Map(map);
    }
}

/// Whether every short port can be read.
fn readable(node: &Node) -> bool {
    node.as_list().into_iter().flatten().all(|item| item.as_str().is_none_or(|text| port::parse(text).is_ok()))
}

fn ports(node: &mut Node, report: &mut Report) {
    let Some(list) = node.as_list_mut() else { return };
    let mut ports = Vec::with_capacity(list.len());
    for item in std::mem::take(list) {
        let text = match &item.value {
            Value::Int(number) => number.to_string(),
            Value::Str(text) => text.clone(),
            _ => {
                ports.push(item);
                continue;
            }
        };
        match port::parse(&text) {
            Ok(mut short) => {
                // Compose sorts the ports of a range as text.
                short.sort_by_key(|port| format!("{}/{}", port.target, port.protocol));
                ports.extend(short.into_iter().map(|port| long_port(&port, &item)));
            }
            Err(message) => report.error_help(
                Code::Value,
                item.span,
                message,
                "write `container`, `host:container` or `address:host:container`, and `/udp` behind it if it is UDP",
            ),
        }
    }
    *list = ports;
}

fn long_port(port: &port::ShortPort, item: &Node) -> Node {
    let span = item.span;
    let mut map = Map::default();
    map.insert("mode".to_owned(), Node::text("ingress", span));
    if !port.host_ip.is_empty() {
        map.insert("host_ip".to_owned(), Node::text(&port.host_ip, span));
    }
    map.insert("target".to_owned(), Node::new(Value::Int(port.target.into()), span));
    if !port.published.is_empty() {
        map.insert("published".to_owned(), Node::text(&port.published, span));
    }
    map.insert("protocol".to_owned(), Node::text(&port.protocol, span));
    item.with(Value::Map(map))
}

fn volumes(node: &mut Node, report: &mut Report) {
    let Some(list) = node.as_list_mut() else { return };
    for item in list {
        let Some(text) = item.as_str() else { continue };
        match volume::parse(text) {
            Ok(short) => {
                if short.source.is_empty() && short.target.as_bytes().get(1) == Some(&b':') {
                    let message = format!("{text:?} is taken for a path on a Windows drive");
                    let help = "give the volume a name of two letters or more".to_owned();
                    report.warn(Code::Suspicious, item.span, message, Some(help));
                }
                *item = long_volume(short, item);
            }
            Err(message) => report.error(Code::Value, item.span, message),
        }
    }
}

fn long_volume(short: volume::ShortVolume, item: &Node) -> Node {
    let span = item.span;
    let text = |text: String| Node::text(text, span);
    let mut map = Map::default();
    map.insert("type".to_owned(), text(if short.bind { "bind" } else { "volume" }.to_owned()));
    if !short.source.is_empty() {
        map.insert("source".to_owned(), text(short.source));
    }
    map.insert("target".to_owned(), text(clean_path(&short.target)));
    if short.read_only {
        map.insert("read_only".to_owned(), Node::new(Value::Bool(true), span));
    }
    let mut bind = Map::default();
    if let Some(selinux) = short.selinux {
        bind.insert("selinux".to_owned(), text(selinux));
    }
    if let Some(propagation) = short.propagation {
        bind.insert("propagation".to_owned(), text(propagation));
    }
    if short.bind {
        bind.insert("create_host_path".to_owned(), Node::new(Value::Bool(true), span));
    }
    if !bind.is_empty() {
        map.insert("bind".to_owned(), Node::new(Value::Map(bind), span));
    }
    if !short.bind || short.nocopy {
        let mut volume = Map::default();
        if short.nocopy {
            volume.insert("nocopy".to_owned(), Node::new(Value::Bool(true), span));
        }
        map.insert("volume".to_owned(), Node::new(Value::Map(volume), span));
    }
    item.with(Value::Map(map))
}
