//! The manifest, and what there is to say about it.

use super::Loaded;
use crate::event::{Cause, Fact, Message};
use crate::manifest::{self, Code, LoadOptions, Severity};
use crate::model::FileTree;

/// A manifest that no project can be made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// Whether it is wrong, or files are not there.
    pub cause: Cause,
    /// All that is wrong.
    pub errors: Vec<Message>,
}

/// Loads a project and sorts what there is to say about it.
///
/// # Errors
/// All errors of the manifest.
pub fn load(tree: &dyn FileTree, options: &LoadOptions) -> Result<Loaded, Unusable> {
    let _span = tracing::info_span!("load").entered();
    let loaded = manifest::load(tree, options);
    let (errors, warnings): (Vec<_>, Vec<_>) =
        loaded.diagnostics.iter().partition(|diagnostic| diagnostic.severity == Severity::Error);
    match loaded.project {
        Some(project) if errors.is_empty() => Ok(Loaded { project, warnings: messages(warnings) }),
        _ => Err(Unusable { cause: cause_of(&loaded.diagnostics), errors: messages(errors) }),
    }
}

/// What is to be mended of a manifest that is wrong: files that are not there are told apart from what is wrong in them.
pub fn cause_of(diagnostics: &[manifest::Diagnostic]) -> Cause {
    let mut errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    if errors.all(|error| matches!(error.code, Code::NoManifest | Code::Unreadable | Code::Foreign)) {
        Cause::Missing
    } else {
        Cause::Manifest
    }
}

fn messages(diagnostics: Vec<&manifest::Diagnostic>) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for message in diagnostics.into_iter().map(message) {
        if !messages.contains(&message) {
            messages.push(message);
        }
    }
    messages
}

/// A diagnostic as an event's message.
pub fn message(diagnostic: &manifest::Diagnostic) -> Message {
    let mut message = Message::new(diagnostic.message.clone()).at(diagnostic.location.as_ref());
    if let (Some(line), Some(location)) = (&diagnostic.source_line, &diagnostic.location) {
        let before: String =
            line.chars().take(location.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        message.detail = vec![line.clone(), format!("{before}{}", "^".repeat(diagnostic.length.max(1)))];
    }
    message.hints.extend(diagnostic.help.clone());
    message.fact = (diagnostic.code == Code::NoManifest).then(|| Box::new(Fact::NoManifest));
    message
}
