//! What the watcher, its reader and its poller share.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::state::State;

/// The state, and the poller's alarm clock.
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) woken: Condvar,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wait<'a>(&self, state: MutexGuard<'a, State>, at_most: Option<Duration>) -> MutexGuard<'a, State> {
        match at_most {
            None => self.woken.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(time) => self.woken.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0,
        }
    }
}
