//! Containers that this session has not filled: made or recreated by somebody else, or there before it. What was synced
//! is remembered here and brought in again, until an image has it.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Finished, Session, now};
use crate::engine::Query;
use crate::execute::observe::{blocking, say_what_they_hold};
use crate::model::{ContainerId, Digest, Observed, ObservedContainer, Service, ServiceName};
use crate::plan::labels::made_from;
use crate::plan::{Recreate, ReloadReason};

/// What the engine says about the project's containers, and what is known about what they were built from.
pub struct Looked {
    /// The containers that it is about.
    asked: HashSet<ContainerId>,
    observed: Observed,
    history: HashMap<Digest, Vec<(String, Digest)>>,
}

impl Session {
    /// Containers of services that could be worked on, whose content was not compared with what is wanted yet.
    fn strangers(&self) -> Vec<(ServiceName, ContainerId)> {
        let running = |service: &ServiceName| {
            let of = |(id, _)| (service.clone(), id);
            self.containers.running(service).into_iter().map(of).collect::<Vec<_>>()
        };
        let all = self.watching.idle().flat_map(|(service, _)| running(service));
        all.filter(|(_, id)| !self.filled.contains(id)).collect()
    }

    /// Asks the engine about them, beside the loop.
    pub(super) fn look_at_strangers(&mut self) {
        if self.applying || !self.up || self.looking {
            return;
        }
        let asked: HashSet<ContainerId> = self.strangers().into_iter().map(|(_, id)| id).collect();
        if asked.is_empty() {
            return;
        }
        self.looking = true;
        let (engine, sources) = (Arc::clone(&self.engine), Arc::clone(&self.sources));
        let query = Query { project: self.project.name.to_string(), ..Query::default() };
        let known: Vec<Digest> = self.synced.values().cloned().collect();
        let newest = self.newest_at_start;
        self.jobs.spawn(async move {
            let Ok(mut observed) = engine.observe(&query).await else {
                // The engine's end is told by its events; a hiccup is over by then.
                tokio::time::sleep(Duration::from_secs(1)).await;
                return Finished::Looked(None);
            };
            // Another program made it, and this session alone puts saves into its service.
            say_what_they_hold(&mut observed, &*sources, |container| newest.is_some_and(|at| container.created > at));
            let digests = observed.containers.iter().filter_map(made_from).chain(known).collect::<Vec<_>>();
            let history = blocking(move || sources.history(&digests)).await;
            Finished::Looked(Some(Box::new(Looked { asked, observed, history })))
        });
    }

    /// What they lack is brought in by a job like any other.
    pub(super) fn looked(&mut self, looked: Option<Looked>) {
        self.looking = false;
        let Some(looked) = looked else { return };
        if self.attached() {
            self.look_at_urls(&looked.observed);
        }
        // What has changed hands meanwhile is looked at again when that is over.
        if self.applying {
            return;
        }
        // One that was started since is looked at next.
        for (service, id) in self.strangers().into_iter().filter(|(_, id)| looked.asked.contains(id)) {
            self.filled.insert(id.clone());
            // Gone by now.
            let Some(container) = looked.observed.containers.iter().find(|c| c.id == id) else { continue };
            self.agents.saw(container);
            self.connect_agent(&service, &id);
            self.compare(&service, container, &looked.history);
        }
    }

    fn compare(
        &mut self,
        name: &ServiceName,
        container: &ObservedContainer,
        history: &HashMap<Digest, Vec<(String, Digest)>>,
    ) {
        let project = Arc::clone(&self.project);
        let Some(service) = project.services.get(name) else { return };
        let holds = self.synced.get(&container.id).cloned().or_else(|| made_from(container));
        let stays = self.options.up.recreate == Recreate::Never;
        let Some(watched) = self.watching.get_mut(name) else { return };
        watched.todo.initial |= has_initial_sync(service);
        let rules = service.has_watch_rules();
        match &watched.inputs {
            Some(wanted) if holds.as_ref() == Some(&wanted.digest) || stays => return,
            Some(wanted) => match holds.and_then(|holds| history.get(&holds)) {
                Some(before) => {
                    let (files, besides) = differing(wanted.differing(before), |part| project.file_of(part, service));
                    // What an ignore file leaves out since cannot be synced.
                    let is_left_out = |path: &&PathBuf| watched.watch.effects.leaves_out(path);
                    let gone = files.iter().find(is_left_out).cloned().map(|file| ReloadReason::LeftOut { file });
                    watched.todo.dirty.extend(files);
                    // Rules of the manifest say alone what a change does.
                    watched.todo.lacks = besides.or(gone).filter(|_| !rules);
                }
                None if !rules => watched.todo.lacks = Some(ReloadReason::UnknownContent),
                None => {}
            },
            None => {}
        }
        watched.todo.dirty.extend(watched.brought.iter().cloned());
        if watched.has_changes() {
            // An equal measure says nothing about these.
            watched.todo.unsure = true;
            watched.todo.set_due(now());
        }
    }

    /// Containers as a plan left them, or as it found them and let them be. Where a build does not give all that a
    /// container should hold, it is looked at.
    pub(super) fn fill(&mut self, observed: &Observed) {
        for container in observed.containers.iter().filter(|c| !c.oneoff) {
            let service = self.project.services.get(&container.service);
            let built = self.watching.get_mut(&container.service).is_some_and(|watched| watched.inputs.is_some());
            // What its image was made of was not confirmed, where the files changed while it was built.
            let known = self.synced.contains_key(&container.id) || made_from(container).is_some();
            if built && known && !service.is_some_and(has_initial_sync) {
                self.filled.insert(container.id.clone());
            }
        }
    }
}

/// Of the parts that are not the same in a measure: files, and the first thing that is none.
pub(super) fn differing<P>(parts: Vec<String>, file: impl Fn(&str) -> Option<P>) -> (Vec<P>, Option<ReloadReason>) {
    let (mut files, mut besides) = (Vec::new(), None);
    for part in parts {
        match file(&part) {
            Some(path) => files.push(path),
            None => besides = besides.or(Some(ReloadReason::Input { part })),
        }
    }
    (files, besides)
}

fn has_initial_sync(service: &Service) -> bool {
    service.develop.iter().flat_map(|develop| &develop.watch).any(|rule| rule.initial_sync)
}
