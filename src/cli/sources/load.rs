//! The manifest, and what there is to say about it.

use super::super::exit::Exit;
use crate::event::Message;
use crate::execute::Loaded;
use crate::manifest::{self, Code, LoadOptions, Severity};
use crate::model::FileTree;

/// Loads a project and sorts what there is to say about it.
///
/// # Errors
/// All errors of the manifest.
pub fn load(tree: &dyn FileTree, options: &LoadOptions) -> Result<Loaded, Vec<Message>> {
    load_or_exit(tree, options).map_err(|(_, messages)| messages)
}

/// How hob ends on a manifest that is wrong: files that are not there are told apart from what is wrong in them.
pub fn exit_of(diagnostics: &[manifest::Diagnostic]) -> Exit {
    let mut errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    if errors.all(|error| matches!(error.code, Code::NoManifest | Code::Unreadable | Code::Foreign)) {
        Exit::NoManifest
    } else {
        Exit::Manifest
    }
}

/// The same with how hob ends where it is wrong.
pub fn load_or_exit(tree: &dyn FileTree, options: &LoadOptions) -> Result<Loaded, (Exit, Vec<Message>)> {
    let loaded = manifest::load(tree, options);
    let (errors, warnings): (Vec<_>, Vec<_>) =
        loaded.diagnostics.iter().partition(|diagnostic| diagnostic.severity == Severity::Error);
    let messages = |list: Vec<&manifest::Diagnostic>| {
        let mut messages: Vec<Message> = Vec::new();
        for message in list.into_iter().map(message) {
            if !messages.contains(&message) {
                messages.push(message);
            }
        }
        messages
    };
    match loaded.project {
        Some(project) if errors.is_empty() => Ok(Loaded { project, warnings: messages(warnings) }),
        _ => Err((exit_of(&loaded.diagnostics), messages(errors))),
    }
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
    message
}
