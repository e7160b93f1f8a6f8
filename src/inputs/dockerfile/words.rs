//! The ways in which an instruction's arguments are cut into words.

/// A flag of an instruction: `--name` or `--name=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The name, without dashes.
    pub name: String,
    /// The value; none where there is no `=`.
    pub value: Option<String>,
}

/// Cuts the flags off the start of an instruction's arguments.
pub fn flags(text: &str, escape: char) -> (Vec<Flag>, &str) {
    let mut flags = Vec::new();
    let mut rest = text.trim_start();
    while rest.starts_with("--") {
        let mut word = String::new();
        let mut quote = None;
        let mut end = rest.len();
        let mut chars = rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match quote {
                None if c.is_whitespace() => {
                    end = at;
                    break;
                }
                None if c == '"' || c == '\'' => quote = Some(c),
                Some(open) if c == open => quote = None,
                _ if c == escape => match chars.next() {
                    Some((_, next)) => word.push(next),
                    None => break,
                },
                _ => word.push(c),
            }
        }
        rest = rest[end..].trim_start();
        if word == "--" {
            break;
        }
        let word = &word[2..];
        flags.push(match word.split_once('=') {
            Some((name, value)) => Flag { name: name.to_owned(), value: Some(value.to_owned()) },
            None => Flag { name: word.to_owned(), value: None },
        });
    }
    (flags, rest)
}

/// The JSON form: a list of strings and nothing else.
pub fn json(text: &str) -> Option<Vec<String>> {
    let text = text.trim();
    if !text.starts_with('[') {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// The JSON form, or words cut at white space, quotes meaning nothing.
pub fn list(text: &str) -> Vec<String> {
    json(text).unwrap_or_else(|| {
        text.split(['\t', '\u{b}', '\u{c}', '\r', ' ', '\n']).filter(|w| !w.is_empty()).map(str::to_owned).collect()
    })
}

/// Words cut at white space outside quotes; quotes and escapes stay in the words.
pub fn quoted(text: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.trim().chars();
    while let Some(c) = chars.next() {
        match quote {
            None if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            None if c == '"' || c == '\'' => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ => {}
        }
        word.push(c);
        // In single quotes an escape character is a character like any other.
        if c == escape && quote != Some('\'') {
            word.extend(chars.next());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The pairs of `ENV`: `A=1 B=2`, or the old form `A the rest`.
pub fn pairs(text: &str, escape: char) -> Result<Vec<(String, String)>, String> {
    let words = quoted(text, escape);
    let Some(first) = words.first() else { return Err("needs at least one name and value".to_owned()) };
    if !first.contains('=') {
        let text = text.trim();
        return match text.split_once(char::is_whitespace) {
            Some((name, value)) => Ok(vec![(name.to_owned(), value.trim_start().to_owned())]),
            None => Err(format!("gives no value for {text}")),
        };
    }
    words
        .iter()
        .map(|word| match word.split_once('=') {
            Some(("", _)) => Err(format!("has a value without a name in {word:?}")),
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => Err(format!("has no `=` in {word:?}: quote values that hold spaces")),
        })
        .collect()
}
