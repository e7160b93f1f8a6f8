//! Joins two manifests: the later file over the earlier one, or a service over the one that it extends.
//!
//! The rules are in the language table; what has none is merged by kind. `!reset` and `!override` are obeyed here.
//! Marks of the later side stay on the result, so that a service that extends another can still reset what an
//! earlier file says; [`settle`] removes them in the end.

pub mod extend;
pub mod include;
pub mod unique;

use std::sync::Arc;

use indexmap::map::Entry;

use crate::manifest::language::{Key, Merge, Object, Shape};
use crate::manifest::read::yaml::{Map, Mark, Node, Trail, Value};
use crate::manifest::report::Report;
use crate::manifest::report::diagnostic::Code;

/// Merges `over` into `base`.
pub fn merge(base: Node, over: Node, object: &'static Object, report: &mut Report) -> Node {
    Merger { report }.nodes(base, over, Some(&Shape::Object(object)), "")
}

/// Removes what was reset, and the marks.
pub fn settle(node: &mut Node) {
    node.mark = Mark::None;
    match &mut node.value {
        Value::Map(map) => {
            map.retain(|_, child| child.mark != Mark::Reset);
            map.values_mut().for_each(settle);
        }
        Value::List(list) => {
            list.retain(|child| child.mark != Mark::Reset);
            list.iter_mut().for_each(settle);
        }
        _ => {}
    }
}

struct Merger<'a> {
    report: &'a mut Report,
}

impl Merger<'_> {
    fn nodes(&mut self, base: Node, over: Node, shape: Option<&Shape>, path: &str) -> Node {
        if over.mark != Mark::None {
            return over;
        }
        match (base.value, over.value) {
            (value, Value::Null) => Node { value, span: base.span, key: base.key, mark: base.mark, trail: base.trail },
            (Value::Map(lower), Value::Map(upper)) => {
                let map = self.maps(lower, upper, shape, path);
                Node { value: Value::Map(map), span: over.span, key: over.key, mark: over.mark, trail: over.trail }
            }
            (Value::List(mut lower), Value::List(upper)) => {
                lower.extend(upper);
                Node { value: Value::List(lower), span: over.span, key: over.key, mark: over.mark, trail: over.trail }
            }
            (lower @ (Value::Map(_) | Value::List(_)), upper) => {
                let kind = Node::new(lower.clone(), base.span).kind();
                let over = Node { value: upper, ..over };
                let message =
                    format!("{path} is {kind} in an earlier file and cannot be overridden by {}", over.kind());
                let help = "write `!override` before the value to replace all of it";
                self.report.error_help(Code::Merge, over.span, message, help);
                Node { value: lower, ..over }
            }
            (lower, upper) => {
                let trail = Some(overrode(&lower, base.span, base.trail.as_deref(), over.trail.as_deref()));
                Node { value: upper, span: over.span, key: over.key, mark: over.mark, trail }
            }
        }
    }

    fn maps(&mut self, mut base: Map, over: Map, shape: Option<&Shape>, path: &str) -> Map {
        let object = shape.and_then(Shape::object);
        let entries = shape.and_then(Shape::entries);
        for (name, child) in over {
            match base.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(child);
                }
                Entry::Occupied(mut entry) => {
                    let path = if path.is_empty() { entry.key().clone() } else { format!("{path}.{}", entry.key()) };
                    let lower = std::mem::take(entry.get_mut());
                    let merged = match object.and_then(|object| object.key(entry.key())) {
                        Some(key) => self.key(lower, child, key, &path),
                        None => self.nodes(lower, child, entries.map(|entries| &entries.shape), &path),
                    };
                    entry.insert(merged);
                }
            }
        }
        base
    }

    fn key(&mut self, base: Node, over: Node, key: &'static Key, path: &str) -> Node {
        if over.mark != Mark::None {
            return over;
        }
        let shape = Some(key.shape);
        match key.merge {
            Merge::Default => self.nodes(base, over, shape, path),
            Merge::Replace => {
                let trail = Some(overrode(&base.value, base.span, base.trail.as_deref(), over.trail.as_deref()));
                Node { trail, ..over }
            }
            Merge::Sequence => {
                let mut base = base;
                if let (Some(lower), Some(upper)) = (base.as_map_mut(), over.as_map()) {
                    lower.retain(|key, _| upper.get(key).is_none_or(|node| node.mark == Mark::None));
                }
                let mut list = sequence(base);
                let over_node = Node { value: Value::Null, ..over.clone() };
                list.extend(sequence(over));
                Node { value: Value::List(list), ..over_node }
            }
            Merge::Hosts => {
                let lower = sequence(base);
                let over_node = Node { value: Value::Null, ..over.clone() };
                let upper: Vec<Node> = sequence(over).into_iter().filter(|node| !lower.contains(node)).collect();
                Node { value: Value::List(lower.into_iter().chain(upper).collect()), ..over_node }
            }
            Merge::Names => self.nodes(by_name(base, false), by_name(over, false), shape, path),
            Merge::Dependencies => self.nodes(by_name(base, true), by_name(over, true), shape, path),
            Merge::Build => self.nodes(as_build(base), as_build(over), shape, path),
            Merge::Logging => {
                let driver = |node: &Node| node.get("driver").and_then(Node::as_str).map(ToOwned::to_owned);
                match (driver(&base), driver(&over)) {
                    (Some(lower), Some(upper)) if lower != upper => over,
                    _ => self.nodes(base, over, shape, path),
                }
            }
            Merge::Limits => match (base.value, over.value) {
                (Value::Map(mut lower), Value::Map(upper)) => {
                    lower.extend(upper);
                    Node { value: Value::Map(lower), ..over }
                }
                (lower, upper) => {
                    let (base, over) = (Node { value: lower, ..base }, Node { value: upper, ..over });
                    self.nodes(base, over, shape, path)
                }
            },
            Merge::Pools => self.pools(base, over, path),
        }
    }

    /// Address pools: those with the same subnet are merged, the others stand side by side.
    fn pools(&mut self, base: Node, over: Node, path: &str) -> Node {
        let (Some(lower), Some(upper)) = (base.as_list(), over.as_list()) else {
            return self.nodes(base, over, None, path);
        };
        let subnet = |node: &Node| node.get("subnet").and_then(Node::as_str).map(ToOwned::to_owned);
        let mut pools: Vec<Node> = Vec::new();
        for original in lower {
            for replacement in upper {
                if subnet(original) != subnet(replacement)
                    && !pools.iter().any(|pool| subnet(pool) == subnet(replacement))
                {
                    pools.push(replacement.clone());
                    continue;
                }
                let merged = self.nodes(original.clone(), replacement.clone(), None, path);
                match pools.iter().position(|pool| subnet(pool) == subnet(&merged)) {
                    Some(at) => pools[at] = merged,
                    None => pools.push(merged),
                }
            }
        }
        over.with(Value::List(pools))
    }
}

/// The trail of a scalar that replaces another.
fn overrode(
    value: &Value,
    span: crate::manifest::read::yaml::Span,
    lower: Option<&Trail>,
    upper: Option<&Trail>,
) -> Arc<Trail> {
    let mut trail = upper.cloned().unwrap_or_default();
    trail.overrode.push((describe(value), span));
    if let Some(lower) = lower {
        trail.overrode.extend(lower.overrode.iter().cloned());
    }
    Arc::new(trail)
}

fn describe(value: &Value) -> String {
    let node = Node::new(value.clone(), crate::manifest::read::yaml::Span::default());
    match &node.value {
        Value::List(list) => {
            let items: Vec<String> = list.iter().map(|item| describe(&item.value)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Null => "null".to_owned(),
        _ => node.to_text().unwrap_or_else(|| node.kind().to_owned()),
    }
}

/// A mapping as a list of `key=value`, sorted by text as Compose sorts it; a string as a list of one.
pub fn sequence(node: Node) -> Vec<Node> {
    let place = Node { value: Value::Null, ..node.clone() };
    match node.value {
        Value::List(list) => list,
        Value::Map(map) => {
            let mut list = Vec::with_capacity(map.len());
            for (key, child) in map {
                if child.mark == Mark::Reset {
                    continue;
                }
                let values = match child.value {
                    Value::List(ref values) => values.clone(),
                    _ => vec![child.clone()],
                };
                for value in values {
                    let text = match (&value.value, value.to_text()) {
                        (Value::Null, _) | (_, None) => key.clone(),
                        (_, Some(text)) => format!("{key}={text}"),
                    };
                    list.push(Node { value: Value::Str(text), key: child.key, span: value.span, ..value });
                }
            }
            list.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            list
        }
        Value::Null => Vec::new(),
        value => vec![Node { value, ..place }],
    }
}

/// A list of names as a mapping.
pub fn by_name(node: Node, dependencies: bool) -> Node {
    let Value::List(list) = node.value else { return node };
    let mut map = Map::default();
    for item in list {
        let span = item.span;
        if let Value::Str(name) = item.value {
            let value = if dependencies { started(span) } else { Value::Null };
            map.insert(name, Node { value, span, key: span, mark: item.mark, trail: None });
        }
    }
    Node { value: Value::Map(map), ..Node { value: Value::Null, ..node } }
}

/// What `depends_on: [db]` means for `db`.
pub fn started(span: crate::manifest::read::yaml::Span) -> Value {
    let mut map = Map::default();
    map.insert("condition".to_owned(), Node::text("service_started", span));
    map.insert("required".to_owned(), Node::new(Value::Bool(true), span));
    Value::Map(map)
}

/// `build: ./dir` as a mapping.
pub fn as_build(node: Node) -> Node {
    let place = Node { value: Value::Null, ..node.clone() };
    match node.value {
        Value::Str(context) => {
            let mut map = Map::default();
            map.insert("context".to_owned(), Node::text(context, place.span));
            if let Some(child) = map.get_mut("context") {
                child.trail.clone_from(&place.trail);
            }
            place.with(Value::Map(map))
        }
        Value::Null => place.with(Value::Map(Map::default())),
        value => Node { value, ..place },
    }
}
