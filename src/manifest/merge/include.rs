//! `include`: other manifests that become part of this one, each with its own folder and variables.

use std::path::{Path, PathBuf};

use crate::manifest::loader::{Included, Loader, Place};
use crate::manifest::normalize::paths::{is_fetched, join};
use crate::manifest::read::discover::is_file;
use crate::manifest::read::yaml::{Map, Node, Span, Value};
use crate::manifest::report::Report;
use crate::manifest::report::diagnostic::Code;
use crate::model::EntryKind;

/// Takes the entries of `include` out of a document.
pub fn entries(document: &mut Node, report: &mut Report) -> Vec<Node> {
    let Some(includes) = document.as_map_mut().and_then(|map| map.shift_remove("include")) else { return Vec::new() };
    let place = includes.span;
    let kind = includes.kind();
    match includes.value {
        Value::Null => Vec::new(),
        Value::List(list) => list,
        _ => {
            let message = format!("include must be a list, found {kind}");
            report.error_help(Code::Type, place, message, "write `include: [path]`");
            Vec::new()
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

/// What an entry names; none where that cannot be.
pub fn find(entry: &Node, place: &Place, loader: &mut Loader<'_>) -> Option<Included> {
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
            let message = format!("cannot include {}: no such file or directory", file.display());
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
    Some(Included { files, dir, environment })
}

/// Takes the resources of an included manifest in.
pub fn import(included: Map, into: &mut Map, loader: &mut Loader<'_>) {
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
