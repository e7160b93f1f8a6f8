//! The small patterns of `${name#pattern}`, `${name%pattern}` and `${name/pattern/text}`: `*` and `?`, no brackets.
//!
//! As in the builder they become regular expressions, and what is cut off the end is found in the reversed text.

use regex::{Regex, RegexBuilder};

/// The longest value that may come out of a replacement.
pub(super) const MAX_VALUE: usize = 1024 * 1024;

/// A pattern as a regular expression.
fn compile(pattern: impl Iterator<Item = char>, anchored: bool, greedy: bool) -> Result<Regex, String> {
    let mut out = String::from(if anchored { "\\A" } else { "" });
    let mut chars = pattern;
    while let Some(c) = chars.next() {
        let literal = match c {
            '*' => {
                out.push_str(if greedy { ".*" } else { ".*?" });
                continue;
            }
            '?' => {
                out.push('.');
                continue;
            }
            '\\' => match chars.next() {
                Some(c @ ('}' | '/' | '*' | '?' | '\\')) => c,
                other => return Err(format!("invalid escape '\\{}' in a pattern", other.unwrap_or(' '))),
            },
            c => c,
        };
        out.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4])));
    }
    let too_long = |_| format!("the pattern is too long ({} bytes)", out.len());
    RegexBuilder::new(&out).size_limit(4 << 20).build().map_err(too_long)
}

/// Takes what matches off the start: the shortest, or the longest.
pub fn trim_start(value: &str, pattern: &str, longest: bool) -> Result<String, String> {
    let found = compile(pattern.chars(), true, longest)?.find(value).map_or(0, |found| found.end());
    Ok(value[found..].to_owned())
}

/// Takes what matches off the end: the shortest, or the longest.
pub fn trim_end(value: &str, pattern: &str, longest: bool) -> Result<String, String> {
    let reversed: String = value.chars().rev().collect();
    let pattern = reversed_pattern(pattern);
    let found = compile(pattern.into_iter(), true, longest)?.find(&reversed).map_or(0, |found| found.end());
    Ok(value[..value.len() - found].to_owned())
}

/// The characters of a pattern from the last to the first, each escape still before what it escapes.
fn reversed_pattern(pattern: &str) -> Vec<char> {
    let mut out = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            out.extend(chars.next());
        }
        out.push(c);
    }
    out.reverse();
    out
}

/// Replaces the first match, or all; each as long as can be.
pub fn replace(value: &str, pattern: &str, replacement: &str, all: bool) -> Result<String, String> {
    let regex = compile(pattern.chars(), false, true)?;
    let mut out = String::new();
    let mut rest = 0;
    for found in regex.captures_iter(value).take(if all { usize::MAX } else { 1 }) {
        let Some(whole) = found.get(0) else { continue };
        out.push_str(&value[rest..whole.start()]);
        rest = whole.end();
        // With `//` the builder takes a `$` in the text for a reference to a group, of which there is none.
        if all {
            found.expand(replacement, &mut out);
        } else {
            out.push_str(replacement);
        }
        if out.len() > MAX_VALUE {
            return Err(format!("a replacement makes the value longer than {} KiB", MAX_VALUE / 1024));
        }
    }
    out.push_str(&value[rest..]);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_wildcards_take_no_time() {
        let value = "a".repeat(20_000);
        let pattern = "a*".repeat(200) + "b";
        for longest in [false, true] {
            assert_eq!(trim_start(&value, &pattern, longest).as_deref(), Ok(value.as_str()));
            assert_eq!(trim_end(&value, &pattern, longest).as_deref(), Ok(value.as_str()));
        }
        assert_eq!(replace("aXbXc", "?X", "-", true).as_deref(), Ok("--c"));
    }

    #[test]
    fn ends_and_escapes() {
        for (value, pattern, shortest, longest) in [
            ("a.b.c", ".*", "a.b", "a"),
            ("a*b*", "\\*", "a*b", "a*b"),
            ("ab\\", "\\\\", "ab", "ab"),
            ("äöü", "?", "äö", "äö"),
            ("a/b", "\\/*", "a", "a"),
            ("abc", "x", "abc", "abc"),
            ("abc", "*", "abc", ""),
        ] {
            assert_eq!(trim_end(value, pattern, false).as_deref(), Ok(shortest), "{value:?} {pattern:?}");
            assert_eq!(trim_end(value, pattern, true).as_deref(), Ok(longest), "{value:?} {pattern:?}");
        }
        assert!(trim_end("a", "b\\", false).is_err() && trim_start("a", "\\x", false).is_err());
    }

    #[test]
    fn replacements_do_not_fill_the_memory() {
        let long = "a".repeat(100_000);
        assert!(replace(&long, "a", &long, true).unwrap_err().contains("longer than 1024 KiB"));
        assert_eq!(replace("aa", "a", "$1b", false).as_deref(), Ok("$1ba"));
        assert_eq!(replace("abc", "*", "x", true).as_deref(), Ok("x"));
        assert_eq!(replace("abc", "", "-", true).as_deref(), Ok("-a-b-c-"));
    }
}
