//! Paths of `cp`, and what they come to: the rules of `docker cp`. Pure.

/// One end of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// A path of this machine, or `-`.
    Local(String),
    /// A path in a service's containers.
    Service {
        /// The service.
        service: String,
        /// The path.
        path: String,
    },
}

/// Reads `SERVICE:PATH`. What begins with a dot or a slash is a path of this machine, colons and all.
pub fn end(word: &str) -> End {
    match word.split_once(':') {
        Some((service, path)) if !word.starts_with(['/', '.']) => {
            End::Service { service: service.to_owned(), path: path.to_owned() }
        }
        _ => End::Local(word.to_owned()),
    }
}

/// The shortest path that means the same by its letters alone: `a//b/./../c` is `a/c`.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match parts.last() {
            Some(last) if part == ".." && *last != ".." => drop(parts.pop()),
            None if part == ".." && rooted => {}
            _ => parts.push(part),
        }
    }
    match (rooted, parts.join("/")) {
        (true, text) => format!("/{text}"),
        (false, text) if text.is_empty() => ".".to_owned(),
        (false, text) => text,
    }
}

/// It means a folder's content: its last part is `.`.
pub fn is_content(path: &str) -> bool {
    matches!(path.trim_end_matches('/').rsplit('/').next(), Some("." | ""))
}

/// It can only be a folder: it ends with a slash or means a content.
pub fn asserts_folder(path: &str) -> bool {
    path.ends_with('/') || is_content(path)
}

/// The folder that it is in, and its name there: `.` for a content.
pub fn split(path: &str) -> (String, String) {
    let cleaned = clean(path);
    if is_content(path) || cleaned == "/" {
        return (cleaned, ".".to_owned());
    }
    match cleaned.rsplit_once('/') {
        Some(("", name)) => ("/".to_owned(), name.to_owned()),
        Some((folder, name)) => (folder.to_owned(), name.to_owned()),
        None => (".".to_owned(), cleaned),
    }
}

/// Where a link at a path leads.
pub fn target(path: &str, link: &str) -> String {
    if link.starts_with('/') { link.to_owned() } else { clean(&format!("{}/{link}", split(path).0)) }
}

/// The path behind a link, meant as the link's was: its content, or a folder.
pub fn as_meant(path: &str, target: String) -> String {
    match (is_content(path), path.ends_with('/')) {
        (true, _) if !is_content(&target) => target + "/.",
        (false, true) if !target.ends_with('/') => target + "/",
        _ => target,
    }
}

/// What is at the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum There {
    /// Nothing.
    Nothing,
    /// Something that is no folder.
    File,
    /// A folder.
    Folder,
}

/// Where a copy goes: the folder that takes it, and its name there, where that is not its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The folder.
    pub folder: String,
    /// The new name.
    pub name: Option<String>,
}

/// Where something goes that is copied to a path.
///
/// # Errors
/// It cannot go there, in the words of `docker cp`.
pub fn place(is_folder: bool, to: &str, there: There) -> Result<Target, &'static str> {
    match there {
        There::Folder => Ok(Target { folder: to.to_owned(), name: None }),
        There::File if is_folder => Err("cannot copy directory"),
        There::Nothing if !is_folder && asserts_folder(to) => Err("no such directory"),
        There::File | There::Nothing => {
            // A folder whose name is a content's, `new/.`, is made by its name.
            let plain = clean(to);
            let (folder, name) = split(&plain);
            Ok(Target { folder, name: Some(name) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_told_apart() {
        let service = |service: &str, path: &str| End::Service { service: service.into(), path: path.into() };
        let cases = [
            ("a:/tmp", service("a", "/tmp")),
            ("a:", service("a", "")),
            ("a:b:c", service("a", "b:c")),
            ("c:\\x", service("c", "\\x")),
            ("-", End::Local("-".into())),
            ("a", End::Local("a".into())),
            ("./a:b", End::Local("./a:b".into())),
            ("../a:b", End::Local("../a:b".into())),
            ("/a:b", End::Local("/a:b".into())),
            (".a:b", End::Local(".a:b".into())),
        ];
        for (word, want) in cases {
            assert_eq!(end(word), want, "{word}");
        }
    }

    #[test]
    fn paths_are_split() {
        let cases = [
            ("/a/b", ("/a", "b")),
            ("/a/b/", ("/a", "b")),
            ("/a/b/.", ("/a/b", ".")),
            ("/a/./b/../c", ("/a", "c")),
            ("/a", ("/", "a")),
            ("/", ("/", ".")),
            ("/.", ("/", ".")),
            ("/..", ("/", ".")),
            ("a", (".", "a")),
            ("a/b", ("a", "b")),
            (".", (".", ".")),
            ("", (".", ".")),
            ("../x", ("..", "x")),
        ];
        for (path, (folder, name)) in cases {
            assert_eq!(split(path), (folder.to_owned(), name.to_owned()), "{path}");
        }
    }

    #[test]
    fn links_are_followed_as_they_were_meant() {
        assert_eq!(target("/a/l", "b"), "/a/b");
        assert_eq!(target("/a/l", "../b/c"), "/b/c");
        assert_eq!(target("/a/l", "/x"), "/x");
        assert_eq!(target("/l", "../../../x"), "/x");
        assert_eq!(as_meant("/a/l", "/x".into()), "/x");
        assert_eq!(as_meant("/a/l/", "/x".into()), "/x/");
        assert_eq!(as_meant("/a/l/.", "/x".into()), "/x/.");
        assert_eq!(as_meant("/a/l/.", "/x/.".into()), "/x/.");
    }

    #[test]
    fn a_copy_finds_its_place() {
        let to =
            |folder: &str, name: Option<&str>| Ok(Target { folder: folder.to_owned(), name: name.map(str::to_owned) });
        let cases = [
            (false, "/tmp", There::Folder, to("/tmp", None)),
            (true, "/tmp/", There::Folder, to("/tmp/", None)),
            (false, "/tmp/f", There::File, to("/tmp", Some("f"))),
            (true, "/tmp/f", There::File, Err("cannot copy directory")),
            (false, "/tmp/new", There::Nothing, to("/tmp", Some("new"))),
            (true, "/tmp/new", There::Nothing, to("/tmp", Some("new"))),
            (true, "/tmp/new/", There::Nothing, to("/tmp", Some("new"))),
            (true, "/tmp/new/.", There::Nothing, to("/tmp", Some("new"))),
            (false, "/tmp/new/", There::Nothing, Err("no such directory")),
            (false, "/tmp/new/.", There::Nothing, Err("no such directory")),
            (false, "", There::Nothing, Err("no such directory")),
            (false, "new", There::Nothing, to(".", Some("new"))),
        ];
        for (is_folder, path, there, want) in cases {
            assert_eq!(place(is_folder, path, there), want, "{is_folder} {path} {there:?}");
        }
    }
}
