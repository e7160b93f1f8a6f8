//! What is watched, and which services a burst of changes is about.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::known::watched::Watched;
use super::state::Machine;
use crate::event::{Event, Message};
use crate::execute::session::action::{Action, Job};
use crate::execute::session::ended::Claimed;
use crate::execute::session::work::measured;
use crate::host::watch::Batch;
use crate::model::{Entry, MountType, Reload, ServiceName, Watch};

impl Machine {
    /// Takes in what the watcher saw.
    pub(super) fn saves(&mut self, batch: Batch) {
        for notice in batch.notices {
            self.emit(Event::Warning(Message::new(notice.to_string())));
        }
        let noted = self.watching.push(batch.changes, batch.at, self.plan.is_running(), self.moment.now);
        self.say_asides(noted);
    }

    /// Watches what the services of the last view read; true where that is more than before.
    pub(super) fn watch_services(&mut self, claimed: Claimed) -> bool {
        if !self.options.watch {
            return false;
        }
        let wanted = Arc::clone(&self.wanted);
        let Claimed { mine: scope, taken } = claimed;
        self.say_claimed_by_others(taken);
        self.watching.services.retain(|service, _| scope.contains(service) && wanted.watch.contains_key(service));
        for service in scope {
            let Some(watch) = wanted.watch.get(&service).cloned() else { continue };
            self.read_mounts(&service, &watch);
            let inputs = measured(&wanted, &service);
            match self.watching.services.get_mut(&service) {
                Some(watched) => (watched.watch, watched.inputs) = (watch, inputs),
                None => drop(self.watching.services.insert(service.clone(), Watched::new(watch, inputs))),
            }
            self.say_unfollowed(&service);
        }
        self.set_folders()
    }

    /// Has the files behind the mounts of a service looked at before the first of them is saved.
    fn read_mounts(&mut self, name: &ServiceName, watch: &Watch) {
        let Some(service) = self.project.services.get(name) else { return };
        let mounts = service.volumes.iter().any(|mount| mount.r#type == MountType::Bind);
        if mounts && service.reload.as_ref().is_some_and(|reload| *reload != Reload::None) {
            self.act(Action::ReadMounts(name.clone(), watch.clone()));
        }
    }

    /// Says once which rules are not followed: a bind mount shows the container their files already.
    fn say_unfollowed(&mut self, name: &ServiceName) {
        let project = Arc::clone(&self.project);
        let Some(service) = project.services.get(name) else { return };
        let rules = service.develop.iter().flat_map(|develop| &develop.watch);
        for (number, rule) in rules.enumerate().filter(|(_, rule)| service.sees(rule)) {
            if self.watching.unfollowed.insert((name.clone(), rule.path.clone())) {
                let place = project.locate(&format!("services.{name}.develop.watch[{number}]"));
                let text =
                    format!("{} is not synced: a bind mount of {name} shows it to the container already", rule.path);
                let message = Message::new(text).service(name).at(place.as_ref());
                self.emit(Event::Warning(message.hint("remove the rule or the mount")));
            }
        }
    }

    /// Tells the watcher which folders matter now; true where there are some that did not before.
    pub(super) fn set_folders(&mut self) -> bool {
        let files = self.project.files.iter().chain(&self.project.env_files).chain(&self.project.awaited);
        self.watching.manifest = files.cloned().collect();
        let of_manifest = self.watching.manifest.iter().filter_map(|file| file.parent().map(Path::to_path_buf));
        let watches = self.watching.services.values().map(|watched| &watched.watch).chain(self.watching.mends.values());
        let of_services = watches.clone().flat_map(|watch| watch.folders.iter().cloned());
        let folders: BTreeSet<PathBuf> = of_manifest.chain(of_services).collect();
        let on_behalf = watches.map(|watch| Arc::clone(&watch.effects)).collect();
        let more = !folders.is_subset(&self.watching.folders);
        self.watching.folders.clone_from(&folders);
        if self.options.watch {
            self.act(Action::Watch { folders, on_behalf });
        }
        more
    }

    /// Says once that saves are seen from now on.
    pub(super) fn say_watching(&mut self) {
        if !self.options.watch {
            return;
        }
        let acting = self.watching.services.iter().filter(|(_, watched)| watched.watch.acts);
        let mut services: Vec<ServiceName> = acting.map(|(service, _)| service.clone()).collect();
        services.sort();
        if self.said.watching != services {
            self.said.watching.clone_from(&services);
            self.emit(Event::Watching { services, folders: self.watching.folders.len() });
        }
    }

    /// A burst is over: gives each service its part of it.
    pub(super) fn quiet(&mut self) {
        let now = self.now();
        for watched in self.watching.services.values_mut() {
            if let Some((first, _)) = watched.trial.take_if(|(_, due)| *due <= now) {
                watched.pending.trial = Some(first);
                watched.pending.set_due_since(first, now);
            }
        }
        let Some(batch) = self.watching.debounce.poll(now) else { return };
        let looks: BTreeMap<PathBuf, Option<Entry>> =
            batch.items.iter().filter_map(|path| self.watching.looks.remove_entry(path)).collect();
        let look = |path: &Path| looks.get(path).and_then(Option::as_ref);
        let mut noted = Vec::new();
        let rescan = batch.items.iter().any(|path| path == Path::new("/"));
        if rescan || batch.items.iter().any(|path| self.watching.is_manifest(path)) {
            self.manifest.changed();
            // What is wrong with it is said again where somebody has worked on it.
            if batch.items.iter().any(|path| self.watching.manifest.contains(path)) {
                self.said.manifest_errors.clear();
            }
        }
        let mut saved = Vec::new();
        for (service, watched) in &mut self.watching.services {
            let mend = self.watching.mends.get(service);
            let mends = |path: &PathBuf| {
                mend.is_some_and(|watch| watch.effects.effect(path, look(path)).acts()) && !watched.brake.holds(path)
            };
            let matters = |path: &PathBuf| rescan || watched.concerns(path, look(path)) || mends(path);
            let (mine, others): (Vec<PathBuf>, Vec<PathBuf>) = batch.items.iter().cloned().partition(matters);
            for path in &others {
                watched.note(service, path, look(path), &mut noted, now);
            }
            if self.plan.is_running() || watched.is_busy() {
                watched.meanwhile.extend(others.into_iter().map(|path| (path.clone(), look(&path).cloned())));
            }
            if mine.is_empty() {
                continue;
            }
            let trial = mine.iter().map(|path| watched.brake.trial(path)).min().flatten();
            watched.pending.files.extend(mine);
            if let Some(quiet) = trial {
                // All of them are suspected.
                let first = watched.trial.map_or(batch.first, |(first, _)| first);
                watched.trial = Some((first, now + quiet));
                continue;
            }
            saved.push(service.clone());
            watched.pending.initial_sync |= std::mem::take(&mut watched.initial_sync_failed);
            watched.pending.noticed.get_or_insert(batch.first);
            watched.pending.quiet = Some(now);
        }
        for service in &saved {
            // A build that runs is of what is no longer there.
            if self.watching.is_busy_with(service) {
                self.act(Action::Cancel(Job::Reload(service.clone())));
            }
            self.give_up_catching_up(Some(service));
        }
        let mends = |path: &PathBuf| {
            self.watching.mends.keys().any(|service| self.watching.may_mend(service, path, look(path)))
        };
        if self.watching.incomplete && (!saved.is_empty() || batch.items.iter().any(mends)) {
            self.plan.make_again();
        }
        self.say_asides(noted);
    }
}
