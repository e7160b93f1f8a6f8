//! Where the passes of a load put what they find.

use std::collections::HashSet;

use super::diagnostic::{Code, Diagnostic, Severity};
use super::source::Sources;
use super::yaml::Span;

/// The texts read and the problems found so far.
#[derive(Debug, Default)]
pub struct Report {
    /// The texts.
    pub sources: Sources,
    /// The problems, in the order found.
    pub diagnostics: Vec<Diagnostic>,
    seen: HashSet<(Span, String)>,
    errors: usize,
}

impl Report {
    /// Notes an error.
    pub fn error(&mut self, code: Code, span: Span, message: impl Into<String>) {
        self.push(Severity::Error, code, span, message.into(), None);
    }

    /// Notes an error with advice.
    pub fn error_help(&mut self, code: Code, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Error, code, span, message.into(), Some(help.into()));
    }

    /// Notes a warning.
    pub fn warn(&mut self, code: Code, span: Span, message: impl Into<String>, help: Option<String>) {
        self.push(Severity::Warning, code, span, message.into(), help);
    }

    /// Notes something. The same thing at the same place is noted once: a part of the manifest that is merged into
    /// several places would else be complained about at each.
    pub fn push(&mut self, severity: Severity, code: Code, span: Span, message: String, help: Option<String>) {
        if span.is_known() && !self.seen.insert((span, message.clone())) {
            return;
        }
        if severity == Severity::Error {
            self.errors += 1;
        }
        let mut diagnostic = Diagnostic::new(severity, code, message).at(span, &self.sources);
        diagnostic.help = help;
        self.diagnostics.push(diagnostic);
    }

    /// The number of errors so far.
    pub fn errors(&self) -> usize {
        self.errors
    }
}
