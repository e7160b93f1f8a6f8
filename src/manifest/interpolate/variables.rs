//! The variables that a manifest asks for, with what it says of each: `config --variables`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::template::{closing_brace, name};

/// A variable that a manifest uses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Asked {
    /// Its name.
    pub name: String,
    /// What stands for it where it is not set.
    #[serde(rename = "DefaultValue")]
    pub default: String,
    /// What stands for it where it is set.
    #[serde(rename = "PresenceValue")]
    pub instead: String,
    /// It has to be set.
    pub required: bool,
}

/// The variables of all texts of a model, by name. Of several uses the first that says something of it counts, and it is
/// required where one of them requires it.
pub fn asked(model: &Value) -> BTreeMap<String, Asked> {
    let mut found = BTreeMap::new();
    walk(model, &mut found);
    found
}

fn walk(value: &Value, found: &mut BTreeMap<String, Asked>) {
    match value {
        Value::String(text) => text_of(text, found),
        Value::Array(list) => list.iter().for_each(|value| walk(value, found)),
        Value::Object(map) => map.values().for_each(|value| walk(value, found)),
        _ => {}
    }
}

fn text_of(text: &str, found: &mut BTreeMap<String, Asked>) {
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let Some(end) = closing_brace(after) else { return };
            braced(&after[..end], found);
            rest = &after[end + 1..];
        } else {
            let plain = name(rest);
            note(Asked { name: plain.to_owned(), ..Asked::default() }, found);
            rest = &rest[plain.len()..];
        }
    }
}

fn braced(content: &str, found: &mut BTreeMap<String, Asked>) {
    let plain = name(content);
    let mut asked = Asked { name: plain.to_owned(), ..Asked::default() };
    let operator = content[plain.len()..].trim_start_matches(':');
    if let Some(word) = operator.strip_prefix('-') {
        word.clone_into(&mut asked.default);
        text_of(word, found);
    } else if let Some(word) = operator.strip_prefix('+') {
        word.clone_into(&mut asked.instead);
    } else {
        asked.required = operator.starts_with('?');
    }
    note(asked, found);
}

fn note(asked: Asked, found: &mut BTreeMap<String, Asked>) {
    if asked.name.is_empty() {
        return;
    }
    let known = found.entry(asked.name.clone()).or_insert_with(|| Asked { name: asked.name, ..Asked::default() });
    known.required |= asked.required;
    for (known, new) in [(&mut known.default, asked.default), (&mut known.instead, asked.instead)] {
        if known.is_empty() {
            *known = new;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_text_asks_for() {
        // docker/compose#11785: two variables in one text were taken for one.
        let model = serde_json::json!({
            "domainname": "${SUBDOMAIN:-redis}.${ROOTDOMAIN:?}",
            "image": ["${A:-${B:-c}} $$X $${Y} ${C:+alt} ${D+other} ${E?} ${F:?msg ${G}} $H ${A} $1"],
            "${KEY}": true,
        });
        let rows: Vec<String> = asked(&model)
            .values()
            .map(|a| format!("{} {} {} {}", a.name, a.required, a.default, a.instead).trim_end().to_owned())
            .collect();
        let want = [
            "A false ${B:-c}",
            "B false c",
            "C false  alt",
            "D false  other",
            "E true",
            "F true",
            "H false",
            "ROOTDOMAIN true",
            "SUBDOMAIN false redis",
        ];
        assert_eq!(rows, want);
    }
}
