//! A file tree in memory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::model::{Entry, EntryKind, FileTree};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    File(String, u32),
    Dir(u32),
    Link(PathBuf),
}

/// Paths are absolute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemTree(pub BTreeMap<PathBuf, Node>);

impl MemTree {
    /// Files below `/w`: `path` or `path=content`; `path/` is a folder, `path->target` a link, a leading `+` makes a
    /// file executable.
    pub fn of(specs: &[&str]) -> Self {
        let mut tree = Self::default();
        tree.dir("/w");
        for spec in specs {
            tree.add(spec);
        }
        tree
    }

    pub fn add(&mut self, spec: &str) {
        let at = |path: &str| PathBuf::from(format!("/w/{path}"));
        let plain = !spec.contains('=');
        if let Some((path, target)) = spec.split_once("->").filter(|_| plain) {
            self.put(&at(path), Node::Link(target.into()));
        } else if let Some(path) = spec.strip_suffix('/').filter(|_| plain) {
            self.put(&at(path), Node::Dir(0o755));
        } else {
            let (mode, spec) = spec.strip_prefix('+').map_or((0o644, spec), |s| (0o755, s));
            let (path, content) = spec.split_once('=').unwrap_or((spec, "x"));
            self.put(&at(path), Node::File(content.to_owned(), mode));
        }
    }

    fn dir(&mut self, path: &str) {
        self.0.insert(path.into(), Node::Dir(0o755));
    }

    pub fn put(&mut self, path: &Path, node: Node) {
        for above in path.ancestors().skip(1).filter(|a| a.parent().is_some()) {
            self.0.entry(above.to_owned()).or_insert(Node::Dir(0o755));
        }
        self.0.insert(path.to_owned(), node);
    }

    pub fn remove(&mut self, path: &Path) {
        self.0.retain(|p, _| !p.starts_with(path));
    }

    /// The path with the links of all parts followed.
    fn follow(&self, path: &Path, last: bool, depth: usize) -> io::Result<PathBuf> {
        if depth > 40 {
            return Err(io::Error::other("too many links"));
        }
        let mut at = PathBuf::from("/");
        let parts: Vec<_> = path.components().collect();
        for (index, part) in parts.iter().enumerate() {
            match part {
                std::path::Component::Normal(name) => at.push(name),
                std::path::Component::ParentDir => {
                    at.pop();
                }
                _ => {}
            }
            if let Some(Node::Link(target)) = self.0.get(&at)
                && (last || index + 1 < parts.len())
            {
                let target = at.parent().unwrap_or(Path::new("/")).join(target);
                let rest: PathBuf = parts[index + 1..].iter().collect();
                return self.follow(&target.join(rest), last, depth + 1);
            }
        }
        Ok(at)
    }

    fn node(&self, path: &Path, last: bool) -> io::Result<(PathBuf, &Node)> {
        let path = self.follow(path, last, 0)?;
        match self.0.get(&path) {
            Some(node) => Ok((path, node)),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

fn entry(path: &Path, node: &Node) -> Entry {
    let (kind, mode) = match node {
        Node::File(content, mode) => (EntryKind::File { size: content.len() as u64 }, *mode),
        Node::Dir(mode) => (EntryKind::Dir, *mode),
        Node::Link(target) => (EntryKind::Symlink(target.clone()), 0o777),
    };
    Entry { name: path.file_name().unwrap_or_default().to_owned(), kind, mode }
}

impl FileTree for MemTree {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self.node(path, true)?.1 {
            Node::File(content, _) => Ok(content.clone().into_bytes()),
            _ => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn entry(&self, path: &Path) -> io::Result<Entry> {
        self.node(path, false).map(|(path, node)| entry(&path, node))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let (path, node) = self.node(path, true)?;
        match node {
            Node::Dir(_) => {
                let children = self.0.iter().filter(|(p, _)| p.parent() == Some(&path));
                Ok(children.map(|(path, node)| entry(path, node)).collect())
            }
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }
}
