//! What both directions of a copy need.

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::event::Event;
use crate::model::ObservedContainer;

/// What one copy is, in the words of Docker Compose.
pub(super) struct Copy<'a> {
    pub(super) context: &'a Context,
    pub(super) container: &'a ObservedContainer,
    pub(super) from: String,
    pub(super) to: String,
}

impl Copy<'_> {
    pub(super) fn say(&self, what: &str) {
        let name = &self.container.name;
        let text = format!("{name} copy {} to {} {what}", self.from, self.to);
        self.context.sink.emit(Event::Notice { text });
    }

    /// What `--dry-run` says in place of doing it.
    pub(super) fn would(&self) {
        self.context.sink.emit(Event::Output { text: format!("copy {} to {}", self.from, self.to) });
    }
}

pub(super) fn refused(text: impl Into<String>) -> Failure {
    Failure::new(Exit::Failed, text)
}
