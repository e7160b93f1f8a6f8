//! Variables of a Dockerfile: what `ARG` and `ENV` set, and where builders differ.
//!
//! Builders of different ages disagree about an `ARG` that repeats a name: whether it wins over an `ENV` before it,
//! over an earlier `ARG`, and whether a stage inherits it. Where that matters the value counts as unknown, and what
//! depends on it is not narrowed down.

use std::collections::BTreeMap;

use crate::inputs::dockerfile::{Value, Variables};

/// Build arguments that every builder takes without an `ARG`.
const PREDEFINED: [&str; 5] = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"];

/// Whether a build argument has an effect without being declared.
pub fn is_predefined(name: &str) -> bool {
    name.starts_with("BUILDKIT_")
        || name == "SOURCE_DATE_EPOCH"
        || PREDEFINED.iter().any(|p| p.eq_ignore_ascii_case(name))
}

#[derive(Clone, Debug)]
struct Variable {
    value: Value,
    arg: bool,
}

/// The variables at one point of a stage.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    variables: BTreeMap<String, Variable>,
}

impl Variables for Scope {
    fn get(&self, name: &str) -> Option<Value> {
        self.variables.get(name).map(|v| v.value.clone())
    }
}

impl Scope {
    /// Sets what `ENV` sets.
    pub fn set_env(&mut self, name: String, value: Value) {
        self.variables.insert(name, Variable { value, arg: false });
    }

    /// Sets what `ARG` sets. A name that has another value already becomes unknown.
    pub fn set_arg(&mut self, name: String, value: Value) {
        let value = match self.variables.get(&name) {
            Some(old) if old.value != value => Value::Unknown,
            _ => value,
        };
        self.variables.insert(name, Variable { value, arg: true });
    }

    /// Sets an argument of the part before the first `FROM`, where the last one wins everywhere.
    pub fn set_global(&mut self, name: String, value: Value) {
        self.variables.insert(name, Variable { value, arg: true });
    }

    /// What a stage that starts from this one begins with.
    pub fn inherited(&self) -> Self {
        let mut scope = self.clone();
        for variable in scope.variables.values_mut().filter(|v| v.arg) {
            variable.value = Value::Unknown;
        }
        scope
    }

    /// What a stage begins with that starts from an image with this environment.
    pub fn from_image(env: &[String]) -> Self {
        let mut scope = Self::default();
        for pair in env {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            scope.set_env(name.to_owned(), Value::Known(value.to_owned()));
        }
        scope
    }
}

/// The arguments that a builder sets by itself before the first `FROM`.
pub fn automatic(target: &[String], build: &str, stage: &str) -> Scope {
    let mut scope = Scope::default();
    let mut set = |prefix: &str, platform: Option<&str>| {
        let parts: Option<Vec<&str>> = platform.map(|p| p.split('/').collect());
        let part = |index: usize| match (&parts, platform) {
            (Some(parts), Some(platform)) => Value::Known(match index {
                0 => platform.to_owned(),
                n => parts.get(n - 1).copied().unwrap_or_default().to_owned(),
            }),
            _ => Value::Unknown,
        };
        for (index, suffix) in ["PLATFORM", "OS", "ARCH", "VARIANT"].iter().enumerate() {
            scope.set_global(format!("{prefix}{suffix}"), part(index));
        }
    };
    set("BUILD", Some(build));
    set(
        "TARGET",
        match target {
            [] => Some(build),
            [one] => Some(one),
            _ => None,
        },
    );
    scope.set_global("TARGETSTAGE".to_owned(), Value::Known(stage.to_owned()));
    scope
}
