//! Short forms to long ones, in place on the tree, so that places stay known. Which key has which is said by its row in
//! the [table](crate::manifest::language). Every function leaves alone what has the wrong kind: the check has complained about
//! that already.
//!
//! There are two steps, because Compose has two and they can be told apart: [`before_merge`] after every document, so
//! that the next document is merged with long forms, and [`after_merge`] when all are merged.

pub mod command;
mod device;
mod hob;
mod list;
pub mod mount;
mod path;
pub mod port;

use path::Path;

use crate::manifest::language::{Key, MANIFEST, Object, Shape, ShortForm};
use crate::manifest::merge::{as_build, by_name};
use crate::manifest::read::yaml::{Map, Node, Value};
use crate::manifest::report::Report;
use crate::manifest::report::diagnostic::Code;

/// The first step: mounts, ports, references, dependencies and their like.
/// `templates` says that variables were not put in: ports that cannot be read then stay as they are.
pub fn before_merge(manifest: &mut Map, templates: bool, report: &mut Report) {
    Expander { form: |key| key.before_merge, templates, report }.manifest(manifest);
    for section in RESOURCES {
        let Some(resources) = manifest.get_mut(section).and_then(Node::as_map_mut) else { continue };
        for (name, resource) in resources {
            if let Some(map) = resource.as_map_mut() {
                external(section, name, map, report);
            }
        }
    }
}

const RESOURCES: [&str; 4] = ["networks", "volumes", "secrets", "configs"];

/// The second step: lists of `KEY=value`, command lines, health checks, `/etc/hosts` lines, hob's keys.
pub fn after_merge(manifest: &mut Map, report: &mut Report) {
    if let Some(services) = manifest.get_mut("services").and_then(Node::as_map_mut) {
        for (name, service) in services {
            if let Some(map) = service.as_map_mut() {
                hob::keys(name, map, report);
            }
        }
    }
    Expander { form: |key| key.after_merge, templates: false, report }.manifest(manifest);
}

/// One of the two steps.
struct Expander<'a> {
    /// Which short form of a key it is about.
    form: fn(&Key) -> ShortForm,
    templates: bool,
    report: &'a mut Report,
}

impl Expander<'_> {
    /// Goes over a whole manifest, in the order of the table.
    fn manifest(&mut self, manifest: &mut Map) {
        for section in MANIFEST.keys {
            if let Some(node) = manifest.get_mut(section.name) {
                self.below(node, section.shape, Path { parent: None, key: section.name });
            }
        }
    }

    fn below(&mut self, node: &mut Node, shape: &Shape, path: Path<'_>) {
        match &mut node.value {
            Value::Map(map) => {
                if let Some(object) = shape.object() {
                    self.object(map, object, path);
                } else if let Some(entries) = shape.entries().filter(|entries| entries.shape.is_nested()) {
                    for (name, node) in map {
                        self.below(node, &entries.shape, Path { parent: Some(&path), key: name });
                    }
                }
            }
            Value::List(list) => {
                if let Some(items) = shape.items().filter(|items| items.is_nested()) {
                    for node in list {
                        self.below(node, items, path);
                    }
                }
            }
            _ => {}
        }
    }

    fn object(&mut self, map: &mut Map, object: &'static Object, path: Path<'_>) {
        for (name, node) in map {
            let Some(key) = object.key(name) else { continue };
            let path = Path { parent: Some(&path), key: name };
            self.expand((self.form)(key), node, path);
            if key.shape.is_nested() {
                self.below(node, key.shape, path);
            }
        }
    }

    fn expand(&mut self, form: ShortForm, node: &mut Node, path: Path<'_>) {
        match form {
            ShortForm::None => {}
            ShortForm::Strings => list::strings(node),
            ShortForm::Items => list::items(node),
            ShortForm::Pairs => list::pairs(node),
            ShortForm::Variables => list::variables(node, self.report),
            ShortForm::Names => *node = by_name(std::mem::take(node), false),
            ShortForm::Dependencies => dependencies(node),
            ShortForm::Build => *node = as_build(std::mem::take(node)),
            ShortForm::Ssh => list::ssh(node),
            ShortForm::Hosts => list::hosts(node, self.report),
            ShortForm::FileReferences => each(node, |item| wrap(item, "source")),
            ShortForm::EnvFiles => {
                list::strings(node);
                each(node, |item| wrap(item, "path"));
            }
            ShortForm::Devices => each(node, device::device),
            ShortForm::Gpus => device::gpus(node),
            ShortForm::DeviceRequests => each(node, device::request),
            ShortForm::Ports => {
                if !self.templates || port::readable(node) {
                    port::expand(node, self.report);
                }
            }
            ShortForm::Mounts => mount::expand(node, self.report),
            ShortForm::Words => command::words(node, path, self.report),
            ShortForm::Command => command::for_host(node, path, self.report),
            ShortForm::ShellTest => command::shell_test(node),
            ShortForm::Process => hob::process(node),
        }
    }
}

fn each(node: &mut Node, change: impl Fn(&mut Node)) {
    if let Some(list) = node.as_list_mut() {
        list.iter_mut().for_each(change);
    }
}

/// A string as a mapping with one key.
fn wrap(node: &mut Node, key: &str) {
    if let Value::Str(text) = &node.value {
        let inner = Node::text(text.clone(), node.span);
        node.value = Value::Map(Map::from_iter([(key.to_owned(), inner)]));
    }
}

fn dependencies(node: &mut Node) {
    *node = by_name(std::mem::take(node), true);
    for dependency in node.as_map_mut().into_iter().flat_map(|map| map.values_mut()) {
        let span = dependency.span;
        if let Some(map) = dependency.as_map_mut() {
            map.entry("required".to_owned()).or_insert_with(|| Node::new(Value::Bool(true), span));
        }
    }
}

/// `external: {name: x}`, the old form of `external: true` and `name: x`.
fn external(section: &str, key: &str, map: &mut Map, report: &mut Report) {
    let Some(node) = map.get("external") else { return };
    let Some(name) = node.as_map().map(|old| old.get("name").cloned()) else { return };
    let span = node.span;
    let message = format!("{section}.{key}: `external.name` is deprecated");
    let help = "write `external: true` and `name: …` beside it".to_owned();
    report.warn(Code::Obsolete, node.key_or_span(), message, Some(help));
    if let (Some(old), Some(new)) = (&name, map.get("name"))
        && old != new
    {
        let message = format!("{section}.{key} has a `name` and another `external.name`");
        report.error_help(Code::Conflict, new.span, message, "remove `external.name`, which is the old form");
    }
    if let Some(old) = map.get_mut("external") {
        *old = old.with(Value::Bool(true));
    }
    if let Some(name) = name {
        map.insert("name".to_owned(), name);
    } else if !map.contains_key("name") {
        map.insert("name".to_owned(), Node::text(key, span));
    }
}
