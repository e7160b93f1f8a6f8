//! Paths without a disk: joining, and making those of a manifest absolute.

use std::path::{Path, PathBuf};

use crate::manifest::read::yaml::{Map, Node, Value};
use crate::model::{clean_path, is_repository};

/// Joins and cleans.
pub fn join(base: &Path, path: &str) -> PathBuf {
    PathBuf::from(clean_path(&format!("{}/{path}", base.display())))
}

/// Whether a manifest's name is one of those that Compose fetches: an address, a git repository, an OCI artifact.
pub fn is_fetched(path: &str) -> bool {
    path.contains("://") || path.starts_with("git@") || path.starts_with("oci:")
}

/// Makes paths absolute.
#[derive(Clone, Debug)]
pub struct Base<'a> {
    /// Where relative paths start.
    pub dir: &'a Path,
    /// What `~` stands for.
    pub home: Option<&'a str>,
}

impl Base<'_> {
    /// A path as an absolute one.
    pub fn absolute(&self, path: &str) -> String {
        let path = self.expand(path);
        if path.starts_with('/') { path } else { join(self.dir, &path).display().to_string() }
    }

    fn expand(&self, path: &str) -> String {
        match (path.strip_prefix('~'), self.home) {
            (Some(rest), Some(home)) => clean_path(&format!("{home}/{rest}")),
            _ => path.to_owned(),
        }
    }

    /// As `absolute`, leaving alone what is absolute on Windows.
    fn host(&self, path: &str) -> String {
        if is_windows(path) { path.to_owned() } else { self.absolute(path) }
    }

    /// A build context: a folder, or something that is not on the disk.
    fn context(&self, path: &str) -> String {
        if path.is_empty() || path.contains("://") || path.starts_with("service:") || is_repository(path) {
            return path.to_owned();
        }
        self.absolute(path)
    }

    fn set(&self, node: &mut Node, change: impl Fn(&Self, &str) -> String) {
        if let Value::Str(text) = &mut node.value {
            *text = change(self, text);
        }
    }

    /// Resolves every path of a manifest in long forms.
    pub fn resolve(&self, manifest: &mut Map) {
        for service in children(manifest.get_mut("services")) {
            if let Some(map) = service.as_map_mut() {
                self.service(map);
            }
        }
        for section in ["configs", "secrets"] {
            for resource in children(manifest.get_mut(section)) {
                if let Some(file) = resource.as_map_mut().and_then(|map| map.get_mut("file")) {
                    self.set(file, Self::host);
                }
            }
        }
        for volume in children(manifest.get_mut("volumes")) {
            self.volume(volume);
        }
    }

    /// Resolves every path of one service in long forms.
    pub fn service(&self, service: &mut Map) {
        for (key, node) in service {
            match key.as_str() {
                "build" => self.build(node),
                "env_file" => {
                    for file in node.as_list_mut().into_iter().flatten() {
                        self.field(file, "path", Self::absolute);
                    }
                }
                "label_file" => {
                    for file in node.as_list_mut().into_iter().flatten() {
                        self.set(file, Self::absolute);
                    }
                }
                "extends" => self.field(node, "file", Self::absolute),
                "develop" => {
                    let rules = node.as_map_mut().and_then(|map| map.get_mut("watch")).and_then(Node::as_list_mut);
                    for rule in rules.into_iter().flatten() {
                        self.field(rule, "path", Self::absolute);
                    }
                }
                "volumes" => {
                    for mount in node.as_list_mut().into_iter().flatten() {
                        if mount.get("type").and_then(Node::as_str) == Some("bind") {
                            self.field(mount, "source", Self::host);
                        }
                    }
                }
                "prepare" => {
                    for step in node.as_list_mut().into_iter().flatten() {
                        self.workdir(step);
                    }
                }
                "process" => self.workdir(node),
                _ => {}
            }
        }
    }

    fn field(&self, node: &mut Node, key: &str, change: impl Fn(&Self, &str) -> String) {
        if let Some(child) = node.as_map_mut().and_then(|map| map.get_mut(key)) {
            self.set(child, change);
        }
    }

    /// hob's `workdir`; where there is none, the folder of the manifest.
    fn workdir(&self, node: &mut Node) {
        let span = node.span;
        if let Some(map) = node.as_map_mut() {
            let workdir = map.entry("workdir".to_owned()).or_insert_with(|| Node::text(".", span));
            self.set(workdir, Self::absolute);
        }
    }

    fn build(&self, node: &mut Node) {
        self.field(node, "context", Self::context);
        let Some(map) = node.as_map_mut() else { return };
        for context in children(map.get_mut("additional_contexts")) {
            self.set(context, Self::context);
        }
        for entry in map.get_mut("ssh").and_then(Node::as_list_mut).into_iter().flatten() {
            let Value::Str(text) = &mut entry.value else { continue };
            if let Some((id, path)) = text.split_once('=') {
                *text = format!("{id}={}", self.host(path));
            }
        }
    }

    /// A local volume that is a bind mount in disguise.
    fn volume(&self, volume: &mut Node) {
        let is = |node: &Node, key: &str, text: &str| node.get(key).and_then(Node::as_str) == Some(text);
        if !is(volume, "driver", "local") || !volume.get("driver_opts").is_some_and(|opts| is(opts, "o", "bind")) {
            return;
        }
        if let Some(opts) = volume.as_map_mut().and_then(|map| map.get_mut("driver_opts")) {
            self.field(opts, "device", Self::host);
        }
    }
}

fn children(node: Option<&mut Node>) -> impl Iterator<Item = &mut Node> {
    node.and_then(Node::as_map_mut).into_iter().flat_map(|map| map.values_mut())
}

fn is_windows(path: &str) -> bool {
    let bytes = path.as_bytes();
    path.starts_with("\\\\")
        || bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && matches!(bytes[2], b'\\' | b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases() {
        let base = Base { dir: Path::new("/p"), home: Some("/home/me") };
        for (path, absolute) in [("./a", "/p/a"), ("../a", "/a"), ("/a/../b", "/a/../b"), ("~/x", "/home/me/x")] {
            assert_eq!(base.absolute(path), absolute, "{path}");
        }
        for path in ["https://x/y.git", "git@x:y", "docker-image://a", "service:b", "github.com/a/b"] {
            assert_eq!(base.context(path), path);
        }
    }
}
