//! The words of a template: text, and what stands between `{{` and `}}`.

use super::fault::Fault;

/// A word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// What is between actions, as it is.
    Text(String),
    /// `{{`.
    Open,
    /// `}}`.
    Close,
    /// `if`, `eq`, …
    Word(String),
    /// `.Name`; a dot alone is empty.
    Field(String),
    /// `$name`; a dollar sign alone is empty.
    Variable(String),
    /// A text in quotes.
    Quoted(String),
    /// A number as it is written.
    Number(String),
    /// `|`, `(`, `)`, `,`, `=` or `:=`.
    Sign(&'static str),
    /// Blanks.
    Blank,
}

/// A word and the byte that it begins at.
pub(super) type Placed = (usize, Token);

/// The words of a template.
pub(super) fn tokens(source: &str) -> Result<Vec<Placed>, Fault> {
    let mut tokens = Vec::new();
    let mut at = 0;
    let mut trim = false;
    while at < source.len() {
        let rest = &source[at..];
        let Some(open) = rest.find("{{") else {
            push_text(&mut tokens, at, if trim { rest.trim_start_matches(blank) } else { rest });
            break;
        };
        let inside = at + open + 2;
        let trims_before = source[inside..].starts_with('-') && source[inside + 1..].starts_with(blank);
        let mut text = &rest[..open];
        if trim {
            text = text.trim_start_matches(blank);
        }
        if trims_before {
            text = text.trim_end_matches(blank);
        }
        push_text(&mut tokens, at, text);
        let inside = if trims_before { inside + 2 } else { inside };
        (at, trim) = if source[inside..].starts_with("/*") {
            comment(source, at + open, inside)?
        } else {
            tokens.push((at + open, Token::Open));
            action(source, at + open, inside, &mut tokens)?
        };
    }
    Ok(tokens)
}

fn blank(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\r' | '\n')
}

fn push_text(tokens: &mut Vec<Placed>, at: usize, text: &str) {
    if !text.is_empty() {
        tokens.push((at, Token::Text(text.to_owned())));
    }
}

/// A comment; gives where it ends, and whether the blanks that follow go.
fn comment(source: &str, open: usize, inside: usize) -> Result<(usize, bool), Fault> {
    let Some(length) = source[inside..].find("*/") else {
        return Err(Fault::new(open, "the comment has no end; expected `*/}}`"));
    };
    let after = inside + length + 2;
    match closing(source, after) {
        Some(end) => Ok(end),
        None => Err(Fault::new(after, "expected `}}` after the comment")),
    }
}

/// Where an action ends that ends here, and whether the blanks that follow go.
fn closing(source: &str, at: usize) -> Option<(usize, bool)> {
    let rest = &source[at..];
    if rest.starts_with("}}") {
        return Some((at + 2, false));
    }
    let mut chars = rest.chars();
    (chars.next().is_some_and(blank) && chars.as_str().starts_with("-}}")).then_some((at + 4, true))
}

fn action(source: &str, open: usize, mut at: usize, tokens: &mut Vec<Placed>) -> Result<(usize, bool), Fault> {
    loop {
        if let Some((end, trim)) = closing(source, at) {
            tokens.push((at, Token::Close));
            return Ok((end, trim));
        }
        let rest = &source[at..];
        let Some(char) = rest.chars().next() else {
            return Err(Fault::new(open, "this action has no end; expected `}}`"));
        };
        let (length, token) = match char {
            char if blank(char) => (rest.len() - rest.trim_start_matches(blank).len(), Token::Blank),
            '"' => quoted(rest, at)?,
            '`' => match rest[1..].find('`') {
                Some(end) => (end + 2, Token::Quoted(rest[1..=end].to_owned())),
                None => return Err(Fault::new(at, "the text has no end; expected a backquote")),
            },
            '.' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                let name = word(&rest[1..]);
                (name.len() + 1, Token::Field(name.to_owned()))
            }
            '$' => {
                let name = word(&rest[1..]);
                (name.len() + 1, Token::Variable(name.to_owned()))
            }
            '|' => (1, Token::Sign("|")),
            '(' => (1, Token::Sign("(")),
            ')' => (1, Token::Sign(")")),
            ',' => (1, Token::Sign(",")),
            '=' => (1, Token::Sign("=")),
            ':' if rest.starts_with(":=") => (2, Token::Sign(":=")),
            '+' | '-' | '.' | '0'..='9' => {
                let sign = usize::from(matches!(char, '+' | '-'));
                let more = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_'));
                let length = rest[sign..].find(more).map_or(rest.len(), |length| length + sign);
                (length, Token::Number(rest[..length].to_owned()))
            }
            '\'' => {
                return Err(Fault::new(at, "unexpected `'`; a text stands in double quotes, such as \"x\""));
            }
            char if char.is_alphabetic() || char == '_' => {
                let name = word(rest);
                (name.len(), Token::Word(name.to_owned()))
            }
            char => {
                let message = format!("unexpected {char:?}; expected a field such as .Name, a function or a text");
                return Err(Fault::new(at, message));
            }
        };
        tokens.push((at, token));
        at += length;
    }
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    &text[..end]
}

/// A text in double quotes at the beginning of `rest`, and how long it is there.
fn quoted(rest: &str, at: usize) -> Result<(usize, Token), Fault> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((index, char)) = chars.next() {
        match char {
            '"' => return Ok((index + 1, Token::Quoted(text))),
            '\n' => break,
            '\\' => {
                let Some((escaped, char)) = chars.next() else { break };
                let digits = match char {
                    'x' => 2,
                    'u' => 4,
                    'U' => 8,
                    _ => 0,
                };
                if digits > 0 {
                    let hex = rest.get(escaped + 1..escaped + 1 + digits).unwrap_or_default();
                    let code = u32::from_str_radix(hex, 16).ok().and_then(char::from_u32);
                    let wrong = || {
                        Fault::new(at + index, format!("`\\{char}` needs {digits} hexadecimal digits of a character"))
                    };
                    text.push(code.ok_or_else(wrong)?);
                    chars.nth(digits - 1);
                } else {
                    text.push(match char {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        '0' => '\0',
                        'a' => '\u{7}',
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        'v' => '\u{b}',
                        '\\' | '"' => char,
                        _ => {
                            let message = format!("unknown escape `\\{char}`; known are \\n, \\t, \\\", \\\\ and \\u");
                            return Err(Fault::new(at + index, message));
                        }
                    });
                }
            }
            char => text.push(char),
        }
    }
    Err(Fault::new(at, "the text has no end; expected a double quote"))
}
