//! Shell patterns as Go's `filepath.Match` reads them on Unix: the language of `COPY` and `ADD` sources.
//!
//! `*` and `?` stop at a slash, `[a-z]` is a class, `[^a]` a negated one, and a backslash takes the next character
//! literally. A pattern is checked as a whole, so that a broken one fails even where its start would not match.

use crate::inputs::ignore::linear::{self, BadPattern, Linear};

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(Linear);

impl Glob {
    /// Compiles a pattern.
    pub fn new(pattern: &str) -> Result<Self, BadPattern> {
        Linear::new(expression(pattern)?).map(Self)
    }

    /// Whether the pattern matches all of `text`.
    pub fn matches(&self, text: &str) -> bool {
        self.0.matches(text)
    }
}

/// Whether a pattern can be read.
pub(crate) fn check(pattern: &str) -> Result<(), BadPattern> {
    expression(pattern).map(drop)
}

/// The pattern as a regular expression.
fn expression(pattern: &str) -> Result<String, BadPattern> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' => {
                while chars.next_if_eq(&'*').is_some() {}
                out.push_str(linear::NAME);
            }
            '?' => out.push_str(linear::ONE),
            '[' => {
                let negated = chars.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                let mut first = true;
                loop {
                    if !first && chars.next_if_eq(&']').is_some() {
                        break;
                    }
                    first = false;
                    let low = bound(&mut chars)?;
                    let high = if chars.next_if_eq(&'-').is_some() { bound(&mut chars)? } else { low };
                    ranges.push((low, high));
                }
                linear::class(negated, &ranges, &mut out);
            }
            '\\' => linear::literal(chars.next().ok_or(BadPattern::Open)?, &mut out),
            c => linear::literal(c, &mut out),
        }
    }
    Ok(out)
}

/// One end of a range inside a class.
fn bound(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<char, BadPattern> {
    match chars.next() {
        None | Some('-' | ']') => Err(BadPattern::Open),
        Some('\\') => chars.next().ok_or(BadPattern::Open),
        Some(c) => Ok(c),
    }
}

/// Whether a path component holds a wildcard that is not escaped.
pub fn has_wildcard(text: &str) -> bool {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' | '?' | '[' => return true,
            '\\' => {
                chars.next();
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_filepath_match_does() {
        for (pattern, text, expected) in [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*", "ab/c", false),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", false),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[^e-g]", "abc", true),
            ("ab[^b-d]", "abc", false),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a?b", "a☺b", true),
            ("a[^a]b", "a☺b", true),
            ("a??b", "a☺b", false),
            ("[a-ζ]*", "α", true),
            ("*[a-ζ]", "A", false),
            ("a?b", "a/b", false),
            ("a*b", "a/b", false),
            ("[\\]a]", "]", true),
            ("[x\\-]", "-", true),
            ("*x", "xxx", true),
            ("arr[[]0].txt", "arr[0].txt", true),
            ("*.py", ".hidden.py", true),
            ("", "", true),
            ("", "a", false),
            ("[z-a]", "m", false),
            ("[^z-a]", "m", true),
            ("a.c", "abc", false),
            ("a+(b)|{c}$^", "a+(b)|{c}$^", true),
            ("a*b", "a\nb", true),
            ("a?b", "a\nb", true),
            ("[^a]", "/", true),
            ("[&&~~[]", "~", true),
        ] {
            assert_eq!(Glob::new(pattern).unwrap().matches(text), expected, "{pattern:?} on {text:?}");
        }
    }

    #[test]
    fn many_wildcards_take_no_time() {
        let text = "a".repeat(5_000);
        assert!(!Glob::new(&"a*".repeat(500)).unwrap().matches(&format!("{text}/")));
        assert!(!Glob::new(&format!("{}b", "a*".repeat(500))).unwrap().matches(&text));
        assert_eq!(Glob::new(&"?".repeat(2_000_000)), Err(BadPattern::TooLong));
    }

    #[test]
    fn broken_patterns_are_refused() {
        for pattern in ["[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[", "[^", "[^bc", "a[", "\\", "a*b\\"] {
            assert_eq!(Glob::new(pattern), Err(BadPattern::Open), "{pattern:?}");
        }
    }
}
