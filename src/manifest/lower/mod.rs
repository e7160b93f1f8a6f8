//! The canonical tree to [`Project`]: every value gets the type that the model wants, and every place is noted.

pub mod profiles;
pub mod project;
pub mod serde_value;
mod service_files;

use std::path::Path;

use serde_json::{Number, Value as Json};

use crate::manifest::language::{Check, Lower, MANIFEST, Object, Scalar, Shape};
use crate::manifest::lower::serde_value::SerdeValue;
use crate::manifest::read::source::Sources;
use crate::manifest::read::yaml::{Map, Node, Value};
use crate::model::{ByteSize, Interval, Origins};

/// A node as JSON, without any change of type.
pub fn json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => integer(*value),
        Value::Float(value) => float(*value),
        Value::Date(text) | Value::Str(text) => Json::String(text.clone()),
        Value::List(list) => list.iter().map(json).collect(),
        Value::Map(map) => Json::Object(map.iter().map(|(key, node)| (key.clone(), json(node))).collect()),
    }
}

fn integer(value: i128) -> Json {
    match (i64::try_from(value), u64::try_from(value)) {
        (Ok(value), _) => Json::Number(value.into()),
        (_, Ok(value)) => Json::Number(value.into()),
        _ => Json::String(value.to_string()),
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the bound is checked")]
fn float(value: f64) -> Json {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return Json::Number((value as i64).into());
    }
    Number::from_f64(value).map_or(Json::Null, Json::Number)
}

/// A whole manifest as it stands, sorted: what `config --no-interpolate` prints.
pub fn model(map: &Map) -> Json {
    let mut value = Json::Object(map.iter().map(|(key, node)| (key.clone(), json(node))).collect());
    value.sort_all_objects();
    value
}

/// A node without any change of type.
fn plain(node: Node) -> SerdeValue {
    match node.value {
        Value::Null => SerdeValue::Null,
        Value::Bool(value) => SerdeValue::Bool(value),
        Value::Int(value) => match (i64::try_from(value), u64::try_from(value)) {
            (Ok(value), _) => SerdeValue::Int(value),
            (_, Ok(value)) => SerdeValue::Large(value),
            _ => SerdeValue::Text(value.to_string()),
        },
        Value::Float(value) => number(value),
        Value::Date(text) | Value::Str(text) => SerdeValue::Text(text),
        Value::List(list) => SerdeValue::List(list.into_iter().map(plain).collect()),
        Value::Map(map) => SerdeValue::Map(map.into_iter().map(|(key, node)| (key, plain(node))).collect()),
    }
}

/// A number as JSON has it: whole where it is whole, and nothing where JSON has no word for it.
#[allow(clippy::cast_possible_truncation, reason = "the bound is checked")]
fn number(value: f64) -> SerdeValue {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        SerdeValue::Int(value as i64)
    } else if value.is_finite() {
        SerdeValue::Float(value)
    } else {
        SerdeValue::Null
    }
}

/// A section at the top level in long forms, with the types of the model.
pub fn section(name: &str, node: Node) -> SerdeValue {
    match MANIFEST.key(name) {
        Some(key) => shaped(node, key.shape),
        None => SerdeValue::Null,
    }
}

/// A service in long forms, with the types of the model.
pub fn service(map: Map) -> SerdeValue {
    let object_shape =
        MANIFEST.key("services").and_then(|key| key.shape.entries()).and_then(|entries| entries.shape.object());
    match object_shape {
        Some(shape) => object(map, shape),
        None => SerdeValue::Null,
    }
}

fn object(map: Map, object: &'static Object) -> SerdeValue {
    let mut out = Vec::with_capacity(map.len());
    for (name, node) in map {
        let shape = object.key(&name).map(|key| key.shape);
        let value = match shape {
            Some(shape) => shaped(node, shape),
            None => plain(node),
        };
        if !is_unset(&value, shape) {
            out.push((name, value));
        }
    }
    SerdeValue::Map(out)
}

/// Whether a value says nothing: an empty text, or zero where zero is what is there anyway.
fn is_unset(value: &SerdeValue, shape: Option<&Shape>) -> bool {
    match value {
        SerdeValue::Text(text) => text.is_empty(),
        SerdeValue::Int(0) => shape.and_then(Shape::scalar).is_some_and(|scalar| scalar.zero_is_unset),
        _ => false,
    }
}

fn shaped(node: Node, shape: &Shape) -> SerdeValue {
    match node.value {
        Value::Map(map) => match (shape.object(), shape.entries()) {
            (Some(shape), _) => object(map, shape),
            (None, Some(entries)) => {
                SerdeValue::Map(map.into_iter().map(|(key, node)| (key, shaped(node, &entries.shape))).collect())
            }
            (None, None) => plain(Node { value: Value::Map(map), ..node }),
        },
        Value::List(list) => SerdeValue::List(match shape.items() {
            Some(items) => list.into_iter().map(|node| shaped(node, items)).collect(),
            None => list.into_iter().map(plain).collect(),
        }),
        value => {
            let node = Node { value, ..node };
            match shape {
                Shape::Any => text(node, true),
                _ => match shape.scalar() {
                    Some(shape) => scalar(node, shape),
                    None => plain(node),
                },
            }
        }
    }
}

fn scalar(node: Node, shape: &Scalar) -> SerdeValue {
    match (shape.lower, &node.value) {
        (Lower::Text, _) => text(node, false),
        (Lower::TextOrEmpty, _) => text(node, true),
        (Lower::TextInList, _) => SerdeValue::List(vec![text(node, false)]),
        (Lower::Whole, Value::Str(text)) => text.parse::<i64>().map_or_else(|_| plain(node), SerdeValue::Int),
        (Lower::Whole, Value::Float(value)) => whole(*value),
        (Lower::Bytes, Value::Str(text)) => {
            text.parse::<ByteSize>().map_or_else(|_| plain(node), |size| SerdeValue::Int(size.0))
        }
        // Compose reads no floats as sizes, and the check has said so.
        (Lower::Bytes, Value::Float(_)) if shape.check == Check::Size => SerdeValue::Text(String::new()),
        (Lower::Duration, Value::Str(text)) => {
            text.parse::<Interval>().map_or_else(|_| plain(node), |duration| SerdeValue::Text(duration.to_string()))
        }
        (Lower::Cpus, _) => cpus(node),
        (Lower::Octal, Value::Int(value)) => SerdeValue::Text(format!("0{value:o}")),
        (Lower::Octal, _) => text(node, false),
        _ => plain(node),
    }
}

fn text(node: Node, null_is_empty: bool) -> SerdeValue {
    match node.value {
        Value::Null if null_is_empty => SerdeValue::Text(String::new()),
        Value::Null | Value::Date(_) | Value::Str(_) => plain(node),
        _ => node.to_text().map_or_else(|| plain(node), SerdeValue::Text),
    }
}

/// Without its fraction, as in Compose.
#[allow(clippy::cast_possible_truncation, reason = "the fraction is to be lost")]
fn whole(value: f64) -> SerdeValue {
    SerdeValue::Int(value.trunc() as i64)
}

/// Compose keeps CPUs in 32 bits and prints the shortest number that means the same.
#[allow(clippy::cast_possible_truncation, reason = "Compose cuts off too")]
#[allow(clippy::cast_precision_loss, reason = "a number of CPUs is small")]
fn cpus(node: Node) -> SerdeValue {
    let value = match &node.value {
        Value::Int(value) => *value as f64,
        Value::Float(value) => *value,
        Value::Str(text) => match text.parse::<f64>() {
            Ok(value) => value,
            Err(_) => return plain(node),
        },
        _ => return plain(node),
    };
    number((value as f32).to_string().parse().unwrap_or(value))
}

/// Notes where every value of a tree was written.
pub fn origins(manifest: &Map, sources: &Sources) -> Origins {
    let mut origins = Origins::new(sources.paths().map(Path::to_path_buf).collect());
    for (key, node) in manifest {
        visit(key, node, &mut origins);
    }
    origins
}

fn visit(key: &str, node: &Node, origins: &mut Origins) {
    let span = if node.span.is_known() { node.span } else { node.key };
    let value = origins.enter(key, (span.file.0, span.line, span.column));
    match &node.value {
        Value::Map(map) => map.iter().for_each(|(key, child)| visit(key, child, origins)),
        Value::List(list) => {
            list.iter().enumerate().for_each(|(index, child)| visit(&index.to_string(), child, origins));
        }
        _ => {}
    }
    origins.leave(value);
}
