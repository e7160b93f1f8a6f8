//! Devices of the host, and requests for devices by capability.

use crate::manifest::read::yaml::{Map, Node, Value};

/// `/dev/a:/dev/b:rw` as a mapping.
pub fn device(node: &mut Node) {
    let Some(text) = node.as_str() else { return };
    let parts: Vec<&str> = text.splitn(3, ':').collect();
    let source = parts[0];
    let target = parts.get(1).copied().unwrap_or(source);
    let permissions = parts.get(2).copied().unwrap_or("rwm");
    let map = [("source", source), ("target", target), ("permissions", permissions)]
        .into_iter()
        .map(|(key, text)| (key.to_owned(), Node::text(text, node.span)))
        .collect();
    node.value = Value::Map(map);
}

/// `all` as a request for every one.
pub fn gpus(node: &mut Node) {
    if node.as_str() == Some("all") {
        let mut map = Map::default();
        map.insert("count".to_owned(), Node::new(Value::Int(-1), node.span));
        node.value = Value::List(vec![Node::new(Value::Map(map), node.span)]);
    }
}

/// A request with its count as a number; every device where nothing says which.
pub fn request(node: &mut Node) {
    let span = node.span;
    let Some(map) = node.as_map_mut() else { return };
    if let Some(count) = map.get_mut("count") {
        if let Value::Str(text) = &count.value {
            if text == "all" {
                count.value = Value::Int(-1);
            } else if let Ok(number) = text.parse::<i64>() {
                count.value = Value::Int(number.into());
            }
        }
    } else if !map.contains_key("device_ids") {
        map.insert("count".to_owned(), Node::new(Value::Int(-1), span));
    }
}
