//! Writes down what containers hold, for the next hob. Not at the end of a sync: a file may have changed between the
//! measure and the moment at which it was read, and the news of that comes a moment later.

use std::time::{Duration, Instant};

use super::known::notes::Note;
use super::state::Machine;
use crate::execute::session::action::Action;
use crate::model::{ContainerId, Digest, ServiceName};

/// News of a change is here by then.
const SETTLED: Duration = Duration::from_millis(200);

impl Machine {
    /// A container holds what a build of this digest gives, as far as is known.
    pub(super) fn note_later(&mut self, service: &ServiceName, container: ContainerId, digest: Digest) {
        self.notes.retain(|note| note.container != container);
        self.notes.push(Note { service: service.clone(), container, digest, at: self.moment.now + SETTLED });
    }

    /// When there is something to write down.
    pub(super) fn notes_at(&self) -> Option<Instant> {
        self.notes.iter().map(|note| note.at).min()
    }

    /// Writes down what has settled; at the end of the session all that is left. Of what changes again nothing is said.
    pub(super) fn write_notes(&mut self, ends: bool) {
        let now = self.now();
        let (due, open) = std::mem::take(&mut self.notes).into_iter().partition(|note| ends || note.at <= now);
        self.notes = open;
        // A burst that goes on may be about any of them.
        let saving = self.watching.deadline(now).is_some();
        for Note { service, container, digest, .. } in due {
            if self.synced.get(&container) != Some(&digest) {
                continue;
            }
            if !saving && self.watching.is_settled(&service) {
                self.act(Action::Note(container, digest));
            } else if !ends {
                self.note_later(&service, container, digest);
            }
        }
    }
}
