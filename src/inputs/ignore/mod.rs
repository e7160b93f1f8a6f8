//! `.dockerignore`: one matcher for digest, watch, sync and context alike.
//!
//! The rules are those of moby's pattern matcher as the builder's client walks a folder with it: patterns are tried
//! in order, the last that matches wins, `!` keeps what an earlier one left out, and what matched a folder holds for
//! everything in it. A pattern whose turn was skipped at the folder (because it could not change the answer there) is
//! tried again on each path below, but no more on the folder's own name; that is how the walk behaves, and asking for
//! a single path here walks down to it in the same way.

pub mod glob;
mod linear;
mod pattern;

use crate::inputs::ignore::linear::BadPattern;
use crate::inputs::ignore::pattern::Pattern;
use crate::model::clean_path;

/// The patterns of one ignore file (or of `--exclude` flags) in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignore {
    patterns: Vec<Pattern>,
    /// Line of each pattern, from one; 0 where it came from no file.
    lines: Vec<usize>,
}

/// A pattern that cannot be read, with its line from one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {pattern:?} is not a pattern: {problem}")]
pub struct BadIgnore {
    /// Line, from one.
    pub line: usize,
    /// The pattern as written.
    pub pattern: String,
    /// What is wrong with it.
    pub problem: String,
}

/// What is known of a folder, handed on to its entries.
#[derive(Clone, Debug, Default)]
pub struct Matched {
    patterns: Option<Box<[bool]>>,
    /// The folder itself is left out.
    pub ignored: bool,
}

impl Ignore {
    /// Reads an ignore file.
    pub fn parse(text: &str) -> Result<Self, BadIgnore> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut ignore = Self::default();
        for (index, line) in text.lines().enumerate() {
            if line.starts_with('#') {
                continue;
            }
            let written = line.trim();
            let (keeps, pattern) = match written.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, written),
            };
            if written.is_empty() {
                continue;
            }
            let bad = |problem: String| BadIgnore { line: index + 1, pattern: written.to_owned(), problem };
            if pattern.is_empty() {
                return Err(bad("nothing follows the `!`".to_owned()));
            }
            let mut cleaned = clean_path(pattern);
            if cleaned.len() > 1 && cleaned.starts_with('/') {
                cleaned.remove(0);
            }
            // A pattern that starts with `!` after cleaning is read once more as an exception by moby's matcher.
            let (keeps, cleaned) = match cleaned.strip_prefix('!') {
                Some(rest) if !keeps => (true, rest.to_owned()),
                _ => (keeps, cleaned),
            };
            let pattern = Pattern::new(&cleaned, keeps).map_err(|problem| bad(problem.to_string()))?;
            ignore.patterns.push(pattern);
            ignore.lines.push(index + 1);
        }
        Ok(ignore)
    }

    /// Takes patterns one by one, as `--exclude` gives them.
    pub fn from_patterns<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, BadPattern> {
        let mut ignore = Self::default();
        for pattern in patterns {
            let pattern = clean_path(pattern.trim());
            let (keeps, pattern) = match pattern.strip_prefix('!') {
                Some(rest) => (true, rest),
                None => (false, pattern.as_str()),
            };
            if pattern.is_empty() {
                return Err(BadPattern::Open);
            }
            ignore.patterns.push(Pattern::new(pattern, keeps)?);
            ignore.lines.push(0);
        }
        Ok(ignore)
    }

    /// Whether there is no pattern at all.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// What holds for an entry, given what holds for its folder ([`Matched::default`] at the top). `path` is relative
    /// to the root, with slashes.
    pub fn step(&self, path: &str, parent: &Matched) -> Matched {
        if self.patterns.is_empty() {
            return Matched::default();
        }
        let mut ignored = false;
        let mut seen = vec![false; self.patterns.len()].into_boxed_slice();
        for (index, pattern) in self.patterns.iter().enumerate() {
            let mut matched = parent.patterns.as_ref().is_some_and(|p| p[index]);
            if !matched {
                if pattern.keeps != ignored {
                    continue;
                }
                matched = pattern.matches(path);
            }
            seen[index] = matched;
            if matched {
                ignored = !pattern.keeps;
            }
        }
        Matched { patterns: Some(seen), ignored }
    }

    /// What holds for a path, found by walking down to it.
    pub fn lookup(&self, path: &str) -> Matched {
        let mut matched = Matched::default();
        if self.patterns.is_empty() || path.is_empty() {
            return matched;
        }
        for (at, _) in path.match_indices('/') {
            matched = self.step(&path[..at], &matched);
        }
        self.step(path, &matched)
    }

    /// Whether a path is left out.
    pub fn ignores(&self, path: &str) -> bool {
        self.lookup(path).ignored
    }

    /// Whether nothing below an ignored folder can be kept, so that it need not be walked or watched.
    pub fn prunes(&self, folder: &str, matched: &Matched) -> bool {
        matched.ignored && !self.patterns.iter().any(|pattern| pattern.keeps && pattern.may_match_below(folder))
    }

    /// The line of the pattern that decides that a path is left out, from one.
    pub fn deciding_line(&self, path: &str) -> Option<usize> {
        let matched = self.lookup(path);
        if !matched.ignored {
            return None;
        }
        let last = matched.patterns?.iter().rposition(|m| *m)?;
        self.lines.get(last).copied().filter(|line| *line > 0)
    }

    /// Whether any of the patterns, in any order, matches the path or one of its parents: the reading of
    /// `COPY --parents` sources, which are patterns of what to include.
    pub fn selects(&self, path: &str) -> bool {
        self.ignores(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignores(text: &str, path: &str) -> bool {
        Ignore::parse(text).unwrap().ignores(path)
    }

    #[test]
    fn moby_semantics() {
        for (text, path, expected) in [
            // Plain names hold at the root only, and for everything below.
            ("node_modules", "node_modules/a/b", true),
            ("node_modules", "web/node_modules", false),
            ("/node_modules", "node_modules", true),
            ("node_modules/", "node_modules/x", true),
            ("./a", "a", true),
            ("a/../b", "b", true),
            // The last match wins.
            ("*\n!src", "src", false),
            ("*\n!src", "src/deep/file", false),
            ("*\n!src", "other", true),
            ("*\n!src\nsrc/secret", "src/secret", true),
            ("!src\n*", "src", true),
            ("*.md\n!README*.md\nREADME-secret.md", "README.md", false),
            ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true),
            ("*.md\nREADME-secret.md\n!README*.md", "README-secret.md", false),
            // A folder left out, something in it kept.
            ("dist\n!dist/keep", "dist/keep", false),
            ("dist\n!dist/keep", "dist/other", true),
            ("dist/*\n!dist/a/b", "dist/a/b", false),
            ("dist/*\n!dist/a/b", "dist/a/c", true),
            // Wildcards.
            ("*.log", "a.log", true),
            ("*.log", "a/b.log", false),
            ("*/*.log", "a/b.log", true),
            ("**/*.log", "a.log", true),
            ("**/*.log", "a/b/c.log", true),
            ("**/node_modules", "a/node_modules/x", true),
            ("**/node_modules", "node_modules", true),
            ("**/node_modules", "my_node_modules", false),
            ("**node_modules", "my_node_modules", true),
            ("a/**", "a/b/c", true),
            ("a/**", "a", false),
            ("a/**/z", "a/z", true),
            ("a/**/z", "a/b/c/z", true),
            ("a/**/z", "a/bz", false),
            ("**", "anything/at/all", true),
            ("**\n!a", "a", false),
            ("a**", "abc/d", true),
            ("te?t", "test", true),
            ("te?t", "te/t", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("a.c", "abc", false),
            ("a+b", "a+b", true),
            ("\\*x", "*x", true),
            ("\\*x", "ax", false),
            ("(a|b)", "a", false),
            ("$x", "$x", true),
            // Comments, blanks and the byte order mark.
            ("# a\nb", "a", false),
            (" #a", "#a", true),
            ("  a  ", "a", true),
            ("\n\n", "a", false),
            ("\u{feff}a", "a", true),
            ("a\r\nb\r\n", "b", true),
            ("! a", "a", false),
            ("a\n! a", "a", false),
            // Outside the root matches nothing.
            ("../a", "a", false),
            (".", "a", false),
            ("/", "a", false),
        ] {
            assert_eq!(ignores(text, path), expected, "{path:?} under {text:?}");
        }
    }

    #[test]
    fn a_pattern_skipped_at_the_folder_is_not_tried_on_the_folder_again() {
        // At `a/b` nothing is left out yet, so `!a/b` is skipped there; below, only the full path is compared. The
        // builder's own walk answers so too.
        assert!(ignores("**/x\n!a/b", "a/b/x"));
    }

    #[test]
    fn folders_that_an_exception_reaches_into_are_walked() {
        for (text, folder, prunes) in [
            ("a", "a", true),
            ("a\n!a/b", "a", false),
            ("a\n!ab", "a", true),
            ("a\n!b/c", "a", true),
            ("*\n!src", "docs", true),
            ("*\n!src/app", "src", false),
            ("*\n!src/app", "src/other", true),
            ("*\n!**/keep", "a/b", false),
            ("*\n!src/**/keep", "src", false),
            ("*\n!src/**/keep", "src/a/b", false),
            ("*\n!src/**/keep", "docs", true),
            ("*\n!*.txt", "docs", true),
            ("*\n!*/*.txt", "docs", false),
            ("*\n!*/*.txt", "docs/a", true),
            ("*\n![^a]x", "docs", false),
            ("*\n!docs/**", "docs", false),
            ("b", "a", false),
        ] {
            let ignore = Ignore::parse(text).unwrap();
            assert_eq!(ignore.prunes(folder, &ignore.lookup(folder)), prunes, "{folder:?} under {text:?}");
        }
    }

    #[test]
    fn bad_patterns_name_their_line() {
        let bad = Ignore::parse("ok\n!\n").unwrap_err();
        assert_eq!((bad.line, bad.pattern.as_str()), (2, "!"));
        let bad = Ignore::parse("# c\n[a\n").unwrap_err();
        assert_eq!((bad.line, bad.pattern.as_str()), (2, "[a"));
    }

    #[test]
    fn the_deciding_line_is_named() {
        let ignore = Ignore::parse("# c\n*.log\n!keep.log\nsecret").unwrap();
        assert_eq!(ignore.deciding_line("a.log"), Some(2));
        assert_eq!(ignore.deciding_line("secret/x"), Some(4));
        assert_eq!(ignore.deciding_line("keep.log"), None);
    }
}
