//! Names of images, by the grammar that every registry and engine holds them to.

use std::sync::OnceLock;

use regex::Regex;

/// A name: an address and a path, a tag, a digest.
const GRAMMAR: &str = r"(?x)^
    (?: (?: (?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]) (?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*
          | \[[a-fA-F0-9:]+\] ) (?::[0-9]+)? / )?
    [a-z0-9]+ (?: (?:\.|_|__|-+) [a-z0-9]+ )* (?: / [a-z0-9]+ (?: (?:\.|_|__|-+) [a-z0-9]+ )* )*
    (?: : [A-Za-z0-9_][A-Za-z0-9_.-]{0,127} )?
    (?: @ [A-Za-z][A-Za-z0-9]* (?:[-_+.][A-Za-z][A-Za-z0-9]*)* : [0-9a-fA-F]{32,} )?
    $";

/// What is wrong with a name, if anything is.
pub fn problem(name: &str) -> Option<&'static str> {
    static NAME: OnceLock<Option<Regex>> = OnceLock::new();
    if NAME.get_or_init(|| Regex::new(GRAMMAR).ok()).as_ref().is_none_or(|grammar| grammar.is_match(name)) {
        return None;
    }
    let path = name.split('@').next().unwrap_or_default();
    let (path, tag) = match path.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (path, None),
    };
    let last = path.rsplit('/').next().unwrap_or_default();
    Some(if name.contains("://") {
        "it is a URL; leave out what is before the `//`, and the `//`"
    } else if name.contains(char::is_whitespace) {
        "it has a space"
    } else if tag == Some("") {
        "nothing follows the `:`"
    } else if name.ends_with('@') {
        "nothing follows the `@`"
    } else if path.is_empty() || path.starts_with('/') || path.ends_with('/') || path.contains("//") {
        "a part of it is empty"
    } else if last.chars().any(|c| c.is_ascii_uppercase())
        || path.matches('/').count() == 0 && path != path.to_lowercase()
    {
        "it must be in small letters"
    } else {
        "expected a form such as `name`, `name:tag` or `registry.example.org/group/name:tag`"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_held_to_the_grammar() {
        let digest = format!("a@sha256:{}", "0".repeat(64));
        for name in [
            "busybox",
            "a/b",
            "a.b:5000/c_d/e__f-g:1.0-RC_1",
            "localhost/a",
            "UPPER.example.org/a",
            "[::1]:5000/a",
            "0123",
            &digest,
            "a:tag@sha256:01234567890123456789012345678901",
        ] {
            assert_eq!(problem(name), None, "{name}");
        }
        for (name, part) in [
            ("", "empty"),
            ("x:", "nothing follows"),
            ("/app:1", "empty"),
            ("a//b", "empty"),
            ("My/App", "small letters"),
            ("App:1", "small letters"),
            ("https://a/b", "URL"),
            ("a b", "space"),
            ("a:b:c", "form"),
            ("a@sha256:12", "form"),
            ("-a", "form"),
            ("a..b", "form"),
        ] {
            assert!(problem(name).is_some_and(|problem| problem.contains(part)), "{name}: {:?}", problem(name));
        }
    }
}
