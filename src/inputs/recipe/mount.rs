//! The fields of a `RUN --mount`, and what instructions name by them and by `--from`.

use crate::inputs::dockerfile::{Instruction, Kind};

/// The stages, contexts and images that an instruction names, before any expansion: builders expand none there.
pub(crate) fn names(instruction: &Instruction) -> Vec<String> {
    match &instruction.kind {
        Kind::Copy(copy) => copy.from.iter().cloned().collect(),
        Kind::Run(mounts) => mounts
            .iter()
            .filter_map(|mount| {
                let fields = fields(mount);
                let kind = field(&fields, &["type"]).unwrap_or("bind");
                if matches!(kind, "tmpfs" | "secret" | "ssh") {
                    return None;
                }
                field(&fields, &["from"]).map(str::to_owned)
            })
            .filter(|name| !name.is_empty())
            .collect(),
        _ => Vec::new(),
    }
}

/// The fields of a `--mount`: comma-separated, in double quotes where they hold commas.
/// The last of the fields that have one of these names.
pub(crate) fn fields(mount: &str) -> Vec<(String, Option<String>)> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in mount.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => {
                if let Some(field) = fields.last_mut() {
                    field.push(c);
                }
            }
        }
    }
    fields
        .into_iter()
        .map(|field| match field.split_once('=') {
            Some((name, value)) => (name.trim().to_lowercase(), Some(value.to_owned())),
            None => (field.trim().to_lowercase(), None),
        })
        .collect()
}

/// The last of the fields that have one of these names.
pub(crate) fn field<'a>(fields: &'a [(String, Option<String>)], names: &[&str]) -> Option<&'a str> {
    fields.iter().rev().find(|(name, _)| names.contains(&name.as_str()))?.1.as_deref()
}
