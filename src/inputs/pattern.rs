//! One pattern of a `.dockerignore`, matched as moby's pattern matcher does.
//!
//! The matcher there turns a pattern into a regular expression unless it can be answered by comparing text, and the
//! two ways differ: `**/x` compares the end of the path, `x/**` its start. What follows from that is kept here, such
//! as `**x` matching `abcx`, and a negated class matching a slash. `glob` is another language: it has no `**`, and
//! `\d` is a letter there and a class here. Only how far a `*` goes is the same.

use super::glob::{BadPattern, Glob, tails};

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
    Tokens(Vec<Token>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `?`
    One,
    /// `*`
    Many,
    /// `**` at the end: anything.
    Rest,
    /// `**/` or `**`: nothing, or anything that ends with a slash.
    Folders,
    Class {
        negated: bool,
        items: Vec<Item>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Range(char, char),
    Perl(char),
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
        Glob::new(text)?;
        Ok(Self { text: text.to_owned(), keeps, kind: compile(text)? })
    }

    /// Whether it matches this very path (not one of its parents).
    pub fn matches(&self, path: &str) -> bool {
        match &self.kind {
            Kind::Exact => path == self.text,
            Kind::Prefix(prefix) => path.starts_with(prefix.as_str()),
            Kind::Suffix(suffix) => path.ends_with(suffix.as_str()) || suffix.strip_prefix('/') == Some(path),
            Kind::Tokens(tokens) => matches(tokens, path),
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
        Tokens,
    }
    let mut found = Type::Exact;
    let mut tokens = Vec::new();
    let mut chars = pattern.chars().peekable();
    let mut first = true;
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.next_if_eq(&'*').is_some() => {
                chars.next_if_eq(&'/');
                if chars.peek().is_none() {
                    if found == Type::Exact {
                        found = Type::Prefix;
                    } else {
                        found = Type::Tokens;
                    }
                    tokens.push(Token::Rest);
                } else {
                    tokens.push(Token::Folders);
                    found = Type::Tokens;
                }
                if first {
                    found = Type::Suffix;
                }
            }
            '*' => {
                tokens.push(Token::Many);
                found = Type::Tokens;
            }
            '?' => {
                tokens.push(Token::One);
                found = Type::Tokens;
            }
            '\\' => {
                tokens.push(escaped(chars.next().ok_or(BadPattern)?)?);
                found = Type::Tokens;
            }
            '[' => {
                tokens.push(class(&mut chars)?);
                found = Type::Tokens;
            }
            ']' => {
                tokens.push(Token::Char(']'));
                found = Type::Tokens;
            }
            c => tokens.push(Token::Char(c)),
        }
        first = false;
    }
    Ok(match found {
        Type::Exact => Kind::Exact,
        Type::Prefix => Kind::Prefix(pattern[..pattern.len() - 2].to_owned()),
        Type::Suffix => Kind::Suffix(pattern[2..].to_owned()),
        Type::Tokens => Kind::Tokens(tokens),
    })
}

/// What a backslash and a character mean once they are in a regular expression.
fn escaped(c: char) -> Result<Token, BadPattern> {
    Ok(match c {
        'd' | 'D' | 's' | 'S' | 'w' | 'W' => Token::Class { negated: false, items: vec![Item::Perl(c)] },
        'a' => Token::Char('\u{7}'),
        'f' => Token::Char('\u{c}'),
        'n' => Token::Char('\n'),
        'r' => Token::Char('\r'),
        't' => Token::Char('\t'),
        'v' => Token::Char('\u{b}'),
        c if c.is_ascii_alphanumeric() => return Err(BadPattern),
        c => Token::Char(c),
    })
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Token, BadPattern> {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut items: Vec<Item> = Vec::new();
    loop {
        let c = match chars.next().ok_or(BadPattern)? {
            ']' if !items.is_empty() => return Ok(Token::Class { negated, items }),
            '\\' => match escaped(chars.next().ok_or(BadPattern)?)? {
                Token::Char(c) => c,
                Token::Class { items: inner, .. } => {
                    items.extend(inner);
                    continue;
                }
                _ => return Err(BadPattern),
            },
            c => c,
        };
        let mut ahead = chars.clone();
        if ahead.next() == Some('-') && ahead.peek().is_some_and(|c| *c != ']') {
            *chars = ahead;
            let high = match chars.next().ok_or(BadPattern)? {
                '\\' => chars.next().ok_or(BadPattern)?,
                c => c,
            };
            if high < c {
                return Err(BadPattern);
            }
            items.push(Item::Range(c, high));
        } else {
            items.push(Item::Range(c, c));
        }
    }
}

fn matches(tokens: &[Token], text: &str) -> bool {
    let Some((first, rest)) = tokens.split_first() else { return text.is_empty() };
    match first {
        Token::Rest => return true,
        Token::Folders => {
            return matches(rest, text) || text.match_indices('/').any(|(at, _)| matches(rest, &text[at + 1..]));
        }
        Token::Many => return tails(text).any(|tail| matches(rest, tail)),
        _ => {}
    }
    let mut chars = text.chars();
    let Some(c) = chars.next() else { return false };
    let fits = match first {
        Token::Char(wanted) => c == *wanted,
        Token::One => c != '/',
        Token::Class { negated, items } => items.iter().any(|item| item.holds(c)) != *negated,
        _ => false,
    };
    fits && matches(rest, chars.as_str())
}

impl Item {
    fn holds(&self, c: char) -> bool {
        match *self {
            Self::Range(low, high) => low <= c && c <= high,
            Self::Perl('d') => c.is_ascii_digit(),
            Self::Perl('D') => !c.is_ascii_digit(),
            Self::Perl('w') => c.is_ascii_alphanumeric() || c == '_',
            Self::Perl('W') => !(c.is_ascii_alphanumeric() || c == '_'),
            Self::Perl('s') => matches!(c, '\t' | '\n' | '\u{c}' | '\r' | ' '),
            Self::Perl(_) => !matches!(c, '\t' | '\n' | '\u{c}' | '\r' | ' '),
        }
    }
}
