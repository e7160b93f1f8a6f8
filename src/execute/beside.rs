//! What may go on beside a plan that is being carried out. A plan that only waits for a service holds back nothing: who
//! has no step left is free, and a wait looks again at a container that a job changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::model::ServiceName;
use crate::plan::{Op, Plan};

/// How far a step of a plan is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum StepState {
    Waiting,
    Running,
    Done,
    Failed,
    Skipped,
}

/// What a plan still has to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Working {
    /// Services of which a step that is no wait is not done.
    pub services: BTreeSet<ServiceName>,
    /// All that is being done is to wait for services.
    pub waits: bool,
}

impl Working {
    pub(super) fn of(plan: &Plan, states: &[StepState]) -> Self {
        let mut working = Self::default();
        let (mut waits, mut acts) = (false, false);
        for (step, state) in plan.steps.iter().zip(states) {
            let is_wait = matches!(step.op, Op::Wait { .. });
            waits |= *state == StepState::Running && is_wait;
            acts |= *state == StepState::Running && !is_wait;
            // After a failure the container is not what was planned, and another plan follows.
            if is_wait || *state == StepState::Done {
                continue;
            }
            working.services.extend(step.service.clone());
            if let Op::Build { services, .. } = &step.op {
                working.services.extend(services.iter().cloned());
            }
        }
        working.waits = waits && !acts;
        working
    }
}

/// Between a plan that is being carried out and the jobs beside it.
#[derive(Debug)]
pub struct Beside {
    /// `None` until the first step.
    working: watch::Sender<Option<Working>>,
    changes: Mutex<BTreeMap<ServiceName, Changes>>,
}

/// Jobs that change a service's containers.
#[derive(Clone, Copy, Debug, Default)]
struct Changes {
    running: usize,
    begun: usize,
}

impl Default for Beside {
    fn default() -> Self {
        Self { working: watch::channel(None).0, changes: Mutex::default() }
    }
}

impl Beside {
    /// Told whenever something becomes free.
    pub fn subscribe(&self) -> watch::Receiver<Option<Working>> {
        self.working.subscribe()
    }

    pub(super) fn tell(&self, working: Working) {
        self.working.send_if_modified(|known| {
            let news = known.as_ref() != Some(&working);
            *known = Some(working);
            news
        });
    }

    /// A job changes the containers of these services from now until this is dropped.
    pub fn change(self: &Arc<Self>, services: Vec<ServiceName>) -> Change {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        for service in &services {
            let change = changes.entry(service.clone()).or_default();
            change.running += 1;
            change.begun += 1;
        }
        drop(changes);
        Change { beside: Arc::clone(self), services }
    }

    /// How many jobs have changed the containers of a service.
    pub(super) fn begun(&self, service: &ServiceName) -> usize {
        self.of(service).begun
    }

    /// Whether a job changes them, or has since there were so many.
    pub(super) fn changed_since(&self, service: &ServiceName, begun: usize) -> bool {
        let changes = self.of(service);
        changes.running > 0 || changes.begun != begun
    }

    fn of(&self, service: &ServiceName) -> Changes {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).get(service).copied().unwrap_or_default()
    }
}

/// A job that changes containers.
#[derive(Debug)]
pub struct Change {
    beside: Arc<Beside>,
    services: Vec<ServiceName>,
}

impl Drop for Change {
    fn drop(&mut self) {
        let mut changes = self.beside.changes.lock().unwrap_or_else(PoisonError::into_inner);
        for service in &self.services {
            if let Some(change) = changes.get_mut(service) {
                change.running = change.running.saturating_sub(1);
            }
        }
    }
}
