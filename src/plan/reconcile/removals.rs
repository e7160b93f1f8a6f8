//! What is taken away: containers in the way of a network, and those whose service is gone.

use super::Up;
use crate::model::{ObservedContainer, Service, ServiceName};
use crate::plan::containers::{is_neighbour, neighbours_stay};
use crate::plan::op::StepId;
use crate::plan::{Op, Reason};

impl Up<'_> {
    /// Networks that must be made again: nothing may be attached to them while that is done.
    pub(super) fn stale_networks(&mut self, services: &[&Service]) {
        let stale = self.resources.stale.clone();
        for (name, spec) in stale {
            let mut gone = Vec::new();
            for container in &self.input.observed.containers {
                if !container.networks.contains_key(&name) {
                    continue;
                }
                let service = services.iter().find(|s| s.name == container.service).map(|s| &s.name);
                gone.push(self.remove(container, service, &Reason::Network(name.clone()), Vec::new()));
            }
            let why = Reason::Config(vec![format!("the settings of network {name}")]);
            let removed = self.plan.push(Op::RemoveNetwork { name: name.clone() }, None, why, gone);
            let op = Op::CreateNetwork(spec);
            let made = self.plan.push(op, None, Reason::Replaces, vec![removed]);
            self.resources.networks.insert(name, made);
        }
    }

    /// Stops (where it runs) and removes a container.
    pub(super) fn remove(
        &mut self,
        container: &ObservedContainer,
        service: Option<&ServiceName>,
        reason: &Reason,
        mut after: Vec<StepId>,
    ) -> StepId {
        if container.state.is_running() {
            let op = Op::Stop { container: container.name.clone(), grace: self.options.grace };
            after = vec![self.plan.push(op, service, reason.clone(), after)];
        }
        let op = Op::Remove { container: container.name.clone(), volumes: false };
        self.plan.push(op, service, reason.clone(), after)
    }

    pub(super) fn orphans(&mut self) {
        let project = self.input.project;
        let is_orphan = |c: &&ObservedContainer| {
            !c.oneoff && !project.services.contains_key(&c.service) && !project.disabled.contains_key(&c.service)
        };
        let (neighbours, orphans): (Vec<_>, Vec<_>) =
            self.input.observed.containers.iter().filter(is_orphan).partition(|c| is_neighbour(project, c));
        if self.options.remove_orphans {
            if !neighbours.is_empty() {
                self.plan.notes.push(neighbours_stay(&neighbours));
            }
            for orphan in orphans {
                self.remove(orphan, None, &Reason::Orphan, Vec::new());
            }
        } else if !orphans.is_empty() && !self.options.ignore_orphans {
            let names: Vec<&str> = orphans.iter().map(|c| c.name.as_str()).collect();
            self.plan.notes.push(format!(
                "containers of services that are not in the manifest: {}; --remove-orphans removes them",
                names.join(", ")
            ));
        }
    }
}
