//! A context folder as the builder sees it: without what the ignore file leaves out, symbolic links resolved inside
//! it and never out of it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use crate::inputs::error::InputsError;
use crate::inputs::ignore::{Ignore, Matched};
use crate::inputs::paths::join;
use crate::model::{Digest, EntryKind, FileTree, Listed};

/// Links followed before a path counts as a loop, as the builder counts.
const MAX_LINKS: usize = 255;

/// An entry of a folder of the context.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Its permission bits.
    pub mode: u32,
    /// What the ignore file says of it.
    pub matched: Rc<Matched>,
    /// Left out, and nothing below is kept.
    pub pruned: bool,
    /// Its name is not UTF-8.
    pub unnamed: bool,
    /// The digest of its content, if the listing knew it.
    pub digest: Option<Digest>,
}

/// A path of the context after its links were followed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolved {
    /// The path without links; empty for the root. None where there is nothing.
    pub path: Option<String>,
    /// The links on the way.
    pub links: Vec<String>,
}

/// A context folder.
pub(crate) struct View<'t> {
    tree: &'t dyn FileTree,
    /// The folder, absolute.
    pub root: PathBuf,
    /// Its ignore file.
    pub ignore: Ignore,
    folders: RefCell<HashMap<String, Rc<Vec<Child>>>>,
    /// What an ignore file without patterns says of everything.
    unmatched: Rc<Matched>,
}

impl<'t> View<'t> {
    pub fn new(tree: &'t dyn FileTree, root: PathBuf, ignore: Ignore) -> Self {
        Self { tree, root, ignore, folders: RefCell::default(), unmatched: Rc::default() }
    }

    /// The path of the host for a path of the context.
    pub fn host(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }

    /// The entries of a folder, sorted by name; ignored ones that cannot hold anything kept are among them, marked.
    /// What is no folder has none.
    pub fn children(&self, path: &str, matched: &Matched) -> Result<Rc<Vec<Child>>, InputsError> {
        if let Some(children) = self.folders.borrow().get(path) {
            return Ok(Rc::clone(children));
        }
        let host = self.host(path);
        let Some(listing) = self.tree.list_all(std::slice::from_ref(&host)).pop() else { return Ok(Rc::default()) };
        self.take(path, matched, listing).map_err(|error| InputsError::Read { path: host, error })
    }

    /// Lists what is below a folder as far as it is not pruned, one level after the other, so that the tree can list
    /// many folders at a time. What goes wrong is said by [`View::children`], which finds these folders listed.
    pub fn list_below(&self, path: &str, matched: &Rc<Matched>) {
        let mut level = vec![(path.to_owned(), Rc::clone(matched))];
        while !level.is_empty() {
            let known = |path: &str| self.folders.borrow().get(path).cloned();
            let new: Vec<usize> = (0..level.len()).filter(|index| known(&level[*index].0).is_none()).collect();
            let hosts: Vec<PathBuf> = new.iter().map(|index| self.host(&level[*index].0)).collect();
            for (index, listing) in new.into_iter().zip(self.tree.list_all(&hosts)) {
                let (path, matched) = &level[index];
                let _ = self.take(path, matched, listing);
            }
            let mut next = Vec::new();
            for (path, _) in &level {
                let children = known(path).unwrap_or_default();
                let folders = children.iter().filter(|child| child.kind == EntryKind::Dir && !child.pruned);
                next.extend(folders.map(|child| (join(path, &child.name), Rc::clone(&child.matched))));
            }
            level = next;
        }
    }

    /// The entries of a folder that was listed already.
    pub fn known(&self, path: &str) -> Option<Rc<Vec<Child>>> {
        self.folders.borrow().get(path).cloned()
    }

    /// Keeps what the listing of a folder gave.
    fn take(&self, path: &str, matched: &Matched, listing: io::Result<Vec<Listed>>) -> io::Result<Rc<Vec<Child>>> {
        let entries = match listing {
            Ok(entries) => entries,
            // Gone, or no folder any more: the tree changes while it is read.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Vec::new(),
            Err(error) => return Err(error),
        };
        let child = |Listed { entry, digest }: Listed| {
            let (name, unnamed) = match entry.name.into_string() {
                Ok(name) => (name, false),
                Err(name) => (name.to_string_lossy().into_owned(), true),
            };
            let (matched, pruned) = if self.ignore.is_empty() {
                (Rc::clone(&self.unmatched), false)
            } else {
                let full = join(path, &name);
                let matched = self.ignore.step(&full, matched);
                let pruned = match entry.kind {
                    EntryKind::Dir => self.ignore.prunes(&full, &matched),
                    _ => matched.ignored,
                };
                (Rc::new(matched), pruned)
            };
            Child { name, kind: entry.kind, mode: entry.mode, matched, pruned, unnamed, digest }
        };
        let mut children: Vec<Child> =
            entries.into_iter().filter(|listed| listed.entry.kind != EntryKind::Other).map(child).collect();
        children.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let children = Rc::new(children);
        self.folders.borrow_mut().insert(path.to_owned(), Rc::clone(&children));
        Ok(children)
    }

    /// The folders of the host that were listed: those whose content the answer depends on.
    pub fn listed(&self) -> Vec<PathBuf> {
        self.folders.borrow().keys().map(|path| self.host(path)).collect()
    }

    /// The entry at a path, links not followed. None where there is nothing, or nothing that is kept.
    pub fn entry(&self, path: &str) -> Result<Option<Child>, InputsError> {
        let mut folder = String::new();
        let mut found = Child {
            name: String::new(),
            kind: EntryKind::Dir,
            mode: 0o755,
            matched: Rc::default(),
            pruned: false,
            unnamed: false,
            digest: None,
        };
        for part in path.split('/').filter(|p| !p.is_empty()) {
            if found.kind != EntryKind::Dir {
                return Ok(None);
            }
            let children = self.children(&folder, &found.matched)?;
            let Ok(at) = children.binary_search_by(|c| c.name.as_str().cmp(part)) else { return Ok(None) };
            if children[at].pruned {
                return Ok(None);
            }
            found = children[at].clone();
            folder = join(&folder, part);
        }
        Ok(Some(found))
    }

    /// Follows the links in a path, its last part included.
    pub fn resolve(&self, path: &str) -> Result<Resolved, InputsError> {
        let mut resolved = Resolved::default();
        let mut rest: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut at = String::new();
        while let Some(part) = rest.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    at.truncate(at.rfind('/').unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            let next = join(&at, &part);
            let Some(entry) = self.entry(&next)? else { return Ok(resolved) };
            let EntryKind::Symlink(target) = &entry.kind else {
                at = next;
                continue;
            };
            if resolved.links.len() == MAX_LINKS {
                return Ok(resolved);
            }
            resolved.links.push(next);
            let Some(target) = target.to_str() else { return Ok(resolved) };
            if target.starts_with('/') {
                at.clear();
            }
            rest.extend(target.split('/').rev().map(str::to_owned));
        }
        resolved.path = Some(at);
        Ok(resolved)
    }
}
