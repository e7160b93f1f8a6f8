//! Prints a project as Docker Compose prints it: sorted names, `$` doubled, its nulls and empty mappings.

use serde_json::{Map, Value};

use crate::model::Project;

/// A project as JSON.
pub fn json(project: &Project) -> Value {
    let mut value = serde_json::to_value(project).unwrap_or_default();
    if let Some(map) = value.as_object_mut() {
        if let Some(services) = map.get_mut("services").and_then(Value::as_object_mut) {
            services.values_mut().for_each(service);
        }
        for section in ["services", "networks", "volumes", "secrets", "configs", "models"] {
            if let Some(section) = map.get_mut(section).and_then(Value::as_object_mut) {
                section.sort_keys();
            }
        }
    }
    escape(&mut value);
    value
}

/// A project as YAML.
pub fn yaml(project: &Project) -> String {
    serde_yaml::to_string(&json(project)).unwrap_or_default()
}

fn service(value: &mut Value) {
    let Some(map) = value.as_object_mut() else { return };
    map.sort_keys();
    for key in ["command", "entrypoint"] {
        map.entry(key).or_insert(Value::Null);
    }
    if let Some(deploy) = map.get_mut("deploy").and_then(Value::as_object_mut) {
        deploy.entry("placement").or_insert_with(|| Value::Object(Map::new()));
    }
    for key in ["environment", "labels", "annotations", "sysctls", "depends_on", "networks", "ulimits", "models"] {
        if let Some(map) = map.get_mut(key).and_then(Value::as_object_mut) {
            map.sort_keys();
        }
    }
    if let Some(rules) = map.get_mut("develop").and_then(|d| d.get_mut("watch")).and_then(Value::as_array_mut) {
        for rule in rules.iter_mut().filter_map(Value::as_object_mut) {
            rule.entry("exec").or_insert_with(|| serde_json::json!({"command": null}));
        }
    }
}

/// What is printed can be read again: a dollar sign stands for itself.
fn escape(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('$') => *text = text.replace('$', "$$"),
        Value::Array(list) => list.iter_mut().for_each(escape),
        Value::Object(map) => {
            if map.keys().any(|key| key.contains('$')) {
                *map = std::mem::take(map).into_iter().map(|(key, value)| (key.replace('$', "$$"), value)).collect();
            }
            map.values_mut().for_each(escape);
        }
        _ => {}
    }
}
