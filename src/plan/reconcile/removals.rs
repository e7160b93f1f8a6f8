//! What is taken away: networks that are made again or that there are two of, and containers whose service is gone.

use super::Up;
use crate::model::{ObservedContainer, ObservedNetwork, ServiceName};
use crate::plan::containers::{is_neighbour, neighbours_stay, orphans_stay};
use crate::plan::op::StepId;
use crate::plan::{Op, Reason};

impl Up<'_> {
    /// Networks that must be made again: nothing that is attached to them may run while that is done. The containers stay
    /// until others have taken over their volumes.
    pub(super) fn stale_networks(&mut self) {
        let stale = self.resources.stale.clone();
        for (name, spec) in stale {
            let Some(there) = self.input.observed.networks.get(&name).cloned() else { continue };
            let why = Reason::Config(vec![format!("the settings of network {name}")]);
            let removed = self.remove_network(&there, why);
            let op = Op::CreateNetwork(spec);
            let made = self.plan.push(op, None, Reason::Replaces, vec![removed]);
            self.resources.networks.insert(name, made);
        }
    }

    /// While two networks have one name, the engine finds neither by it.
    pub(super) fn duplicate_networks(&mut self) {
        for network in &self.input.observed.duplicates {
            let removed = self.remove_network(network, Reason::SameName);
            let after = self.resources.networks.get(&network.name).copied();
            // All that joins the network by its name comes after both.
            if after.is_none_or(|after| after < removed) {
                self.resources.networks.insert(network.name.clone(), removed);
            }
        }
    }

    fn remove_network(&mut self, network: &ObservedNetwork, why: Reason) -> StepId {
        let mut ended = Vec::new();
        for container in &self.input.observed.containers {
            let joins = container.networks.get(&network.name).is_some_and(|id| *id == network.id);
            if joins && container.state.is_running() {
                let op = Op::Stop { container: container.name.clone(), grace: self.options.grace };
                let service = Some(&container.service).filter(|name| self.input.project.services.contains_key(*name));
                let reason = Reason::Network(network.name.clone());
                ended.push(self.plan.push(op, service, reason, Vec::new()));
                self.stopped.insert(container.id.clone());
            }
        }
        let op = Op::RemoveNetwork { name: network.name.clone(), id: network.id.clone() };
        self.plan.push(op, None, why, ended)
    }

    /// Stops (where it runs) and removes a container.
    pub(super) fn remove(
        &mut self,
        container: &ObservedContainer,
        service: Option<&ServiceName>,
        reason: &Reason,
        after: Vec<StepId>,
    ) -> StepId {
        self.remove_with(container, service, reason, after, false)
    }

    /// The same, with its anonymous volumes if `volumes`. The engine leaves those that another container has too.
    pub(super) fn remove_with(
        &mut self,
        container: &ObservedContainer,
        service: Option<&ServiceName>,
        reason: &Reason,
        mut after: Vec<StepId>,
        volumes: bool,
    ) -> StepId {
        if container.state.is_running() && !self.stopped.contains(&container.id) {
            let op = Op::Stop { container: container.name.clone(), grace: self.options.grace };
            after = vec![self.plan.push(op, service, reason.clone(), after)];
        }
        let op = Op::Remove { container: container.name.clone(), volumes };
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
            self.plan.notes.push(orphans_stay(&orphans));
        }
    }
}
