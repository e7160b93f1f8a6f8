//! The short forms of a service.

use super::{command, pairs, port, strings, volume};
use crate::manifest::diagnostic::Code;
use crate::manifest::merge::{as_build, by_name};
use crate::manifest::report::Report;
use crate::manifest::yaml::{Map, Node, Span, Value};

/// Brings one service to long forms.
pub fn canonical(name: &str, service: &mut Map, report: &mut Report) {
    for (key, node) in service.iter_mut() {
        match key.as_str() {
            "annotations" | "environment" | "labels" | "sysctls" => pairs(node),
            "build" => build(node),
            "depends_on" => *node = by_name(std::mem::take(node), true),
            "networks" | "models" => *node = by_name(std::mem::take(node), false),
            "dns" | "dns_search" | "label_file" | "tmpfs" => strings(node),
            "deploy" => deploy(node),
            "develop" => develop(name, node, report),
            "devices" => each(node, device),
            "env_file" => env_file(node),
            "gpus" => gpus(node),
            "secrets" | "configs" => each(node, reference),
            "ports" => ports(node, report),
            "volumes" => volumes(node, report),
            "command" | "entrypoint" => words(name, key, node, report),
            "healthcheck" => health(node),
            "post_start" | "pre_stop" => {
                if let Some(hooks) = node.as_list_mut() {
                    hooks.iter_mut().for_each(|hook_node| hook(name, key, hook_node, report));
                }
            }
            "extra_hosts" => hosts(node),
            _ => {}
        }
    }
    hob(name, service, report);
}

fn each(node: &mut Node, change: impl Fn(&mut Node)) {
    if let Some(list) = node.as_list_mut() {
        list.iter_mut().for_each(change);
    }
}

fn build(node: &mut Node) {
    *node = as_build(std::mem::take(node));
    let Some(map) = node.as_map_mut() else { return };
    for (key, node) in map {
        match key.as_str() {
            "args" | "labels" | "additional_contexts" => pairs(node),
            "secrets" => each(node, reference),
            "ssh" => ssh(node),
            "extra_hosts" => hosts(node),
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

/// `/etc/hosts` lines as a list of `name=address`, sorted.
fn hosts(node: &mut Node) {
    let mut list = crate::manifest::merge::sequence(std::mem::take(node));
    for item in &mut list {
        let Value::Str(text) = &mut item.value else { continue };
        if !text.contains('=')
            && let Some((host, address)) = text.split_once(':')
        {
            *text = format!("{}={}", host.trim(), address.trim());
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

fn deploy(node: &mut Node) {
    let Some(map) = node.as_map_mut() else { return };
    if let Some(labels) = map.get_mut("labels") {
        pairs(labels);
    }
    let devices = map
        .get_mut("resources")
        .and_then(Node::as_map_mut)
        .and_then(|map| map.get_mut("reservations"))
        .and_then(Node::as_map_mut)
        .and_then(|map| map.get_mut("devices"));
    if let Some(devices) = devices {
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

fn gpus(node: &mut Node) {
    if node.as_str() == Some("all") {
        let mut map = Map::new();
        map.insert("count".to_owned(), Node::new(Value::Int(-1), node.span));
        node.value = Value::List(vec![Node::new(Value::Map(map), node.span)]);
    }
    each(node, device_request);
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
    let mut map = Map::new();
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
        if let Some(labels) = item
            .as_map_mut()
            .and_then(|map| map.get_mut("volume"))
            .and_then(Node::as_map_mut)
            .and_then(|map| map.get_mut("labels"))
        {
            pairs(labels);
        }
        let Some(text) = item.as_str() else { continue };
        match volume::parse(text) {
            Ok(short) => *item = long_volume(short, item),
            Err(message) => report.error(Code::Value, item.span, message),
        }
    }
}

fn long_volume(short: volume::ShortVolume, item: &Node) -> Node {
    let span = item.span;
    let text = |text: String| Node::text(text, span);
    let mut map = Map::new();
    map.insert("type".to_owned(), text(if short.bind { "bind" } else { "volume" }.to_owned()));
    if !short.source.is_empty() {
        map.insert("source".to_owned(), text(short.source));
    }
    map.insert("target".to_owned(), text(crate::manifest::paths::clean(&short.target)));
    if short.read_only {
        map.insert("read_only".to_owned(), Node::new(Value::Bool(true), span));
    }
    let mut bind = Map::new();
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
        let mut volume = Map::new();
        if short.nocopy {
            volume.insert("nocopy".to_owned(), Node::new(Value::Bool(true), span));
        }
        map.insert("volume".to_owned(), Node::new(Value::Map(volume), span));
    }
    item.with(Value::Map(map))
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

/// hob's own keys: `x-reload` and its like become `reload`, and their short forms long ones.
fn hob(name: &str, service: &mut Map, report: &mut Report) {
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
