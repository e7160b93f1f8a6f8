//! A layer imports only what the table in `docs/architecture.md` allows. The table is read from there,
//! so that the document cannot be out of date.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::source::{code, root, sources};

const PURE: [&str; 6] = ["model", "manifest", "inputs", "plan", "event", "template"];

/// Layers and what each may import, from the rows "| `layer/` | … | model, plan |".
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let mut table = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        if let [layer, _, imports] = cells[..]
            && let Some(layer) = layer.strip_prefix('`').and_then(|layer| layer.strip_suffix("/`"))
        {
            let imports = imports.split(", ").filter(|i| *i != "–").map(str::to_owned).collect();
            table.insert(layer.to_owned(), imports);
        }
    }
    table
}

/// The layers that a piece of code names: `crate::layer` and `use crate::{layer, other::Thing}`.
fn imports(code: &str) -> BTreeSet<String> {
    let mut layers = BTreeSet::new();
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => drop(layers.insert(word(rest))),
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
                            layers.insert(word(&list[index..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    layers
}

#[test]
fn every_layer_is_in_the_table() {
    let layers: BTreeSet<String> = fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert_eq!(layers, table().into_keys().collect(), "docs/architecture.md and src/ name the same layers");
}

#[test]
fn a_layer_imports_only_what_it_may() {
    let table = table();
    let mut broken = Vec::new();
    for (layer, may) in &table {
        if may.contains("all") {
            continue;
        }
        for file in sources(&root().join("src").join(layer)) {
            for import in imports(&code(&file)) {
                if table.contains_key(&import) && import != *layer && !may.contains(&import) {
                    broken.push(format!("{} imports {import}", file.strip_prefix(root()).unwrap().display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "not allowed by docs/architecture.md:\n{}", broken.join("\n"));
}

#[test]
fn execute_knows_the_workspace_by_its_trait() {
    let names = |code: &str| {
        code.split("workspace::")
            .skip(1)
            .flat_map(|rest| {
                let list = rest.strip_prefix('{').and_then(|list| list.split_once('}')).map_or(rest, |(list, _)| list);
                let words = list.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|name| !name.is_empty());
                let count = if rest.starts_with('{') { usize::MAX } else { 1 };
                words.take(count).map(str::to_owned).collect::<Vec<_>>()
            })
            .collect::<BTreeSet<String>>()
    };
    let files = sources(&root().join("src/execute"));
    let named: BTreeSet<String> = files.iter().flat_map(|file| names(&code(file))).collect();
    assert_eq!(named, BTreeSet::from(["Loaded".to_owned(), "Sources".to_owned()]));
}

#[test]
fn pure_layers_do_no_io() {
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
    for layer in PURE {
        for file in sources(&root().join("src").join(layer)) {
            let code = code(&file);
            for word in forbidden.iter().filter(|word| code.contains(**word)) {
                broken.push(format!("{} names {word}", file.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(broken.is_empty(), "pure layers are handed files, variables and the time:\n{}", broken.join("\n"));
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
