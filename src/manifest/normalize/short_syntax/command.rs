//! A command line in one string, split into words as Compose splits it.
//!
//! Quotes group and a backslash keeps the next character. Nothing is expanded, and there is no shell: Compose stops
//! at an unquoted `;`, `&`, `|`, `<` or `>` and drops the rest, so hob does too and says so.

use super::path::Path;
use crate::manifest::read::yaml::{Node, Value};
use crate::manifest::report::Report;
use crate::manifest::report::diagnostic::Code;

/// The words of a command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// The words.
    pub words: Vec<String>,
    /// What was dropped, from the shell operator on.
    pub dropped: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    None,
    Single,
    Double,
    Back,
    Dollar,
}

/// Splits a line.
///
/// # Errors
/// A quote or a parenthesis is never closed, or the text ends in a backslash.
pub fn split(text: &str) -> Result<Words, String> {
    let mut out = Words::default();
    let mut word: Option<String> = None;
    let mut group = Group::None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if escaped {
            word.get_or_insert_default().push(c);
            escaped = false;
            continue;
        }
        match (c, group) {
            ('\\', Group::Single) => word.get_or_insert_default().push(c),
            ('\\', _) => escaped = true,
            (' ' | '\t' | '\r' | '\n', Group::None) => out.words.extend(word.take()),
            ('"' | '\'', Group::None) => {
                word.get_or_insert_default();
                group = if c == '"' { Group::Double } else { Group::Single };
            }
            ('"', Group::Double) | ('\'', Group::Single) => group = Group::None,
            ('`', Group::None | Group::Back) => {
                group = if group == Group::None { Group::Back } else { Group::None };
                word.get_or_insert_default().push(c);
            }
            ('(', Group::None) => {
                let word = word.get_or_insert_default();
                if !word.ends_with('$') {
                    return Err("a parenthesis outside of quotes".to_owned());
                }
                group = Group::Dollar;
                word.push(c);
            }
            ('(', Group::Dollar) | (')', Group::None) => return Err("a parenthesis outside of quotes".to_owned()),
            (')', Group::Dollar) => {
                group = Group::None;
                word.get_or_insert_default().push(c);
            }
            (';' | '&' | '|' | '<' | '>', Group::None) => {
                // `2>` is a redirection as a whole.
                if c == '>' && word.as_ref().is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit())) {
                    word = None;
                }
                out.dropped = Some(text[at..].to_owned());
                break;
            }
            _ => word.get_or_insert_default().push(c),
        }
    }
    if escaped {
        return Err("the text ends in a backslash".to_owned());
    }
    if group != Group::None {
        return Err("a quote or parenthesis is never closed".to_owned());
    }
    out.words.extend(word);
    Ok(out)
}

/// A command line as a list of words.
pub(super) fn words(node: &mut Node, path: Path<'_>, report: &mut Report) {
    let Value::Str(text) = &node.value else { return };
    match split(text) {
        Ok(words) => {
            if let Some(dropped) = words.dropped {
                let message =
                    format!("{}: no shell runs this, so it ends before `{}`", path.whole(), excerpt(&dropped));
                let help = format!("write `{}: [\"sh\", \"-c\", \"…\"]` to run it in a shell", path.in_service());
                report.warn(Code::Suspicious, node.span, message, Some(help));
            }
            let list = words.words.into_iter().map(|word| Node::text(word, node.span)).collect();
            node.value = Value::List(list);
        }
        Err(message) => report.error_help(
            Code::Value,
            node.span,
            format!("{} cannot be split into words: {message}", path.whole()),
            "write it as a list, or close the quote",
        ),
    }
}

fn excerpt(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(30).collect()
}

/// A command of the host: a string with shell operators is for the shell, another one is split.
pub(super) fn for_host(node: &mut Node, path: Path<'_>, report: &mut Report) {
    let Value::Str(text) = &node.value else { return };
    match split(text) {
        Ok(words) if words.dropped.is_none() && !text.contains(['$', '`', '*', '\n']) => {
            let list = words.words.into_iter().map(|word| Node::text(word, node.span)).collect();
            node.value = Value::List(list);
        }
        Ok(_) => {
            let shell = ["sh", "-c", text].map(|word| Node::text(word, node.span));
            node.value = Value::List(shell.into());
        }
        Err(message) => {
            let message = format!("{} cannot be split into words: {message}", path.whole());
            report.error_help(Code::Value, node.span, message, "write it as a list, or close the quote");
        }
    }
}

/// A string as a health check that a shell runs.
pub(super) fn shell_test(node: &mut Node) {
    if let Value::Str(text) = &node.value {
        let list = vec![Node::text("CMD-SHELL", node.span), Node::text(text.clone(), node.span)];
        node.value = Value::List(list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for (text, words) in [
            ("a b  c", vec!["a", "b", "c"]),
            ("a 'b c' \"d e\"", vec!["a", "b c", "d e"]),
            ("a'b'c", vec!["abc"]),
            ("a\\ b", vec!["a b"]),
            ("\"a\\\"b\\n\"", vec!["a\"bn"]),
            ("'' x", vec!["", "x"]),
            ("", vec![]),
            ("a\nb", vec!["a", "b"]),
            ("a `x y` $(y z)", vec!["a", "`x y`", "$(y z)"]),
            ("echo hi > x", vec!["echo", "hi"]),
            ("echo hi 2>&1", vec!["echo", "hi"]),
            ("a; b", vec!["a"]),
            ("a # b", vec!["a", "#", "b"]),
        ] {
            assert_eq!(split(text).unwrap().words, words, "{text:?}");
        }
        for text in ["'a", "\"a", "a\\", "(a)", "$(a", "a)"] {
            assert!(split(text).is_err(), "{text:?}");
        }
        assert_eq!(split("a && b").unwrap().dropped.as_deref(), Some("&& b"));
    }
}
