//! The JSON Schema of the manifest language, made from the table. It is for editors; hob itself checks with the table.

use serde_json::{Map, Value, json};

use crate::manifest::language::{Check, Entries, HOB_KEYS, MANIFEST, Object, Scalar, Shape, Types};

/// The schema of a whole manifest.
pub fn json_schema() -> Value {
    let mut schema = object(&MANIFEST);
    if let Some(map) = schema.as_object_mut() {
        map.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
        map.insert("title".to_owned(), json!("hob manifest"));
        map.insert(
            "description".to_owned(),
            json!("devenv.yaml: the Compose Specification and hob's own keys (reload, prepare, process, probe)."),
        );
        map.sort_keys();
    }
    schema
}

fn object(object: &Object) -> Value {
    let mut properties = Map::new();
    for key in object.keys {
        let mut value = shape(key.shape);
        if let Some(map) = value.as_object_mut() {
            map.insert("description".to_owned(), json!(key.doc));
        }
        if HOB_KEYS.contains(&key.name) {
            properties.insert(format!("x-{}", key.name), value.clone());
        }
        properties.insert(key.name.to_owned(), value);
    }
    let mut out = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if object.extensions {
        out["patternProperties"] = json!({"^x-": {}});
    }
    // What must be there may be in another file that this one overrides, so the schema does not ask for it.
    out
}

fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::Any => json!({}),
        Shape::Scalar(value) => scalar(value),
        Shape::Object(value) => object(value),
        Shape::Map(entries) => map(entries),
        Shape::List(items, _) => json!({"type": "array", "items": self::shape(items)}),
        Shape::Either(shapes) => json!({"anyOf": shapes.iter().map(self::shape).collect::<Vec<_>>()}),
    }
}

fn map(entries: &Entries) -> Value {
    let value = shape(&entries.shape);
    if entries.names {
        json!({"type": "object", "patternProperties": {"^[a-zA-Z0-9._-]+$": value}, "additionalProperties": false})
    } else {
        json!({"type": "object", "additionalProperties": value})
    }
}

fn scalar(scalar: &Scalar) -> Value {
    let mut types = Vec::new();
    for (name, kind) in
        [("string", Types::STRING), ("boolean", Types::BOOLEAN), ("number", Types::NUMBER), ("null", Types::NULL)]
    {
        if scalar.types.has(kind) {
            types.push(name);
        }
    }
    if scalar.types.has(Types::INTEGER) && !scalar.types.has(Types::NUMBER) {
        types.push("integer");
    }
    let mut out = match types.as_slice() {
        [one] => json!({"type": one}),
        many => json!({"type": many}),
    };
    match scalar.check {
        // A word may be put in by a variable, which an editor cannot know.
        Check::OneOf(words) => {
            out = json!({"anyOf": [{"enum": words}, {"type": "string", "pattern": "\\$"}]});
        }
        Check::Range(least, most) => {
            out["minimum"] = json!(least);
            if most < i64::MAX {
                out["maximum"] = json!(most);
            }
        }
        _ => {}
    }
    out
}
