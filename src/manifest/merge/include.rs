//! `include`: other manifests that become part of this one, each with its own folder and variables.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::manifest::load::{Loader, Place};
use crate::manifest::normalize::paths::{is_fetched, join};
use crate::manifest::read::discover::is_file;
use crate::manifest::read::environment::Environment;
use crate::manifest::read::yaml::{Map, Node, Span, Value};
use crate::manifest::report::diagnostic::Code;
use crate::model::EntryKind;

/// Loads what a document includes into it.
pub fn include(document: &mut Node, place: &Place, loader: &mut Loader<'_>) {
    let Some(map) = document.as_map_mut() else { return };
    let Some(includes) = map.shift_remove("include") else { return };
    if includes.is_null() {
        return;
    }
    let Some(list) = includes.as_list() else {
        let message = format!("include must be a list, found {}", includes.kind());
        loader.report.error_help(Code::Type, includes.span, message, "write `include: [path]`");
        return;
    };
    for entry in list {
        if let Some(included) = one(entry, place, loader) {
            import(included, map, loader);
        }
    }
}

fn texts(node: Option<&Node>) -> Vec<(String, Span)> {
    match node.map(|node| (&node.value, node.span)) {
        Some((Value::Str(text), span)) => vec![(text.clone(), span)],
        Some((Value::List(list), _)) => {
            list.iter().filter_map(|node| Some((node.as_str()?.to_owned(), node.span))).collect()
        }
        _ => Vec::new(),
    }
}

fn absolute(dir: &Path, path: &str) -> PathBuf {
    if path.starts_with('/') { PathBuf::from(path) } else { join(dir, path) }
}

fn one(entry: &Node, place: &Place, loader: &mut Loader<'_>) -> Option<Map> {
    let errors = loader.report.errors();
    crate::manifest::check::check_include(entry, &mut loader.report);
    if loader.report.errors() > errors {
        return None;
    }
    let paths = match entry.as_str() {
        Some(path) => vec![(path.to_owned(), entry.span)],
        None => texts(entry.get("path")),
    };
    let Some((first, span)) = paths.first().cloned() else {
        loader.report.error(Code::Missing, entry.span, "an include needs a `path`");
        return None;
    };
    if is_fetched(&first) {
        let message = format!("cannot include {first}: hob reads manifests from the disk only");
        loader.report.error_help(Code::Include, span, message, "check the repository out and include its folder");
        return None;
    }
    let mut files = Vec::new();
    for (path, span) in &paths {
        let file = absolute(&place.dir, path);
        if !is_file(loader.tree, &file) {
            let message = format!("cannot include {}: there is no such file", file.display());
            loader.report.error(Code::Unreadable, *span, message);
            return None;
        }
        files.push(file);
    }
    if let Some(at) = place.chain.iter().position(|file| *file == files[0]) {
        let mut names: Vec<String> = place.chain[at..].iter().map(|file| file.display().to_string()).collect();
        names.push(files[0].display().to_string());
        let message = format!("manifests include each other in a circle: {}", names.join(" → "));
        loader.report.error(Code::Cycle, span, message);
        return None;
    }
    let dir = match entry.get("project_directory").and_then(Node::as_str).filter(|dir| !dir.is_empty()) {
        Some(dir) => {
            let dir = absolute(&place.dir, dir);
            // As in Compose, a folder that is not there stands for the one that it would be in.
            let there = loader.tree.entry(&dir).is_ok_and(|entry| !matches!(entry.kind, EntryKind::File { .. }));
            if there { dir } else { dir.parent().map_or_else(|| PathBuf::from("/"), Path::to_path_buf) }
        }
        None => files[0].parent().map_or_else(|| PathBuf::from("/"), Path::to_path_buf),
    };
    let env_files: Vec<PathBuf> = {
        let named = texts(entry.get("env_file"));
        let own = dir.join(".env");
        if !named.is_empty() {
            named.iter().map(|(path, _)| absolute(&place.dir, path)).collect()
        } else if is_file(loader.tree, &own) {
            vec![own]
        } else {
            Vec::new()
        }
    };
    let mut environment = (*place.environment).clone();
    environment.add_files(&env_files, loader.tree, &mut loader.report, &mut loader.env_files);
    // What is included on several ways is read once: else each level of such a diamond would double the work.
    let key = Included { files, dir, environment };
    if let Some((_, known)) = loader.included.iter().find(|(other, _)| *other == key) {
        return Some(known.clone());
    }
    let inner =
        Place { dir: key.dir.clone(), environment: Rc::new(key.environment.clone()), chain: place.chain.clone() };
    let model = loader.model(&key.files, &inner);
    loader.included.push((key, model.clone()));
    Some(model)
}

/// What an included manifest depends on.
#[derive(PartialEq)]
pub struct Included {
    files: Vec<PathBuf>,
    dir: PathBuf,
    environment: Environment,
}

/// Takes the resources of an included manifest in.
fn import(included: Map, into: &mut Map, loader: &mut Loader<'_>) {
    for (section, node) in included {
        if !matches!(section.as_str(), "services" | "networks" | "volumes" | "secrets" | "configs" | "models") {
            continue;
        }
        let span = node.span;
        let Value::Map(resources) = node.value else { continue };
        let target = into.entry(section.clone()).or_insert_with(|| Node::new(Value::Map(Map::default()), span));
        if target.is_null() {
            target.value = Value::Map(Map::default());
        }
        let Some(target) = target.as_map_mut() else { continue };
        for (name, resource) in resources {
            match target.get(&name) {
                None => {
                    target.insert(name, resource);
                }
                Some(own) if *own == resource => {}
                Some(own) => {
                    let own = own.key_or_span();
                    let place = loader
                        .report
                        .sources
                        .locate(resource.key_or_span())
                        .map_or_else(String::new, |location| format!(" at {location}"));
                    let message = format!("{section}.{name} is defined by an included manifest too{place}");
                    let help = "rename one of the two, or override it: `include: [{path: [included, override]}]`";
                    loader.report.error_help(Code::Conflict, own, message, help);
                }
            }
        }
    }
}
