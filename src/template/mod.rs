//! Go templates as Docker's `--format` has them: fields, pipelines, variables, `if`, `range`, `with` and the functions
//! of Docker's command line. Pure, and bounded: by depth when a template is read, by steps and size when it is filled in.
//!
//! The language is that of Go's `text/template` (<https://pkg.go.dev/text/template>) without `define`, `template`,
//! `block` and `call`, which have no use in one line; `docs/decisions/0101-an-evaluator-of-go-templates.md` says why
//! it is read here.

mod eval;
mod fault;
mod functions;
mod lex;
mod parse;
mod printf;
#[cfg(test)]
mod tests;
mod value;

use fault::Fault;
pub use functions::Functions;
pub use value::{Record, Value};

/// A template that was read.
#[derive(Clone, Debug)]
pub struct Template {
    source: String,
    nodes: Vec<parse::Node>,
}

/// What is wrong with a template, or with what it asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct Error {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// Where it is not one.
    pub fn new(source: &str) -> Result<Self, Error> {
        match parse::parse(source) {
            Ok(nodes) => Ok(Self { source: source.to_owned(), nodes }),
            Err(fault) => Err(placed(source, fault)),
        }
    }

    /// Fills it in.
    ///
    /// # Errors
    /// Where it asks for a field that is not there, or hands a function what it does not take.
    pub fn fill(&self, data: &Value, functions: Functions) -> Result<String, Error> {
        eval::fill(&self.nodes, data, functions).map_err(|fault| placed(&self.source, fault))
    }
}

fn placed(source: &str, fault: Fault) -> Error {
    let before = source.get(..fault.at).unwrap_or(source);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Error { line, column, message: fault.message }
}
