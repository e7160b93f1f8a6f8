//! `config --explain`: where a value came from, what it overrode, and where its variables came from.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::manifest::lower;
use crate::manifest::read::source::Sources;
use crate::manifest::read::yaml::{Map, Node, Trail, VariableOrigin};
use crate::model::Location;

/// The history of one value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The dotted path that was asked for.
    pub path: String,
    /// The value, as it is printed by `config`.
    pub value: Json,
    /// Where it was written; none for what hob filled in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// The text before variables were put in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The variables in it, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<Variable>,
    /// What it overrode, the latest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overrode: Vec<Overridden>,
}

/// A variable that a value used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What was put in.
    pub value: String,
    /// Where that came from, in words: "the shell", "/p/.env:3", "its default".
    pub origin: String,
}

/// A value that was overridden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overridden {
    /// The value as text.
    pub value: String,
    /// Where it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
}

/// Explains the value at a path of a normalised manifest.
pub fn explain(manifest: &Map, path: &str, sources: &Sources) -> Option<Explanation> {
    let node = find(manifest, path)?;
    let trail = node.trail.as_deref().cloned().unwrap_or_default();
    let Trail { variables, template, overrode } = trail;
    Some(Explanation {
        path: path.to_owned(),
        value: lower::json(node),
        location: sources.locate(if node.span.is_known() { node.span } else { node.key }),
        template,
        variables: variables
            .into_iter()
            .map(|used| Variable { origin: origin(&used.origin), name: used.name, value: used.value })
            .collect(),
        overrode: overrode
            .into_iter()
            .map(|(value, span)| Overridden { value, location: sources.locate(span) })
            .collect(),
    })
}

fn origin(origin: &VariableOrigin) -> String {
    match origin {
        VariableOrigin::Shell => "the shell".to_owned(),
        VariableOrigin::File(file, line) => format!("{}:{line}", file.display()),
        VariableOrigin::Default => "its default".to_owned(),
        VariableOrigin::Manifest => "the service's environment".to_owned(),
        VariableOrigin::Hob => "hob itself".to_owned(),
        VariableOrigin::Unset => "nowhere: it is not set".to_owned(),
    }
}

/// The node at a dotted path. Keys may have dots themselves, so at each mapping the longest key that fits is tried
/// first.
fn find<'a>(map: &'a Map, path: &str) -> Option<&'a Node> {
    if let Some(node) = map.get(path) {
        return Some(node);
    }
    path.rmatch_indices('.').find_map(|(at, _)| below(map.get(&path[..at])?, &path[at + 1..]))
}

fn below<'a>(node: &'a Node, path: &str) -> Option<&'a Node> {
    if let Some(map) = node.as_map() {
        return find(map, path);
    }
    let (index, rest) = path.split_once('.').map_or((path, None), |(index, rest)| (index, Some(rest)));
    let item = node.as_list()?.get(index.parse::<usize>().ok()?)?;
    match rest {
        Some(rest) => below(item, rest),
        None => Some(item),
    }
}

/// The paths that begin with the same parts, for a suggestion.
pub fn keys_at(manifest: &Map, path: &str) -> Vec<String> {
    let parent = path.rsplit_once('.').map(|(parent, _)| parent);
    let map = match parent {
        Some(parent) => find(manifest, parent).and_then(Node::as_map),
        None => Some(manifest),
    };
    let prefix = parent.map(|parent| format!("{parent}.")).unwrap_or_default();
    map.into_iter().flat_map(|map| map.keys()).map(|key| format!("{prefix}{key}")).collect()
}
