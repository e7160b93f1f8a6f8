//! Which services are on, and of which of those more than the name is used.

use std::collections::BTreeSet;

use indexmap::IndexSet;

use crate::manifest::read::environment::Environment;
use crate::manifest::read::yaml::{Hasher, Map, Node, Span};
use crate::manifest::report::Report;
use crate::manifest::report::diagnostic::Code;
use crate::manifest::{LoadOptions, Purpose};
use crate::model::closest;

/// The services that are on, in the manifest's order.
pub type On = IndexSet<String, Hasher>;

/// The active profiles: those that are asked for, and those of the services that the user named.
pub fn active(
    manifest: &Map,
    environment: &Environment,
    options: &LoadOptions,
    report: &mut Report,
) -> BTreeSet<String> {
    let mut profiles: BTreeSet<String> = options.profiles.iter().cloned().collect();
    if profiles.is_empty() {
        let list = environment.filled("COMPOSE_PROFILES").unwrap_or_default();
        // Without any, the profile with an empty name is active, as it is in Compose.
        profiles.extend(list.split(',').map(|profile| profile.trim().to_owned()));
    }
    let Some(services) = manifest.get("services").and_then(Node::as_map) else { return profiles };
    for target in &options.targets {
        if let Some(service) = services.get(target) {
            let on = own_profiles(service).next().is_none() || own_profiles(service).any(|p| profiles.contains(p));
            if !on {
                profiles.extend(own_profiles(service).map(ToOwned::to_owned));
            }
            continue;
        }
        let message = format!("no such service: {target}");
        let help = match closest(target, services.keys().map(String::as_str)) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("the services are {}", services.keys().cloned().collect::<Vec<_>>().join(", ")),
        };
        report.error_help(Code::Undefined, Span::default(), message, help);
    }
    profiles
}

fn own_profiles(service: &Node) -> impl Iterator<Item = &str> {
    service.get("profiles").and_then(Node::as_list).into_iter().flatten().filter_map(Node::as_str)
}

/// The services that are on, in the manifest's order.
pub fn enabled(manifest: &Map, profiles: &BTreeSet<String>) -> On {
    let services = manifest.get("services").and_then(Node::as_map);
    services
        .into_iter()
        .flatten()
        .filter(|(_, service)| {
            own_profiles(service).next().is_none()
                || profiles.contains("*")
                || own_profiles(service).any(|profile| profiles.contains(profile))
        })
        .map(|(name, _)| name.clone())
        .collect()
}

/// The services of which more than the names is used: those that the user named and what they depend on, or all.
pub fn used(manifest: &Map, on: &On, options: &LoadOptions) -> On {
    if options.purpose == Purpose::Names {
        return On::default();
    }
    if options.targets.is_empty() {
        return on.clone();
    }
    let services = manifest.get("services").and_then(Node::as_map);
    let mut used = On::default();
    let mut open: Vec<&str> = options.targets.iter().map(String::as_str).collect();
    while let Some(name) = open.pop() {
        if !on.contains(name) || !used.insert(name.to_owned()) {
            continue;
        }
        let depends_on = services.and_then(|services| services.get(name)?.get("depends_on")?.as_map());
        open.extend(depends_on.into_iter().flat_map(|map| map.keys()).map(String::as_str));
    }
    used.sort_by_key(|name| on.get_index_of(name));
    used
}
