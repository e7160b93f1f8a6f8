//! What the start of a service waits for.

use super::{Done, Up};
use crate::model::{Service, ServiceName};
use crate::plan::op::{StepId, Until};
use crate::plan::{Op, Reason};

impl Up<'_> {
    /// The steps that a service's start waits for: its dependencies' starts and what their conditions ask for.
    pub(super) fn gates(&mut self, service: &Service) -> Vec<StepId> {
        let mut gates = Vec::new();
        for (other, dependency) in &service.depends_on {
            if self.done.contains_key(other) {
                let (until, optional) = (dependency.condition.into(), !dependency.required);
                gates.extend(self.wait(other, until, optional, Reason::Awaited(service.name.clone())));
            }
        }
        gates
    }

    /// A service that runs and stays as it is starts nothing that would wait for what it depends on.
    pub(super) fn needs_of_kept(&mut self, service: &Service) {
        let runs = |done: &Done| done.untouched.iter().any(|(state, _)| state.is_running());
        if !self.done.get(&service.name).is_some_and(runs) {
            return;
        }
        for (other, dependency) in service.depends_on.iter().filter(|(_, dependency)| dependency.required) {
            self.wait(other, dependency.condition.into(), false, Reason::Awaited(service.name.clone()));
        }
    }

    /// The steps after which a service is what is waited for; none where it is so already.
    fn wait(&mut self, service: &ServiceName, until: Until, optional: bool, reason: Reason) -> Vec<StepId> {
        let Some(done) = self.done.get(service) else { return Vec::new() };
        if until == Until::Running {
            return done.started.clone();
        }
        // One that is healthy is ready too. What fails for those that can do without would not fail for the others.
        let met_by = if until == Until::Ready { [Until::Ready, Until::Healthy] } else { [until, until] };
        if let Some(step) = met_by.iter().find_map(|until| done.waits.get(&(*until, optional))) {
            return vec![*step];
        }
        let met = done.untouched.iter().all(|(state, health)| until.is_met(*state, *health));
        if met && done.started.is_empty() || done.containers.is_empty() {
            return Vec::new();
        }
        let op = Op::Wait { containers: done.containers.clone(), until, optional };
        let after = done.started.iter().chain(&done.created).copied().collect();
        let step = self.plan.push(op, Some(service), reason, after);
        if let Some(done) = self.done.get_mut(service) {
            done.waits.insert((until, optional), step);
        }
        vec![step]
    }

    /// `--wait`: one-shot jobs complete, all others run and are healthy.
    pub(super) fn ready(&mut self, service: &Service) {
        let until = if self.input.project.is_job(&service.name) { Until::Completed } else { Until::Ready };
        self.wait(&service.name, until, false, Reason::Wait);
    }
}
