//! Laws that hold for every manifest.

use proptest::prelude::*;

use super::*;
use crate::manifest;
use crate::manifest::language::MANIFEST;
use crate::manifest::merge::{self, unique};
use crate::manifest::read::source::Sources;
use crate::manifest::read::yaml::{self, Node};
use crate::manifest::report::Report;

/// One key of a service with a value, from a small vocabulary in which things collide.
fn entry() -> impl Strategy<Value = (String, String)> {
    let pairs = |name: &'static str| {
        (prop::collection::btree_map("[A-C]", "[a-z0-9]{0,2}", 0..3), any::<bool>()).prop_map(move |(map, list)| {
            let text: Vec<String> =
                map.iter().map(|(k, v)| if list { format!("\"{k}={v}\"") } else { format!("{k}: \"{v}\"") }).collect();
            let text = text.join(", ");
            (name.to_owned(), if list { format!("[{text}]") } else { format!("{{{text}}}") })
        })
    };
    let list = |name: &'static str, items: &'static [&'static str]| {
        prop::sample::subsequence(items, 0..=items.len())
            .prop_map(move |items| (name.to_owned(), serde_json::to_string(&items).unwrap()))
    };
    prop_oneof![
        pairs("environment"),
        pairs("labels"),
        list("ports", &["80:80", "81:81", "127.0.0.1:80:80", "90/udp", "70-72:70-72"]),
        list("volumes", &["./a:/a", "./b:/a", "vol:/v", "/x", "./c:/c:ro"]),
        list("cap_add", &["A", "B"]),
        list("expose", &["80", "81"]),
        list("dns", &["1.1.1.1", "2.2.2.2"]),
        "[a-z]{1,3}".prop_map(|text| ("hostname".to_owned(), format!("\"{text}\""))),
        "[a-z $]{0,5}".prop_map(|text| ("user".to_owned(), serde_json::to_string(&text).unwrap())),
        "[a-z]{1,3}( [a-z]{1,3}){0,2}".prop_map(|text| ("command".to_owned(), text)),
        any::<bool>().prop_map(|value| ("tty".to_owned(), value.to_string())),
        (1u32..100).prop_map(|value| ("stop_grace_period".to_owned(), format!("{value}s"))),
        (1u32..100).prop_map(|value| ("mem_limit".to_owned(), format!("{value}m"))),
    ]
}

fn service() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec(entry(), 0..6).prop_map(|entries| {
        let map: BTreeMap<String, String> = entries.into_iter().collect();
        map.into_iter().collect()
    })
}

fn text(entries: &[(String, String)]) -> String {
    let keys: String = entries.iter().map(|(key, value)| format!("    {key}: {value}\n")).collect();
    format!("services:\n  a:\n    image: x\n{keys}volumes:\n  vol:\n")
}

/// One document, read and not yet merged.
fn document(entries: &[(String, String)]) -> Node {
    let mut sources = Sources::default();
    let id = sources.add(Path::new("/p/c.yaml"), text(entries));
    let (documents, problems) = yaml::parse(sources.text(id), id);
    assert!(problems.is_empty(), "{problems:?}");
    documents.into_iter().next().unwrap_or_default()
}

fn model(files: &[(&str, &str)]) -> Option<serde_json::Value> {
    let names: Vec<PathBuf> = files.iter().map(|(name, _)| PathBuf::from(name)).collect();
    run(files, |options| options.files = names).project.map(|project| manifest::json(&project))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// What `config` prints can be read again and prints the same.
    #[test]
    fn config_of_config_is_the_same(entries in service()) {
        let first = model(&[("c.yaml", &text(&entries))]);
        if let Some(first) = first {
            let again = model(&[("c.yaml", &first.to_string())]);
            prop_assert_eq!(Some(first), again);
        }
    }

    /// The YAML form says the same as the JSON form.
    #[test]
    fn the_yaml_form_is_read_as_the_json_form(entries in service()) {
        let source = text(&entries);
        if let Some(project) = run(&[("c.yaml", &source)], |options| options.files = vec!["c.yaml".into()]).project {
            let again = model(&[("c.yaml", &manifest::to_yaml(&project))]);
            prop_assert_eq!(Some(manifest::json(&project)), again);
        }
    }

    /// The order of keys never changes the model.
    #[test]
    fn keys_may_stand_in_any_order(entries in service(), seed in any::<usize>()) {
        let mut other = entries.clone();
        if !other.is_empty() {
            let middle = seed % other.len();
            other.rotate_left(middle);
        }
        prop_assert_eq!(model(&[("c.yaml", &text(&entries))]), model(&[("c.yaml", &text(&other))]));
    }

    /// Overriding with b and then with c is the same as both as documents of one file.
    #[test]
    fn files_and_documents_merge_alike(a in service(), b in service(), c in service()) {
        let (a, b, c) = (text(&a), text(&b), text(&c));
        let files = model(&[("a.yaml", &a), ("b.yaml", &b), ("c.yaml", &c)]);
        let joined = format!("{b}---\n{c}");
        prop_assert_eq!(files, model(&[("a.yaml", &a), ("bc.yaml", &joined)]));
    }

    /// Overriding a with b and then with c is the same as overriding a with what b and c make together.
    #[test]
    fn merging_is_associative(a in service(), b in service(), c in service()) {
        let all = [&a, &b, &c].map(|entries| document(entries));
        let join = |lower: Node, upper: Node| {
            let mut report = Report::default();
            let mut node = merge::merge(lower, upper, &MANIFEST, &mut report);
            unique::unique(&mut node, &MANIFEST, &mut report);
            node
        };
        let [a, b, c] = all;
        let left = join(join(a.clone(), b.clone()), c.clone());
        let right = join(a, join(b, c));
        prop_assert_eq!(left, right);
    }

    /// Nothing that is read makes the loader panic.
    #[test]
    fn any_text_is_an_answer(text in "[a-z:${}\\[\\]\\-\"' \n&*#!|>?,0-9]{0,80}") {
        let _ = run(&[("devenv.yaml", &text)], |_| {});
        let _ = run(&[("devenv.yaml", &format!("services:\n  a:\n    image: {text}\n"))], |_| {});
        let _ = run(&[("devenv.yaml", "services: {a: {image: x}}"), (".env", &text)], |_| {});
    }
}
