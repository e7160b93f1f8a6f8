//! `docs/manifest-keys.md` is made of the language table, and this test holds the two together. To write it anew:
//! `HOB_WRITE_DOCS=1 cargo test --lib manifest::tests::keys`.

#![allow(clippy::disallowed_methods, reason = "a test that reads the page")]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::*;
use crate::manifest::check::expectation;
use crate::manifest::language::{HOB_KEYS, MANIFEST, Object, Shape};

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
