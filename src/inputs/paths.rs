//! Paths within a context or an image, which are text with slashes, and paths of the host.

use std::path::{Path, PathBuf};

use crate::model::clean_path;

/// Joins a folder of the context and a name.
pub(crate) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// A path of an instruction relative to its root: without `.`, `..` and slashes at the ends; empty for the root.
pub(crate) fn relative(path: &str) -> String {
    clean_path(&format!("/{path}")).trim_start_matches('/').to_owned()
}

/// A path of the host relative to a folder, with slashes. None where it is outside or not UTF-8.
pub(crate) fn below_host<'p>(root: &Path, path: &'p Path) -> Option<&'p str> {
    path.strip_prefix(root).ok()?.to_str()
}

/// The part of a path below a folder; empty for the folder itself. Both are absolute, or both relative to a context,
/// whose root is empty.
pub(crate) fn below<'p>(folder: &str, path: &'p str) -> Option<&'p str> {
    let folder = folder.trim_end_matches('/');
    if folder.is_empty() {
        return Some(path.trim_start_matches('/'));
    }
    match path.strip_prefix(folder)? {
        "" => Some(""),
        rest => rest.strip_prefix('/'),
    }
}

/// The last part of a path.
pub(crate) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// Joins a path with slashes to a folder, without `.` and `..`.
pub(crate) fn join_host(folder: &Path, path: &str) -> PathBuf {
    let joined = folder.join(path);
    match joined.to_str() {
        Some(text) => PathBuf::from(clean_path(text)),
        None => joined,
    }
}

/// Whether a context or an `ADD` source is fetched from elsewhere.
pub(crate) fn is_remote(text: &str) -> bool {
    let scheme = ["http://", "https://", "git://", "ssh://", "git@"].iter().any(|s| text.starts_with(s));
    // The short form of ssh that git takes: user@host:path.
    let short = text.split_once('@').is_some_and(|(user, rest)| {
        !user.is_empty()
            && user.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            && rest.split_once(':').is_some_and(|(host, path)| !host.contains('/') && !path.is_empty())
    });
    scheme || short
}
