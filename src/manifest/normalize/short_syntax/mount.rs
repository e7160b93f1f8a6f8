//! `source:target:options`, the short form of a mount.

use crate::manifest::read::yaml::{Map, Node, Value};
use crate::manifest::report::Report;
use crate::manifest::report::diagnostic::Code;
use crate::model::clean_path;

/// A mount that was written in one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShortMount {
    /// Host path or volume key; empty for an anonymous volume.
    pub source: String,
    /// Path in the container.
    pub target: String,
    /// `ro`.
    pub read_only: bool,
    /// `nocopy`.
    pub nocopy: bool,
    /// How mounts below it are shared.
    pub propagation: Option<String>,
    /// `z` or `Z`.
    pub selinux: Option<String>,
    /// The source is a path, not the key of a volume.
    pub bind: bool,
}

const PROPAGATIONS: [&str; 6] = ["rprivate", "private", "rshared", "shared", "rslave", "slave"];

/// Takes a short form apart.
///
/// # Errors
/// What is wrong with it.
pub fn parse(spec: &str) -> Result<ShortMount, String> {
    if spec.is_empty() {
        return Err("a volume cannot be empty: expected `source:target` or a path in the container".to_owned());
    }
    let mut volume = ShortMount::default();
    if spec.len() <= 2 {
        spec.clone_into(&mut volume.target);
        return Ok(volume);
    }
    let parts = split(spec);
    if parts.iter().any(String::is_empty) {
        return Err(format!("the volume {spec:?} has an empty part between its colons"));
    }
    match parts.as_slice() {
        [target] => target.clone_into(&mut volume.target),
        [source, target] => {
            source.clone_into(&mut volume.source);
            target.clone_into(&mut volume.target);
        }
        [source, target, options] => {
            source.clone_into(&mut volume.source);
            target.clone_into(&mut volume.target);
            for option in options.split(',') {
                match option {
                    "ro" => volume.read_only = true,
                    "rw" => volume.read_only = false,
                    "nocopy" => volume.nocopy = true,
                    "z" | "Z" => volume.selinux = Some(option.to_owned()),
                    _ if PROPAGATIONS.contains(&option) => volume.propagation = Some(option.to_owned()),
                    // Compose lets unknown options pass.
                    _ => {}
                }
            }
        }
        _ => return Err(format!("the volume {spec:?} has too many colons: expected `source:target:options`")),
    }
    volume.bind = is_path(&volume.source);
    Ok(volume)
}

/// Splits at colons, leaving a Windows drive and `${…}` in one piece.
fn split(spec: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut nested = 0_usize;
    let mut chars = spec.chars().peekable();
    while let Some(c) = chars.next() {
        let last = parts.len() - 1;
        match c {
            '$' if chars.peek() == Some(&'{') => nested += 1,
            '}' => nested = nested.saturating_sub(1),
            ':' if nested == 0 && !is_drive(&parts[last]) => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts[last].push(c);
    }
    parts
}

fn is_drive(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(char::is_alphabetic) && chars.next().is_none()
}

/// Whether a source is a path rather than the key of a volume.
pub fn is_path(source: &str) -> bool {
    source.starts_with(['.', '/', '~'])
        || source.starts_with("\\\\")
        || source.split_once(':').is_some_and(|(drive, _)| is_drive(drive))
}

/// Mounts in one line as mappings.
pub fn expand(node: &mut Node, report: &mut Report) {
    let Some(list) = node.as_list_mut() else { return };
    for item in list {
        let Some(text) = item.as_str() else { continue };
        match parse(text) {
            Ok(short) => {
                if short.source.is_empty() && short.target.as_bytes().get(1) == Some(&b':') {
                    let message = format!("{text:?} is taken for a path on a Windows drive");
                    let help = "give the volume a name of two letters or more".to_owned();
                    report.warn(Code::Suspicious, item.span, message, Some(help));
                }
                *item = long(short, item);
            }
            Err(message) => report.error(Code::Value, item.span, message),
        }
    }
}

fn long(short: ShortMount, item: &Node) -> Node {
    let span = item.span;
    let text = |text: String| Node::text(text, span);
    let mut map = Map::default();
    map.insert("type".to_owned(), text(if short.bind { "bind" } else { "volume" }.to_owned()));
    if !short.source.is_empty() {
        map.insert("source".to_owned(), text(short.source));
    }
    map.insert("target".to_owned(), text(clean_path(&short.target)));
    if short.read_only {
        map.insert("read_only".to_owned(), Node::new(Value::Bool(true), span));
    }
    let mut bind = Map::default();
    if let Some(selinux) = short.selinux {
        bind.insert("selinux".to_owned(), text(selinux));
    }
    if let Some(propagation) = short.propagation {
        bind.insert("propagation".to_owned(), text(propagation));
    }
    if short.bind {
        bind.insert("create_host_path".to_owned(), Node::new(Value::Bool(true), span));
    }
    if !bind.is_empty() {
        map.insert("bind".to_owned(), Node::new(Value::Map(bind), span));
    }
    if !short.bind || short.nocopy {
        let mut volume = Map::default();
        if short.nocopy {
            volume.insert("nocopy".to_owned(), Node::new(Value::Bool(true), span));
        }
        map.insert("volume".to_owned(), Node::new(Value::Map(volume), span));
    }
    item.with(Value::Map(map))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms() {
        let volume = parse("./a:/b:ro,z").unwrap();
        assert!(volume.bind && volume.read_only);
        assert_eq!((volume.source.as_str(), volume.target.as_str()), ("./a", "/b"));
        assert_eq!(volume.selinux.as_deref(), Some("z"));
        assert_eq!(parse("/data").unwrap(), ShortMount { target: "/data".into(), ..ShortMount::default() });
        let volume = parse("abc:/data:nocopy").unwrap();
        assert!(!volume.bind && volume.nocopy);
        let volume = parse("c:\\x:/data").unwrap();
        assert_eq!((volume.source.as_str(), volume.bind), ("c:\\x", true));
        for spec in ["", "ab::b", ":/b", "ab:/b:ro:x", "./a:"] {
            assert!(parse(spec).is_err(), "{spec:?}");
        }
    }
}
