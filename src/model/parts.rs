//! What the digest of a build is made of, part by part, so that a change can be named.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Digest;

/// The parts of a build's inputs. Each has a name, such as `file src/app.py`, `arg VERSION` or `base image
/// debian:bookworm-slim`. A context may have tens of thousands of files, so their parts are shared between copies, and
/// their names are put together when they are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Sorted by name; none is called like a file's.
    named: Vec<(String, Digest)>,
    files: Arc<[FileParts]>,
}

/// The files of one context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileParts {
    /// Name of the additional context; none for the context itself.
    pub context: Option<String>,
    /// By path relative to the context, sorted.
    pub files: Vec<(Arc<str>, Digest)>,
}

const FILE: &str = "file ";

impl Parts {
    /// Of parts with names of their own and those of files.
    pub fn new(mut named: Vec<(String, Digest)>, files: Vec<FileParts>) -> Self {
        named.sort_by(|a, b| a.0.cmp(&b.0));
        Self { named, files: files.into_iter().filter(|context| !context.files.is_empty()).collect() }
    }

    /// What the part of a file is called.
    pub fn file_name(path: &str, context: Option<&str>) -> String {
        match context {
            None => format!("{FILE}{path}"),
            Some(name) => format!("{FILE}{path} of context {name}"),
        }
    }

    /// Those that are no files, sorted by name.
    pub fn named(&self) -> &[(String, Digest)] {
        &self.named
    }

    /// Hands over each, sorted by name.
    pub fn each(&self, take: &mut dyn FnMut(&str, &Digest)) {
        let (before, after) = self.named.split_at(self.named.partition_point(|(name, _)| name.as_str() < FILE));
        for (name, digest) in before {
            take(name, digest);
        }
        if let [FileParts { context: None, files }] = &*self.files {
            // In the order of their paths, which is that of the names.
            let mut name = FILE.to_owned();
            for (path, digest) in files {
                name.truncate(FILE.len());
                name.push_str(path);
                take(&name, digest);
            }
        } else {
            let mut files: Vec<(String, &Digest)> = Vec::new();
            for context in &*self.files {
                let name = |path: &str| Self::file_name(path, context.context.as_deref());
                files.extend(context.files.iter().map(|(path, digest)| (name(path), digest)));
            }
            files.sort_by(|a, b| a.0.cmp(&b.0));
            for (name, digest) in &files {
                take(name, digest);
            }
        }
        for (name, digest) in after {
            take(name, digest);
        }
    }

    /// The names of those that are not the same in another measure of the same build, gone ones too.
    pub fn differing(&self, before: &Self) -> Vec<String> {
        let mut names = Vec::new();
        differ(&self.named, &before.named, &mut |name| names.push(name.to_owned()));
        if Arc::ptr_eq(&self.files, &before.files) {
            return names;
        }
        let mut contexts: Vec<Option<&str>> = self.contexts().chain(before.contexts()).collect();
        contexts.sort_unstable();
        contexts.dedup();
        for context in contexts {
            let name = &mut |path: &str| names.push(Self::file_name(path, context));
            differ(self.files_of(context), before.files_of(context), name);
        }
        names
    }

    fn contexts(&self) -> impl Iterator<Item = Option<&str>> {
        self.files.iter().map(|files| files.context.as_deref())
    }

    fn files_of(&self, context: Option<&str>) -> &[(Arc<str>, Digest)] {
        let files = self.files.iter().find(|files| files.context.as_deref() == context);
        files.map(|files| files.files.as_slice()).unwrap_or_default()
    }

    /// All of them by name, sorted.
    pub fn to_vec(&self) -> Vec<(String, Digest)> {
        let mut parts = Vec::new();
        self.each(&mut |name, digest| parts.push((name.to_owned(), digest.clone())));
        parts
    }
}

/// The names for which two sorted lists do not say the same.
fn differ<N: AsRef<str>>(now: &[(N, Digest)], before: &[(N, Digest)], take: &mut dyn FnMut(&str)) {
    let (mut now, mut before) = (now.iter().peekable(), before.iter().peekable());
    loop {
        let order = match (now.peek(), before.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((now, _)), Some((before, _))) => now.as_ref().cmp(before.as_ref()),
        };
        let new = if order.is_le() { now.next() } else { None };
        let old = if order.is_ge() { before.next() } else { None };
        match (new, old) {
            (Some((_, new)), Some((_, old))) if new == old => {}
            (Some((name, _)), _) | (None, Some((name, _))) => take(name.as_ref()),
            (None, None) => {}
        }
    }
}

impl From<Vec<(String, Digest)>> for Parts {
    fn from(named: Vec<(String, Digest)>) -> Self {
        Self::new(named, Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    fn files(context: Option<&str>, list: &[(&str, &str)]) -> FileParts {
        let files = list.iter().map(|(path, content)| (Arc::from(*path), digest(content)));
        FileParts { context: context.map(str::to_owned), files: files.collect() }
    }

    fn parts(named: &[(&str, &str)], contexts: Vec<FileParts>) -> Parts {
        Parts::new(named.iter().map(|(name, content)| ((*name).to_owned(), digest(content))).collect(), contexts)
    }

    #[test]
    fn they_come_sorted_by_name_whatever_they_are_of() {
        let named = [("platform", "p"), ("arg A", "a"), ("filesystem", "?"), ("Dockerfile", "d")];
        let own = || files(None, &[("a", "1"), ("a of context lib", "2"), ("b/c", "3")]);
        for contexts in [vec![own()], vec![own(), files(Some("lib"), &[("a", "4"), ("a b", "5")])], vec![]] {
            let parts = parts(&named, contexts.clone());
            let mut expected: Vec<(String, Digest)> =
                named.iter().map(|(name, content)| ((*name).to_owned(), digest(content))).collect();
            for context in &contexts {
                let name = |path: &str| Parts::file_name(path, context.context.as_deref());
                expected.extend(context.files.iter().map(|(path, digest)| (name(path), digest.clone())));
            }
            expected.sort_by(|a, b| a.0.cmp(&b.0));
            assert_eq!(parts.to_vec(), expected);
        }
    }

    #[test]
    fn what_differs_is_named() {
        let before = parts(
            &[("arg A", "1"), ("arg B", "1"), ("arg C", "1")],
            vec![files(None, &[("a", "1"), ("b", "1"), ("c", "1")]), files(Some("gone"), &[("x", "1")])],
        );
        let now = parts(
            &[("arg A", "1"), ("arg B", "2"), ("arg D", "1")],
            vec![files(None, &[("a", "1"), ("b", "2"), ("d", "1")]), files(Some("new"), &[("y", "1")])],
        );
        let expected = [
            "arg B",
            "arg C",
            "arg D",
            "file b",
            "file c",
            "file d",
            "file x of context gone",
            "file y of context new",
        ];
        assert_eq!(now.differing(&before), expected);
        assert!(now.differing(&now.clone()).is_empty());
    }
}
