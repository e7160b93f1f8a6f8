//! Names that a manifest uses and does not define.

use crate::manifest::lower::profiles::On;
use crate::manifest::read::yaml::{Map, Node, Span, Value};
use crate::manifest::report::Report;
use crate::manifest::report::diagnostic::Code;
use crate::model::closest;

/// Names that must be defined somewhere.
pub fn check(manifest: &Map, on: &On, report: &mut Report) {
    let empty = Map::default();
    let section = |name: &str| manifest.get(name).and_then(Node::as_map).unwrap_or(&empty);
    let services = section("services");
    for name in on {
        let Some(service) = services.get(name) else { continue };
        let mut refer = Refer { service: name, report };
        let names = |key: &str| {
            let map = service.get(key).and_then(Node::as_map).into_iter().flatten();
            map.map(|(name, node)| (name.clone(), node.key_or_span())).collect::<Vec<_>>()
        };
        let sources = |list: Option<&Node>| {
            let list = list.and_then(Node::as_list).into_iter().flatten();
            list.filter_map(|node| {
                let source = node.get("source").unwrap_or(node);
                Some((source.as_str()?.to_owned(), source.span))
            })
            .collect::<Vec<_>>()
        };
        // The default network is there for every service, but not for what is no container.
        let given = service.get("provider").is_none();
        let joined = names("networks").into_iter().filter(|(network, _)| !given || network != "default").collect();
        refer.all("network", joined, section("networks"));
        refer.all("model", names("models"), section("models"));
        refer.all("secret", sources(service.get("secrets")), section("secrets"));
        let build_secrets = service.get("build").and_then(|build| build.get("secrets"));
        refer.all("secret", sources(build_secrets), section("secrets"));
        refer.all("config", sources(service.get("configs")), section("configs"));
        let volumes = service.get("volumes").and_then(Node::as_list).into_iter().flatten();
        let volumes = volumes
            .filter(|mount| mount.get("type").and_then(Node::as_str) == Some("volume"))
            .filter_map(|mount| mount.get("source"))
            .filter_map(|source| Some((source.as_str().filter(|text| !text.is_empty())?.to_owned(), source.span)))
            .collect();
        refer.all("volume", volumes, section("volumes"));
        refer.services(service, services, on);
        refer.contexts(service, services, on);
    }
}

struct Refer<'a> {
    service: &'a str,
    report: &'a mut Report,
}

impl Refer<'_> {
    fn all(&mut self, kind: &str, uses: Vec<(String, Span)>, known: &Map) {
        for (name, span) in uses {
            if known.contains_key(&name) {
                continue;
            }
            let message = format!("services.{} uses the {kind} {name}, which is not defined", self.service);
            let help = match closest(&name, known.keys().map(String::as_str)) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("define it at the top level: `{kind}s: {{{name}: …}}`"),
            };
            self.report.error_help(Code::Undefined, span, message, help);
        }
    }

    /// Other services as build contexts.
    fn contexts(&mut self, service: &Node, services: &Map, on: &On) {
        let contexts = service.get("build").and_then(|build| build.get("additional_contexts")).and_then(Node::as_map);
        for node in contexts.into_iter().flat_map(|map| map.values()) {
            let Some(other) = node.as_str().and_then(|text| text.strip_prefix("service:")) else { continue };
            let problem = match services.get(other).filter(|_| on.contains(other)) {
                None => "is not defined",
                Some(other) if other.get("build").is_none() => "has no `build`",
                Some(_) => continue,
            };
            let message = format!("services.{}: the service {other}, a context of its build, {problem}", self.service);
            self.report.error(Code::Undefined, node.span, message);
        }
    }

    fn services(&mut self, service: &Node, services: &Map, on: &On) {
        let depends_on = service.get("depends_on").and_then(Node::as_map).into_iter().flatten();
        let mut uses: Vec<(String, Span, bool)> = depends_on
            .map(|(name, node)| {
                let required = node.get("required").is_none_or(|node| node.value != Value::Bool(false));
                (name.clone(), node.key_or_span(), required)
            })
            .collect();
        for key in ["network_mode", "ipc", "pid", "uts", "cgroup"] {
            let Some(node) = service.get(key) else { continue };
            if let Some(name) = node.as_str().and_then(|text| text.strip_prefix("service:"))
                && !uses.iter().any(|(known, ..)| known == name)
            {
                uses.push((name.to_owned(), node.span, true));
            }
        }
        for (name, span, required) in uses {
            if on.contains(name.as_str()) || !required && services.contains_key(&name) {
                continue;
            }
            let (message, help) = if let Some(other) = services.get(&name) {
                let profiles: Vec<&str> = other
                    .get("profiles")
                    .and_then(Node::as_list)
                    .into_iter()
                    .flatten()
                    .filter_map(Node::as_str)
                    .collect();
                (
                    format!("services.{} depends on {name}, whose profiles are not active", self.service),
                    format!(
                        "activate one with `--profile {}`, or write `required: false`",
                        profiles.first().copied().unwrap_or_default()
                    ),
                )
            } else {
                let help = match closest(&name, services.keys().map(String::as_str)) {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => "define it under `services:`".to_owned(),
                };
                (format!("services.{} depends on {name}, which is not defined", self.service), help)
            };
            self.report.error_help(Code::Undefined, span, message, help);
        }
    }
}
