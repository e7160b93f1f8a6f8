//! The house rule: a room imports only what the table in `docs/architecture.md` allows. The table is read from there,
//! so that the document cannot be out of date.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const PURE: [&str; 5] = ["model", "manifest", "inputs", "plan", "event"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Rooms and what each may import, from the rows "| `room/` | … | model, plan |".
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let mut table = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        if let [room, _, imports] = cells[..]
            && let Some(room) = room.strip_prefix('`').and_then(|room| room.strip_suffix("/`"))
        {
            let imports = imports.split(", ").filter(|i| *i != "–").map(str::to_owned).collect();
            table.insert(room.to_owned(), imports);
        }
    }
    table
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.file_stem().is_some_and(|name| name == "tests") {
            continue;
        }
        if entry.is_dir() {
            files.extend(sources(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
    files.sort();
    files
}

/// The code of a file without comments and tests.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The rooms that a piece of code names: `crate::room` and `use crate::{room, other::Thing}`.
fn imports(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => drop(rooms.insert(word(rest))),
            Some(list) => {
                let mut depth = 0;
                let mut start = true;
                for (index, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && depth == 0 && !c.is_whitespace() => {
                            rooms.insert(word(&list[index..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    rooms
}

#[test]
fn every_room_is_in_the_table() {
    let rooms: BTreeSet<String> = fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert_eq!(rooms, table().into_keys().collect(), "docs/architecture.md and src/ name the same rooms");
}

#[test]
fn a_room_imports_only_what_it_may() {
    let table = table();
    let mut broken = Vec::new();
    for (room, may) in &table {
        if may.contains("all") {
            continue;
        }
        for file in sources(&root().join("src").join(room)) {
            for import in imports(&code(&file)) {
                if table.contains_key(&import) && import != *room && !may.contains(&import) {
                    broken.push(format!("{} imports {import}", file.strip_prefix(root()).unwrap().display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "not allowed by docs/architecture.md:\n{}", broken.join("\n"));
}

#[test]
fn pure_rooms_do_no_io() {
    let forbidden = [
        "std::fs",
        "std::env",
        "std::process",
        "net::Tcp",
        "net::Udp",
        "ToSocketAddrs",
        "tokio",
        "Instant::now",
        "SystemTime::now",
    ];
    let mut broken = Vec::new();
    for room in PURE {
        for file in sources(&root().join("src").join(room)) {
            let code = code(&file);
            for word in forbidden.iter().filter(|word| code.contains(**word)) {
                broken.push(format!("{} names {word}", file.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(broken.is_empty(), "pure rooms are handed files, variables and the time:\n{}", broken.join("\n"));
}

#[test]
fn only_docker_names_bollard_and_only_ui_prints() {
    let mut broken = Vec::new();
    for file in sources(&root().join("src")) {
        let name = file.strip_prefix(root()).unwrap().display().to_string();
        let code = code(&file);
        if code.contains("bollard")
            && !name.starts_with("src/engine/docker")
            && !name.starts_with("src/engine/buildkit")
        {
            broken.push(format!("{name} names bollard"));
        }
        let prints = ["println!", "print!(", "io::stdout()", "io::stderr()"].iter().any(|word| code.contains(word));
        if prints && !name.starts_with("src/ui") && !name.starts_with("src/host/terminal") {
            broken.push(format!("{name} writes to the terminal"));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_import_reader_reads_imports() {
    let code = "use crate::{model::{Build, Digest}, plan};\nlet x = crate::event::Event::Notice;";
    assert_eq!(imports(code), BTreeSet::from(["model".into(), "plan".into(), "event".into()]));
}
