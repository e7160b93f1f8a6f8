//! What the digest of a build is made of, part by part, so that a change can be named.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{Digest, Part};

/// The parts of a build's inputs. A context may have tens of thousands of files, so their parts are shared between
/// copies, and a [`Part`] is made of one when it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// In order; none is a file.
    others: Vec<(Part, Digest)>,
    /// By the name of the context.
    files: Arc<[FileParts]>,
}

/// The files of one context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileParts {
    /// Name of the additional context; none for the context itself.
    pub context: Option<Arc<str>>,
    /// By path relative to the context, sorted.
    pub files: Vec<(Arc<str>, Digest)>,
}

impl Parts {
    /// Of parts that are no files, and of those of files.
    pub fn new(mut others: Vec<(Part, Digest)>, mut files: Vec<FileParts>) -> Self {
        others.sort();
        files.retain(|context| !context.files.is_empty());
        files.sort_by(|a, b| a.context.cmp(&b.context));
        Self { others, files: files.into() }
    }

    /// Those that are no files, in order.
    pub fn others(&self) -> &[(Part, Digest)] {
        &self.others
    }

    /// The files by context: those of the context itself first.
    pub fn files(&self) -> &[FileParts] {
        &self.files
    }

    /// Those that are not the same in another measure of the same build, gone ones too, in order.
    pub fn differing(&self, before: &Self) -> Vec<Part> {
        let mut parts = Vec::new();
        differ(&self.others, &before.others, &mut |part: &Part| parts.push(part.clone()));
        if Arc::ptr_eq(&self.files, &before.files) {
            return parts;
        }
        let contexts = self.files.iter().chain(&*before.files);
        let mut contexts: Vec<&Option<Arc<str>>> = contexts.map(|files| &files.context).collect();
        contexts.sort_unstable();
        contexts.dedup();
        for context in contexts {
            let take = &mut |path: &Arc<str>| {
                parts.push(Part::File { context: context.clone(), path: Arc::clone(path) });
            };
            differ(self.files_of(context.as_deref()), before.files_of(context.as_deref()), take);
        }
        parts.sort();
        parts
    }

    fn files_of(&self, context: Option<&str>) -> &[(Arc<str>, Digest)] {
        let files = self.files.iter().find(|files| files.context.as_deref() == context);
        files.map(|files| files.files.as_slice()).unwrap_or_default()
    }
}

/// What two sorted lists do not say the same of.
fn differ<N: Ord>(now: &[(N, Digest)], before: &[(N, Digest)], take: &mut dyn FnMut(&N)) {
    let (mut now, mut before) = (now.iter().peekable(), before.iter().peekable());
    loop {
        let order = match (now.peek(), before.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((now, _)), Some((before, _))) => now.cmp(before),
        };
        let new = if order.is_le() { now.next() } else { None };
        let old = if order.is_ge() { before.next() } else { None };
        match (new, old) {
            (Some((_, new)), Some((_, old))) if new == old => {}
            (Some((name, _)), _) | (None, Some((name, _))) => take(name),
            (None, None) => {}
        }
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
        FileParts { context: context.map(Arc::from), files: files.collect() }
    }

    fn parts(args: &[(&str, &str)], contexts: Vec<FileParts>) -> Parts {
        let argument = |name: &str| Part::Argument { name: name.to_owned() };
        let mut others: Vec<_> = args.iter().map(|(name, content)| (argument(name), digest(content))).collect();
        others.push((Part::Platform, digest(&contexts.len().to_string())));
        Parts::new(others, contexts)
    }

    #[test]
    fn what_differs_is_named() {
        let before = parts(
            &[("A", "1"), ("B", "1"), ("C", "1")],
            vec![files(Some("gone"), &[("x", "1")]), files(None, &[("a", "1"), ("b", "1"), ("c", "1")])],
        );
        let now = parts(
            &[("D", "1"), ("A", "1"), ("B", "2")],
            vec![
                files(None, &[("a", "1"), ("b", "2"), ("d", "1")]),
                files(Some("new"), &[("y", "1")]),
                files(Some("other"), &[("z", "1")]),
            ],
        );
        let expected =
            ["arg B", "arg C", "arg D", "b", "c", "d", "x of context gone", "y of context new", "z of context other"];
        let names: Vec<String> = now.differing(&before).iter().map(ToString::to_string).collect();
        assert_eq!(names, [&expected[..], &["platform"]].concat());
        assert!(now.differing(&now.clone()).is_empty());
    }

    #[test]
    fn a_file_whose_name_says_a_context_is_none_of_it() {
        let before = parts(&[], vec![files(None, &[("a of context lib", "1")])]);
        let now = parts(&[], vec![files(Some("lib"), &[("a", "1")])]);
        assert_eq!(now.differing(&before).len(), 2);
    }
}
