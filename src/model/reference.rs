//! References of images, `[registry/]path[:tag][@digest]`, by the grammar that every registry and engine holds them to.

use std::sync::OnceLock;

use regex::Regex;

/// A reference: an address and a path, a tag, a digest.
const GRAMMAR: &str = r"(?x)^
    (?: (?: (?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]) (?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*
          | \[[a-fA-F0-9:]+\] ) (?::[0-9]+)? / )?
    [a-z0-9]+ (?: (?:\.|_|__|-+) [a-z0-9]+ )* (?: / [a-z0-9]+ (?: (?:\.|_|__|-+) [a-z0-9]+ )* )*
    (?: : [A-Za-z0-9_][A-Za-z0-9_.-]{0,127} )?
    (?: @ [A-Za-z][A-Za-z0-9]* (?:[-_+.][A-Za-z][A-Za-z0-9]*)* : [0-9a-fA-F]{32,} )?
    $";

/// A reference's name, and its digest or else its tag.
pub fn split_reference(reference: &str) -> (&str, Option<&str>) {
    if let Some((name, digest)) = reference.split_once('@') {
        return (name, Some(digest));
    }
    let name_start = reference.rfind('/').map_or(0, |slash| slash + 1);
    match reference[name_start..].rfind(':') {
        Some(colon) => (&reference[..name_start + colon], Some(&reference[name_start + colon + 1..])),
        None => (reference, None),
    }
}

/// A reference with the tag that is meant where there is none.
pub fn with_tag(reference: &str) -> String {
    match split_reference(reference) {
        (_, Some(_)) => reference.to_owned(),
        (name, None) => format!("{name}:latest"),
    }
}

/// A reference without the tag that is meant where there is none: two spellings of one image become the same.
pub fn without_latest(reference: &str) -> &str {
    reference.strip_suffix(":latest").unwrap_or(reference)
}

/// The same without Docker Hub's address.
pub fn familiar_name(reference: &str) -> &str {
    let name = reference.strip_prefix("docker.io/").unwrap_or(reference);
    without_latest(name.strip_prefix("library/").unwrap_or(name))
}

/// The same with all that is implied: Docker Hub's address, its folder of official images, the tag.
pub fn full_name(reference: &str) -> String {
    let name = with_tag(reference);
    if registry_of(&name) != "docker.io" {
        return name;
    }
    let path = name.strip_prefix("docker.io/").unwrap_or(&name);
    if path.contains('/') { format!("docker.io/{path}") } else { format!("docker.io/library/{path}") }
}

/// The address of the registry that a reference names.
pub fn registry_of(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        _ => "docker.io",
    }
}

/// What is wrong with a reference, if anything is.
pub fn reference_problem(name: &str) -> Option<&'static str> {
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
            assert_eq!(reference_problem(name), None, "{name}");
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
            assert!(
                reference_problem(name).is_some_and(|problem| problem.contains(part)),
                "{name}: {:?}",
                reference_problem(name)
            );
        }
    }

    #[test]
    fn references_are_split() {
        for (reference, expected) in [
            ("redis", ("redis", None)),
            ("redis:7", ("redis", Some("7"))),
            ("localhost:5000/a/b", ("localhost:5000/a/b", None)),
            ("localhost:5000/a/b:c", ("localhost:5000/a/b", Some("c"))),
            ("a/b@sha256:00", ("a/b", Some("sha256:00"))),
        ] {
            assert_eq!(split_reference(reference), expected);
        }
    }

    #[test]
    fn the_tag_that_is_meant_can_be_written_or_left_out() {
        for (name, full) in [("a", "a:latest"), ("a:b", "a:b"), ("r:5/a", "r:5/a:latest"), ("a@sha256:0", "a@sha256:0")]
        {
            assert_eq!(with_tag(name), full);
        }
        assert_eq!((familiar_name("docker.io/library/a:latest"), familiar_name("docker.io/a/b")), ("a", "a/b"));
        assert_eq!((without_latest("a:latest"), without_latest("r:5/a:b")), ("a", "r:5/a:b"));
    }

    #[test]
    fn a_reference_names_its_registry() {
        for (reference, registry) in [
            ("a/b", "docker.io"),
            ("localhost/a", "localhost"),
            ("r:5/a", "r:5"),
            ("r.example.org/a/b", "r.example.org"),
        ] {
            assert_eq!(registry_of(reference), registry);
        }
    }

    #[test]
    fn full_names() {
        for (short, full) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("docker.io/nginx:1", "docker.io/library/nginx:1"),
            ("me/app", "docker.io/me/app:latest"),
            ("ghcr.io/me/app:2", "ghcr.io/me/app:2"),
            ("localhost:5000/x", "localhost:5000/x:latest"),
        ] {
            assert_eq!(full_name(short), full);
        }
    }
}
