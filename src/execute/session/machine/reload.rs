//! Jobs for services that have something to do, and what is taken in when they end.

use std::path::Path;
use std::sync::Arc;

use super::known::phase::{Activity, ImageState};
use super::state::Machine;
use crate::event::{self, Event, ReloadAction};
use crate::execute::session::action::Work;
use crate::execute::session::ended::{Measure, Reloaded};
use crate::execute::session::work::ReloadTask;
use crate::model::{ContainerId, MountType, Service, ServiceName};
use crate::plan::{Round, WantedImage};

impl Machine {
    /// Gives every service that has something to do and no job a job.
    pub(super) fn start_reloads(&mut self) {
        let project = Arc::clone(&self.project);
        let together = |a: &ServiceName, b: &ServiceName| project.restarted_with(std::slice::from_ref(a)).contains(b);
        for name in self.watching.startable(self.moment.now) {
            // A rebuild restarts these too: two jobs must not work on one container.
            let busy = self.watching.busy();
            if busy.iter().any(|busy| together(busy, &name) || together(&name, busy)) {
                continue;
            }
            let Some(service) = self.project.services.get(&name).cloned() else { continue };
            let mut with = self.restarted_with(&name);
            with.push(name.clone());
            if !with.iter().all(|service| self.is_free(service)) {
                continue;
            }
            let containers: Vec<ContainerId> = self.containers.running(&name).into_iter().map(|(id, _)| id).collect();
            let shown = self.shown_services();
            let now = self.now();
            let Some(watched) = self.watching.get_mut(&name) else { continue };
            watched.activity = Activity::Busy { retry: false };
            let pending = watched.take();
            let task = ReloadTask {
                project: Arc::clone(&self.project),
                service,
                inputs: watched.inputs.clone(),
                watch: watched.watch.clone(),
                noticed: pending.noticed.unwrap_or(now),
                quiet: pending.quiet.unwrap_or(now),
                // A container that was stopped and not started again has completed nothing, if it is no job.
                completed: !pending.is_unsure
                    && containers.is_empty()
                    && self.project.is_job(&name)
                    && self.containers.exit_code(&name) == Some(0),
                recreate_interrupted: watched.recreate_interrupted,
                brake: watched.brake.clone(),
                stopped: self.others.has_stopped(&name),
                removed: !self.containers.any_of(&name),
                pending,
                synced: self.synced.clone(),
                containers,
                shown,
                grace: self.options.up.grace,
                keep_images: self.options.run.keep_images,
            };
            self.start(Work::Reload(Box::new(task), with));
        }
    }

    pub(super) fn reloaded(&mut self, reload: Reloaded) {
        let now = self.now();
        self.others.worked(&reload.service, now);
        self.synced.extend(reload.synced);
        let project = Arc::clone(&self.project);
        let by_rules = project.services.get(&reload.service).is_some_and(Service::has_watch_rules);
        if reload.measured.is_some() {
            // One that did not run just then has nothing of it, and is compared once it runs.
            for id in self.containers.of_service(&reload.service).filter(|id| !reload.containers.contains(id)) {
                self.verified.remove(id);
            }
            for (container, digest) in reload.notes {
                self.note_later(&reload.service, container, digest);
            }
        }
        let Some(watched) = self.watching.get_mut(&reload.service) else { return };
        let retry = std::mem::take(&mut watched.activity) == Activity::Busy { retry: true };
        watched.recreate_interrupted = reload.recreate_interrupted;
        watched.pending.is_unsure |= reload.is_unsure;
        let failed = reload.measured.is_none();
        let mut braked = Vec::new();
        // What is held starts nothing that could write.
        let acted = |report: &event::Reloaded| report.action != ReloadAction::Held;
        if !reload.superseded && reload.report.as_ref().is_some_and(acted) {
            let shared = |path: &Path| project.services.values().any(|service| writes(service, path));
            for (path, size) in &reload.acted {
                // What waited for its trial was noticed before the save that brought it in.
                let tried = reload.pending.trial.filter(|_| watched.brake.trial(path).is_some());
                let noticed = tried.unwrap_or(reload.noticed);
                let round = Round { noticed, ended: now, size: *size, shared: shared(path) };
                braked.extend(watched.brake.answered(path, round));
            }
        }
        watched.initial_sync_failed = failed && reload.pending.initial_sync;
        if failed {
            // What this job did not do is still to be done.
            watched.pending.files.extend(reload.pending.files.iter().cloned());
            let reason = watched.pending.rebuild_reason.take().or(reload.pending.rebuild_reason);
            watched.pending.rebuild_reason = reason;
            watched.pending.is_unsure = true;
            if reload.superseded {
                watched.try_again(reload.noticed, now);
            } else if retry {
                watched.try_again(now, now);
            }
        } else if reload.rebuilt && watched.inputs.is_some() {
            watched.rule_synced.clear();
        } else if by_rules {
            watched.rule_synced.extend(reload.pending.files.iter().cloned());
        }
        watched.image = match watched.image {
            _ if reload.rebuilt => ImageState::LayeredSince(now),
            // Its quiet begins anew.
            ImageState::StaleSince(_) => ImageState::StaleSince(now),
            // What is synced now is in no image yet.
            _ if reload.is_image_stale && !failed => ImageState::StaleSince(now),
            image => image,
        };
        if let Some(Measure { inputs, watch, reloader }) = reload.measured {
            let mut wanted = (*self.wanted).clone();
            if let Some(reloader) = reloader {
                wanted.reloaders.insert(reload.service.clone(), reloader);
            } else if watch.is_some() {
                wanted.reloaders.shift_remove(&reload.service);
            }
            if let (Some(new), Some(WantedImage::Built(old))) = (&inputs, wanted.images.get_mut(&reload.service)) {
                *old = new.clone();
            }
            self.wanted = Arc::new(wanted);
            watched.inputs = inputs;
            let moved = watch.as_ref().is_some_and(|watch| watch.folders != watched.watch.folders);
            if let Some(watch) = watch {
                watched.watch = watch;
            }
            // In a folder that was not watched before, something may have changed since the measure. Rules of the
            // manifest know nothing of measures.
            if moved
                && self.set_folders()
                && !by_rules
                && let Some(watched) = self.watching.get_mut(&reload.service)
            {
                watched.pending.files.extend(reload.pending.files);
                watched.pending.set_due(now);
            }
        }
        if !reload.superseded && self.watching.set_mend(&reload.service, reload.mend.filter(|_| failed && !by_rules)) {
            self.set_folders();
        }
        if let Some(watched) = self.watching.get_mut(&reload.service) {
            watched.look_again(now);
        }
        for braked in braked {
            self.say_braked(&reload.service, &braked);
        }
        // Without the engine nothing succeeds, and that was said. What somebody took away meanwhile is said as well.
        let taken_away = self.lost_them(&reload.containers);
        if let Some(report) = reload.report.filter(|_| !(failed && (self.connection.is_lost() || taken_away))) {
            self.emit(Event::Reloaded(report));
        }
    }
}

/// Whether a container of the service can write a path of the host.
fn writes(service: &Service, path: &Path) -> bool {
    let mut binds = service.volumes.iter().filter(|mount| mount.r#type == MountType::Bind && !mount.read_only);
    binds.any(|mount| mount.source.as_ref().is_some_and(|source| path.starts_with(source)))
}
