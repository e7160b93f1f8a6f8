//! Drift: containers that this session has not made, or not seen a plan make. What they lack is what has changed of
//! their services. What rules synced is remembered here and brought in again, until an image has it.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use super::state::Machine;
use crate::execute::session::action::{Action, Work};
use crate::execute::session::ended::{DriftReport, Held};
use crate::execute::session::work::{CompareContainers, differing};
use crate::model::{ContainerId, Digest, Observed, ObservedContainer, Parts, Service, ServiceName};
use crate::plan::labels::made_from;
use crate::plan::{Recreate, ReloadReason};

impl Machine {
    /// Containers of services that could be worked on, whose content was not compared with what is wanted yet.
    fn unverified(&self) -> Vec<(ServiceName, ContainerId)> {
        let running = |service: &ServiceName| {
            let of = |(id, _)| (service.clone(), id);
            self.containers.running(service).into_iter().map(of).collect::<Vec<_>>()
        };
        let all = self.watching.idle().flat_map(|(service, _)| running(service));
        all.filter(|(_, id)| !self.verified.contains(id)).collect()
    }

    /// Asks the engine about them.
    pub(super) fn verify_containers(&mut self) {
        if self.plan.is_running() || !self.phase.is_up() || self.verifying {
            return;
        }
        let containers: BTreeSet<ContainerId> = self.unverified().into_iter().map(|(_, id)| id).collect();
        if containers.is_empty() {
            return;
        }
        self.verifying = true;
        self.start(Work::CompareContainers(CompareContainers {
            project: self.project.name.to_string(),
            containers,
            synced: self.synced.values().cloned().collect(),
            newest_at_start: self.newest_at_start,
        }));
    }

    /// What they lack is brought in by a job like any other.
    pub(super) fn drifted(&mut self, report: Option<DriftReport>) {
        self.verifying = false;
        let Some(report) = report else { return };
        if self.is_attached() {
            self.find_out_new_urls(&report.observed);
        }
        // What has changed hands meanwhile is looked at again when that is over.
        if self.plan.is_running() {
            return;
        }
        // One that was started since is looked at next.
        for (service, id) in self.unverified().into_iter().filter(|(_, id)| report.containers.contains(id)) {
            self.verified.insert(id.clone());
            // Gone by now.
            let Some(container) = report.observed.containers.iter().find(|c| c.id == id) else { continue };
            self.act(Action::Saw(Box::new(container.clone())));
            self.connect_agent(&service, &id);
            self.compare(&service, container, &report.history);
        }
    }

    fn compare(&mut self, name: &ServiceName, container: &ObservedContainer, history: &HashMap<Digest, Parts>) {
        let project = Arc::clone(&self.project);
        let Some(service) = project.services.get(name) else { return };
        let holds = self.synced.get(&container.id).cloned().or_else(|| made_from(container));
        let stays = self.options.up.recreate == Recreate::Never;
        let now = self.now();
        let Some(watched) = self.watching.get_mut(name) else { return };
        watched.pending.initial_sync |= has_initial_sync(service);
        let rules = service.has_watch_rules();
        match &watched.inputs {
            Some(wanted) if holds.as_ref() == Some(&wanted.digest) || stays => return,
            Some(wanted) => match holds.and_then(|holds| history.get(&holds)) {
                Some(before) => {
                    let (files, besides) =
                        differing(wanted.parts.differing(before), |part| project.file_of(part, service));
                    // What an ignore file leaves out since cannot be synced.
                    let is_left_out = |path: &&PathBuf| watched.watch.effects.leaves_out(path);
                    let gone = files.iter().find(is_left_out).cloned().map(|file| ReloadReason::LeftOut { file });
                    watched.pending.files.extend(files);
                    // Rules of the manifest say alone what a change does.
                    watched.pending.rebuild_reason = besides.or(gone).filter(|_| !rules);
                }
                None if !rules => watched.pending.rebuild_reason = Some(ReloadReason::UnknownContent),
                None => {}
            },
            None => {}
        }
        watched.pending.files.extend(watched.rule_synced.iter().cloned());
        if watched.has_changes() {
            // An equal measure says nothing about these.
            watched.pending.is_unsure = true;
            watched.pending.set_due(now);
        }
    }

    /// Containers as a plan left them, or as it found them and let them be, count as compared; but where a build does not
    /// give all that a container should hold, or somebody else made the container while the plan was carried out: then it
    /// does not hold what the plan was to bring about, where that succeeded.
    pub(super) fn set_verified(&mut self, observed: &Observed, success: bool, held: &[Held]) {
        for container in observed.containers.iter().filter(|c| !c.oneoff) {
            let service = self.project.services.get(&container.service);
            let inputs = self.watching.get(&container.service).and_then(|watched| watched.inputs.as_ref());
            let Some(wanted) = inputs.map(|inputs| &inputs.digest) else { continue };
            // What its image was made of was not confirmed, where the files changed while it was built.
            let holds = self.synced.get(&container.id).cloned().or_else(|| made_from(container));
            let is_held = held.iter().any(|held| held.container == container.id);
            let is_it = holds.is_some_and(|holds| !success || is_held || holds == *wanted);
            if is_it && !service.is_some_and(has_initial_sync) {
                self.verified.insert(container.id.clone());
            }
        }
    }
}

fn has_initial_sync(service: &Service) -> bool {
    service.develop.iter().flat_map(|develop| &develop.watch).any(|rule| rule.initial_sync)
}
