//! Fills in what a manifest in long forms leaves open: defaults, the default network, names of resources, and the
//! dependencies that links and shared namespaces imply.

pub mod paths;
pub mod short_syntax;

use crate::manifest::interpolate::template::Lookup;
use crate::manifest::read::yaml::{Map, Node, Span, Value};
use crate::model::clean_path;

/// Defaults that hold inside every included manifest too.
pub fn defaults(manifest: &mut Map) {
    let Some(services) = manifest.get_mut("services").and_then(Node::as_map_mut) else { return };
    for service in services.values_mut().filter_map(Node::as_map_mut) {
        for (key, node) in service.iter_mut() {
            match key.as_str() {
                "build" => {
                    default(node, "context", ".");
                }
                "secrets" => items(node, |secret| {
                    let source = secret.get("source").and_then(Node::as_str).map(|s| format!("/run/secrets/{s}"));
                    if let Some(target) = source {
                        default(secret, "target", &target);
                    }
                }),
                "ports" => items(node, |port| {
                    default(port, "mode", "ingress");
                    default(port, "protocol", "tcp");
                }),
                "env_file" => items(node, |file| {
                    let span = file.span;
                    if let Some(map) = file.as_map_mut() {
                        map.entry("required".to_owned()).or_insert_with(|| Node::new(Value::Bool(true), span));
                    }
                }),
                _ => {}
            }
        }
    }
}

fn items(node: &mut Node, change: impl Fn(&mut Node)) {
    if let Some(list) = node.as_list_mut() {
        list.iter_mut().for_each(change);
    }
}

fn default(node: &mut Node, key: &str, value: &str) {
    let span = node.span;
    if let Some(map) = node.as_map_mut()
        && map.get(key).is_none_or(Node::is_null)
    {
        map.insert(key.to_owned(), Node::text(value, span));
    }
}

/// What is done once, to the whole manifest. Without `values`, variables without a value stay so.
/// With `all_resources` the network `default` is there even where nothing uses it.
pub fn normalize(manifest: &mut Map, project: &str, values: Option<&dyn Lookup>, all_resources: bool) {
    if let Some(services) = manifest.get_mut("services").and_then(Node::as_map_mut) {
        for service in services.values_mut() {
            let span = service.key_or_span();
            if let Some(map) = service.as_map_mut() {
                normalize_service(map, span, values);
            }
        }
    }
    networks(manifest, all_resources);
    names(manifest, project);
}

/// The part of it that is no matter of form: variables that containers take over from here.
pub fn inherited(manifest: &mut Map, values: Option<&dyn Lookup>) {
    let Some(values) = values else { return };
    // A resource of which nothing is said is one with nothing in it.
    for section in ["networks", "volumes", "configs", "secrets"] {
        let resources =
            manifest.get_mut(section).and_then(Node::as_map_mut).into_iter().flat_map(|map| map.values_mut());
        resources.filter(|node| node.is_null()).for_each(|node| node.value = Value::Map(Map::default()));
    }
    let services = manifest.get_mut("services").and_then(Node::as_map_mut).into_iter().flat_map(|map| map.values_mut());
    for environment in services.filter_map(|service| service.as_map_mut()?.get_mut("environment")) {
        inherit(environment, values, true);
    }
}

fn normalize_service(service: &mut Map, span: Span, values: Option<&dyn Lookup>) {
    if let Some(policy) = service.get_mut("pull_policy")
        && policy.as_str() == Some("if_not_present")
    {
        policy.value = Value::Str("missing".to_owned());
    }
    if let Some(build) = service.get_mut("build") {
        let inline = build.get("dockerfile_inline").is_some_and(|node| !node.is_null());
        if !inline {
            default(build, "dockerfile", "Dockerfile");
        }
        if let Some(args) = build.as_map_mut().and_then(|map| map.get_mut("args")) {
            match (values, &mut args.value) {
                (Some(values), _) => inherit(args, values, false),
                // Where variables stay as they are written, arguments without a value are left out, as in Compose.
                (None, Value::Map(map)) => map.retain(|_, node| !node.is_null()),
                (None, Value::List(list)) => {
                    list.retain(|node| node.as_str().is_none_or(|text| text.contains('=')));
                }
                (None, _) => {}
            }
        }
    }
    if let (Some(environment), Some(values)) = (service.get_mut("environment"), values) {
        inherit(environment, values, true);
    }
    if let Some(volumes) = service.get_mut("volumes") {
        items(volumes, |mount| {
            if let Some(target) = mount.as_map_mut().and_then(|map| map.get_mut("target"))
                && let Value::Str(text) = &mut target.value
            {
                *text = clean_path(text);
            }
        });
    }
    implied(service, span, values.is_none());
}

/// `KEY` without a value takes the value of the environment; unset, it stays null or is dropped.
pub fn inherit(node: &mut Node, values: &dyn Lookup, keep: bool) {
    let Some(map) = node.as_map_mut() else { return };
    for (key, node) in map.iter_mut() {
        if node.is_null()
            && let Some((value, _)) = values.lookup(key)
        {
            node.value = Value::Str(value.to_owned());
        }
    }
    if !keep {
        map.retain(|_, node| !node.is_null());
    }
}

/// Dependencies that nobody wrote down. `in_full` says so too where nothing is restarted, as Compose's `config
/// --no-interpolate` does.
fn implied(service: &mut Map, span: Span, in_full: bool) {
    let mut found: Vec<(String, bool, Span)> = Vec::new();
    let text = |node: &Node| node.as_str().map(ToOwned::to_owned);
    for link in service.get("links").and_then(Node::as_list).into_iter().flatten() {
        if let Some(name) = text(link) {
            let name = match name.split(':').collect::<Vec<_>>().as_slice() {
                [name, _] => (*name).to_owned(),
                _ => name,
            };
            found.push((name, true, link.span));
        }
    }
    for key in ["network_mode", "ipc", "pid", "uts", "cgroup"] {
        let Some(node) = service.get(key) else { continue };
        if let Some(name) = node.as_str().and_then(|text| text.strip_prefix("service:")) {
            found.push((name.to_owned(), true, node.span));
        }
    }
    for from in service.get("volumes_from").and_then(Node::as_list).into_iter().flatten() {
        if let Some(name) = text(from).filter(|name| !name.starts_with("container:")) {
            let name = name.split(':').next().unwrap_or_default().to_owned();
            found.push((name, false, from.span));
        }
    }
    if found.is_empty() {
        return;
    }
    let node = service
        .entry("depends_on".to_owned())
        .or_insert_with(|| Node { key: span, ..Node::new(Value::Map(Map::default()), span) });
    let Some(depends_on) = node.as_map_mut() else { return };
    for (name, restart, span) in found {
        depends_on.entry(name).or_insert_with(|| {
            let mut value = crate::manifest::merge::started(span);
            if let (true, Value::Map(map)) = (restart || in_full, &mut value) {
                map.insert("restart".to_owned(), Node::new(Value::Bool(restart), span));
            }
            Node { key: span, ..Node::new(value, span) }
        });
    }
}

/// The network `default`, for services that name none; with `always` also where there are none.
fn networks(manifest: &mut Map, always: bool) {
    let mut used = always.then(Span::default);
    if let Some(services) = manifest.get_mut("services").and_then(Node::as_map_mut) {
        for service in services.values_mut() {
            let span = service.key_or_span();
            let Some(map) = service.as_map_mut() else { continue };
            if map.contains_key("provider") || map.contains_key("network_mode") || map.contains_key("process") {
                continue;
            }
            match map.get("networks").and_then(Node::as_map) {
                Some(networks) if !networks.is_empty() => {
                    if networks.contains_key("default") {
                        used = Some(span);
                    }
                }
                _ => {
                    used = Some(span);
                    let attachment = Node { key: span, ..Node::new(Value::Null, span) };
                    let networks = Map::from_iter([("default".to_owned(), attachment)]);
                    map.insert("networks".to_owned(), Node { key: span, ..Node::new(Value::Map(networks), span) });
                }
            }
        }
    }
    let Some(span) = used else { return };
    let node = manifest.entry("networks".to_owned()).or_insert_with(|| Node::new(Value::Map(Map::default()), span));
    if node.is_null() {
        node.value = Value::Map(Map::default());
    }
    if let Some(networks) = node.as_map_mut() {
        networks.entry("default".to_owned()).or_insert_with(|| Node::new(Value::Null, Span::default()));
    }
}

/// Names for resources that have none: the key if they exist already, else project and key.
fn names(manifest: &mut Map, project: &str) {
    for section in ["networks", "volumes", "configs", "secrets"] {
        let Some(resources) = manifest.get_mut(section).and_then(Node::as_map_mut) else { continue };
        for (key, node) in resources {
            if node.is_null() {
                node.value = Value::Map(Map::default());
            }
            let span = node.key_or_span();
            let Some(map) = node.as_map_mut() else { continue };
            if map.get("name").is_some_and(|name| !name.is_null()) {
                continue;
            }
            let external = map.get("external").is_some_and(|node| node.value == Value::Bool(true));
            let name = if external { key.clone() } else { format!("{project}_{key}") };
            map.insert("name".to_owned(), Node::text(name, span));
        }
    }
}
