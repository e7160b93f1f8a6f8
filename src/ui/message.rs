//! Messages, laid out as a compiler does: what, where, the detail, what to do.

use std::path::Path;

use anstyle::Style;

use crate::event::Message;
use crate::model::Location;

use super::palette::{BOLD, DIM, ERROR, HELP, WARNING, paint};
use super::sanitize::sanitize;

/// How bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    Error,
    Warning,
}

impl Severity {
    fn head(self) -> (&'static str, Style) {
        match self {
            Self::Error => ("error", ERROR),
            Self::Warning => ("warning", WARNING),
        }
    }
}

/// The message's lines.
pub(super) fn lines(severity: Severity, message: &Message, relative_to: Option<&Path>, color: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let (head, style) = severity.head();
    let mut text = message.text.lines();
    let first = sanitize(text.next().unwrap_or_default(), false);
    let service = message.service.as_ref().filter(|service| !names(&first, service));
    let first = match service {
        Some(service) => format!("{}: {first}", sanitize(service, false)),
        None => first.into_owned(),
    };
    lines.push(format!("{} {}", paint(&format!("{head}:"), style, color), paint(&first, BOLD, color)));
    if let Some(location) = &message.location {
        lines.push(format!(" {} {}", paint("-->", HELP, color), place(location, relative_to)));
    }
    let detail = text.chain(message.detail.iter().map(String::as_str)).flat_map(str::lines);
    lines.extend(detail.map(|line| format!("  {}", sanitize(line, color)).trim_end().to_owned()));
    for hint in &message.hints {
        let mut hint = hint.lines();
        let first = sanitize(hint.next().unwrap_or_default(), false);
        lines.push(format!("{} {first}", paint("help:", HELP, color)));
        lines.extend(hint.map(|line| format!("      {}", sanitize(line, false))));
    }
    lines
}

/// Whether a text says of which service it speaks.
fn names(text: &str, service: &str) -> bool {
    let of_name = |char: char| char.is_alphanumeric() || matches!(char, '-' | '_');
    text.match_indices(service)
        .any(|(at, _)| !text[..at].ends_with(of_name) && !text[at + service.len()..].starts_with(of_name))
}

/// `file:line:col`, shorter where the file is inside the folder.
fn place(location: &Location, relative_to: Option<&Path>) -> String {
    let inside = relative_to.and_then(|folder| location.file.strip_prefix(folder).ok());
    let file = inside.unwrap_or(&location.file).display().to_string();
    format!("{}:{}:{}", sanitize(&file, false), location.line, location.column)
}

/// Several dim words, or nothing.
pub(super) fn aside(text: &str, color: bool) -> String {
    if text.is_empty() { String::new() } else { paint(&format!(" ({})", sanitize(text, false)), DIM, color) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        let location = Location { file: "/home/me/shop/devenv.yaml".into(), line: 7, column: 5 };
        Message::new("unknown key `imagee` in service `api`")
            .service(&"api".into())
            .at(Some(&location))
            .detail(["7 |     imagee: nginx".to_owned(), "  |     ^^^^^^".to_owned()])
            .hint("did you mean `image`?")
    }

    #[test]
    fn a_message_reads_as_a_compilers() {
        let want = "\
error: unknown key `imagee` in service `api`
 --> devenv.yaml:7:5
  7 |     imagee: nginx
    |     ^^^^^^
help: did you mean `image`?";
        assert_eq!(lines(Severity::Error, &message(), Some(Path::new("/home/me/shop")), false).join("\n"), want);
        let elsewhere = lines(Severity::Warning, &message(), Some(Path::new("/home/me/other")), false);
        assert_eq!(elsewhere[0], "warning: unknown key `imagee` in service `api`");
        assert_eq!(elsewhere[1], " --> /home/me/shop/devenv.yaml:7:5");
    }

    #[test]
    fn the_service_is_named_once() {
        let cases = [
            ("it did not start", "error: api: it did not start"),
            ("api did not start", "error: api did not start"),
            ("service `api`: no image", "error: service `api`: no image"),
            ("rapid-api is not api-2", "error: api: rapid-api is not api-2"),
        ];
        for (text, want) in cases {
            let message = Message::new(text).service(&"api".into());
            assert_eq!(lines(Severity::Error, &message, None, false), [want]);
        }
    }

    #[test]
    fn detail_keeps_its_colours_and_nothing_else() {
        let message = Message::new("build \x1b[31mfailed\x1b]0;x\x07\nsecond line")
            .detail(["\x1b[2J\x1b[33mwarning\x1b[K".to_owned(), "two\nlines".to_owned()])
            .hint("first\nthen");
        let plain =
            ["error: build failed", "  second line", "  warning", "  two", "  lines", "help: first", "      then"];
        assert_eq!(lines(Severity::Error, &message, None, false), plain);
        let colored = lines(Severity::Error, &message, None, true);
        assert_eq!(colored[0], "\x1b[1m\x1b[31merror:\x1b[0m \x1b[1mbuild failed\x1b[0m");
        assert_eq!(colored[2], "  \x1b[33mwarning\x1b[0m");
    }
}
