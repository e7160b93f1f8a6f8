//! Paths as text, without a disk.

/// Go's `filepath.Clean`, by which Compose and the builder compare paths: the shortest path that means the same, without
/// `.`, `..` (but at the start of a relative one) and doubled slashes. An empty path becomes `.`.
pub fn clean_path(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&last) if last != ".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(".."),
            },
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// Whether a build context is a repository although it has no scheme.
pub fn is_repository(context: &str) -> bool {
    context.starts_with("github.com/") || context.starts_with("git@")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_is_filepath_clean() {
        for (path, cleaned) in [
            ("", "."),
            (".", "."),
            ("a//b/", "a/b"),
            ("a/./b/../c", "a/c"),
            ("/a/./b/../c//d/", "/a/c/d"),
            ("../a", "../a"),
            ("/../a", "/a"),
            ("/..", "/"),
            ("/", "/"),
            ("a/..", "."),
            ("a/../..", ".."),
        ] {
            assert_eq!(clean_path(path), cleaned, "{path:?}");
        }
    }
}
