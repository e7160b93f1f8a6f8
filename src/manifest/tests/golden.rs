//! Diagnostics word for word, as a person sees them. The expected text stands in `golden/NAME.txt`; to write the
//! files anew after a change of words: `HOB_WRITE_DOCS=1 cargo test --lib manifest::tests::golden`.

#![allow(clippy::disallowed_methods, reason = "a test that reads the expected text")]

use super::*;

/// A name, and files with what people get wrong most often.
const CASES: [(&str, &[(&str, &str)]); 14] = [
    ("misspelt-key", &[("devenv.yaml", "services:\n  api:\n    image: x\n    enviroment:\n      A: 1\n")]),
    (
        "misspelt-service",
        &[(
            "devenv.yaml",
            "services:\n  api:\n    image: x\n    depends_on:\n      - postgers\n  postgres:\n    image: postgres:17\n",
        )],
    ),
    ("number-for-text", &[("devenv.yaml", "services:\n  api:\n    image: x\n    user: 1000\n")]),
    ("bad-duration", &[("devenv.yaml", "services:\n  api:\n    image: x\n    stop_grace_period: 10 sec\n")]),
    ("bad-size", &[("devenv.yaml", "services:\n  api:\n    image: x\n    mem_limit: 1 giga\n")]),
    ("bad-port", &[("devenv.yaml", "services:\n  api:\n    image: x\n    ports:\n      - \"8080:http\"\n")]),
    (
        "circle",
        &[(
            "devenv.yaml",
            "services:\n  a:\n    image: x\n    depends_on: [b]\n  b:\n    image: x\n    depends_on:\n      - a\n",
        )],
    ),
    ("not-yaml", &[("devenv.yaml", "services:\n  api:\n    image: x\n   ports: []\n")]),
    ("key-twice", &[("devenv.yaml", "services:\n  api:\n    image: x\n    tty: true\n    image: y\n")]),
    (
        "required-variable",
        &[("devenv.yaml", "services:\n  api:\n    image: \"api:${TAG:?the tag to run}\"\n    tty: ${TTY}\n")],
    ),
    ("broken-template", &[("devenv.yaml", "services:\n  api:\n    image: api:${TAG\n")]),
    (
        "undefined-volume",
        &[(
            "devenv.yaml",
            "services:\n  db:\n    image: x\n    volumes:\n      - dta:/var/lib/data\nvolumes:\n  data:\n",
        )],
    ),
    (
        "warnings",
        &[
            (
                "compose.yaml",
                "services:\n  api:\n    image: \"x:$TAG\"\n    ports: [\"80:80\"]\n    depends_on:\n      db:\n        \
                 condition: service_healthy\n  db:\n    image: y\n",
            ),
            ("compose.override.yaml", "services:\n  api:\n    ports:\n      - \"8080:80\"\n"),
        ],
    ),
    (
        "env-file",
        &[("devenv.yaml", "services:\n  api:\n    image: x\n    env_file: api.env\n"), ("api.env", "A=1\nB='open\n")],
    ),
];

#[test]
fn diagnostics_read_as_they_were_written_down() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manifest/tests/golden");
    let mut changed = Vec::new();
    for (name, files) in CASES {
        let said = complaints(files);
        assert!(said.contains(':') && said.contains('^'), "{name} points nowhere:\n{said}");
        let path = folder.join(format!("{name}.txt"));
        if std::env::var_os("HOB_WRITE_DOCS").is_some() {
            std::fs::write(&path, &said).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if said != expected {
            changed.push(format!("== {name}\nexpected:\n{expected}\nsaid:\n{said}"));
        }
    }
    assert!(changed.is_empty(), "{}", changed.join("\n"));
}
