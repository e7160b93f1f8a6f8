//! A normalised tree to the [`Project`]: profiles are chosen, env files read, what nothing uses is left out.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde::de::{Deserialize as _, DeserializeOwned};

use crate::manifest::check::{consistency, lints, references};
use crate::manifest::loader::{Loader, Place};
use crate::manifest::lower::profiles::{self, On};
use crate::manifest::lower::serde_value::SerdeValue;
use crate::manifest::lower::{self, service_files};
use crate::manifest::print::explain;
use crate::manifest::read::environment::Environment;
use crate::manifest::read::yaml::{Map, Node, Span, Value};
use crate::manifest::report::diagnostic::Code;
use crate::model::{Project, ProjectName, Service, ServiceName, closest, is_on};

/// What can still be said about a manifest that has errors already.
pub fn look_anyway(manifest: &Map, environment: &Environment, loader: &mut Loader<'_>) {
    let active = profiles::active(manifest, environment, loader.options, &mut loader.report);
    references::check(manifest, &profiles::enabled(manifest, &active), &mut loader.report);
}

/// Makes the project.
pub fn build(mut manifest: Map, name: &str, place: &Place, loader: &mut Loader<'_>) -> Option<Project> {
    let active = profiles::active(&manifest, &place.environment, loader.options, &mut loader.report);
    let on = profiles::enabled(&manifest, &active);
    let used = profiles::used(&manifest, &on, loader.options);
    if !loader.options.no_consistency {
        consistency::check(&manifest, &on, &used, loader.options.purpose, &mut loader.report);
        lints::look(&manifest, &used, &mut loader.report);
    }
    for service in &on {
        let node = manifest.get_mut("services").and_then(Node::as_map_mut).and_then(|map| map.get_mut(service));
        if let Some(map) = node.and_then(Node::as_map_mut) {
            if used.contains(service) {
                service_files::env_files(service, map, &place.environment, loader);
                service_files::label_files(service, map, &place.environment, loader);
            } else {
                map.shift_remove("env_file");
                map.shift_remove("label_file");
            }
            replicas(map);
        }
    }
    if let Some(path) = loader.options.explain.clone() {
        explain_path(&manifest, &path, loader);
    }
    if loader.report.errors() > 0 {
        return None;
    }
    let all_resources = loader.options.all_resources;
    if !all_resources {
        keep_used(&mut manifest, &on);
    }
    let by_variable = place.environment.get("COMPOSE_COMPATIBILITY").is_some_and(is_on);
    let underscores = loader.options.compatibility || by_variable;
    let origins = lower::origins(&manifest, &loader.report.sources);
    let mut project = Project {
        name: ProjectName::new(name),
        working_dir: place.dir.clone(),
        origins,
        all_resources,
        ..Project::default()
    };
    for (key, node) in manifest {
        match key.as_str() {
            "services" => services(node, &on, underscores, &mut project, loader),
            "networks" => project.networks = section(&key, node, loader),
            "volumes" => project.volumes = section(&key, node, loader),
            "secrets" => project.secrets = section(&key, node, loader),
            "configs" => project.configs = section(&key, node, loader),
            "models" => project.models = section(&key, node, loader),
            extension if extension.starts_with("x-") => {
                project.extensions.insert(key, lower::json(&node));
            }
            _ => {}
        }
    }
    Some(project)
}

fn explain_path(manifest: &Map, path: &str, loader: &mut Loader<'_>) {
    loader.explanation = explain::explain(manifest, path, &loader.report.sources);
    if loader.explanation.is_none() {
        let known = explain::keys_at(manifest, path);
        let message = format!("there is no value at {path}");
        match closest(path, known.iter().map(String::as_str)) {
            Some(known) => {
                let help = format!("did you mean `{known}`?");
                loader.report.error_help(Code::Undefined, Span::default(), message, help);
            }
            None => loader.report.error(Code::Undefined, Span::default(), message),
        }
    }
}

/// Takes the services' trees: the memory of each is free for those that follow.
fn services(node: Node, on: &On, underscores: bool, project: &mut Project, loader: &mut Loader<'_>) {
    let Value::Map(map) = node.value else { return };
    project.services.reserve_exact(on.len());
    for (name, node) in map {
        let place = node.key_or_span();
        let Value::Map(map) = node.value else { continue };
        match Service::deserialize(lower::service(map)) {
            Ok(mut service) => {
                service.name = ServiceName::new(&name);
                service.underscores = underscores;
                let name = service.name.clone();
                if on.contains(name.as_str()) {
                    project.services.insert(name, service);
                } else {
                    project.disabled.insert(name, service);
                }
            }
            Err(error) => {
                let message = format!("services.{name} cannot be read: {error}");
                loader.report.error(Code::Type, place, message);
            }
        }
    }
}

fn section<T: DeserializeOwned>(section: &str, node: Node, loader: &mut Loader<'_>) -> IndexMap<String, T> {
    let mut out = IndexMap::new();
    let places: Vec<Span> = node.as_map().into_iter().flat_map(|map| map.values()).map(Node::key_or_span).collect();
    let SerdeValue::Map(lowered) = lower::section(section, node) else { return out };
    for ((name, value), place) in lowered.into_iter().zip(places) {
        match T::deserialize(value) {
            Ok(resource) => {
                out.insert(name, resource);
            }
            Err(error) => {
                let message = format!("{section}.{name} cannot be read: {error}");
                loader.report.error(Code::Type, place, message);
            }
        }
    }
    out
}

/// `scale` is said once more under `deploy`, if there is one.
fn replicas(map: &mut Map) {
    let Some(scale) = map.get("scale").filter(|node| !node.is_null()).cloned() else { return };
    if let Some(deploy) = map.get_mut("deploy").and_then(Node::as_map_mut) {
        deploy.insert("replicas".to_owned(), scale);
    }
}

/// Leaves out networks, volumes, secrets, configs and models that no service uses.
fn keep_used(manifest: &mut Map, on: &On) {
    let mut used: [BTreeSet<String>; 5] = Default::default();
    let services = manifest.get("services").and_then(Node::as_map);
    for service in services.into_iter().flatten().filter(|(name, _)| on.contains(name.as_str())).map(|(_, node)| node) {
        let keys = |key: &str| -> Vec<String> {
            service.get(key).and_then(Node::as_map).into_iter().flat_map(|map| map.keys().cloned()).collect()
        };
        let sources = |list: Option<&Node>| -> Vec<String> {
            let list = list.and_then(Node::as_list).into_iter().flatten();
            list.filter_map(|node| node.get("source")?.as_str().map(ToOwned::to_owned)).collect()
        };
        used[0].extend(keys("networks"));
        used[4].extend(keys("models"));
        for mount in service.get("volumes").and_then(Node::as_list).into_iter().flatten() {
            if mount.get("type").and_then(Node::as_str) == Some("volume") {
                used[1].extend(mount.get("source").and_then(Node::as_str).map(ToOwned::to_owned));
            }
        }
        used[2].extend(sources(service.get("secrets")));
        used[2].extend(sources(service.get("build").and_then(|build| build.get("secrets"))));
        used[3].extend(sources(service.get("configs")));
    }
    for (section, used) in ["networks", "volumes", "secrets", "configs", "models"].into_iter().zip(used) {
        if let Some(map) = manifest.get_mut(section).and_then(Node::as_map_mut) {
            map.retain(|name, _| used.contains(name));
        }
    }
}
