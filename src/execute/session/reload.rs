//! Jobs for services that have something to do, and what is taken in when they end.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::ending::restarted_with;
use super::job::{Job, Measure, Reload};
use super::{Finished, Session, now};
use crate::event::{Event, ReloadAction, Reloaded};
use crate::model::{ContainerId, MountType, Service, ServiceName};
use crate::plan::{Round, WantedImage};

impl Session {
    /// Gives every service that has something to do and no job a job.
    pub(super) fn start_reloads(&mut self) {
        let project = Arc::clone(&self.project);
        let together = |a: &ServiceName, b: &ServiceName| restarted_with(&project, a).contains(b);
        for name in self.watching.startable() {
            // A rebuild restarts these too: two jobs must not work on one container.
            let busy = self.watching.busy();
            if busy.iter().any(|busy| together(busy, &name) || together(&name, busy)) {
                continue;
            }
            let Some(service) = self.project.services.get(&name).cloned() else { continue };
            let mut with = restarted_with(&project, &name);
            with.push(name.clone());
            if !with.iter().all(|service| self.is_free(service)) {
                continue;
            }
            let change = self.beside.change(with);
            let containers: Vec<ContainerId> = self.containers.running(&name).into_iter().map(|(id, _)| id).collect();
            let hot = self.is_hot(&name);
            let at_start = self.at_start();
            let cancel = self.cancel.child_token();
            let Some(watched) = self.watching.get_mut(&name) else { continue };
            watched.job = Some(cancel.clone());
            let halfway = watched.halfway;
            let (brake, mounted) = (watched.brake.clone(), watched.mounted.clone());
            let task = watched.take();
            let now = now();
            let job = Job {
                executor: self.executor.clone(),
                project: Arc::clone(&self.project),
                service,
                inputs: watched.inputs.clone(),
                watch: watched.watch.clone(),
                noticed: task.noticed.unwrap_or(now),
                quiet: task.quiet.unwrap_or(now),
                // A container that was stopped and not started again has completed nothing, if it is no job.
                completed: !task.unsure
                    && containers.is_empty()
                    && self.project.is_job(&name)
                    && self.containers.exit_code(&name) == Some(0),
                halfway,
                stopped: self.others.has_stopped(&name),
                removed: !self.containers.any_of(&name),
                task,
                hot,
                synced: self.synced.clone(),
                brake,
                mounted,
                containers,
                stamps: HashMap::new(),
                grace: self.options.up.grace,
                keep_images: self.options.run.keep_images,
                at_start,
                cancel,
                stop: self.cancel.clone(),
            };
            self.jobs.spawn(async move {
                let reload = job.run().await;
                drop(change);
                Finished::Reloaded(Box::new(reload))
            });
        }
    }

    pub(super) fn reloaded(&mut self, reload: Reload) {
        self.others.worked(&reload.service);
        self.synced.extend(reload.synced);
        let project = Arc::clone(&self.project);
        let by_rules = project.services.get(&reload.service).is_some_and(Service::has_watch_rules);
        if reload.measured.is_some() {
            for (container, digest) in reload.notes {
                self.note_later(&reload.service, container, digest);
            }
        }
        let Some(watched) = self.watching.get_mut(&reload.service) else { return };
        watched.job = None;
        watched.halfway = reload.halfway;
        watched.todo.unsure |= reload.unsure;
        let failed = reload.measured.is_none();
        let mut braked = Vec::new();
        // What is held starts nothing that could write.
        let acted = |report: &Reloaded| report.action != ReloadAction::Held;
        if !reload.superseded && reload.report.as_ref().is_some_and(acted) {
            let shared = |path: &Path| project.services.values().any(|service| writes(service, path));
            for (path, size) in &reload.acted {
                // What waited for its trial was noticed before the save that brought it in.
                let tried = reload.task.trial.filter(|_| watched.brake.trial(path).is_some());
                let noticed = tried.unwrap_or(reload.noticed);
                let round = Round { noticed, ended: now(), size: *size, shared: shared(path) };
                braked.extend(watched.brake.answered(path, round));
            }
        }
        let retry = std::mem::take(&mut watched.retry);
        watched.initial_failed = failed && reload.task.initial;
        if failed {
            // What this job did not do is still to be done.
            watched.todo.dirty.extend(reload.task.dirty.iter().cloned());
            watched.todo.lacks = watched.todo.lacks.take().or(reload.task.lacks);
            watched.todo.unsure = true;
            if reload.superseded {
                watched.try_again(reload.noticed);
            } else if retry {
                watched.try_again(now());
            }
        } else if reload.rebuilt && watched.inputs.is_some() {
            watched.brought.clear();
        } else if by_rules {
            watched.brought.extend(reload.task.dirty.iter().cloned());
        }
        watched.layered = match watched.layered {
            _ if reload.rebuilt => Some(now()),
            // What is synced now is in no image yet.
            layered => layered.filter(|_| !reload.brought),
        };
        watched.behind = match watched.behind {
            _ if reload.rebuilt => None,
            None if failed || !reload.brought => None,
            // Its quiet begins anew.
            _ => Some(now()),
        };
        if let Some(Measure { inputs, watch, reloader }) = reload.measured {
            let mut wanted = (*self.wanted).clone();
            if let Some(reloader) = reloader {
                wanted.reloaders.insert(reload.service.clone(), reloader);
            } else if watch.is_some() {
                wanted.reloaders.shift_remove(&reload.service);
            }
            if let (Some(now), Some(WantedImage::Built(old))) = (&inputs, wanted.images.get_mut(&reload.service)) {
                *old = now.clone();
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
                watched.meanwhile.extend(reload.task.dirty);
            }
        }
        if !reload.superseded && self.watching.set_mend(&reload.service, reload.mend.filter(|_| failed && !by_rules)) {
            self.set_folders();
        }
        if let Some(watched) = self.watching.get_mut(&reload.service) {
            watched.look_again();
        }
        for braked in braked {
            self.say_braked(&reload.service, &braked);
        }
        // Without the engine nothing succeeds, and that was said. What somebody took away meanwhile is said as well.
        let taken_away = self.lost_them(&reload.containers);
        if let Some(report) = reload.report.filter(|_| !(failed && (self.lost || taken_away))) {
            self.sink.emit(Event::Reloaded(report));
        }
    }
}

/// Whether a container of the service can write a path of the host.
fn writes(service: &Service, path: &Path) -> bool {
    let mut binds = service.volumes.iter().filter(|mount| mount.r#type == MountType::Bind && !mount.read_only);
    binds.any(|mount| mount.source.as_ref().is_some_and(|source| path.starts_with(source)))
}
