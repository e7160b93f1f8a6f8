//! The JSON Schemas of the language and of the event stream: the published files are current. That of the language
//! accepts what Docker Compose accepts, and refuses what is wrong; the scenarios hold their streams to the other.
//! To write the files anew: `HOB_WRITE_DOCS=1 cargo test --test schema`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use boon::{Compiler, SchemaIndex, Schemas};
use serde::Deserialize;
use serde_json::{Value, json};

const FILE: &str = "schema/devenv.schema.json";
const EVENTS: &str = "schema/events.schema.json";

struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Schema {
    fn new() -> Self {
        let mut compiler = Compiler::new();
        compiler.add_resource("devenv.json", hob::for_tests::manifest::json_schema()).unwrap();
        let mut schemas = Schemas::new();
        let index = compiler.compile("devenv.json", &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn check(&self, manifest: &Value) -> Result<(), String> {
        self.schemas.validate(manifest, self.index).map_err(|error| format!("{error:#}"))
    }
}

/// YAML as JSON: merge keys carried out, what is reset left out, other tags dropped.
fn plain(value: serde_yaml::Value) -> Option<Value> {
    use serde_yaml::Value as Yaml;
    Some(match value {
        Yaml::Tagged(tagged) if tagged.tag == "reset" => return None,
        Yaml::Tagged(tagged) => plain(tagged.value)?,
        Yaml::Sequence(list) => list.into_iter().filter_map(plain).collect(),
        Yaml::Mapping(map) => map
            .into_iter()
            .filter_map(|(key, value)| {
                let key = match key {
                    Yaml::String(key) => key,
                    other => serde_yaml::to_string(&other).ok()?.trim().to_owned(),
                };
                Some((key, plain(value)?))
            })
            .collect(),
        other => serde_json::to_value(other).ok()?,
    })
}

fn documents(text: &str) -> Result<Vec<Value>, serde_yaml::Error> {
    let mut found = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let mut value = serde_yaml::Value::deserialize(document)?;
        // What is merged in may have a merge key of its own.
        loop {
            let before = value.clone();
            value.apply_merge()?;
            if value == before {
                break;
            }
        }
        found.extend(plain(value).filter(|value| !value.is_null()));
    }
    Ok(found)
}

#[test]
fn the_published_files_are_current() {
    for (file, schema) in
        [(FILE, hob::for_tests::manifest::json_schema()), (EVENTS, hob::for_tests::event::json_schema())]
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let schema = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("HOB_WRITE_DOCS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &schema).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == schema, "{file} is not current: write it anew with HOB_WRITE_DOCS=1");
    }
}

#[test]
fn wrong_manifests_are_refused_and_right_ones_are_not() {
    let schema = Schema::new();
    for (right, manifest) in [
        (true, json!({"services": {"a": {"image": "x", "x-mine": [1], "environment": {"A": 1, "B": null}}}})),
        (true, json!({"services": {"a": {"image": "x", "environment": ["A=1"], "ports": ["80:80", 90]}}})),
        (true, json!({"services": {"a": {"image": "x", "restart": "${RESTART}", "privileged": "${YES}"}}})),
        (true, json!({"services": {"a": {"image": "x", "x-reload": "restart"}}, "x-any": {"thing": 1}})),
        (true, json!({"services": {"a": {"build": {"context": "."}, "reload": "restart"}}})),
        (false, json!({"services": {"a": {"image": "x", "enviroment": {"A": 1}}}})),
        (false, json!({"services": {"a": {"image": ["x"]}}})),
        (false, json!({"services": ["a"]})),
        (false, json!({"service": {"a": {"image": "x"}}})),
        (false, json!({"services": {"a b": {"image": "x"}}})),
        (false, json!({"services": {"a": {"image": "x", "ports": "80:80"}}})),
        (false, json!({"services": {"a": {"image": "x", "ports": [{"target": 80, "publish": 80}]}}})),
        (false, json!({"services": {"a": {"image": "x", "depends_on": {"b": {"condition": "healthy"}}}}})),
        (false, json!({"services": {"a": {"image": "x", "user": 1000}}})),
        (false, json!({"services": {"a": {"build": {"contxt": "."}}}})),
        (false, json!({"services": {"a": {"image": "x", "reload": "restrat"}}})),
        (false, json!([])),
    ] {
        assert_eq!(schema.check(&manifest).is_ok(), right, "{manifest}: {:?}", schema.check(&manifest));
    }
}

#[test]
fn every_file_that_compose_accepts_is_accepted() {
    for root in corpora() {
        accept_all(&root);
    }
}

/// Holds the schema against every file of the cases that Docker Compose accepts.
fn accept_all(root: &Path) {
    let mut files = BTreeSet::new();
    for project in std::fs::read_dir(root.join("projects")).unwrap().map(|entry| entry.unwrap().path()) {
        let peer = read_json(&root.join("peer").join(project.file_name().unwrap()).join("peer.json"));
        let description = read_json(&project.join("project.json"));
        for case in description["cases"].as_array().into_iter().flatten() {
            let accepted = peer["cases"][case["name"].as_str().unwrap_or_default()]["ok"] == Value::Bool(true);
            if accepted {
                files.extend(files_of(&project, case));
            }
        }
    }
    let schema = Schema::new();
    let (mut documents_seen, mut failures) = (0, Vec::new());
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        // Some symbolic links came into the corpus as files that hold the link's target, which is there itself.
        if !text.contains([':', '\n']) {
            continue;
        }
        match documents(text.trim_start_matches('\u{feff}')) {
            Ok(found) => {
                documents_seen += found.len();
                let refused = found.iter().filter_map(|document| schema.check(document).err());
                failures.extend(refused.map(|error| format!("{}: {error}", file.display())));
            }
            // A stricter reader than Compose's, which is not what is tested here.
            Err(error) => eprintln!("left out, no YAML to this reader: {}: {error}", file.display()),
        }
    }
    eprintln!("{documents_seen} documents of {} files", files.len());
    assert!(failures.is_empty(), "{} are refused:\n{}", failures.len(), failures.join("\n"));
    assert!(documents_seen > 0, "the corpus at {} has no files", root.display());
}

/// The project's own collection, and that of `HOB_CORPUS` (see `tests/corpus.rs`).
fn corpora() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    std::iter::once(own).chain(std::env::var_os("HOB_CORPUS").map(PathBuf::from)).collect()
}

fn read_json(path: &Path) -> Value {
    std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn files_of(project: &Path, case: &Value) -> Vec<PathBuf> {
    let dir = project.join(case["dir"].as_str().unwrap_or("."));
    let mut named: Vec<&str> = case["files"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if named.is_empty() {
        for base in ["compose", "docker-compose"] {
            let there = |name: &&str| dir.join(name).is_file();
            let names = match base {
                "compose" => [["compose.yaml", "compose.yml"], ["compose.override.yaml", "compose.override.yml"]],
                _ => [
                    ["docker-compose.yml", "docker-compose.yaml"],
                    ["docker-compose.override.yml", "docker-compose.override.yaml"],
                ],
            };
            named.extend(names.iter().filter_map(|names| names.iter().copied().find(there)));
            if !named.is_empty() {
                break;
            }
        }
    }
    named.into_iter().map(|name| dir.join(name)).filter(|path| path.is_file()).collect()
}

#[test]
fn the_example_of_the_event_stream_is_an_event() {
    let mut compiler = Compiler::new();
    compiler.add_resource("events.json", hob::for_tests::event::json_schema()).unwrap();
    let mut schemas = Schemas::new();
    let index = compiler.compile("events.json", &mut schemas).unwrap();
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/events.md")).unwrap();
    let examples: Vec<&str> = page.lines().filter(|line| line.starts_with("{\"type\":")).collect();
    assert!(!examples.is_empty());
    for example in examples {
        let event: Value = serde_json::from_str(example).unwrap();
        assert!(schemas.validate(&event, index).is_ok(), "{example}");
        assert!(schemas.validate(&json!({"type": event["type"]}), index).is_err(), "the schema asks for nothing");
    }
}
