//! Prints a project as Docker Compose prints it: sorted names, `$` doubled, and in JSON its nulls, its empty mappings
//! and its gaps (no `x-` keys inside services and resources, no models).

use serde_json::{Map, Value};

use crate::manifest::language::{MANIFEST, Shape};
use crate::manifest::print::emit;
use crate::model::Project;

/// Sections of the top level that hold named things, and the shape of these.
fn sections() -> impl Iterator<Item = (&'static str, &'static Shape)> {
    MANIFEST.keys.iter().filter_map(|key| Some((key.name, &key.shape.entries()?.shape)))
}

/// A project as JSON.
pub fn json(project: &Project) -> Value {
    let mut value = sorted(project);
    let Some(map) = value.as_object_mut() else { return value };
    map.shift_remove("models");
    for (section, shape) in sections() {
        for entry in map.get_mut(section).and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
            if section == "services" {
                service(entry);
            }
            if section == "networks"
                && let Some(ipam) = entry.get_mut("ipam").and_then(Value::as_object_mut)
            {
                ipam.shift_remove("options");
            }
            drop_extensions(entry, shape);
        }
    }
    value
}

/// A project as YAML.
pub fn yaml(project: &Project) -> String {
    let mut value = sorted(project);
    if let Some(networks) = value.get_mut("networks").and_then(Value::as_object_mut) {
        for network in networks.values_mut().filter_map(Value::as_object_mut) {
            if network.get("ipam").and_then(Value::as_object).is_some_and(Map::is_empty) {
                network.shift_remove("ipam");
            }
        }
    }
    for service in value.get_mut("services").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        if let Some(map) = service.as_object_mut() {
            map.retain(|key, value| !(value.is_null() && (key == "command" || key == "entrypoint")));
        }
    }
    emit::yaml(&value)
}

fn sorted(project: &Project) -> Value {
    let mut value = serde_json::to_value(project).unwrap_or_default();
    if let Some(map) = value.as_object_mut() {
        for (section, _) in sections() {
            let Some(section) = map.get_mut(section).and_then(Value::as_object_mut) else { continue };
            section.sort_keys();
            section.values_mut().for_each(sort);
        }
    }
    escape(&mut value);
    value
}

/// Sorts the keys of a mapping and of those in it; what is in lists has the model's order.
fn sort(value: &mut Value) {
    let Some(map) = value.as_object_mut() else { return };
    map.sort_keys();
    map.values_mut().for_each(sort);
}

fn service(value: &mut Value) {
    let Some(map) = value.as_object_mut() else { return };
    for key in ["command", "entrypoint"] {
        map.entry(key).or_insert(Value::Null);
    }
    if let Some(swappiness) = map.get_mut("mem_swappiness") {
        *swappiness = Value::String(swappiness.to_string());
    }
    if let Some(deploy) = map.get_mut("deploy").and_then(Value::as_object_mut) {
        deploy.entry("placement").or_insert_with(|| Value::Object(Map::new()));
    }
    if let Some(rules) = map.get_mut("develop").and_then(|d| d.get_mut("watch")).and_then(Value::as_array_mut) {
        for rule in rules.iter_mut().filter_map(Value::as_object_mut) {
            rule.entry("exec").or_insert_with(|| serde_json::json!({"command": null}));
        }
    }
    for limit in map.get_mut("ulimits").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        ulimit(limit);
    }
    let build_limits = map.get_mut("build").and_then(|build| build.get_mut("ulimits")).and_then(Value::as_object_mut);
    build_limits.into_iter().flat_map(Map::values_mut).for_each(ulimit);
    for mount in map.get_mut("volumes").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(bind) = mount.get_mut("bind").and_then(Value::as_object_mut) {
            bind.retain(|key, value| key != "create_host_path" || *value == Value::Bool(true));
        }
    }
    if let Some(blkio) = map.get_mut("blkio_config").and_then(Value::as_object_mut) {
        block_devices(blkio);
    }
}

/// A limit of zero is printed as nothing.
fn ulimit(value: &mut Value) {
    let zero = |value: &Value| value.as_i64() == Some(0);
    if zero(value) {
        *value = Value::Object(Map::new());
    } else if let Some(map) = value.as_object_mut() {
        map.retain(|_, value| !zero(value));
    }
}

/// The fields of these have capital letters in JSON.
fn block_devices(blkio: &mut Map<String, Value>) {
    for entry in blkio.values_mut().filter_map(Value::as_array_mut).flatten() {
        let Some(map) = entry.as_object_mut() else { continue };
        *map = std::mem::take(map)
            .into_iter()
            .map(|(key, value)| {
                let key = match key.as_str() {
                    "path" => "Path".to_owned(),
                    "rate" => "Rate".to_owned(),
                    "weight" => "Weight".to_owned(),
                    _ => key,
                };
                let value = if key == "Rate" { Value::String(value.to_string()) } else { value };
                (key, value)
            })
            .collect();
    }
}

/// Compose's JSON has `x-` keys at the top level only; in mappings from free names they are names like others.
fn drop_extensions(value: &mut Value, shape: &Shape) {
    match value {
        Value::Object(map) => {
            if let Some(object) = shape.object() {
                map.retain(|key, _| !key.starts_with("x-"));
                for (key, value) in map {
                    if let Some(key) = object.key(key) {
                        drop_extensions(value, key.shape);
                    }
                }
            } else if let Some(entries) = shape.entries() {
                map.values_mut().for_each(|value| drop_extensions(value, &entries.shape));
            }
        }
        Value::Array(list) => {
            if let Some(items) = shape.items() {
                for value in list {
                    drop_extensions(value, items);
                }
            }
        }
        _ => {}
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
