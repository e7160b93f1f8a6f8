//! Makes lists unique: an item that is the same as an earlier one takes the earlier one's place.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::manifest::language::{Object, Shape, Unique};
use crate::manifest::normalize::short_syntax::mount;
use crate::manifest::read::yaml::{Hasher, Node, Value};
use crate::manifest::report::Report;
use crate::manifest::report::diagnostic::Code;

/// Goes over a whole manifest.
pub fn unique(node: &mut Node, object: &'static Object, report: &mut Report) {
    walk(node, &Shape::Object(object), report);
}

fn walk(node: &mut Node, shape: &Shape, report: &mut Report) {
    match &mut node.value {
        Value::Map(map) => {
            if let Some(object) = shape.object() {
                for (name, child) in map {
                    let Some(key) = object.key(name) else { continue };
                    if key.unique != Unique::No
                        && let Value::List(list) = &mut child.value
                    {
                        let items = std::mem::take(list);
                        *list = keep_last(items, key.unique, report);
                    }
                    walk(child, key.shape, report);
                }
            } else if let Some(entries) = shape.entries() {
                for child in map.values_mut() {
                    walk(child, &entries.shape, report);
                }
            }
        }
        Value::List(list) => {
            if let Some(items) = shape.items() {
                for child in list {
                    walk(child, items, report);
                }
            }
        }
        _ => {}
    }
}

fn keep_last(items: Vec<Node>, rule: Unique, report: &mut Report) -> Vec<Node> {
    // One item alone can only be wrong in a way that its rule sees.
    if items.len() < 2 && !matches!(rule, Unique::Device | Unique::MountTarget | Unique::Port) {
        return items;
    }
    let earlier = earlier(&items, rule, report);
    if earlier.iter().all(Option::is_none) {
        return items;
    }
    // Where each kept item stands.
    let mut places = Vec::with_capacity(items.len());
    let mut kept: Vec<Node> = Vec::with_capacity(items.len());
    for (item, earlier) in items.into_iter().zip(earlier) {
        if let Some(place) = earlier.and_then(|index: usize| places.get(index).copied()) {
            let lower: Node = std::mem::replace(&mut kept[place], item);
            overrode(&mut kept[place], &lower);
            places.push(place);
        } else {
            places.push(kept.len());
            kept.push(item);
        }
    }
    kept
}

/// For each item the first one before it that is the same.
fn earlier(items: &[Node], rule: Unique, report: &mut Report) -> Vec<Option<usize>> {
    let mut key = |item| {
        index(item, rule).unwrap_or_else(|message: String| {
            report.error(Code::Value, item.span, message);
            None
        })
    };
    let keys: Vec<Option<Cow<'_, str>>> = items.iter().map(&mut key).collect();
    let mut first: HashMap<&str, usize, Hasher> = HashMap::with_capacity_and_hasher(keys.len(), Hasher::default());
    let mut earlier = Vec::with_capacity(keys.len());
    for (at, key) in keys.iter().enumerate() {
        let place = key.as_deref().map_or(at, |key| *first.entry(key).or_insert(at));
        earlier.push((place != at).then_some(place));
    }
    earlier
}

/// Notes what an item took the place of.
fn overrode(item: &mut Node, lower: &Node) {
    if item.span == lower.span {
        return;
    }
    let mut trail = item.trail.as_deref().cloned().unwrap_or_default();
    let text = lower.to_text().unwrap_or_else(|| lower.kind().to_owned());
    trail.overrode.push((text, lower.span));
    trail.overrode.extend(lower.trail.iter().flat_map(|trail| trail.overrode.iter().cloned()));
    item.trail = Some(Arc::new(trail));
}

/// What makes an item itself; `None` for an item of the wrong kind, which the check complains about.
fn index(item: &Node, rule: Unique) -> Result<Option<Cow<'_, str>>, String> {
    let field = |name: &str| item.get(name).and_then(text);
    let is_map = item.as_map().is_some();
    Ok(match rule {
        Unique::No => None,
        Unique::Key => item.as_str().map(|text| text.split_once('=').map_or(text, |(key, _)| key).into()),
        Unique::EnvFile if is_map => field("path"),
        Unique::Text | Unique::EnvFile => text(item),
        Unique::Device if is_map => match field("target") {
            Some(target) => Some(target),
            None => return Err("a device needs a `target`".to_owned()),
        },
        Unique::MountTarget if is_map => match field("target") {
            Some(target) => Some(target),
            None => return Err("a mount needs a `target`, the path in the container".to_owned()),
        },
        Unique::MountTarget => match item.as_str() {
            Some(text) => Some(mount::parse(text)?.target.into()),
            None => None,
        },
        Unique::Device => item.as_str().map(|text| {
            let mut parts = text.split(':');
            let source = parts.next().unwrap_or_default();
            parts.next().unwrap_or(source).into()
        }),
        Unique::SecretTarget => reference(item, "/run/secrets/"),
        Unique::ConfigTarget => reference(item, "/"),
        Unique::Port if is_map && item.get("target").is_none() => {
            return Err("a port needs a `target`, the port in the container".to_owned());
        }
        Unique::Port if is_map => Some(
            format!(
                "{}:{}:{}/{}",
                field("host_ip").unwrap_or("0.0.0.0".into()),
                // As in Compose, a number and the same number in quotes are two things.
                match item.get("published").map(|node| &node.value) {
                    Some(Value::Int(number)) => format!("#{number}").into(),
                    _ => field("published").unwrap_or_default(),
                },
                field("target").unwrap_or_default(),
                field("protocol").unwrap_or("tcp".into()),
            )
            .into(),
        ),
        Unique::Port => text(item),
    })
}

/// A scalar as text.
fn text(node: &Node) -> Option<Cow<'_, str>> {
    match node.as_str() {
        Some(text) => Some(text.into()),
        None => node.to_text().map(Cow::Owned),
    }
}

fn reference<'a>(item: &'a Node, folder: &str) -> Option<Cow<'a, str>> {
    if let Some(name) = item.as_str() {
        return Some(format!("{folder}{name}").into());
    }
    let field = |name: &str| item.get(name).and_then(text);
    field("target").or_else(|| field("source").map(|source| format!("{folder}{source}").into()))
}
