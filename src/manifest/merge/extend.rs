//! `extends`: a service that starts from another one, in the same file or in another.

use std::path::{Path, PathBuf};

use crate::manifest::language::{MANIFEST, Object};
use crate::manifest::loader::{Loader, Place};
use crate::manifest::merge::{self, unique};
use crate::manifest::normalize::paths::{Base, is_fetched, join};
use crate::manifest::normalize::short_syntax;
use crate::manifest::read::yaml::{Map, Mark, Node, Span, Value};
use crate::manifest::report::diagnostic::Code;
use crate::model::closest;

/// The longest chain of services that extend each other.
const MAX_CHAIN: usize = 100;

/// Extends every service of a document.
pub fn extend(document: &mut Node, file: &Path, place: &Place, loader: &mut Loader<'_>) {
    let Some(services) = document.as_map_mut().and_then(|map| map.get_mut("services")).and_then(Node::as_map_mut)
    else {
        return;
    };
    if !services.values().any(|service| service.get("extends").is_some()) {
        return;
    }
    let names: Vec<String> = services.keys().cloned().collect();
    for name in names {
        resolve(&name, services, file, place, &mut Vec::new(), loader);
    }
}

/// Extends one service in place, and those that it starts from.
fn resolve(
    name: &str,
    services: &mut Map,
    file: &Path,
    place: &Place,
    chain: &mut Vec<(PathBuf, String)>,
    loader: &mut Loader<'_>,
) {
    let Some(extends) = services.get(name).and_then(|service| service.get("extends")).cloned() else { return };
    let link = (file.to_path_buf(), name.to_owned());
    if let Some(start) = chain.iter().position(|entry| *entry == link) {
        let mut names: Vec<&str> = chain[start..].iter().map(|(_, name)| name.as_str()).collect();
        names.push(name);
        let message = format!("services extend each other in a circle: {}", names.join(" → "));
        loader.report.error(Code::Cycle, extends.span, message);
        return;
    }
    if chain.len() >= MAX_CHAIN {
        let message = format!("services.{name}: services extend each other over more than {MAX_CHAIN} levels");
        loader.report.error(Code::Extends, extends.span, message);
        return;
    }
    if let Some(base) = base_of(name, &extends, link, services, file, place, chain, loader) {
        let over = services.get_mut(name).map(std::mem::take).unwrap_or_default();
        services.insert(name.to_owned(), over_base(base, over, loader));
    }
    if let Some(service) = services.get_mut(name).and_then(Node::as_map_mut) {
        service.shift_remove("extends");
    }
}

/// The service that another one starts from, itself extended.
#[allow(clippy::too_many_arguments, reason = "the state of one step of a chain")]
fn base_of(
    name: &str,
    extends: &Node,
    link: (PathBuf, String),
    services: &mut Map,
    file: &Path,
    place: &Place,
    chain: &mut Vec<(PathBuf, String)>,
    loader: &mut Loader<'_>,
) -> Option<Node> {
    if extends.mark == Mark::Reset || extends.is_null() {
        return None;
    }
    let (target, target_span, from) = reference(extends, name, loader)?;
    chain.push(link);
    let base = match from {
        Some((path, span)) if is_fetched(&path) => {
            let message = format!("services.{name} cannot extend from {path}: hob reads manifests from the disk only");
            let help = "check the repository out and name the file in it";
            loader.report.error_help(Code::Extends, span, message, help);
            None
        }
        Some((path, span)) => {
            let path = join_file(&place.dir, &path);
            from_file(name, &target, target_span, &path, span, place, chain, loader)
        }
        None => {
            if services.contains_key(&target) {
                resolve(&target, services, file, place, chain, loader);
                services.get(&target).cloned()
            } else {
                undefined(name, &target, target_span, file, services, loader);
                None
            }
        }
    };
    chain.pop();
    base.filter(|base| !base.is_null())
}

fn over_base(mut base: Node, mut over: Node, loader: &mut Loader<'_>) -> Node {
    merge::settle(&mut base);
    base.key = over.key;
    let mark = std::mem::take(&mut over.mark);
    let merged = match service_object() {
        Some(object) => merge::merge(base, over, object, &mut loader.report),
        None => over,
    };
    Node { mark, ..merged }
}

/// The service that is named, where, and the file that it is in.
type Reference = (String, Span, Option<(String, Span)>);

fn reference(extends: &Node, name: &str, loader: &mut Loader<'_>) -> Option<Reference> {
    match &extends.value {
        Value::Str(target) => Some((target.clone(), extends.span, None)),
        Value::Map(map) => {
            let Some(target) = map.get("service").and_then(Node::as_str) else {
                let message = format!("services.{name}.extends: the key `service` is missing");
                loader.report.error(Code::Missing, extends.key_or_span(), message);
                return None;
            };
            let span = map.get("service").map_or(extends.span, |node| node.span);
            let file = match map.get("file") {
                Some(node) if node.is_null() => None,
                Some(node) => {
                    let Some(file) = node.as_str() else {
                        let message = format!("services.{name}.extends.file must be a string, found {}", node.kind());
                        loader.report.error(Code::Type, node.span, message);
                        return None;
                    };
                    Some((file.to_owned(), node.span))
                }
                None => None,
            };
            Some((target.to_owned(), span, file))
        }
        _ => {
            let message = format!("services.{name}.extends must be a string or a mapping, found {}", extends.kind());
            loader.report.error(Code::Type, extends.span, message);
            None
        }
    }
}

fn undefined(name: &str, target: &str, span: Span, file: &Path, services: &Map, loader: &mut Loader<'_>) {
    let message = format!("services.{name} extends {target}, which {} does not have", file.display());
    match closest(target, services.keys().map(String::as_str)) {
        Some(known) => loader.report.error_help(Code::Extends, span, message, format!("did you mean `{known}`?")),
        None => loader.report.error(Code::Extends, span, message),
    }
}

#[allow(clippy::too_many_arguments, reason = "the one place where a file is followed")]
fn from_file(
    name: &str,
    target: &str,
    target_span: Span,
    path: &Path,
    span: Span,
    place: &Place,
    chain: &mut Vec<(PathBuf, String)>,
    loader: &mut Loader<'_>,
) -> Option<Node> {
    let documents = loader.documents(path, span)?;
    let mut merged = Node::new(Value::Map(Map::default()), Span::default());
    for document in documents.iter() {
        let mut document = document.clone();
        if document.as_map().is_none() {
            continue;
        }
        // Only the services matter here, and of them only what the target needs.
        if let Some(map) = document.as_map_mut() {
            map.retain(|key, _| key == "services");
        }
        loader.values(&mut document, &place.environment);
        merged = merge::merge(merged, document, &MANIFEST, &mut loader.report);
        merge::settle(&mut merged);
        unique::unique(&mut merged, &MANIFEST, &mut loader.report);
    }
    let dir = path.parent().unwrap_or_else(|| Path::new("/")).to_path_buf();
    let Value::Map(mut map) = merged.value else { return None };
    short_syntax::before_merge(&mut map, loader.options.no_interpolate, &mut loader.report);
    let home = loader.options.environment.get("HOME").map(String::as_str);
    Base { dir: &dir, home }.resolve(&mut map);
    let Some(services) = map.get_mut("services").and_then(Node::as_map_mut) else {
        let message = format!("services.{name} extends a service of {}, which has no services", path.display());
        loader.report.error(Code::Extends, span, message);
        return None;
    };
    if !services.contains_key(target) {
        undefined(name, target, target_span, path, services, loader);
        return None;
    }
    let place = Place { dir, ..place.clone() };
    resolve(target, services, path, &place, chain, loader);
    services.shift_remove(target)
}

fn join_file(dir: &Path, path: &str) -> PathBuf {
    if path.starts_with('/') { PathBuf::from(path) } else { join(dir, path) }
}

fn service_object() -> Option<&'static Object> {
    MANIFEST.key("services")?.shape.entries()?.shape.object()
}
