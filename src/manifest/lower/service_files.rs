//! `env_file` and `label_file`: what is in them is merged under `environment` and `labels`.

use std::path::Path;
use std::sync::Arc;

use crate::manifest::interpolate::template::Lookup;
use crate::manifest::loader::Loader;
use crate::manifest::read::discover::is_file;
use crate::manifest::read::dotenv::{Variable, Variables};
use crate::manifest::read::environment::{EnvFile, Environment, read_file};
use crate::manifest::read::yaml::{FileId, Map, Node, Span, Value, VariableOrigin};
use crate::manifest::report::diagnostic::Code;

/// Variables inside an env file: the project's, then the service's own.
struct Outer<'a> {
    environment: &'a Environment,
    own: &'a Map,
}

impl Lookup for Outer<'_> {
    fn lookup(&self, name: &str) -> Option<(&str, VariableOrigin)> {
        self.environment.lookup(name).or_else(|| {
            let value = self.own.get(name)?.as_str()?;
            Some((value, VariableOrigin::Manifest))
        })
    }
}

/// Merges the content of a service's env files under its `environment`.
pub fn env_files(service: &str, map: &mut Map, environment: &Environment, loader: &mut Loader<'_>) {
    let Some(files) = map.shift_remove("env_file") else { return };
    // Numbers and booleans count as their text inside the files.
    let own: Map = map
        .get("environment")
        .and_then(Node::as_map)
        .into_iter()
        .flatten()
        .filter(|(_, node)| !node.is_null())
        .filter_map(|(name, node)| Some((name.clone(), Node::text(node.to_text()?, node.span))))
        .collect();
    let mut found = Map::default();
    for file in files.as_list().unwrap_or_default() {
        let Some(path) = file.get("path").and_then(Node::as_str) else { continue };
        let place = file.get("path").map_or(file.span, |node| node.span);
        let path = Path::new(path);
        if !is_file(loader.tree, path) {
            missing(service, path, file, place, loader);
            continue;
        }
        let before: Variables = found
            .iter()
            .map(|(name, node): (&String, &Node)| {
                let value = node.as_str().unwrap_or_default().to_owned();
                (name.clone(), Variable { value, line: node.span.line })
            })
            .collect();
        let env_file = EnvFile { path, format: file.get("format").and_then(Node::as_str), before, from: place };
        let outer = Outer { environment, own: &own };
        if let Some((id, variables)) =
            read_file(env_file, &outer, loader.tree, &mut loader.report, &mut loader.env_files)
        {
            found.extend(nodes(id, variables));
        }
    }
    if !found.is_empty() {
        under("environment", found, map, files.key_or_span());
    }
}

fn missing(service: &str, path: &Path, file: &Node, place: Span, loader: &mut Loader<'_>) {
    // It is followed all the same: making it is a change.
    if !loader.env_files.iter().any(|known| known == path) {
        loader.env_files.push(path.to_path_buf());
    }
    if file.get("required").is_none_or(|node| node.value != Value::Bool(false)) {
        let message =
            format!("services.{service}: cannot read the env file {}: no such file or directory", path.display());
        let help = "make it, or write `{path: …, required: false}`";
        loader.report.error_help(Code::Unreadable, place, message, help);
    }
}

/// Merges the content of a service's label files under its `labels`.
pub fn label_files(service: &str, map: &mut Map, environment: &Environment, loader: &mut Loader<'_>) {
    let Some(files) = map.shift_remove("label_file") else { return };
    let mut found = Map::default();
    for file in files.as_list().unwrap_or_default() {
        let Some(path) = file.as_str().map(Path::new) else { continue };
        let errors = loader.report.errors();
        let label_file = EnvFile { path, from: file.span, ..EnvFile::default() };
        match read_file(label_file, environment, loader.tree, &mut loader.report, &mut loader.env_files) {
            Some((id, variables)) => found.extend(nodes(id, variables)),
            None if loader.report.errors() == errors => {
                let message = format!("services.{service}: its label file {} is of no use", path.display());
                loader.report.error(Code::EnvFile, file.span, message);
            }
            None => {}
        }
    }
    if !found.is_empty() {
        under("labels", found, map, files.key_or_span());
    }
}

fn nodes(file: FileId, variables: Variables) -> impl Iterator<Item = (String, Node)> {
    variables.into_iter().map(move |(name, variable)| {
        let span = Span { file, line: variable.line, column: 1, length: 1 };
        (name, Node { key: span, ..Node::text(variable.value, span) })
    })
}

/// Puts variables of files under those that the service sets itself.
fn under(key: &str, mut found: Map, service: &mut Map, span: Span) {
    let own = service
        .entry(key.to_owned())
        .or_insert_with(|| Node { key: span, ..Node::new(Value::Map(Map::default()), span) });
    let Value::Map(own) = &mut own.value else { return };
    for (name, mut node) in std::mem::take(own) {
        if let Some(lower) = found.get(&name) {
            let mut trail = node.trail.as_deref().cloned().unwrap_or_default();
            trail.overrode.push((lower.to_text().unwrap_or_default(), lower.span));
            node.trail = Some(Arc::new(trail));
        }
        found.insert(name, node);
    }
    *own = found;
}
