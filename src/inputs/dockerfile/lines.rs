//! A Dockerfile's text to its instructions as written: directives, comments, continuation lines and heredocs.

use super::expand::{Quotes, split_words};
use crate::inputs::error::DockerfileError;
use crate::model::Place;

/// The comments at the top that steer the parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directives {
    /// `# escape=`: the character that escapes, `\` or a backquote.
    pub escape: char,
    /// `# syntax=`: the frontend image that reads the file.
    pub syntax: Option<String>,
    /// `# check=`: what the linter is told.
    pub check: Option<String>,
}

impl Default for Directives {
    fn default() -> Self {
        Self { escape: '\\', syntax: None, check: None }
    }
}

/// A heredoc that follows an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// The word that ends it, which is the name of the file that `COPY <<name` makes.
    pub name: String,
    /// Its lines, with their ends.
    pub content: String,
    /// `<<-`: leading tabs are dropped.
    pub chomp: bool,
    /// Its name is not quoted, so variables in it are expanded.
    pub expand: bool,
}

/// One instruction with its continuation lines joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it starts.
    pub place: Place,
    /// The last line of it, heredocs included.
    pub end: usize,
    /// Its text, continuation lines joined, comments between them dropped.
    pub text: String,
    /// The heredocs after it.
    pub heredocs: Vec<Heredoc>,
}

/// Splits a Dockerfile into directives and instructions.
pub fn split(text: &str) -> Result<(Directives, Vec<Line>), DockerfileError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let directives = directives(text)?;
    let mut source = text.split_inclusive('\n').enumerate();
    let mut lines = Vec::new();
    while let Some((index, raw)) = source.next() {
        let trimmed = raw.trim_start();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let column = raw[..raw.len() - trimmed.len()].chars().count() + 1;
        let place = Place { line: index + 1, column };
        let mut end = index + 1;
        let (mut joined, mut open) = continued(without_end(trimmed), directives.escape);
        while open {
            let Some((index, raw)) = source.next() else { break };
            end = index + 1;
            let inner = raw.trim();
            if inner.is_empty() || inner.starts_with('#') {
                continue;
            }
            let (part, more) = continued(without_end(raw), directives.escape);
            joined.push_str(&part);
            open = more;
        }
        if joined.trim().is_empty() {
            continue;
        }
        let mut heredocs = Vec::new();
        if joined.contains("<<") && takes_heredocs(&joined) {
            for mut heredoc in heredocs_of(&joined) {
                loop {
                    let Some((index, raw)) = source.next() else {
                        let message = format!("the heredoc <<{} is not closed", heredoc.name);
                        return Err(DockerfileError::new(place, message)
                            .hint(format!("end it with a line that holds {} alone", heredoc.name)));
                    };
                    end = index + 1;
                    let mut candidate = without_end(raw);
                    if heredoc.chomp {
                        candidate = candidate.trim_start_matches('\t');
                    }
                    if candidate == heredoc.name {
                        break;
                    }
                    heredoc.content.push_str(raw);
                }
                heredocs.push(heredoc);
            }
        }
        lines.push(Line { place, end, text: joined, heredocs });
    }
    Ok((directives, lines))
}

fn without_end(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}

/// A line without the escape character that continues it, and whether it is continued. An escaped escape character
/// at the end of a line continues nothing.
fn continued(line: &str, escape: char) -> (String, bool) {
    let bare = line.trim_end_matches([' ', '\t']);
    match bare.strip_suffix(escape) {
        Some(rest) if !rest.ends_with(escape) => (rest.to_owned(), true),
        _ => (line.to_owned(), false),
    }
}

fn directives(text: &str) -> Result<Directives, DockerfileError> {
    let mut found = Directives::default();
    let mut seen: Vec<String> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let place = Place { line: index + 1, column: 1 };
        let line = line.trim_start();
        let Some(comment) = line.strip_prefix('#') else { break };
        if index == 0 && comment.starts_with('!') {
            continue;
        }
        let Some((name, value)) = comment.split_once('=') else { break };
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        let known = matches!(name.as_str(), "escape" | "syntax" | "check");
        if !known || value.is_empty() {
            break;
        }
        if seen.contains(&name) {
            return Err(DockerfileError::new(place, format!("only one {name} directive can be used")));
        }
        match name.as_str() {
            "escape" => match value {
                "\\" => found.escape = '\\',
                "`" => found.escape = '`',
                _ => {
                    let message = format!("the escape character {value:?} is neither ` nor \\");
                    return Err(DockerfileError::new(place, message));
                }
            },
            "syntax" => found.syntax = Some(value.to_owned()),
            _ => found.check = Some(value.to_owned()),
        }
        seen.push(name);
    }
    Ok(found)
}

/// Whether an instruction may be followed by heredocs: `RUN`, `COPY` and `ADD`, also behind `ONBUILD`, and not in
/// their JSON form.
fn takes_heredocs(text: &str) -> bool {
    let mut rest = text.trim_start();
    for _ in 0..2 {
        let (keyword, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        rest = after.trim_start();
        if keyword.eq_ignore_ascii_case("onbuild") {
            continue;
        }
        let takes = ["run", "copy", "add"].iter().any(|k| keyword.eq_ignore_ascii_case(k));
        return takes && super::words::json(super::words::flags(rest, '\\').1).is_none();
    }
    false
}

fn heredocs_of(text: &str) -> Vec<Heredoc> {
    split_words(text, Quotes::Kept).iter().filter_map(|word| heredoc(word)).collect()
}

/// Reads a word as the start of a heredoc: an optional number, `<<`, an optional `-` and a name.
pub fn heredoc(word: &str) -> Option<Heredoc> {
    let rest = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<")?;
    let (chomp, raw) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    if raw.is_empty() || raw.contains('<') {
        return None;
    }
    let names = split_words(raw, Quotes::Removed);
    let [name] = names.as_slice() else { return None };
    let expand = split_words(raw, Quotes::Kept).first() == Some(name);
    Some(Heredoc { name: name.clone(), content: String::new(), chomp, expand })
}
