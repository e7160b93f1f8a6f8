//! What is left of a service's short forms when everything is merged.

use super::service::each;
use super::{command, hob, pairs, strings};
use crate::manifest::diagnostic::Code;
use crate::manifest::report::Report;
use crate::manifest::yaml::{Map, Node, Value};

/// Brings one service to its last form.
pub fn finish(name: &str, service: &mut Map, report: &mut Report) {
    for (key, node) in service.iter_mut() {
        match key.as_str() {
            "environment" => variables(node, report),
            "annotations" | "labels" | "sysctls" => pairs(node),
            "build" => build(node, report),
            "dns_search" | "tmpfs" => strings(node),
            "deploy" => deploy(node),
            "develop" => develop(name, node, report),
            "gpus" => each(node, device_request),
            "volumes" => each(node, |mount| {
                let options = mount.as_map_mut().and_then(|map| map.get_mut("volume")).and_then(Node::as_map_mut);
                options.and_then(|map| map.get_mut("labels")).into_iter().for_each(pairs);
            }),
            "command" | "entrypoint" => words(name, key, node, report),
            "healthcheck" => health(node),
            "post_start" | "pre_start" | "pre_stop" => {
                for hook_node in node.as_list_mut().into_iter().flatten() {
                    hook(name, key, hook_node, report);
                }
            }
            "extra_hosts" => hosts(node, report),
            _ => {}
        }
    }
    hob::keys(name, service, report);
}

/// Variables of an environment: in a list, a space before the `=` is a mistake.
fn variables(node: &mut Node, report: &mut Report) {
    for item in node.as_list().into_iter().flatten() {
        let name = item.as_str().map(|text| text.split_once('=').map_or(text, |(name, _)| name));
        if let Some(name) = name.filter(|name| name.ends_with(char::is_whitespace)) {
            let message = format!("the name of the variable {name:?} ends with a space");
            report.error_help(Code::Value, item.span, message, format!("write `{}=…`", name.trim_end()));
        }
    }
    pairs(node);
}

fn build(node: &mut Node, report: &mut Report) {
    let Some(map) = node.as_map_mut() else { return };
    for (key, node) in map {
        match key.as_str() {
            "args" => variables(node, report),
            "labels" => pairs(node),
            "extra_hosts" => hosts(node, report),
            _ => {}
        }
    }
}

fn deploy(node: &mut Node) {
    let Some(map) = node.as_map_mut() else { return };
    if let Some(labels) = map.get_mut("labels") {
        pairs(labels);
    }
    let reservations = map.get_mut("resources").and_then(Node::as_map_mut).and_then(|map| map.get_mut("reservations"));
    if let Some(devices) = reservations.and_then(Node::as_map_mut).and_then(|map| map.get_mut("devices")) {
        each(devices, device_request);
    }
}

fn device_request(node: &mut Node) {
    let span = node.span;
    let Some(map) = node.as_map_mut() else { return };
    if let Some(options) = map.get_mut("options") {
        pairs(options);
    }
    if let Some(count) = map.get_mut("count") {
        if let Value::Str(text) = &count.value {
            if text == "all" {
                count.value = Value::Int(-1);
            } else if let Ok(number) = text.parse::<i64>() {
                count.value = Value::Int(number.into());
            }
        }
    } else if !map.contains_key("device_ids") {
        map.insert("count".to_owned(), Node::new(Value::Int(-1), span));
    }
}

fn develop(service: &str, node: &mut Node, report: &mut Report) {
    let Some(Value::List(rules)) = node.as_map_mut().and_then(|map| map.get_mut("watch")).map(|node| &mut node.value)
    else {
        return;
    };
    for rule in rules {
        let Some(map) = rule.as_map_mut() else { continue };
        for (key, node) in map {
            match key.as_str() {
                "include" | "ignore" => strings(node),
                "exec" => hook(service, "develop.watch.exec", node, report),
                _ => {}
            }
        }
    }
}

/// `/etc/hosts` lines as a list of `name=address`, sorted.
fn hosts(node: &mut Node, report: &mut Report) {
    let mut list = crate::manifest::merge::sequence(std::mem::take(node));
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

/// A command line as a list of words.
fn words(service: &str, key: &str, node: &mut Node, report: &mut Report) {
    let Value::Str(text) = &node.value else { return };
    match command::split(text) {
        Ok(split) => {
            if let Some(dropped) = split.dropped {
                let message =
                    format!("services.{service}.{key}: no shell runs this, so it ends before `{}`", excerpt(&dropped));
                let help = format!("write `{key}: [\"sh\", \"-c\", \"…\"]` to run it in a shell");
                report.warn(Code::Suspicious, node.span, message, Some(help));
            }
            let list = split.words.into_iter().map(|word| Node::text(word, node.span)).collect();
            node.value = Value::List(list);
        }
        Err(message) => report.error_help(
            Code::Value,
            node.span,
            format!("services.{service}.{key} cannot be split into words: {message}"),
            "write it as a list, or close the quote",
        ),
    }
}

fn excerpt(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(30).collect()
}

fn hook(service: &str, key: &str, node: &mut Node, report: &mut Report) {
    let Some(map) = node.as_map_mut() else { return };
    if let Some(environment) = map.get_mut("environment") {
        pairs(environment);
    }
    if let Some(command) = map.get_mut("command") {
        words(service, &format!("{key}.command"), command, report);
    }
}

fn health(node: &mut Node) {
    let Some(test) = node.as_map_mut().and_then(|map| map.get_mut("test")) else { return };
    shell(test);
}

/// A string as a command for the shell.
fn shell(node: &mut Node) {
    if let Value::Str(text) = &node.value {
        let list = vec![Node::text("CMD-SHELL", node.span), Node::text(text.clone(), node.span)];
        node.value = Value::List(list);
    }
}
