//! `hob init --ignore`: lets the ignore files of the project's builds leave out what no program needs, such as version
//! control and editors' folders.

#![allow(clippy::disallowed_methods, reason = "writing files is what it is for")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::event::Event;
use crate::inputs::{Housekeeping, Ignore};
use crate::model::{Build, EntryKind, FileTree};

/// So many folders of a context are looked at.
const FOLDERS: usize = 2_000;

/// Adds the lines that are missing, each to the ignore file that the build reads.
pub fn run(context: &Context) -> anyhow::Result<Exit> {
    let project = context.project(&[])?;
    let mut missing: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
    for build in project.services.values().filter_map(|service| service.build.as_ref()) {
        let folder = project.working_dir.join(build.context.as_deref().unwrap_or_default());
        if context.tree.entry(&folder).is_ok_and(|entry| entry.kind == EntryKind::Dir) {
            let file = ignore_file(&*context.tree, build, &folder);
            let lines = not_left_out(&*context.tree, &folder, &file, &project.files)?;
            missing.entry(file).or_default().extend(lines);
        }
    }
    missing.retain(|_, lines| !lines.is_empty());
    let mut text = String::new();
    for (file, lines) in &missing {
        if !context.global.dry_run {
            append(file, lines).with_context(|| format!("cannot write {}", file.display()))?;
        }
        let shown = file.strip_prefix(&context.working_dir).unwrap_or(file).display();
        let leaves = if context.global.dry_run { "would leave" } else { "leaves" };
        text +=
            &format!("{shown} {leaves} out from now on: {}\n", lines.iter().cloned().collect::<Vec<_>>().join(", "));
    }
    if text.is_empty() {
        "nothing to write: no build reads version control, editors' folders or the manifest\n".clone_into(&mut text);
    }
    context.sink.emit(Event::Output { text: text.trim_end().to_owned() });
    Ok(Exit::Ok)
}

/// The ignore file that belongs to a Dockerfile comes before that of the context.
fn ignore_file(tree: &dyn FileTree, build: &Build, folder: &Path) -> PathBuf {
    let dockerfile = folder.join(build.dockerfile.as_deref().unwrap_or("Dockerfile"));
    let own = PathBuf::from(format!("{}.dockerignore", dockerfile.display()));
    if tree.entry(&own).is_ok() { own } else { folder.join(".dockerignore") }
}

/// What an ignore file would name of what is in the context and is not left out.
fn not_left_out(
    tree: &dyn FileTree,
    root: &Path,
    file: &Path,
    manifests: &[PathBuf],
) -> anyhow::Result<BTreeSet<String>> {
    let text = tree.read(file).unwrap_or_default();
    let ignore = Ignore::parse(&String::from_utf8_lossy(&text))
        .map_err(|error| Failure::new(Exit::Manifest, format!("{}: {error}", file.display())))?;
    let housekeeping = Housekeeping::new([root.to_path_buf()], manifests.iter().cloned());
    let (mut lines, mut looked) = (BTreeSet::new(), 0);
    let mut open = VecDeque::from([root.to_path_buf()]);
    while let Some(folder) = open.pop_front().filter(|_| looked < FOLDERS) {
        looked += 1;
        for entry in tree.list(&folder).unwrap_or_default() {
            let path = folder.join(&entry.name);
            let Some(rel) = path.strip_prefix(root).ok().and_then(Path::to_str) else { continue };
            match housekeeping.pattern(&path) {
                _ if ignore.ignores(rel) => {}
                Some(line) => drop(lines.insert(line)),
                None if entry.kind == EntryKind::Dir => open.push_back(path),
                None => {}
            }
        }
    }
    Ok(lines)
}

fn append(file: &Path, lines: &BTreeSet<String>) -> std::io::Result<()> {
    let before = match fs::read(file) {
        Ok(before) => before,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut added = String::new();
    if before.last().is_some_and(|last| *last != b'\n') {
        added.push('\n');
    }
    for line in lines {
        added += line;
        added.push('\n');
    }
    fs::OpenOptions::new().append(true).create(true).open(file)?.write_all(added.as_bytes())
}
