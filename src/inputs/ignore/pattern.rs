//! One pattern of a `.dockerignore`, matched as moby's pattern matcher does.
//!
//! The matcher there turns a pattern into a regular expression unless it can be answered by comparing text, and the
//! two ways differ: `**/x` compares the end of the path, `x/**` its start. What follows from that is kept here, such
//! as `**x` matching `abcx`, and a negated class matching a slash. `glob` is another language: it has no `**`, and
//! `\d` is a letter there and a class here. Only how far a `*` goes is the same.

use crate::inputs::ignore::glob;
use crate::inputs::ignore::linear::{self, BadPattern, Linear};

/// How a pattern is compared with a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// The whole path is this text.
    Exact,
    /// The path starts with this text.
    Prefix(String),
    /// The path ends with this text, or is it without its leading slash.
    Suffix(String),
    /// Anything else.
    Expression(Linear),
}

/// One cleaned pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The pattern without its `!`.
    text: String,
    /// `!`: what it matches is kept.
    pub keeps: bool,
    kind: Kind,
}

impl Pattern {
    /// Compiles a pattern that is cleaned already (no `./`, no trailing slash, no `!`).
    pub fn new(text: &str, keeps: bool) -> Result<Self, BadPattern> {
        glob::check(text)?;
        Ok(Self { text: text.to_owned(), keeps, kind: compile(text)? })
    }

    /// Whether it matches this very path (not one of its parents).
    pub fn matches(&self, path: &str) -> bool {
        match &self.kind {
            Kind::Exact => path == self.text,
            Kind::Prefix(prefix) => path.starts_with(prefix.as_str()),
            Kind::Suffix(suffix) => path.ends_with(suffix.as_str()) || suffix.strip_prefix('/') == Some(path),
            Kind::Expression(expression) => expression.matches(path),
        }
    }

    /// Whether some path below `folder` could match while `folder` itself does not.
    pub fn may_match_below(&self, folder: &str) -> bool {
        let below = |text: &str| text.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        if self.kind == Kind::Exact {
            return below(&self.text);
        }
        // Without `**` a pattern has as many parts as what it matches; only classes can match a slash.
        let depth = |text: &str| text.matches('/').count();
        let fixed = !self.text.contains("**") && !self.text.contains(['[', '\\']);
        if fixed && depth(&self.text) <= depth(folder) {
            return false;
        }
        let special = self.text.find(['*', '?', '[', ']', '\\', '^']).unwrap_or(self.text.len());
        let literal = &self.text[..special];
        below(literal) || format!("{folder}/").starts_with(literal)
    }
}

fn compile(pattern: &str) -> Result<Kind, BadPattern> {
    #[derive(PartialEq)]
    enum Type {
        Exact,
        Prefix,
        Suffix,
        Expression,
    }
    let mut found = Type::Exact;
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    let mut first = true;
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.next_if_eq(&'*').is_some() => {
                chars.next_if_eq(&'/');
                if chars.peek().is_none() {
                    // Anything, save for what the builder's `.` leaves out.
                    found = if found == Type::Exact { Type::Prefix } else { Type::Expression };
                    out.push_str(r"(?-u:[^\n])*");
                } else {
                    // Nothing, or anything that ends with a slash.
                    found = Type::Expression;
                    out.push_str(r"(?:(?-u:[^\n])*/)?");
                }
                if first {
                    found = Type::Suffix;
                }
            }
            '*' => {
                out.push_str(linear::NAME);
                found = Type::Expression;
            }
            '?' => {
                out.push_str(linear::ONE);
                found = Type::Expression;
            }
            '\\' => {
                match escaped(chars.next().ok_or(BadPattern::Open)?)? {
                    Escaped::Char(c) => linear::literal(c, &mut out),
                    Escaped::Class(ranges) => linear::class(false, &ranges, &mut out),
                }
                found = Type::Expression;
            }
            '[' => {
                class(&mut chars, &mut out)?;
                found = Type::Expression;
            }
            ']' => {
                linear::literal(']', &mut out);
                found = Type::Expression;
            }
            c => linear::literal(c, &mut out),
        }
        first = false;
    }
    Ok(match found {
        Type::Exact => Kind::Exact,
        Type::Prefix => Kind::Prefix(pattern[..pattern.len() - 2].to_owned()),
        Type::Suffix => Kind::Suffix(pattern[2..].to_owned()),
        Type::Expression => Kind::Expression(Linear::new(out)?),
    })
}

/// What a backslash and a character mean in the builder's regular expressions.
enum Escaped {
    /// This character.
    Char(char),
    /// One out of these.
    Class(Vec<(char, char)>),
}

fn escaped(c: char) -> Result<Escaped, BadPattern> {
    Ok(match c {
        'd' | 'D' | 's' | 'S' | 'w' | 'W' => Escaped::Class(perl(c)),
        'a' => Escaped::Char('\u{7}'),
        'f' => Escaped::Char('\u{c}'),
        'n' => Escaped::Char('\n'),
        'r' => Escaped::Char('\r'),
        't' => Escaped::Char('\t'),
        'v' => Escaped::Char('\u{b}'),
        c if c.is_ascii_alphanumeric() => return Err(BadPattern::Open),
        c => Escaped::Char(c),
    })
}

/// The classes of one letter, which know ASCII only.
fn perl(c: char) -> Vec<(char, char)> {
    match c {
        'd' => vec![('0', '9')],
        'D' => vec![('\0', '/'), (':', char::MAX)],
        'w' => vec![('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        'W' => vec![('\0', '/'), (':', '@'), ('[', '^'), ('`', '`'), ('{', char::MAX)],
        's' => vec![('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')],
        _ => vec![('\0', '\u{8}'), ('\u{b}', '\u{b}'), ('\u{e}', '\u{1f}'), ('!', char::MAX)],
    }
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) -> Result<(), BadPattern> {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges: Vec<(char, char)> = Vec::new();
    loop {
        let c = match chars.next().ok_or(BadPattern::Open)? {
            ']' if !ranges.is_empty() => {
                linear::class(negated, &ranges, out);
                return Ok(());
            }
            '\\' => match escaped(chars.next().ok_or(BadPattern::Open)?)? {
                Escaped::Char(c) => c,
                Escaped::Class(inner) => {
                    ranges.extend(inner);
                    continue;
                }
            },
            c => c,
        };
        let mut ahead = chars.clone();
        if ahead.next() == Some('-') && ahead.peek().is_some_and(|c| *c != ']') {
            *chars = ahead;
            let high = match chars.next().ok_or(BadPattern::Open)? {
                '\\' => chars.next().ok_or(BadPattern::Open)?,
                c => c,
            };
            if high < c {
                return Err(BadPattern::Open);
            }
            ranges.push((c, high));
        } else {
            ranges.push((c, c));
        }
    }
}
