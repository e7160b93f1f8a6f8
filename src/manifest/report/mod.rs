//! Where the passes of a load put what they find.

pub mod diagnostic;

use std::collections::{HashMap, HashSet};

use crate::manifest::read::source::Sources;
use crate::manifest::read::yaml::Span;
use crate::manifest::report::diagnostic::{Code, Diagnostic, Severity};

/// So many places of one problem are named.
const MAX_PLACES: usize = 8;

/// The texts read and the problems found so far.
#[derive(Debug, Default)]
pub struct Report {
    /// The texts.
    pub sources: Sources,
    /// The problems, in the order found.
    pub diagnostics: Vec<Diagnostic>,
    /// What people are told to write variables into, besides the shell.
    pub env_files: String,
    seen: HashSet<(Span, String)>,
    errors: usize,
    /// Values that came from variables without a value, by the place of the value.
    blanks: HashMap<Span, Blank>,
    /// Variables that an error has named as its cause.
    blamed: HashSet<String>,
    /// Required variables that are missing: the number of the diagnostic that says so, and all places.
    required: Vec<(String, usize, Vec<Span>)>,
}

/// A variable that put nothing into a value.
#[derive(Clone, Debug)]
struct Blank {
    name: String,
    /// It is set, to nothing.
    set: bool,
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
        let mut help = help;
        if severity == Severity::Error {
            self.errors += 1;
            if let Some(Blank { name, set }) = self.blanks.get(&span).filter(|_| span.is_known()) {
                let state = if *set { "empty" } else { "not set" };
                help = Some(format!("{name} is {state}: {}", self.advice(name)));
                self.blamed.insert(name.clone());
            }
        }
        let mut diagnostic = Diagnostic::new(severity, code, message).at(span, &self.sources);
        diagnostic.help = help;
        self.diagnostics.push(diagnostic);
    }

    /// How a variable gets a value.
    pub fn advice(&self, name: &str) -> String {
        format!("set it in the shell{}, or give a default: ${{{name}:-…}}", self.or_in_file())
    }

    /// ` or in FILE`, where files of variables are read.
    fn or_in_file(&self) -> String {
        if self.env_files.is_empty() { String::new() } else { format!(" or in {}", self.env_files) }
    }

    /// Notes that a value came from a variable that put nothing into it. An error at this value names the variable.
    pub fn blank(&mut self, span: Span, name: &str, set: bool) {
        if span.is_known() {
            self.blanks.entry(span).or_insert_with(|| Blank { name: name.to_owned(), set });
        }
    }

    /// Whether an error has named this variable as its cause.
    pub fn is_blamed(&self, name: &str) -> bool {
        self.blamed.contains(name)
    }

    /// Notes a required variable that is missing: one error, however many places need it.
    pub fn required(&mut self, code: Code, span: Span, name: &str, message: String) {
        if let Some((.., places)) = self.required.iter_mut().find(|(known, ..)| known == name) {
            places.push(span);
            return;
        }
        self.required.push((name.to_owned(), self.diagnostics.len(), vec![span]));
        let help = format!("set {name} in the shell{}", self.or_in_file());
        self.error_help(code, span, message, help);
    }

    /// Says of each required variable that is missing where else it is needed.
    pub fn settle(&mut self) {
        for (_, index, places) in std::mem::take(&mut self.required) {
            let mut others: Vec<String> = Vec::new();
            for place in places.into_iter().skip(1).filter_map(|span| self.sources.locate(span)) {
                let place = place.to_string();
                if !others.contains(&place) {
                    others.push(place);
                }
            }
            let Some(diagnostic) = self.diagnostics.get_mut(index).filter(|_| !others.is_empty()) else { continue };
            let more = others.len().saturating_sub(MAX_PLACES);
            others.truncate(MAX_PLACES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let help = diagnostic.help.take().unwrap_or_default();
            diagnostic.help = Some(format!("{help}; it is needed at {}{more} too", others.join(", ")));
        }
    }

    /// The number of errors so far.
    pub fn errors(&self) -> usize {
        self.errors
    }
}
