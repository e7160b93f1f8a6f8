//! hob's own keys in their short forms.

use super::service::each;
use super::{command, pairs, strings};
use crate::manifest::diagnostic::Code;
use crate::manifest::report::Report;
use crate::manifest::yaml::{Map, Node, Span, Value};

/// hob's own keys: `x-reload` and its like become `reload`, and their short forms long ones.
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
    if let Some(node) = service.get_mut("reload") {
        if let Some(exec) = node.as_map_mut().and_then(|map| map.get_mut("exec")) {
            argv(name, "reload.exec", exec, report);
        }
        if let Some(map) = node.as_map()
            && map.len() != 1
        {
            let message = format!("services.{name}.reload needs one of `signal` and `exec`");
            report.error(Code::Conflict, node.span, message);
        }
    }
    if let Some(node) = service.get_mut("prepare") {
        if node.as_map().is_some() {
            let item = Node { key: Span::default(), ..node.clone() };
            node.value = Value::List(vec![item]);
        }
        each(node, |step| {
            let Some(map) = step.as_map_mut() else { return };
            for (key, node) in map {
                match key.as_str() {
                    "inputs" | "outputs" => strings(node),
                    "environment" => pairs(node),
                    _ => {}
                }
            }
        });
        for step in node.as_list_mut().into_iter().flatten() {
            if let Some(run) = step.as_map_mut().and_then(|map| map.get_mut("run")) {
                argv(name, "prepare.run", run, report);
            }
        }
    }
    if let Some(node) = service.get_mut("process") {
        if node.as_map().is_none() {
            let command = Node { key: Span::default(), ..node.clone() };
            node.value = Value::Map(Map::from_iter([("command".to_owned(), command)]));
        }
        let Some(map) = node.as_map_mut() else { return };
        if let Some(environment) = map.get_mut("environment") {
            pairs(environment);
        }
        if let Some(command) = map.get_mut("command") {
            argv(name, "process.command", command, report);
        }
    }
}

/// A command of the host: a string with shell operators is for the shell, another one is split.
fn argv(service: &str, key: &str, node: &mut Node, report: &mut Report) {
    let Value::Str(text) = &node.value else { return };
    match command::split(text) {
        Ok(split) if split.dropped.is_none() && !text.contains(['$', '`', '*', '\n']) => {
            let list = split.words.into_iter().map(|word| Node::text(word, node.span)).collect();
            node.value = Value::List(list);
        }
        Ok(_) => {
            let shell = ["sh", "-c", text].map(|word| Node::text(word, node.span));
            node.value = Value::List(shell.into());
        }
        Err(message) => {
            let message = format!("services.{service}.{key} cannot be split into words: {message}");
            report.error_help(Code::Value, node.span, message, "write it as a list, or close the quote");
        }
    }
}
