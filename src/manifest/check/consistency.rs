//! Holds the parts of a manifest against each other: values that exclude each other, services that wait for each
//! other, resources without a source.

use std::collections::{BTreeMap, BTreeSet};

use crate::manifest::Purpose;
use crate::manifest::check::references;
use crate::manifest::lower::profiles::On;
use crate::manifest::read::yaml::{Map, Node, Span, Value};
use crate::manifest::report::Report;
use crate::manifest::report::diagnostic::Code;
use crate::model::{ByteSize, closest, reference_problem};

/// Everything, for a manifest that is complete. Of the services that are on, only those that are used can be in each
/// other's way, or be refused by the engine.
pub fn check(manifest: &Map, on: &On, used: &On, purpose: Purpose, report: &mut Report) {
    references::check(manifest, on, report);
    let Some(services) = manifest.get("services").and_then(Node::as_map) else { return };
    let has_source = !is_override_alone(services, on, report);
    let mut names: BTreeMap<String, &str> = BTreeMap::new();
    for name in on {
        let Some(service) = services.get(name) else { continue };
        let mut one = Service { name, node: service, report };
        if has_source {
            one.source();
        }
        one.check();
        if purpose == Purpose::Run && used.contains(name) {
            one.run();
        }
        if used.contains(name)
            && let Some(node) = service.get("container_name")
            && let Some(container) = node.as_str()
            && let Some(other) = names.insert(container.to_owned(), name)
        {
            let message = format!("services.{name}: the container name {container:?} is taken by {other}");
            report.error(Code::Conflict, node.span, message);
        }
    }
    resources(manifest, report);
    cycles(services, on, report);
}

/// Whether a service says what it runs.
fn has_source(service: &Node) -> bool {
    ["image", "build", "provider", "process"]
        .iter()
        .any(|key| service.get(key).is_some_and(|node| !node.is_null() && node.as_str() != Some("")))
}

/// An override that was given without the manifest that it belongs to: no service says what it runs. Says so once.
fn is_override_alone(services: &Map, on: &On, report: &mut Report) -> bool {
    let on: Vec<&Node> = on.iter().filter_map(|name| services.get(name)).collect();
    let Some(first) = on.first().filter(|_| !on.iter().any(|service| has_source(service))) else { return false };
    let span = first.key_or_span();
    let Some(file) = report.sources.locate(span).map(|location| location.file) else { return false };
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if on.len() < 2 && !name.contains("override") {
        return false;
    }
    let message = format!("no service in {name} has an image or a build: is it an override of another manifest?");
    let help = format!("name that one before it: `hob -f compose.yaml -f {name} …`");
    report.error_help(Code::Missing, span, message, help);
    true
}

struct Service<'a> {
    name: &'a str,
    node: &'a Node,
    report: &'a mut Report,
}

impl Service<'_> {
    fn conflict(&mut self, span: Span, message: &str) {
        self.report.error(Code::Conflict, span, format!("services.{}: {message}", self.name));
    }

    fn get(&self, path: &[&str]) -> Option<&Node> {
        let mut node = self.node;
        for key in path {
            node = node.get(key)?;
        }
        Some(node).filter(|node| !node.is_null())
    }

    fn source(&mut self) {
        if !has_source(self.node) {
            let message = format!("services.{} has neither an image nor a build", self.name);
            let help = "give it `image: name:tag`, or `build: ./folder`";
            self.report.error_help(Code::Missing, self.node.key_or_span(), message, help);
        }
    }

    /// What an engine refuses when a container is made, long after builds and pulls.
    fn run(&mut self) {
        if let Some((span, text)) = self.get(&["restart"]).and_then(|node| Some((node.span, node.as_str()?.to_owned())))
            && !is_restart_policy(&text)
        {
            let words = ["no", "always", "on-failure", "unless-stopped"];
            let message = format!("services.{}.restart cannot be {text:?}", self.name);
            let help = match closest(&text, words) {
                Some(word) => format!("did you mean `{word}`?"),
                None => {
                    format!("expected {} or `on-failure:` and a number", crate::manifest::check::alternatives(&words))
                }
            };
            self.report.error_help(Code::Value, span, message, help);
        }
        if let Some((span, text)) = self.get(&["image"]).and_then(|node| Some((node.span, node.as_str()?.to_owned())))
            && let Some(problem) = reference_problem(&text)
        {
            let message = format!("services.{}.image: {text:?} is not the name of an image: {problem}", self.name);
            self.report.error(Code::Value, span, message);
        }
    }

    fn check(&mut self) {
        self.build();
        if let (Some(mode), Some(networks)) = (self.get(&["network_mode"]), self.get(&["networks"]))
            && networks.as_map().is_some_and(|map| !map.is_empty())
            && mode.as_str() != Some("")
        {
            let span = mode.span;
            self.conflict(span, "`network_mode` and `networks` exclude each other");
        }
        self.health();
        self.numbers();
        self.mounts();
        self.ports();
        self.devices();
        self.watch();
    }

    fn build(&mut self) {
        if let (Some(inline), Some(file)) =
            (self.get(&["build", "dockerfile_inline"]), self.get(&["build", "dockerfile"]))
            && inline.as_str() != Some("")
            && file.as_str() != Some("")
        {
            let span = inline.span;
            self.conflict(span, "`dockerfile` and `dockerfile_inline` exclude each other");
        }
        if let (Some(platform), Some(platforms)) =
            (self.get(&["platform"]), self.get(&["build", "platforms"]).and_then(Node::as_list))
            && platform.as_str() != Some("")
            && !platforms.is_empty()
            && !platforms.contains(platform)
        {
            let span = platform.span;
            let names: Vec<&str> = platforms.iter().filter_map(Node::as_str).collect();
            let message = format!(
                "`build.platforms` has {}, and not {}, the `platform` of the service",
                names.join(", "),
                platform.as_str().unwrap_or_default()
            );
            self.conflict(span, &message);
        }
    }

    fn health(&mut self) {
        let Some(test) = self.get(&["healthcheck", "test"]) else { return };
        let Some(first) = test.as_list().and_then(<[Node]>::first) else { return };
        if !matches!(first.as_str(), Some("CMD" | "CMD-SHELL" | "NONE")) {
            let span = first.span;
            let message =
                format!("services.{}: a health check's list begins with `CMD`, `CMD-SHELL` or `NONE`", self.name);
            let help = "write `[\"CMD\", \"program\", \"argument\"]`, or a string for the shell";
            self.report.error_help(Code::Value, span, message, help);
        }
    }

    /// Limits that may be written at two places must agree.
    fn numbers(&mut self) {
        let pairs: [(&str, &[&str]); 5] = [
            ("scale", &["deploy", "replicas"]),
            ("cpus", &["deploy", "resources", "limits", "cpus"]),
            ("mem_limit", &["deploy", "resources", "limits", "memory"]),
            ("mem_reservation", &["deploy", "resources", "reservations", "memory"]),
            ("pids_limit", &["deploy", "resources", "limits", "pids"]),
        ];
        for (short, long) in pairs {
            let Some(first) = self.get(&[short]) else { continue };
            let value = amount(first);
            let (span, parent) = (first.span, &long[..long.len() - 1]);
            let other = match self.get(long) {
                Some(other) => amount(other),
                // A block that leaves it out says zero, except for the number of containers.
                None if short != "scale" && self.get(parent).is_some() => Some(0.0),
                None => continue,
            };
            if value != other && (short == "scale" || value != Some(0.0)) {
                let message = format!("`{short}` and `{}` say different things", long.join("."));
                self.conflict(span, &message);
            }
        }
        let replicas = self.get(&["scale"]).or_else(|| self.get(&["deploy", "replicas"])).and_then(amount);
        if let Some(container) = self.get(&["container_name"])
            && container.as_str() != Some("")
            && replicas.is_some_and(|replicas| replicas > 1.0)
        {
            let span = container.span;
            self.conflict(span, "a service with a `container_name` can have only one container");
        }
        if let Some(replicas) = self.get(&["scale"])
            && amount(replicas).is_some_and(|number| number < 0.0)
        {
            let span = replicas.span;
            self.conflict(span, "`scale` cannot be negative");
        }
    }

    fn mounts(&mut self) {
        let mut targets: BTreeMap<String, String> = BTreeMap::new();
        let (mut found, mut without_source) = (Vec::new(), Vec::new());
        for (index, node) in self.get(&["tmpfs"]).and_then(Node::as_list).into_iter().flatten().enumerate() {
            let Some(path) = node.as_str().and_then(|text| text.split(':').next()) else { continue };
            found.push((path.to_owned(), format!("tmpfs.{index}"), node.span));
        }
        for (index, node) in self.get(&["volumes"]).and_then(Node::as_list).into_iter().flatten().enumerate() {
            let Some(target) = node.get("target").and_then(Node::as_str) else {
                if node.as_map().is_some() {
                    found.push((String::new(), format!("volumes.{index}"), node.span));
                }
                continue;
            };
            found.push((target.to_owned(), format!("volumes.{index}"), node.span));
            if node.get("type").and_then(Node::as_str) == Some("bind") && node.get("source").is_none_or(Node::is_null) {
                without_source.push((index, node.span));
            }
        }
        for (index, span) in without_source {
            let message = format!("services.{}: volumes.{index} has no `source`, the path on this machine", self.name);
            self.report.error(Code::Missing, span, message);
        }
        for (path, place, span) in found {
            if path.is_empty() && place.starts_with("volumes") {
                let message = format!("services.{}: {place} has no `target`", self.name);
                self.report.error(Code::Missing, span, message);
            } else if let Some(other) = targets.insert(path.clone(), place) {
                self.conflict(span, &format!("{path} is mounted twice; the other is {other}"));
            }
        }
    }

    fn ports(&mut self) {
        let mut found = Vec::new();
        for port in self.get(&["ports"]).and_then(Node::as_list).into_iter().flatten() {
            if let Some(address) = port.get("host_ip")
                && let Some(text) = address.as_str().filter(|text| !text.is_empty())
                && text.parse::<std::net::IpAddr>().is_err()
            {
                found.push((address.span, format!("{text:?} is no IP address")));
            }
        }
        for (span, message) in found {
            self.report.error(Code::Value, span, format!("services.{}: {message}", self.name));
        }
    }

    fn devices(&mut self) {
        let mut found = Vec::new();
        for path in [&["gpus"][..], &["deploy", "resources", "reservations", "devices"]] {
            for device in self.get(path).and_then(Node::as_list).into_iter().flatten() {
                if device.get("count").is_some() && device.get("device_ids").is_some() {
                    found.push(device.span);
                }
            }
        }
        for span in found {
            self.conflict(span, "`count` and `device_ids` exclude each other");
        }
    }

    fn watch(&mut self) {
        let mut found = Vec::new();
        for rule in self.get(&["develop", "watch"]).and_then(Node::as_list).into_iter().flatten() {
            let action = rule.get("action").and_then(Node::as_str).unwrap_or_default();
            let text = |key: &str| rule.get(key).and_then(Node::as_str).unwrap_or_default();
            if text("target").is_empty() && !matches!(action, "rebuild" | "restart") {
                found.push((rule.span, format!("a watch rule with the action `{action}` needs a `target`")));
            }
            if text("path").is_empty() {
                found.push((rule.span, "the `path` of a watch rule cannot be empty".to_owned()));
            }
        }
        for (span, message) in found {
            self.conflict(span, &message);
        }
    }
}

fn is_restart_policy(text: &str) -> bool {
    match text.split_once(':') {
        Some(("on-failure", tries)) => tries.is_empty() || tries.parse::<u32>().is_ok(),
        Some(_) => false,
        None => matches!(text, "" | "no" | "always" | "on-failure" | "unless-stopped"),
    }
}

/// A number, or a byte size, to compare with another one.
fn amount(node: &Node) -> Option<f64> {
    #[allow(clippy::cast_precision_loss, reason = "only compared")]
    match &node.value {
        Value::Int(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        Value::Str(text) => text.parse().ok().or_else(|| text.parse::<ByteSize>().ok().map(|size| size.0 as f64)),
        _ => None,
    }
}

fn resources(manifest: &Map, report: &mut Report) {
    let section = |name: &str| manifest.get(name).and_then(Node::as_map).into_iter().flatten();
    for (name, volume) in section("volumes") {
        let Some(map) = volume.as_map() else { continue };
        if map.get("external").is_none_or(|node| node.value != Value::Bool(true)) {
            continue;
        }
        for (key, node) in map {
            if !matches!(key.as_str(), "name" | "external") && !key.starts_with("x-") {
                let message = format!("volumes.{name}: `external` and `{key}` exclude each other");
                report.error(Code::Conflict, node.key_or_span(), message);
            }
        }
    }
    for (kind, keys) in [("secrets", &["file", "environment"][..]), ("configs", &["file", "environment", "content"])] {
        for (name, node) in section(kind) {
            let Some(map) = node.as_map() else { continue };
            let given = keys.iter().filter(|key| map.contains_key(**key)).count();
            let span = node.key_or_span();
            let words = crate::manifest::check::alternatives(keys);
            if given > 1 {
                report.error(Code::Conflict, span, format!("{kind}.{name}: only one of {words} can be given"));
            }
            if kind == "secrets" && map.contains_key("content") {
                let help = "put it into a file and name that, or take it from a variable";
                report.error_help(Code::Conflict, span, format!("{kind}.{name}: a secret cannot have `content`"), help);
            }
            if given == 0 && !map.contains_key("external") {
                report.error(Code::Missing, span, format!("{kind}.{name}: one of {words} must be given"));
            }
        }
    }
}

fn cycles(services: &Map, on: &On, report: &mut Report) {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for start in on {
        let mut path: Vec<&str> = Vec::new();
        let mut stack: Vec<(&str, bool)> = vec![(start, false)];
        while let Some((name, leaving)) = stack.pop() {
            if leaving {
                path.pop();
                done.insert(name);
                continue;
            }
            if done.contains(name) {
                continue;
            }
            if let Some(at) = path.iter().position(|known| *known == name) {
                let mut circle = path[at..].to_vec();
                circle.push(name);
                let last = path[path.len() - 1];
                let edge = services.get(last).and_then(|node| node.get("depends_on")?.get(name).map(Node::key_or_span));
                let message = format!("services wait for each other: {}", circle.join(" → "));
                let help = "remove one of these dependencies";
                report.error_help(Code::Cycle, edge.unwrap_or_default(), message, help);
                continue;
            }
            path.push(name);
            stack.push((name, true));
            let depends_on = services.get(name).and_then(|node| node.get("depends_on")).and_then(Node::as_map);
            for needed in depends_on.into_iter().flat_map(|map| map.keys()) {
                if on.contains(needed.as_str()) {
                    stack.push((needed, false));
                }
            }
        }
    }
}
