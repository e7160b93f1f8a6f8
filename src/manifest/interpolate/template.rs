//! Variables in text: `$V`, `${V}`, `${V:-d}`, `${V-d}`, `${V:?m}`, `${V?m}`, `${V:+r}`, `${V+r}`, nested, and `$$`.

use crate::manifest::read::yaml::{VariableOrigin, VariableUse};

/// The deepest nesting of `${A:-${B:-…}}`.
const MAX_NESTING: usize = 32;

/// How much longer than itself a text may become: what Linux lets one variable of a process hold. Without an end, a few
/// lines of `A=$A$A` would fill the memory.
const MAX_GROWTH: usize = 128 * 1024;

/// Where values come from.
pub trait Lookup {
    /// The value of a variable and where it was set.
    fn lookup(&self, name: &str) -> Option<(&str, VariableOrigin)>;
}

/// A map is a shell's environment.
impl Lookup for std::collections::BTreeMap<String, String> {
    fn lookup(&self, name: &str) -> Option<(&str, VariableOrigin)> {
        self.get(name).map(|value| (value.as_str(), VariableOrigin::Shell))
    }
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It does not parse.
    #[error("{0}")]
    Invalid(String),
    /// `${V?message}` and V is not set.
    #[error("the variable {name} is required and {state}{}", if message.is_empty() { String::new() } else { format!(": {message}") })]
    Required {
        /// The variable.
        name: String,
        /// `not set` or `empty`.
        state: &'static str,
        /// What the manifest's author says.
        message: String,
    },
}

/// The variables that a template used, in order.
pub type Uses = Vec<VariableUse>;

/// Puts values in.
///
/// # Errors
/// The template does not parse, or a required variable is not set.
pub fn substitute(template: &str, values: &dyn Lookup, uses: &mut Uses) -> Result<String, TemplateError> {
    expand(template, values, uses, 0)
}

fn expand(template: &str, values: &dyn Lookup, uses: &mut Uses, depth: usize) -> Result<String, TemplateError> {
    if depth > MAX_NESTING {
        return Err(TemplateError::Invalid("variables are nested too deep".to_owned()));
    }
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let end = closing_brace(after).ok_or_else(|| {
                TemplateError::Invalid(format!(
                    "`${{{}` is never closed; a plain dollar sign is written `$$`",
                    excerpt(after)
                ))
            })?;
            braced(&after[..end], values, uses, depth, &mut out)?;
            rest = &after[end + 1..];
        } else {
            let name = name(rest);
            if name.is_empty() {
                // A dollar sign that begins no variable (`$1`, `a$`) stands for itself.
                out.push('$');
            } else {
                push_plain(name, values, uses, &mut out);
                rest = &rest[name.len()..];
            }
        }
        if out.len() > template.len() + MAX_GROWTH {
            return Err(TemplateError::Invalid(format!(
                "`{}` becomes too long: its variables add more than {} KiB",
                excerpt(template),
                MAX_GROWTH / 1024
            )));
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The content of `${…}`.
fn braced(
    content: &str,
    values: &dyn Lookup,
    uses: &mut Uses,
    depth: usize,
    out: &mut String,
) -> Result<(), TemplateError> {
    let name = name(content);
    let operator = &content[name.len()..];
    if name.is_empty() {
        return Err(TemplateError::Invalid(format!(
            "`${{{}}}` is no variable: a name begins with a letter or `_`",
            excerpt(content)
        )));
    }
    if operator.is_empty() {
        push_plain(name, values, uses, out);
        return Ok(());
    }
    let (colon, operator) = operator.strip_prefix(':').map_or((false, operator), |rest| (true, rest));
    let mut chars = operator.chars();
    let kind = chars.next().filter(|kind| matches!(kind, '-' | '?' | '+')).ok_or_else(|| {
        TemplateError::Invalid(format!(
            "`${{{}}}` is no variable: after the name only `:-`, `-`, `:?`, `?`, `:+` or `+` may follow",
            excerpt(content)
        ))
    })?;
    // The word is looked at even where it is not used: a required variable in it is required all the same.
    let mut word_uses = Uses::new();
    let word = expand(chars.as_str(), values, &mut word_uses, depth + 1)?;
    let found = values.lookup(name).map(|(value, origin)| (value.to_owned(), origin));
    let counts = found.as_ref().is_some_and(|(value, _)| !colon || !value.is_empty());
    match (kind, found) {
        ('-' | '?', Some((value, origin))) if counts => {
            out.push_str(&value);
            uses.push(VariableUse { name: name.to_owned(), origin, value });
        }
        ('-', _) => {
            out.push_str(&word);
            uses.append(&mut word_uses);
            uses.push(VariableUse { name: name.to_owned(), origin: VariableOrigin::Default, value: word });
        }
        ('+', Some((_, origin))) if counts => {
            out.push_str(&word);
            uses.append(&mut word_uses);
            uses.push(VariableUse { name: name.to_owned(), origin, value: word });
        }
        ('+', _) => {
            uses.push(VariableUse { name: name.to_owned(), origin: VariableOrigin::Default, value: String::new() });
        }
        (_, found) => {
            let state = if found.is_some() { "empty" } else { "not set" };
            return Err(TemplateError::Required { name: name.to_owned(), state, message: word });
        }
    }
    Ok(())
}

fn push_plain(name: &str, values: &dyn Lookup, uses: &mut Uses, out: &mut String) {
    let (value, origin) = values.lookup(name).unwrap_or(("", VariableOrigin::Unset));
    out.push_str(value);
    uses.push(VariableUse { name: name.to_owned(), origin, value: value.to_owned() });
}

/// The name at the start of a text.
pub(super) fn name(text: &str) -> &str {
    let end = text
        .bytes()
        .enumerate()
        .find(|(at, b)| !(b.is_ascii_alphabetic() || *b == b'_' || *at > 0 && b.is_ascii_digit()))
        .map_or(text.len(), |(at, _)| at);
    &text[..end]
}

/// Where the brace that opened before `text` closes.
pub(super) fn closing_brace(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open = 1;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'}' => {
                open -= 1;
                if open == 0 {
                    return Some(at);
                }
            }
            // What opens on a line closes on it, as in Compose.
            b'\n' => return None,
            b'$' if bytes.get(at + 1) == Some(&b'{') => {
                open += 1;
                at += 1;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn excerpt(text: &str) -> String {
    let short: String = text.chars().take_while(|c| *c != '\n').take(20).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn env() -> BTreeMap<String, String> {
        [("A", "a"), ("E", ""), ("_b1", "b")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    }

    #[test]
    fn every_form() {
        for (template, text) in [
            ("$A${A}", "aa"),
            ("$$A $${A}", "$A ${A}"),
            ("${A:-d}${E:-d}${U:-d}", "add"),
            ("${A-d}${E-d}${U-d}", "ad"),
            ("${A:+r}${E:+r}${U:+r}", "r"),
            ("${A+r}${E+r}${U+r}", "rr"),
            ("${U:-${V:-x}}-$_b1", "x-b"),
            ("${U:-$A}", "a"),
            ("${A:?m}${E?m}", "a"),
            ("${U:-http://x:80}", "http://x:80"),
            ("[$U]", "[]"),
            ("${U:-a?b}", "a?b"),
            ("${U:-{}}", "{}"),
            ("a$ b$1$", "a$ b$1$"),
            ("$É", "$É"),
            ("${U:-}}", "}"),
            ("$$$A", "$a"),
        ] {
            let mut uses = Uses::new();
            assert_eq!(substitute(template, &env(), &mut uses).as_deref(), Ok(text), "{template}");
        }
    }

    #[test]
    fn what_does_not_parse_is_refused() {
        for template in ["${", "${A", "${}", "${A B}", "${1}", "${A:b}", "${U:-${V}", "${U:-a\nb}", "${A:-${U:?m}}"] {
            assert!(substitute(template, &env(), &mut Uses::new()).is_err(), "{template}");
        }
        let error = substitute("${U:?set $A}", &env(), &mut Uses::new()).unwrap_err();
        assert_eq!(error.to_string(), "the variable U is required and not set: set a");
        let error = substitute("${E:?}", &env(), &mut Uses::new()).unwrap_err();
        assert_eq!(error.to_string(), "the variable E is required and empty");
    }
}
