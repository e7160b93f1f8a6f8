//! How far the plan is that is carried out: saves of services that it has no step left for go on beside it. A plan that
//! waits for a service that does not become healthy may wait for ever; nobody else waits with it.

use std::time::{Duration, Instant};

use super::state::Machine;
use crate::execute::beside::Working;
use crate::execute::session::action::{Action, Job};
use crate::model::ServiceName;

/// How long a plan must have done nothing but wait before it is said that saves are seen.
const WAITED: Duration = Duration::from_secs(1);

impl Machine {
    pub(super) fn progress(&mut self, working: Option<Working>) {
        let now = self.now();
        let Some(progress) = self.plan.progress_mut() else { return };
        let waits = working.as_ref().is_some_and(|working| working.waits);
        progress.waits = waits.then(|| progress.waits.unwrap_or(now));
        progress.working = working;
    }

    /// Ends the plan if it only waits.
    pub(super) fn end_waits(&mut self) {
        if self.plan.progress().is_some_and(|progress| progress.waits.is_some()) {
            self.act(Action::Cancel(Job::Plan));
        }
    }

    /// Whether a job may work on the service.
    pub(super) fn is_free(&self, service: &ServiceName) -> bool {
        self.plan.progress().map_or(self.phase.is_up(), |progress| progress.frees(service))
    }

    /// When it is said that saves are seen although the plan goes on.
    pub(super) fn say_at(&self) -> Option<Instant> {
        let waits = self.plan.progress()?.waits.filter(|_| self.options.watch && self.said.watching.is_empty());
        // While something else must end first it would be due for ever.
        let waits = waits.filter(|_| self.may_begin());
        waits.map(|since| since + WAITED)
    }

    /// Says it when the time has come and somebody runs.
    pub(super) fn say_watching_beside(&mut self) {
        let now = self.now();
        if self.say_at().is_some_and(|at| at <= now) {
            if let Some(progress) = self.plan.progress_mut() {
                progress.waits = Some(now);
            }
            if self.containers.any_running(&self.scope()) {
                self.say_watching();
            }
        }
    }
}
