//! The small patterns of `${name#pattern}`, `${name%pattern}` and `${name/pattern/text}`: `*` and `?`, no brackets.

enum Token {
    Char(char),
    One,
    Many,
}

fn compile(pattern: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '*' => Token::Many,
            '?' => Token::One,
            '\\' => match chars.next() {
                Some(c @ ('}' | '/' | '*' | '?' | '\\')) => Token::Char(c),
                other => return Err(format!("invalid escape '\\{}' in a pattern", other.unwrap_or(' '))),
            },
            c => Token::Char(c),
        });
    }
    Ok(tokens)
}

fn matches(tokens: &[Token], text: &[char]) -> bool {
    let Some((first, rest)) = tokens.split_first() else { return text.is_empty() };
    match first {
        Token::Many => (0..=text.len()).any(|skip| matches(rest, &text[skip..])),
        Token::One => !text.is_empty() && matches(rest, &text[1..]),
        Token::Char(c) => text.first() == Some(c) && matches(rest, &text[1..]),
    }
}

/// Takes what matches off the start: the shortest, or the longest.
pub fn trim_start(value: &str, pattern: &str, longest: bool) -> Result<String, String> {
    let tokens = compile(pattern)?;
    let chars: Vec<char> = value.chars().collect();
    let mut ends: Box<dyn Iterator<Item = usize>> =
        if longest { Box::new((0..=chars.len()).rev()) } else { Box::new(0..=chars.len()) };
    let cut = ends.find(|end| matches(&tokens, &chars[..*end])).unwrap_or(0);
    Ok(chars[cut..].iter().collect())
}

/// Takes what matches off the end: the shortest, or the longest.
pub fn trim_end(value: &str, pattern: &str, longest: bool) -> Result<String, String> {
    let tokens = compile(pattern)?;
    let chars: Vec<char> = value.chars().collect();
    let mut starts: Box<dyn Iterator<Item = usize>> =
        if longest { Box::new(0..=chars.len()) } else { Box::new((0..=chars.len()).rev()) };
    let cut = starts.find(|start| matches(&tokens, &chars[*start..])).unwrap_or(chars.len());
    Ok(chars[..cut].iter().collect())
}

/// Replaces the first match, or all; each as long as can be.
pub fn replace(value: &str, pattern: &str, replacement: &str, all: bool) -> Result<String, String> {
    let tokens = compile(pattern)?;
    let chars: Vec<char> = value.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    let mut done = false;
    while at <= chars.len() {
        let end = (at..=chars.len()).rev().find(|end| !done && matches(&tokens, &chars[at..*end]));
        if let Some(end) = end {
            out.push_str(replacement);
            done = !all;
            if end > at {
                at = end;
                if at == chars.len() {
                    break;
                }
                continue;
            }
        }
        out.extend(chars.get(at));
        at += 1;
    }
    Ok(out)
}
