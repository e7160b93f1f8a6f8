//! `docs/manifest-keys.md` is made of the language table, and this test holds the two together. To write it anew:
//! `HOB_WRITE_DOCS=1 cargo test --lib manifest::tests::keys`.

#![allow(clippy::disallowed_methods, reason = "a test that reads the page")]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::*;
use crate::manifest::check::expectation;
use crate::manifest::language::{Check, HOB_KEYS, MANIFEST, Object, Shape};

const HEAD: &str = "\
# Every key of the manifest

The keys of the Compose Specification and hob's own, with what each may be. Any text may hold variables; `x-` keys of
your own may stand almost anywhere. What hob's keys do is in [manifest.md](manifest.md).

This page is made of the table by which hob reads manifests: see `src/manifest/language/`.
";

/// Sections of the page: an object is described once, where it is first met.
#[derive(Default)]
struct Page {
    text: String,
    seen: BTreeSet<(&'static str, usize)>,
}

impl Page {
    fn object(&mut self, path: &str, object: &'static Object) {
        if !self.seen.insert((object.title, object.keys.len())) {
            return;
        }
        let name = if path.is_empty() { "The top level".to_owned() } else { format!("`{path}`") };
        // Writing into a string does not fail.
        let _ = write!(self.text, "\n## {name}\n\n| key | value | meaning |\n|---|---|---|\n");
        for key in object.keys {
            let own = if HOB_KEYS.contains(&key.name) { " (hob's own)" } else { "" };
            let value = expectation(key.shape).replace('|', "\\|");
            let _ = writeln!(self.text, "| `{}` | {value} | {}{own} |", key.name, key.doc.replace('|', "\\|"));
        }
        for key in object.keys {
            let path = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
            self.shape(&path, key.shape);
        }
    }

    fn shape(&mut self, path: &str, shape: &'static Shape) {
        match shape {
            Shape::Any | Shape::Scalar(_) => {}
            Shape::Object(object) => self.object(path, object),
            Shape::Map(entries) => self.shape(&format!("{path}.*"), &entries.shape),
            Shape::List(items, _) => self.shape(&format!("{path}[]"), items),
            Shape::Either(shapes) => shapes.iter().for_each(|shape| self.shape(path, shape)),
        }
    }
}

#[test]
fn the_page_of_keys_is_the_language() {
    let mut page = Page { text: HEAD.to_owned(), ..Page::default() };
    page.object("", &MANIFEST);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/manifest-keys.md");
    if std::env::var_os("HOB_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page.text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page.text, "docs/manifest-keys.md is not the language's: write it anew with HOB_WRITE_DOCS=1");
}

/// The rows of a service that a value of one kind suits.
fn rows(suits: impl Fn(&Shape) -> bool) -> Vec<&'static str> {
    let service = MANIFEST.key("services").unwrap().shape.entries().unwrap().shape.object().unwrap();
    service.keys.iter().filter(|key| suits(key.shape)).map(|key| key.name).collect()
}

/// What is printed for a key of a service, by what is written for it.
fn printed(key: &str, written: &str) -> serde_json::Value {
    let text = format!("services:\n  a:\n    image: x\n    mem_limit: 64m\n    {key}: {written}\n");
    json(&project(&text.replace(&format!("    {key}: 64m\n    {key}"), &format!("    {key}"))))["services"]["a"][key]
        .clone()
}

/// Whoever adds a key of a known kind adds a row and a field of the model: nothing else has to know its name.
#[test]
fn a_row_is_all_that_a_key_of_a_known_kind_needs() {
    let has_check = |check: Check| move |shape: &Shape| matches!(shape, Shape::Scalar(scalar) if scalar.check == check);
    let is_pairs = |shape: &Shape| matches!(shape, Shape::Either([Shape::Map(_), Shape::List(..)]));
    let is_strings = |shape: &Shape| matches!(shape, Shape::Either([_, Shape::List(Shape::Scalar(_), true)]));
    let (sizes, durations) = (rows(has_check(Check::Size)), rows(has_check(Check::Duration)));
    let is_free = |key: &&str| !matches!(*key, "networks" | "models" | "depends_on" | "extra_hosts");
    let pairs: Vec<_> = rows(is_pairs).into_iter().filter(is_free).collect();
    let strings: Vec<_> = rows(is_strings).into_iter().filter(|key| is_free(key) && !pairs.contains(key)).collect();
    assert!(sizes.contains(&"shm_size") && durations.contains(&"stop_grace_period"));
    assert!(pairs.contains(&"sysctls") && strings.contains(&"dns_search"));
    for key in sizes {
        assert_eq!(printed(key, "1 GiB"), "1073741824", "{key}");
        assert_eq!(printed(key, "\"0\""), serde_json::Value::Null, "{key}");
    }
    for key in durations {
        assert_eq!(printed(key, "90s"), "1m30s", "{key}");
    }
    for key in pairs {
        assert_eq!(printed(key, "[a=1, b=]"), serde_json::json!({"a": "1", "b": ""}), "{key}");
        assert_eq!(printed(key, "{a: 1, b: true}"), serde_json::json!({"a": "1", "b": "true"}), "{key}");
    }
    for key in strings {
        assert_eq!(printed(key, "/a"), serde_json::json!(["/a"]), "{key}");
    }
}
