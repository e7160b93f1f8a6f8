//! Warnings for what is legal and most likely not what was meant.

use std::collections::HashMap;

use crate::manifest::lower::profiles::On;
use crate::manifest::read::yaml::{Map, Node, Span};
use crate::manifest::report::Report;
use crate::manifest::report::diagnostic::Code;

/// Looks at the services that are on.
pub fn look(manifest: &Map, on: &On, report: &mut Report) {
    let Some(services) = manifest.get("services").and_then(Node::as_map) else { return };
    let mut ports: HashMap<String, (&str, Span)> = HashMap::new();
    for name in on {
        let Some(service) = services.get(name) else { continue };
        health(name, service, services, report);
        published(name, service, &mut ports, report);
        appended(name, service, report);
        ownership(name, service, manifest, report);
    }
}

/// A secret or config from a file is mounted as it is: who owns it and who may read it is said by the file.
fn ownership(name: &str, service: &Node, manifest: &Map, report: &mut Report) {
    for section in ["secrets", "configs"] {
        for used in service.get(section).and_then(Node::as_list).into_iter().flatten() {
            let source = used.get("source").and_then(Node::as_str).unwrap_or_default();
            let file = manifest.get(section).and_then(|all| all.get(source)?.get("file"));
            let Some(key) = ["uid", "gid", "mode"].into_iter().find(|key| used.get(key).is_some()) else { continue };
            if file.is_some() {
                let span = used.get(key).map_or(used.span, Node::key_or_span);
                let message = format!(
                    "services.{name}: `uid`, `gid` and `mode` of {source} are ignored, because it is a file that is mounted"
                );
                let help = "change the owner and the mode of the file, or take it from `environment` or `content`";
                report.warn(Code::Suspicious, span, message, Some(help.to_owned()));
            }
        }
    }
}

/// A later file that publishes a port of the container again adds to the earlier one, and does not replace it.
fn appended(name: &str, service: &Node, report: &mut Report) {
    let mut first: HashMap<String, Span> = HashMap::new();
    for port in service.get("ports").and_then(Node::as_list).into_iter().flatten() {
        let text = |key: &str| port.get(key).and_then(Node::to_text).unwrap_or_default();
        if text("published").is_empty() {
            continue;
        }
        let key = format!("{}/{}", text("target"), text("protocol"));
        match first.get(&key) {
            Some(earlier) if earlier.file != port.span.file && text("host_ip").is_empty() => {
                let message = format!(
                    "services.{name}: this adds to the ports of an earlier file, which publishes port {} of the \
                     container too",
                    text("target")
                );
                let help = "to replace the earlier ports, write `ports: !override`";
                report.warn(Code::Suspicious, port.span, message, Some(help.to_owned()));
            }
            Some(_) => {}
            None => {
                first.insert(key, port.span);
            }
        }
    }
}

/// Waiting for the health of a service whose manifest has no health check.
fn health(name: &str, service: &Node, services: &Map, report: &mut Report) {
    for (needed, node) in service.get("depends_on").and_then(Node::as_map).into_iter().flatten() {
        let Some(condition) = node.get("condition") else { continue };
        if condition.as_str() != Some("service_healthy") {
            continue;
        }
        let Some(other) = services.get(needed) else { continue };
        if other.get("provider").is_some() || other.get("probe").is_some() || other.get("x-probe").is_some() {
            continue;
        }
        let off = other.get("healthcheck").is_some_and(|check| {
            check.get("disable").is_some_and(|node| node.value == crate::manifest::read::yaml::Value::Bool(true))
                || check.get("test").and_then(Node::as_list).and_then(<[Node]>::first).and_then(Node::as_str)
                    == Some("NONE")
        });
        if off {
            let message =
                format!("services.{name} waits for {needed} to be healthy, but {needed}'s health check is off");
            report.warn(Code::Suspicious, condition.span, message, Some("wait for `service_started`".to_owned()));
        } else if other.get("healthcheck").and_then(|check| check.get("test")).is_none() {
            let message = format!(
                "services.{name} waits for {needed} to be healthy, and {needed} has no `healthcheck` here; \
                 unless its image has one, this waits in vain"
            );
            let help = format!("give {needed} a `healthcheck`, or wait for `service_started`");
            report.warn(Code::Suspicious, condition.span, message, Some(help));
        }
    }
}

/// Two services, or one service twice, on one port of the host.
fn published<'a>(name: &'a str, service: &Node, ports: &mut HashMap<String, (&'a str, Span)>, report: &mut Report) {
    for port in service.get("ports").and_then(Node::as_list).into_iter().flatten() {
        let text = |key: &str| port.get(key).and_then(Node::to_text).filter(|text| !text.is_empty());
        let Some(published) = text("published").filter(|text| text != "0" && !text.contains('-')) else { continue };
        let protocol = text("protocol").unwrap_or_else(|| "tcp".to_owned());
        let address = text("host_ip").unwrap_or_else(|| "0.0.0.0".to_owned());
        let key = format!("{address}:{published}/{protocol}");
        let span = port.span;
        if let Some((other, _)) = ports.get(&key).filter(|(_, place)| *place != span) {
            let message = if *other == name {
                format!("services.{name} publishes port {published} of the host twice")
            } else {
                format!("services.{name} and services.{other} both publish port {published} of the host")
            };
            let help = "only one can have it; to replace the ports of an earlier file, write `ports: !override`";
            report.warn(Code::Suspicious, span, message, Some(help.to_owned()));
        } else {
            ports.insert(key, (name, span));
        }
    }
}
