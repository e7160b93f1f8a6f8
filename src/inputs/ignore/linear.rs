//! What the pattern languages share: each is brought into a regular expression, whose time is linear in the text, however
//! many wildcards there are.
//!
//! Texts are compared as bytes where that says the same (`*` is all but a slash, in every character's bytes), because
//! such expressions are smaller and sooner compiled.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};

/// `*`: any number of characters that are no slash.
pub(crate) const NAME: &str = "(?-u:[^/])*";

/// `?`: one character that is no slash.
pub(crate) const ONE: &str = "[^/]";

/// The longest expression. Compiled it stays below the limit that `regex` has for one.
const MAX_LENGTH: usize = 16 * 1024;

/// A pattern that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// A bracket or an escape has no end.
    #[error("the pattern is not closed: every `[` needs its `]`, and a `\\` needs a character after it")]
    Open,
    /// It takes more memory than a pattern may.
    #[error("the pattern is too long")]
    TooLong,
}

/// An expression that must match all of a text. It is compiled when the first text is asked for: of the patterns of an
/// ignore file many are never asked.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    expression: String,
    compiled: OnceLock<Option<Regex>>,
}

impl Linear {
    /// Takes an expression that was made of [`NAME`], [`ONE`], [`class`], [`literal`] and groups of them.
    pub fn new(expression: String) -> Result<Self, BadPattern> {
        if expression.len() > MAX_LENGTH {
            return Err(BadPattern::TooLong);
        }
        Ok(Self { expression, compiled: OnceLock::new() })
    }

    /// Whether it matches all of a text.
    pub fn matches(&self, text: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| {
            RegexBuilder::new(&format!("\\A(?:{})\\z", self.expression)).size_limit(64 << 20).build().ok()
        });
        compiled.as_ref().is_some_and(|regex| regex.is_match(text.as_bytes()))
    }
}

impl PartialEq for Linear {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression
    }
}

impl Eq for Linear {}

/// Adds one character that stands for itself.
pub(crate) fn literal(c: char, out: &mut String) {
    out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
}

/// Adds one character out of ranges, or out of all others. A range whose ends are the wrong way round holds nothing.
pub(crate) fn class(negated: bool, ranges: &[(char, char)], out: &mut String) {
    let ranges: Vec<_> = ranges.iter().filter(|(low, high)| low <= high).collect();
    if ranges.is_empty() {
        out.push_str(if negated { "(?s:.)" } else { r"[^\x00-\x{10FFFF}]" });
        return;
    }
    out.push_str(if negated { "[^" } else { "[" });
    for (low, high) in ranges {
        out.push_str(&format!(r"\x{{{:X}}}-\x{{{:X}}}", u32::from(*low), u32::from(*high)));
    }
    out.push(']');
}
