//! No two files of a layer import each other, by whatever way round: each can be read, tested and changed with what
//! is below it alone. A name that a `mod.rs` only hands on counts as an import of the file that has it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::source::{code, root, sources};

/// Where circles are left: in a folder, or between a file and those above it. An entry that no circle needs any more fails too, so that the list only gets shorter.
const LEFT: [&str; 0] = [];

/// A module, or a name in one, from the crate on.
type Name = Vec<String>;

/// One file.
struct File {
    code: String,
    /// Names that it imports or hands on, with what they stand for.
    names: BTreeMap<String, Name>,
    /// Modules of which it hands on everything.
    globs: Vec<Name>,
    /// What it imports for itself.
    imports: Vec<Name>,
    /// Its code without imports.
    rest: String,
}

struct Crate(BTreeMap<Name, File>);

impl Crate {
    fn read(folder: &Path) -> Self {
        let mut files: BTreeMap<Name, String> = BTreeMap::new();
        for path in sources(folder) {
            let stem = path.strip_prefix(folder).unwrap().with_extension("");
            let mut name: Name = stem.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            name.pop_if(|last| last == "mod");
            let is_test = |part: &String| part == "testing" || part.ends_with("_tests");
            if !name.iter().any(is_test) && name != ["lib"] && name != ["main"] {
                files.insert(name, without_texts(&code(&path)));
            }
        }
        Self::of(files)
    }

    fn of(files: BTreeMap<Name, String>) -> Self {
        let known: BTreeSet<Name> = files.keys().cloned().collect();
        Self(files.into_iter().map(|(name, code)| (name.clone(), File::of(&name, code, &known))).collect())
    }

    /// The file that has what a name stands for.
    fn file_of(&self, name: &[String], depth: usize) -> Option<Name> {
        let mut module = Name::new();
        for (at, part) in name.iter().enumerate() {
            module.push(part.clone());
            if self.0.contains_key(&module) {
                continue;
            }
            module.pop();
            let file = self.0.get(&module)?;
            let follow = |target: &Name| {
                let whole = [target, &name[at + 1..]].concat();
                if depth < 16 { self.file_of(&whole, depth + 1) } else { None }
            };
            if let Some(target) = file.names.get(part).filter(|target| target[..] != name[..=at]) {
                return follow(target);
            }
            if !file.defines(part) {
                let all = file.globs.iter().map(|glob| [&glob[..], std::slice::from_ref(part)].concat());
                let found = all.filter_map(|target| follow(&target)).find(|found| self.0[found].defines(part));
                return found.or(Some(module));
            }
            return Some(module);
        }
        (!module.is_empty()).then_some(module)
    }

    /// The files of the same layer that each file imports.
    fn edges(&self) -> BTreeMap<&Name, BTreeSet<&Name>> {
        let known: BTreeSet<Name> = self.0.keys().cloned().collect();
        let edges = self.0.iter().map(|(name, file)| {
            let used = paths(&file.rest).into_iter().filter_map(|path| {
                let first =
                    file.names.get(&path[0]).filter(|_| !matches!(path[0].as_str(), "crate" | "self" | "super"));
                first.map_or_else(|| absolute(name, &path, &known), |first| Some([first, &path[1..]].concat()))
            });
            let targets = file.imports.iter().cloned().chain(used).filter_map(|path| self.file_of(&path, 0));
            let same_layer = targets.filter(|target| target != name && target[0] == name[0]);
            (name, same_layer.filter_map(|target| self.0.get_key_value(&target).map(|(key, _)| key)).collect())
        });
        edges.collect()
    }

    /// Files that reach each other.
    fn circles(&self) -> Vec<BTreeSet<String>> {
        let edges = self.edges();
        let reach = |from: &Name| {
            let (mut seen, mut open) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(file) = open.pop() {
                open.extend(edges[&file].iter().filter(|target| seen.insert((**target).clone())).map(|t| (*t).clone()));
            }
            seen
        };
        let reached: BTreeMap<&Name, BTreeSet<Name>> = edges.keys().map(|name| (*name, reach(name))).collect();
        let circle = |name: &Name| -> BTreeSet<String> {
            reached[name].iter().filter(|other| reached[*other].contains(name)).map(|name| name.join("::")).collect()
        };
        let circles: BTreeSet<BTreeSet<String>> = edges.keys().map(|name| circle(name)).collect();
        circles.into_iter().filter(|circle| circle.len() > 1).collect()
    }
}

impl File {
    fn of(name: &Name, code: String, known: &BTreeSet<Name>) -> Self {
        let (mut names, mut globs, mut imports, mut rest) = (BTreeMap::new(), Vec::new(), Vec::new(), String::new());
        let mut statements = code.split_inclusive(';');
        for statement in &mut statements {
            let Some((before, tree)) = statement.split_once("use ").filter(|(before, _)| {
                let last = before.rsplit(['\n', ')']).next().unwrap_or_default().trim();
                last.is_empty() || last == "pub"
            }) else {
                rest.push_str(statement);
                continue;
            };
            rest.push_str(before);
            let is_handed_on = before.trim_end().ends_with("pub") || before.trim_end().ends_with(')');
            for (path, alias) in leaves(tree.trim_end_matches(';')) {
                let Some(mut target) = absolute(name, &path, known) else { continue };
                match target.pop_if(|last| last == "*" || last == "self") {
                    Some(last) if last == "*" => globs.push(target.clone()),
                    _ => drop(names.insert(alias.unwrap_or_else(|| target.last().cloned().unwrap()), target.clone())),
                }
                if !is_handed_on {
                    imports.push(target);
                }
            }
        }
        Self { code, names, globs, imports, rest }
    }

    fn defines(&self, name: &str) -> bool {
        ["fn", "struct", "enum", "trait", "type", "const", "static", "mod"].iter().any(|kind| {
            self.code.match_indices(&format!("{kind} {name}")).any(|(at, found)| {
                !self.code[at + found.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
            })
        })
    }
}

/// A path from the crate on; none where it is not of this crate.
fn absolute(module: &[String], path: &[String], known: &BTreeSet<Name>) -> Option<Name> {
    match path[0].as_str() {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some([module, &path[1..]].concat()),
        "super" => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            Some([&module[..module.len().checked_sub(ups)?], &path[ups..]].concat())
        }
        child => {
            let child = [module, &[child.to_owned()]].concat();
            known.contains(&child).then(|| [module, path].concat())
        }
    }
}

/// The paths of a tree of imports, each with its other name.
fn leaves(tree: &str) -> Vec<(Name, Option<String>)> {
    let Some((before, list)) = tree.split_once('{') else {
        let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias.trim())));
        let path = path.trim();
        let parts = path.split("::").map(|part| part.trim().to_owned()).collect();
        return if path.is_empty() { Vec::new() } else { vec![(parts, alias.map(str::to_owned))] };
    };
    let list = &list[..list.rfind('}').unwrap_or(list.len())];
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, c) in list.char_indices().chain([(list.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.extend(
                    leaves(&format!("{}{}", before.trim(), list[start..at].trim()))
                        .into_iter()
                        .filter(|_| !list[start..at].trim().is_empty()),
                );
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

/// All paths of two parts and more.
fn paths(code: &str) -> Vec<Name> {
    let words = code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
    let paths = words.map(|word| word.trim_matches(':').split("::").map(str::to_owned).collect::<Name>());
    paths.filter(|path| path.len() > 1 && path.iter().all(|part| !part.is_empty() && !part.contains(':'))).collect()
}

/// Code without what is in quotes.
fn without_texts(code: &str) -> String {
    let (mut out, mut inside, mut escaped) = (String::new(), false, false);
    for c in code.replace("'\"'", "' '").replace("'\\\"'", "' '").chars() {
        if c == '"' && !escaped {
            inside = !inside;
        } else if !inside {
            out.push(c);
        }
        escaped = inside && c == '\\' && !escaped;
    }
    out
}

#[test]
fn files_of_a_layer_import_each_other_one_way() {
    let circles = Crate::read(&root().join("src")).circles();
    let is_left = |circle: &BTreeSet<String>, left: &str| {
        let within = |file: &str, folder: &str| file == folder || file.starts_with(&format!("{folder}::"));
        circle.iter().all(|file| within(file, left) || within(left, file))
    };
    let new: Vec<_> = circles.iter().filter(|circle| !LEFT.iter().any(|left| is_left(circle, left))).collect();
    assert!(new.is_empty(), "these import each other: {new:#?}");
    let done: Vec<_> = LEFT.iter().filter(|left| !circles.iter().any(|circle| is_left(circle, left))).collect();
    assert!(done.is_empty(), "no circle is left there: {done:?}");
}

#[test]
fn circles_are_found_through_what_is_handed_on() {
    let files = [
        ("a", "mod b;\nmod c;\npub use b::B;\npub(crate) use self::c::C;"),
        ("a::b", "use super::C;\npub struct B(C);"),
        ("a::c", "pub struct C;\nfn f() { let _ = super::B; }"),
        ("a::d", "use crate::{x::Y, a::{b::B as Other, c}};\nfn f() -> c::C {}"),
    ];
    let files = files.map(|(name, code)| (name.split("::").map(str::to_owned).collect(), code.to_owned()));
    let circles = Crate::of(files.into()).circles();
    assert_eq!(circles, [BTreeSet::from(["a::b".to_owned(), "a::c".to_owned()])]);
}
