//! Patterns of ignore files and of `COPY`: one on the first line, what it is held against on the second.

#![no_main]

use hob_fuzz::inputs::Ignore;
use hob_fuzz::inputs::ignore::glob::Glob;
use libfuzzer_sys::fuzz_target;

/// One step of a pattern as `filepath.Match` has it.
enum Token {
    Char(char),
    One,
    Many,
    Class { negated: bool, ranges: Vec<(char, char)> },
}

/// The pattern, read a second time and in another way; only asked where it can be read.
fn tokens(pattern: &str) -> Vec<Token> {
    let mut chars = pattern.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '*' => Token::Many,
            '?' => Token::One,
            '\\' => Token::Char(chars.next().unwrap_or_default()),
            '[' => {
                let negated = chars.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                let bound = |c: char, chars: &mut std::iter::Peekable<std::str::Chars<'_>>| {
                    if c == '\\' { chars.next().unwrap_or_default() } else { c }
                };
                while let Some(c) = chars.next() {
                    if c == ']' && !ranges.is_empty() {
                        break;
                    }
                    let low = bound(c, &mut chars);
                    let mut high = low;
                    if chars.next_if_eq(&'-').is_some() {
                        let c = chars.next().unwrap_or_default();
                        high = bound(c, &mut chars);
                    }
                    ranges.push((low, high));
                }
                Token::Class { negated, ranges }
            }
            c => Token::Char(c),
        });
    }
    tokens
}

/// Which prefixes of the text the pattern matches, step by step.
fn matches(tokens: &[Token], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for token in tokens {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            if let Token::Many = token {
                next[at] |= reached[at] || at > 0 && next[at - 1] && text[at - 1] != '/';
            } else if let (true, Some(&c)) = (reached[at], text.get(at)) {
                next[at + 1] |= match token {
                    Token::Char(wanted) => c == *wanted,
                    Token::One => c != '/',
                    Token::Class { negated, ranges } => {
                        ranges.iter().any(|&(low, high)| low <= c && c <= high) != *negated
                    }
                    Token::Many => false,
                };
            }
        }
        reached = next;
    }
    reached[text.len()]
}

fuzz_target!(|text: &str| {
    let (pattern, path) = text.split_once('\n').unwrap_or((text, ""));
    if let Ok(glob) = Glob::new(pattern) {
        assert_eq!(glob.matches(path), matches(&tokens(pattern), path));
    }
    if let Ok(ignore) = Ignore::parse(text) {
        let matched = ignore.lookup(path);
        assert_eq!(ignore.ignores(path), matched.ignored);
    }
});
