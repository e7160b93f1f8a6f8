//! What a load has to say: errors and warnings with the place, the line, what was expected and what to do.
//!
//! A diagnostic renders itself to plain text; a terminal renderer takes [`Diagnostic::parts`] and colours them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::manifest::read::source::Sources;
use crate::manifest::read::yaml::Span;
use crate::model::Location;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The manifest cannot be used.
    Error,
    /// Legal, and most likely not what was meant.
    Warning,
    /// Worth knowing, once.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// Kinds of problems, for machines; the text is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// No manifest was found.
    NoManifest,
    /// A file that is named is not there, or cannot be read.
    Unreadable,
    /// The text is not YAML.
    Yaml,
    /// The manifest is empty or has no services.
    Empty,
    /// The file is another program's.
    Foreign,
    /// A key that the language does not have.
    UnknownKey,
    /// A value of the wrong type or form.
    Type,
    /// A value that is not allowed.
    Value,
    /// A key that must be there is missing.
    Missing,
    /// Values that exclude each other.
    Conflict,
    /// A name that nothing defines.
    Undefined,
    /// A circle of references.
    Cycle,
    /// Interpolation.
    Interpolation,
    /// A variable that must be set is not.
    RequiredVariable,
    /// A variable that is not set and has no default.
    UnsetVariable,
    /// What an env file or a `.env` file says.
    EnvFile,
    /// `extends`.
    Extends,
    /// `include`.
    Include,
    /// Files cannot be merged.
    Merge,
    /// The project's name.
    ProjectName,
    /// A key that is ignored.
    Obsolete,
    /// Legal and surely wrong.
    Suspicious,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What kind it is.
    pub code: Code,
    /// What is wrong, and what was expected.
    pub message: String,
    /// Where, if it is somewhere.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// How many characters to underline.
    pub length: usize,
    /// The line that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_line: Option<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// A piece of a rendered diagnostic and what it is, for colours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// `error`, `warning` or `note`.
    Severity(Severity, String),
    /// The message.
    Message(String),
    /// File, line and column.
    Location(String),
    /// A line number or the bar beside the source.
    Gutter(String),
    /// The source line.
    Source(String),
    /// The underline.
    Underline(Severity, String),
    /// `help:` and its text.
    Help(String),
    /// Spaces and line ends.
    Plain(String),
}

impl Part {
    /// The text without its meaning.
    pub fn text(&self) -> &str {
        match self {
            Self::Severity(_, text)
            | Self::Message(text)
            | Self::Location(text)
            | Self::Gutter(text)
            | Self::Source(text)
            | Self::Underline(_, text)
            | Self::Help(text)
            | Self::Plain(text) => text,
        }
    }
}

impl Diagnostic {
    /// A problem that is nowhere in a file.
    pub fn new(severity: Severity, code: Code, message: impl Into<String>) -> Self {
        Self { severity, code, message: message.into(), location: None, length: 0, source_line: None, help: None }
    }

    /// Points it at a place.
    #[must_use]
    pub fn at(mut self, span: Span, sources: &Sources) -> Self {
        self.location = sources.locate(span);
        self.length = span.length.max(1) as usize;
        self.source_line = sources.line(span).map(ToOwned::to_owned);
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The rendered diagnostic in pieces.
    pub fn parts(&self) -> Vec<Part> {
        let mut parts = vec![
            Part::Severity(self.severity, self.severity.to_string()),
            Part::Plain(": ".to_owned()),
            Part::Message(self.message.clone()),
            Part::Plain("\n".to_owned()),
        ];
        let width = self.location.as_ref().map_or(0, |location| location.line.to_string().len());
        if let Some(location) = &self.location {
            parts.push(Part::Gutter(format!("{:width$}--> ", "")));
            parts.push(Part::Location(location.to_string()));
            parts.push(Part::Plain("\n".to_owned()));
            if let Some(line) = &self.source_line {
                self.source_parts(&mut parts, location, line, width);
            }
        }
        if let Some(help) = &self.help {
            parts.push(Part::Gutter(format!("{:width$} = ", "")));
            parts.push(Part::Help(format!("help: {help}")));
            parts.push(Part::Plain("\n".to_owned()));
        }
        parts
    }

    fn source_parts(&self, parts: &mut Vec<Part>, location: &Location, line: &str, width: usize) {
        let before = location.column - 1;
        // A tab is as wide in the underline as in the source line.
        let indent: String = line.chars().take(before).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let rest = line.chars().count().saturating_sub(before).max(1);
        parts.push(Part::Gutter(format!("{:width$} |\n{} | ", "", location.line)));
        parts.push(Part::Source(line.to_owned()));
        parts.push(Part::Gutter(format!("\n{:width$} | ", "")));
        parts.push(Part::Plain(indent));
        parts.push(Part::Underline(self.severity, "^".repeat(self.length.clamp(1, rest))));
        parts.push(Part::Plain("\n".to_owned()));
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().iter().try_for_each(|part| f.write_str(part.text()))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::manifest::read::yaml::FileId;

    #[test]
    fn the_span_is_underlined() {
        let mut sources = Sources::default();
        let file = sources.add(Path::new("/p/devenv.yaml"), "services:\n\tapi:\n".to_owned());
        let span = Span { file: FileId(file.0), line: 2, column: 2, length: 3 };
        let text =
            Diagnostic::new(Severity::Error, Code::UnknownKey, "no such key").at(span, &sources).help("remove it");
        assert_eq!(
            text.to_string(),
            "error: no such key\n --> /p/devenv.yaml:2:2\n  |\n2 | \tapi:\n  | \t^^^\n  = help: remove it\n"
        );
    }
}
