//! Puts variables in and reads strings as what their key wants (`read_only: "${RO}"` becomes a boolean).

use std::sync::Arc;

use crate::manifest::interpolate::template::{Lookup, TemplateError, Uses, substitute};
use crate::manifest::language::{Cast, Object, Shape};
use crate::manifest::read::yaml::{Mark, Node, Span, Trail, Value, VariableOrigin};
use crate::manifest::report::Report;
use crate::manifest::report::diagnostic::Code;

/// How much longer all texts of a load together may become. One text has a bound of its own; without this one, a list of
/// many short `$A` would fill the memory.
const MAX_GROWTH: usize = 32 << 20;

/// What the variables of a load come to.
#[derive(Debug, Default)]
pub struct Variables {
    /// Those that were used and are not set, with the first place that used each.
    pub unset: Vec<(String, Span)>,
    /// Bytes that values have added to the manifest's texts.
    grown: usize,
}

/// What the pass needs.
pub struct Values<'a> {
    /// The variables; `None` leaves the templates as they are.
    pub lookup: Option<&'a dyn Lookup>,
    /// Where problems go.
    pub report: &'a mut Report,
    /// What the variables of the whole load come to.
    pub variables: &'a mut Variables,
    /// Where the walk is, dotted.
    pub path: String,
}

impl Values<'_> {
    /// Walks a document.
    pub fn document(&mut self, node: &mut Node, object: &'static Object) {
        self.walk(node, Some(&Shape::Object(object)));
    }

    fn walk(&mut self, node: &mut Node, shape: Option<&Shape>) {
        match &mut node.value {
            Value::Map(map) => {
                let object = shape.and_then(Shape::object);
                let entries = shape.and_then(Shape::entries);
                for (key, child) in map {
                    let known = object.and_then(|object| object.key(key)).map(|key| key.shape);
                    let inner = known.or(entries.map(|entries| &entries.shape));
                    self.below(key, |values| values.walk(child, inner));
                }
            }
            Value::List(list) => {
                let items = shape.and_then(Shape::items);
                for (index, child) in list.iter_mut().enumerate() {
                    if child.as_str().is_none_or(|text| text.contains('$')) || items.is_some() {
                        self.below(&index.to_string(), |values| values.walk(child, items));
                    }
                }
            }
            // What is reset has no value that could be wrong.
            Value::Str(_) if node.mark != Mark::Reset => self.string(node, shape),
            _ => {}
        }
    }

    fn below(&mut self, key: &str, walk: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        walk(self);
        self.path.truncate(length);
    }

    fn string(&mut self, node: &mut Node, shape: Option<&Shape>) {
        self.substitute(node);
        let Some(scalar) = shape.and_then(Shape::scalar) else { return };
        let Value::Str(text) = &node.value else { return };
        if self.lookup.is_none() && text.contains('$') {
            return;
        }
        let (value, expected, instead) = match scalar.cast {
            Cast::None => return,
            Cast::Bool => (boolean(text).map(Value::Bool), "`true` or `false`", Value::Bool(false)),
            Cast::Int => (text.parse::<i64>().ok().map(|n| Value::Int(n.into())), "a whole number", Value::Int(0)),
            Cast::Float => (text.parse::<f64>().ok().map(Value::Float), "a number", Value::Int(0)),
        };
        if let Some(value) = value {
            node.value = value;
            return;
        }
        let message = if text.is_empty() {
            format!("{} must be {expected}, and is empty", self.path)
        } else {
            format!("{} must be {expected}, found {text:?}", self.path)
        };
        self.report.error(Code::Type, node.span, message);
        // Something of the right type, so that no later pass complains again.
        node.value = instead;
    }

    fn substitute(&mut self, node: &mut Node) {
        let (Some(lookup), Value::Str(text)) = (self.lookup, &mut node.value) else { return };
        if !text.contains('$') {
            return;
        }
        let mut uses = Uses::new();
        match substitute(text, lookup, &mut uses) {
            Ok(result) => {
                let blank = uses.iter().find(|used| used.value.is_empty() && used.origin != VariableOrigin::Default);
                if let Some(used) = blank {
                    self.report.blank(node.span, &used.name, used.origin != VariableOrigin::Unset);
                }
                for used in uses.iter().filter(|used| used.origin == VariableOrigin::Unset) {
                    if !self.variables.unset.iter().any(|(name, _)| *name == used.name) {
                        self.variables.unset.push((used.name.clone(), node.span));
                    }
                }
                let before = self.variables.grown;
                self.variables.grown += result.len().saturating_sub(text.len());
                if self.variables.grown > MAX_GROWTH {
                    if before <= MAX_GROWTH {
                        let message = format!(
                            "the variables make the manifest too long: they add more than {} MiB",
                            MAX_GROWTH >> 20
                        );
                        self.report.error(Code::Interpolation, node.span, message);
                    }
                    text.clear();
                    return;
                }
                let template = std::mem::replace(text, result);
                if !uses.is_empty() {
                    node.trail =
                        Some(Arc::new(Trail { variables: uses, template: Some(template), overrode: Vec::new() }));
                }
            }
            Err(error) => {
                text.clear();
                let message = error.to_string();
                match error {
                    TemplateError::Invalid(_) => self.report.error(Code::Interpolation, node.span, message),
                    TemplateError::Required { name, .. } => {
                        self.report.required(Code::RequiredVariable, node.span, &name, message);
                    }
                }
            }
        }
    }
}

/// A boolean in a string.
pub fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "y" | "yes" | "on" => Some(true),
        "false" | "n" | "no" | "off" => Some(false),
        _ => None,
    }
}
