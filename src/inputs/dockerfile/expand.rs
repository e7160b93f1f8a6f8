//! Variables in a Dockerfile's words, as the builder's own small shell expands them.

use super::pattern::{self, MAX_VALUE};

/// The deepest nesting of `${A:-${B:-…}}`.
const MAX_NESTING: usize = 100;

/// What to do with quotes and escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quotes {
    /// Take them out.
    Removed,
    /// Leave them in.
    Kept,
}

/// A variable's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// It has this value.
    Known(String),
    /// It has one that cannot be told, or that differs between builders.
    Unknown,
}

/// Where variables are looked up.
pub trait Variables {
    /// The value of a variable, if it is set.
    fn get(&self, name: &str) -> Option<Value>;
}

/// A word after expansion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    /// The text; parts that come from unknown variables are missing.
    pub text: String,
    /// The first variable whose value is unknown.
    pub unknown: Option<String>,
}

/// Expands variables in a word and takes quotes and escapes out.
pub fn expand(word: &str, escape: char, variables: &dyn Variables) -> Result<Expanded, String> {
    let mut lexer = Lexer {
        chars: word.chars().collect(),
        at: 0,
        escape,
        quotes: Quotes::Removed,
        literal: false,
        variables,
        unknown: None,
        nesting: 0,
    };
    let text = lexer.until(None, false)?.text;
    Ok(Expanded { text, unknown: lexer.unknown })
}

/// Cuts text into words at white space outside quotes, and leaves variables alone.
pub fn split_words(text: &str, quotes: Quotes) -> Vec<String> {
    struct Nothing;
    impl Variables for Nothing {
        fn get(&self, _: &str) -> Option<Value> {
            None
        }
    }
    let mut lexer = Lexer {
        chars: text.chars().collect(),
        at: 0,
        escape: '\\',
        quotes,
        literal: true,
        variables: &Nothing,
        unknown: None,
        nesting: 0,
    };
    lexer.until(None, quotes == Quotes::Kept).map(|words| words.list).unwrap_or_default()
}

struct Lexer<'a> {
    chars: Vec<char>,
    at: usize,
    escape: char,
    quotes: Quotes,
    /// Variables stay as they are written.
    literal: bool,
    variables: &'a dyn Variables,
    unknown: Option<String>,
    nesting: usize,
}

#[derive(Default)]
struct Words {
    text: String,
    list: Vec<String>,
    word: String,
    inside: bool,
}

impl Words {
    fn raw(&mut self, text: &str) {
        self.text.push_str(text);
        self.word.push_str(text);
        self.inside = true;
    }

    fn char(&mut self, c: char) {
        if c.is_whitespace() {
            self.text.push(c);
            if self.inside && !self.word.is_empty() {
                self.list.push(std::mem::take(&mut self.word));
                self.inside = false;
            }
        } else {
            self.raw(c.encode_utf8(&mut [0; 4]));
        }
    }
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn until(&mut self, stop: Option<char>, raw_escapes: bool) -> Result<Words, String> {
        let mut words = Words::default();
        while let Some(c) = self.peek() {
            if Some(c) == stop {
                self.at += 1;
                words.finish();
                return Ok(words);
            }
            match c {
                '$' => {
                    let value = self.dollar()?;
                    value.chars().for_each(|c| words.char(c));
                    self.check_length(words.text.len())?;
                }
                '\'' => {
                    let text = self.single_quoted()?;
                    words.raw(&text);
                }
                '"' => {
                    let text = self.double_quoted(raw_escapes)?;
                    words.raw(&text);
                }
                c if c == self.escape => {
                    self.at += 1;
                    if raw_escapes {
                        words.raw(c.encode_utf8(&mut [0; 4]));
                    }
                    let Some(c) = self.next() else { break };
                    words.raw(c.encode_utf8(&mut [0; 4]));
                }
                c => {
                    self.at += 1;
                    words.char(c);
                }
            }
        }
        if let Some(stop) = stop {
            return Err(format!("a {stop:?} is missing"));
        }
        words.finish();
        Ok(words)
    }

    fn single_quoted(&mut self) -> Result<String, String> {
        let mut text = String::new();
        let open = self.next();
        if self.quotes == Quotes::Kept {
            text.extend(open);
        }
        loop {
            match self.next() {
                None => return Err("a single quote is not closed".to_owned()),
                Some('\'') => break,
                Some(c) => text.push(c),
            }
        }
        if self.quotes == Quotes::Kept {
            text.push('\'');
        }
        Ok(text)
    }

    fn double_quoted(&mut self, raw_escapes: bool) -> Result<String, String> {
        let mut text = String::new();
        let open = self.next();
        if self.quotes == Quotes::Kept {
            text.extend(open);
        }
        loop {
            match self.peek() {
                None => return Err("a double quote is not closed".to_owned()),
                Some('"') => break,
                Some('$') => {
                    text.push_str(&self.dollar()?);
                    self.check_length(text.len())?;
                }
                Some(c) => {
                    self.at += 1;
                    if c != self.escape {
                        text.push(c);
                        continue;
                    }
                    if raw_escapes {
                        text.push(c);
                    }
                    match self.peek() {
                        None => {}
                        // Only these can be escaped; before anything else the escape character stands for itself.
                        Some(next) if next == '"' || next == '$' || next == self.escape => {
                            self.at += 1;
                            text.push(next);
                        }
                        Some(_) => text.push(c),
                    }
                }
            }
        }
        self.at += 1;
        if self.quotes == Quotes::Kept {
            text.push('"');
        }
        Ok(text)
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.peek() {
            if name.is_empty() && c.is_numeric() {
                while let Some(c) = self.peek().filter(|c| c.is_numeric()) {
                    self.at += 1;
                    name.push(c);
                }
                return name;
            }
            if name.is_empty() && matches!(c, '@' | '*' | '#' | '?' | '-' | '$' | '!') {
                self.at += 1;
                return c.to_string();
            }
            if !c.is_alphanumeric() && c != '_' {
                break;
            }
            self.at += 1;
            name.push(c);
        }
        name
    }

    /// The value of a variable; what is unknown counts as set and not empty, and is noted.
    fn value(&mut self, name: &str) -> Option<String> {
        match self.variables.get(name) {
            None => None,
            Some(Value::Known(value)) => Some(value),
            Some(Value::Unknown) => {
                self.unknown.get_or_insert_with(|| name.to_owned());
                Some(String::new())
            }
        }
    }

    /// Without an end, a few lines of `ARG B=$A$A` would fill the memory.
    fn check_length(&self, length: usize) -> Result<(), String> {
        if length <= self.chars.len() * 4 + MAX_VALUE {
            return Ok(());
        }
        Err(format!("the variables make the value longer than {} KiB", MAX_VALUE / 1024))
    }

    fn dollar(&mut self) -> Result<String, String> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(format!("variables are nested more than {MAX_NESTING} levels deep"));
        }
        let value = self.variable();
        self.nesting -= 1;
        value
    }

    fn variable(&mut self) -> Result<String, String> {
        self.at += 1;
        if self.peek() != Some('{') {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            if self.literal {
                return Ok(format!("${name}"));
            }
            return Ok(self.value(&name).unwrap_or_default());
        }
        self.at += 1;
        match self.peek() {
            None => return Err("a `}` is missing".to_owned()),
            Some('{' | '}' | ':') => return Err("bad substitution: a name must follow `${`".to_owned()),
            Some(_) => {}
        }
        let name = self.name();
        let mut modifier = self.next();
        let mut empty_is_unset = false;
        if modifier == Some(':') {
            empty_is_unset = true;
            modifier = self.next();
        }
        match modifier {
            Some('}') if !empty_is_unset => {
                if self.literal {
                    return Ok(format!("${{{name}}}"));
                }
                Ok(self.value(&name).unwrap_or_default())
            }
            Some(kind @ ('+' | '-' | '?' | '#' | '%')) => {
                let word = self.until(Some('}'), matches!(kind, '#' | '%'))?.text;
                let value = self.value(&name);
                modified(kind, &name, value, word, empty_is_unset)
            }
            Some('/') if !empty_is_unset => {
                let all = self.peek() == Some('/');
                if all {
                    self.at += 1;
                }
                let wanted = self.until(Some('/'), true)?.text;
                let replacement = self.until(Some('}'), true)?.text;
                let value = self.value(&name).unwrap_or_default();
                pattern::replace(&value, &wanted, &replacement, all)
            }
            other => Err(format!("unsupported modifier ({}) in ${{{name}…}}", other.unwrap_or('}'))),
        }
    }
}

impl Words {
    fn finish(&mut self) {
        if !self.word.is_empty() {
            self.list.push(std::mem::take(&mut self.word));
        }
    }
}

fn modified(
    kind: char,
    name: &str,
    value: Option<String>,
    word: String,
    empty_is_unset: bool,
) -> Result<String, String> {
    let missing = value.as_ref().is_none_or(|v| empty_is_unset && v.is_empty());
    match kind {
        '-' if missing => Ok(word),
        '+' => Ok(if missing { String::new() } else { word }),
        '?' if missing => Err(match (word.is_empty(), value.is_some()) {
            (false, _) => format!("{name}: {word}"),
            (true, true) => format!("{name}: is not allowed to be empty"),
            (true, false) => format!("{name}: is not allowed to be unset"),
        }),
        '#' | '%' => {
            let value = value.unwrap_or_default();
            let (longest, word) = match word.strip_prefix(kind) {
                Some(rest) => (true, rest),
                None => (false, word.as_str()),
            };
            if kind == '#' {
                pattern::trim_start(&value, word, longest)
            } else {
                pattern::trim_end(&value, word, longest)
            }
        }
        _ => Ok(value.unwrap_or_default()),
    }
}
