//! `.env` files and env files: `KEY=value` lines with quotes, several lines in quotes, `export`, comments and
//! variables inside values.

use std::path::Path;

use indexmap::IndexMap;

use crate::manifest::interpolate::template::{Lookup, TemplateError, Uses, substitute};
use crate::manifest::read::yaml::VariableOrigin;

/// How many bytes the variables inside values may add to a file.
const MAX_EXPANDED: usize = 4 * 1024 * 1024;

/// The variables of a file, in order.
pub type Variables = IndexMap<String, Variable>;

/// A variable of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its value.
    pub value: String,
    /// The line that sets it, from one.
    pub line: u32,
}

/// What is wrong with an env file, and in which line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EnvError {
    /// Line, from one.
    pub line: u32,
    /// Column, from one.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// Where variables inside an env file get their values: first from outside, then from the lines above.
struct Inner<'a> {
    outer: &'a dyn Lookup,
    above: &'a Variables,
    before: &'a Variables,
    file: &'a Path,
}

impl Lookup for Inner<'_> {
    fn lookup(&self, name: &str) -> Option<(&str, VariableOrigin)> {
        self.outer.lookup(name).or_else(|| {
            self.above.get(name).or_else(|| self.before.get(name)).map(|variable| {
                let origin = VariableOrigin::File(self.file.to_path_buf(), variable.line);
                (variable.value.as_str(), origin)
            })
        })
    }
}

/// Reads a file in Compose's format. A value may use the variables of `outer`, then those of the lines above it, then
/// those of `before`. `unset` collects the variables that were used and are not set.
///
/// # Errors
/// The first line that does not parse.
pub fn parse(
    text: &str,
    file: &Path,
    before: Variables,
    outer: &dyn Lookup,
    unset: &mut Vec<(String, u32)>,
) -> Result<Variables, EnvError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.replace("\r\n", "\n");
    let mut reader = Reader { text: &text, at: 0, file, before, outer, unset, expanded: 0 };
    let mut variables = Variables::new();
    while reader.skip_to_statement() {
        reader.statement(&mut variables)?;
    }
    Ok(variables)
}

/// Reads a file in the format that `docker run --env-file` has: no quotes, no variables.
///
/// # Errors
/// The first line that does not parse.
pub fn parse_raw(text: &str, outer: &dyn Lookup) -> Result<Variables, EnvError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut variables = Variables::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = match line.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (line, outer.lookup(line.trim()).map(|(value, _)| value.to_owned())),
        };
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(EnvError {
                line: u32::try_from(number + 1).unwrap_or(u32::MAX),
                column: 1,
                message: if key.is_empty() {
                    "a line without a variable name".to_owned()
                } else {
                    format!("the variable name {key:?} contains a space")
                },
                help: Some("write `NAME=value`".to_owned()),
            });
        }
        if let Some(value) = value {
            let line = u32::try_from(number + 1).unwrap_or(u32::MAX);
            variables.insert(key.to_owned(), Variable { value, line });
        }
    }
    Ok(variables)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    file: &'a Path,
    before: Variables,
    outer: &'a dyn Lookup,
    unset: &'a mut Vec<(String, u32)>,
    /// Bytes of all values so far.
    expanded: usize,
}

/// White space that does not end a line.
fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn line(&self, at: usize) -> u32 {
        u32::try_from(self.text[..at].matches('\n').count() + 1).unwrap_or(u32::MAX)
    }

    fn error(&self, at: usize, message: String, help: &str) -> EnvError {
        let before = &self.text[..at];
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        EnvError {
            line: self.line(at),
            column: u32::try_from(column).unwrap_or(u32::MAX),
            message,
            help: Some(help.to_owned()),
        }
    }

    /// Moves over empty lines and comments; false at the end of the file.
    fn skip_to_statement(&mut self) -> bool {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start().len();
            let rest = self.rest();
            if rest.is_empty() {
                return false;
            }
            if !rest.starts_with('#') {
                return true;
            }
            self.at += rest.find('\n').unwrap_or(rest.len());
        }
    }

    fn statement(&mut self, variables: &mut Variables) -> Result<(), EnvError> {
        if let Some(after) = self.rest().strip_prefix("export")
            && after.starts_with(is_blank)
        {
            self.at = self.text.len() - after.trim_start_matches(is_blank).len();
        }
        let start = self.at;
        let mut end = None;
        for (offset, c) in self.rest().char_indices() {
            match c {
                '=' | ':' | '\n' => {
                    end = Some((offset, c));
                    break;
                }
                '_' | '.' | '-' | '[' | ']' => {}
                c if is_blank(c) || c.is_alphanumeric() => {}
                c => {
                    return Err(self.error(
                        start + offset,
                        format!("unexpected character {c:?} in a variable name"),
                        "write `NAME=value`; a comment begins with `#` at the start of a line",
                    ));
                }
            }
        }
        let Some((offset, separator)) = end else {
            // A last line without `=` and without an end: Compose takes all of it for the value of no name.
            let value = self.value(variables)?;
            variables.insert(String::new(), Variable { value, line: self.line(start) });
            return Ok(());
        };
        let key = self.rest()[..offset].trim_end();
        if key.contains(' ') {
            return Err(self.error(start, format!("the variable name {key:?} contains a space"), "write `NAME=value`"));
        }
        self.at = (start + offset + 1).min(self.text.len());
        let value = if separator == '\n' {
            self.outer.lookup(key).map(|(value, _)| value.to_owned())
        } else {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches(is_blank).len();
            Some(self.value(variables)?)
        };
        if let Some(value) = value {
            variables.insert(key.to_owned(), Variable { value, line: self.line(start) });
        }
        Ok(())
    }

    fn value(&mut self, variables: &Variables) -> Result<String, EnvError> {
        let start = self.at;
        let rest = self.rest();
        let Some(quote @ ('"' | '\'')) = rest.chars().next() else {
            let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
            self.at += line.len();
            let value = line.find(" #").map_or(line, |at| &line[..at]).trim_end();
            return self.expand(value, start, variables);
        };
        let mut value = String::new();
        let mut escaped = false;
        for (offset, c) in rest.char_indices().skip(1) {
            if c == quote && !escaped {
                self.at += offset + 1;
                return if quote == '"' { self.expand(&unescape(&value), start, variables) } else { Ok(value) };
            }
            if escaped {
                if c != quote {
                    value.push('\\');
                }
                value.push(c);
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else {
                value.push(c);
            }
        }
        Err(self.error(start, format!("a value in quotes without its closing {quote}"), "close the quote"))
    }

    fn expand(&mut self, value: &str, at: usize, variables: &Variables) -> Result<String, EnvError> {
        let mut uses = Uses::new();
        let inner = Inner { outer: self.outer, above: variables, before: &self.before, file: self.file };
        let result = substitute(value, &inner, &mut uses).map_err(|error| {
            let help = match &error {
                TemplateError::Invalid(_) => "put the value in single quotes to keep it as it is",
                TemplateError::Required { .. } => "set it in the shell or above this line",
            };
            self.error(at, error.to_string(), help)
        })?;
        self.expanded += result.len();
        if self.expanded > self.text.len() + MAX_EXPANDED {
            let message = "the variables in this file's values make them too long".to_owned();
            return Err(self.error(at, message, "put the value in single quotes to keep it as it is"));
        }
        let line = self.line(at);
        for used in uses {
            if used.origin == VariableOrigin::Unset {
                self.unset.push((used.name, line));
            }
        }
        Ok(result)
    }
}

/// Shell escapes inside double quotes.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let Some(&next) = chars.peek() else {
            out.push('\\');
            break;
        };
        let replacement = match next {
            'a' => Some('\u{7}'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\u{b}'),
            '"' => Some('"'),
            '\\' => Some('\\'),
            _ => None,
        };
        if let Some(replacement) = replacement {
            chars.next();
            out.push(replacement);
        } else if next == '$' {
            // `\$` is a plain dollar sign, which the expansion that follows writes as two.
            chars.next();
            out.push_str("$$");
        } else if next == '0' {
            // Compose drops the zero and keeps the digits behind it.
            chars.next();
            out.push('\\');
        } else {
            out.push('\\');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(text: &str) -> Result<Vec<(String, String)>, EnvError> {
        let outer: BTreeMap<String, String> = [("OUT".to_owned(), "out".to_owned())].into();
        Ok(parse(text, Path::new("/.env"), Variables::new(), &outer, &mut Vec::new())?
            .into_iter()
            .map(|(k, v)| (k, v.value))
            .collect())
    }

    #[test]
    fn values() {
        for (text, value) in [
            ("A=b", "b"),
            ("A = b ", "b"),
            ("export A=b", "b"),
            ("A: b", "b"),
            ("A=b # c", "b"),
            ("A=b#c", "b#c"),
            ("A='b # c' # d", "b # c"),
            ("A=\"b\\nc\"", "b\nc"),
            ("A='b\\nc'", "b\\nc"),
            ("A=\"b\nc\"", "b\nc"),
            ("A='b\nc'\n", "b\nc"),
            ("A=$OUT", "out"),
            ("A='$OUT'", "$OUT"),
            ("A=\"${OUT}\\$X\"", "out$X"),
            ("A=", ""),
            ("A=\"\"", ""),
            ("A='it\\'s'", "it's"),
            ("A=a=b", "a=b"),
            ("A=b\t# c", "b\t# c"),
            ("A=#c", "#c"),
            ("A=a$ $1", "a$ $1"),
            ("A=\"\\a\\c\\0\"", "\u{7}\\c\\"),
            ("\u{feff}A=b\r\n", "b"),
        ] {
            assert_eq!(read(text).unwrap(), [("A".to_owned(), value.to_owned())], "{text:?}");
        }
    }

    #[test]
    fn lines_see_the_lines_above_and_the_shell_wins() {
        let pairs = read("B=1\n# c\n\nA=$B$OUT\nOUT\nNONE\n").unwrap();
        let pairs: Vec<_> = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("B", "1"), ("A", "1out"), ("OUT", "out")]);
    }

    #[test]
    fn what_does_not_parse_names_its_line() {
        for (text, line) in [("A=1\n*B=2", 2), ("A=1\n\nB=\"x", 3), ("A B=1", 1), ("A+=1", 1), ("A=${", 1)] {
            assert_eq!(read(text).unwrap_err().line, line, "{text:?}");
        }
    }
}
