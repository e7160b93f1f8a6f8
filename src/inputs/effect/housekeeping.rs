//! What builds read and no program needs: version control, editors, ignore files, the manifest.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Folders that version control and editors keep beside the sources.
const FOLDERS: [&str; 14] = [
    ".git", ".hg", ".svn", ".bzr", ".jj", ".sl", ".pijul", "_darcs", "CVS", ".idea", ".vscode", ".vs", ".fleet", ".zed",
];

/// Files of version control and of builds, and what systems leave behind for themselves. A worktree and a submodule
/// have a file of the name `.git`.
const FILES: [&str; 12] = [
    ".git",
    ".gitignore",
    ".gitattributes",
    ".gitmodules",
    ".gitkeep",
    ".git-blame-ignore-revs",
    ".mailmap",
    ".hgignore",
    ".hgtags",
    ".dockerignore",
    ".DS_Store",
    "Thumbs.db",
];

/// Of one service: where its names count from, and the files of the project that are no program's.
#[derive(Clone, Debug, Default)]
pub struct Housekeeping {
    roots: Vec<PathBuf>,
    files: BTreeSet<PathBuf>,
}

impl Housekeeping {
    /// `roots` are folders whose own path says nothing about what is in them, `files` those that are put aside
    /// whatever their name is.
    pub fn new(roots: impl IntoIterator<Item = PathBuf>, files: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut roots: Vec<PathBuf> = roots.into_iter().collect();
        roots.sort_by_key(|root| std::cmp::Reverse(root.as_os_str().len()));
        Self { roots, files: files.into_iter().collect() }
    }

    /// What an ignore file would name to leave the path out, such as `.git`; none where a program may need it.
    pub fn pattern(&self, path: &Path) -> Option<String> {
        let rel = self.relative(path);
        let mut parts = rel.components().filter_map(|part| part.as_os_str().to_str()).enumerate().peekable();
        while let Some((depth, part)) = parts.next() {
            let last = parts.peek().is_none();
            if FOLDERS.contains(&part) || last && (FILES.contains(&part) || part.ends_with(".dockerignore")) {
                // A name alone is one at the root of a context.
                return Some(if depth == 0 { part.to_owned() } else { format!("**/{part}") });
            }
        }
        self.files.contains(path).then(|| rel.display().to_string())
    }

    /// Whether a folder is inside one of these: what is in there need not even be watched.
    pub fn is_inside(&self, folder: &Path) -> bool {
        let inside = |name: &std::ffi::OsStr| FOLDERS.iter().any(|known| name == *known);
        self.relative(folder).parent().is_some_and(|above| above.iter().any(inside))
    }

    fn relative<'p>(&self, path: &'p Path) -> &'p Path {
        self.roots.iter().find_map(|root| path.strip_prefix(root).ok()).unwrap_or(path)
    }
}

/// Whether a folder is one of version control or of an editor, by its name.
pub(crate) fn is_folder(name: &str) -> bool {
    FOLDERS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_below_the_root_alone() {
        let own = Housekeeping::new(["/home/.git/p".into()], ["/home/.git/p/compose.yaml".into()]);
        for (path, pattern) in [
            (".git/index", Some(".git")),
            ("sub/.git", Some("**/.git")),
            ("sub/.git/index.lock", Some("**/.git")),
            (".idea/workspace.xml", Some(".idea")),
            (".vscode", Some(".vscode")),
            (".gitignore", Some(".gitignore")),
            ("api/Dockerfile.dockerignore", Some("**/Dockerfile.dockerignore")),
            ("compose.yaml", Some("compose.yaml")),
            ("sub/compose.yaml", None),
            ("src/git/main.py", None),
            (".github/workflow.yaml", None),
            (".env", None),
            ("app.py", None),
        ] {
            assert_eq!(own.pattern(&Path::new("/home/.git/p").join(path)).as_deref(), pattern, "{path}");
        }
        for (folder, inside) in [(".git", false), (".git/refs", true), (".git/refs/heads", true), ("src", false)] {
            assert_eq!(own.is_inside(&Path::new("/home/.git/p").join(folder)), inside, "{folder}");
        }
    }
}
