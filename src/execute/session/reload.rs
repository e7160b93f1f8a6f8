//! One service's answer to a burst of changes, as a job of its own: sync and restart in place, or build and recreate.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::ending::restarted_with;
use super::mounted::Mounted;
use super::strangers::differing;
use super::watching::Task;
use super::{Finished, Session, now};
use crate::event::{Event, Message, ReloadAction, Reloaded, Timings};
use crate::execute::observe::{blocking, plan_failures, settle};
use crate::execute::sync::{Hot, SyncError};
use crate::execute::sync_files;
use crate::execute::{AtStart, Executor, Failure, RunOptions};
use crate::model::{
    Aside, ContainerId, Content, Digest, Effect, Measured, MountType, Project, Reload as Then, Reloader, Service,
    ServiceName, SyncTarget, Watch,
};
use crate::plan::{
    self, Brake, Decision, Op, Recreate, ReloadReason, Round, Running, UpOptions, Wanted, WantedImage, decide,
};

/// How a service's job ended.
pub struct Reload {
    service: ServiceName,
    /// What it was about; goes back where it did not succeed.
    task: Task,
    noticed: Instant,
    /// The containers that it was put into.
    containers: Vec<ContainerId>,
    /// What was measured, where it succeeded.
    measured: Option<Measure>,
    /// What the containers hold now, or that they hold a part of it.
    synced: HashMap<ContainerId, Digest>,
    /// A file was touched while it was synced. Its event is still to come, and an equal measure will say nothing.
    unsure: bool,
    /// What of that is to be written down, for the next hob.
    notes: Vec<(ContainerId, Digest)>,
    /// Its containers may hold what their image has not, or their image what has changed since.
    brought: bool,
    /// What was acted upon, with the sizes of files.
    acted: Vec<(PathBuf, Option<u64>)>,
    /// Its containers were made anew.
    rebuilt: bool,
    /// What may mend it, where it did not succeed.
    mend: Option<Watch>,
    /// For the person; `None` where nothing was to be done or the job was superseded.
    report: Option<Reloaded>,
    superseded: bool,
    /// A recreation was begun and not finished.
    halfway: bool,
}

/// A service as measured by its job.
#[derive(Clone)]
struct Measure {
    inputs: Option<Measured>,
    watch: Option<Watch>,
    reloader: Option<Reloader>,
}

/// Everything that a job takes with it.
struct Job {
    executor: Executor,
    project: Arc<Project>,
    service: Service,
    containers: Vec<ContainerId>,
    inputs: Option<Measured>,
    watch: Watch,
    task: Task,
    noticed: Instant,
    quiet: Instant,
    completed: bool,
    /// Somebody stopped it.
    stopped: bool,
    /// It has no container at all.
    removed: bool,
    /// The last job left a recreation unfinished.
    halfway: bool,
    hot: bool,
    synced: HashMap<ContainerId, Digest>,
    /// How the files were that it is about, before they were measured.
    stamps: HashMap<PathBuf, sync_files::Stamp>,
    /// Changes that are not acted upon any more.
    brake: Brake,
    /// What files behind its mounts held.
    mounted: Mounted,
    grace: Option<Duration>,
    keep_images: bool,
    at_start: Option<Arc<AtStart>>,
    cancel: CancellationToken,
    /// The session is being ended.
    stop: CancellationToken,
}

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

impl Job {
    async fn run(mut self) -> Reload {
        let mut reload = Reload {
            service: self.service.name.clone(),
            task: self.task.clone(),
            noticed: self.noticed,
            containers: self.containers.clone(),
            measured: None,
            synced: HashMap::new(),
            unsure: false,
            notes: Vec::new(),
            brought: false,
            acted: Vec::new(),
            rebuilt: false,
            mend: None,
            report: None,
            superseded: false,
            halfway: self.halfway,
        };
        let mut timings = Timings { noticed_us: micros(self.quiet - self.noticed), ..Timings::default() };
        let (reason, result) = self.act(&mut reload, &mut timings).await;
        reload.superseded = self.cancel.is_cancelled() && result.is_err();
        let (action, error) = match result {
            Ok(None) => return reload,
            Ok(Some(action)) => (action, None),
            Err(_) if reload.superseded => return reload,
            // Nobody waits for it, and what is wrong is said by whoever needs it.
            Err(_) if self.task.aside && !self.task.has_work() => return reload,
            Err(failure) => (ReloadAction::Failed, Some(failure.message)),
        };
        let files = reload.acted.iter().map(|(path, _)| self.shown(path)).collect();
        let service = self.service.name.clone();
        reload.report = Some(Reloaded { service, files, action, reason, timings, error });
        reload
    }

    fn shown(&self, path: &std::path::Path) -> PathBuf {
        path.strip_prefix(&self.project.working_dir).unwrap_or(path).to_path_buf()
    }

    /// Measures, decides and does. The result is what was done, `None` for nothing; the reason for that is there once it
    /// was decided.
    async fn act(
        &mut self,
        reload: &mut Reload,
        timings: &mut Timings,
    ) -> (Option<ReloadReason>, Result<Option<ReloadAction>, Failure>) {
        if self.task.initial {
            return self.initial_sync(reload, timings).await;
        }
        for path in &self.task.dirty {
            if let Effect::Sync { targets, .. } = self.watch.effects.effect(path) {
                let stamp = |target: SyncTarget| (sync_files::stamp(&target.source), target.source);
                self.stamps.extend(targets.into_iter().map(stamp).map(|(stamp, source)| (source, stamp)));
            }
        }
        let measured = match self.measure().await {
            Ok(measured) => measured,
            Err(failure) => {
                reload.acted = self.task.dirty.iter().map(|path| (path.clone(), sync_files::size(path))).collect();
                reload.mend = self.watch_for_mend().await;
                return (None, Err(failure));
            }
        };
        // Where it cannot be built, something that only the new Dockerfile reads may mend it.
        reload.mend.clone_from(&measured.watch);
        let same = measured.inputs == self.inputs && !self.task.unsure && self.task.lacks.is_none();
        let besides = self.take_in(&measured).or_else(|| self.task.lacks.clone());
        reload.task.dirty.clone_from(&self.task.dirty);
        let effects = self.task.dirty.iter().map(|path| (path.clone(), self.effect(path, &measured)));
        let effects = self.without_touched(effects.collect()).await;
        let by_rule = effects.iter().any(|(_, effect)| is_rule(effect));
        if same && self.task.asked.is_none() && !by_rule {
            // Written and the same as before.
            reload.measured = Some(measured);
            return (None, Ok(None));
        }
        reload.acted = self.shown_files(&effects, &measured);
        let state = Running {
            running: !self.containers.is_empty(),
            completed: self.completed,
            stopped: self.stopped,
            removed: self.removed,
            writable: !self.service.read_only,
        };
        let asides = effects.iter().all(|(_, effect)| matches!(effect, Effect::Aside(_)));
        if asides && !effects.is_empty() && besides.is_none() && self.task.asked.is_none() && !self.halfway {
            self.put_aside(reload, measured, &effects);
            return (None, Ok(None));
        }
        let by_files = match besides {
            Some(why) => Decision::Rebuild { why },
            None => decide(&self.service, state, measured.reloader.as_ref(), &effects),
        };
        let why = ReloadReason::Asked;
        let decision = match (self.task.asked.clone(), by_files) {
            (Some(Then::Rebuild), _) => Decision::Rebuild { why },
            // There is nothing to restart: the plan of a rebuild starts it.
            (Some(_), _) if !state.running => Decision::Rebuild { why: ReloadReason::AskedNotRunning },
            // What was saved meanwhile goes with it.
            (Some(then), Decision::Sync { targets, .. }) => Decision::Sync { targets, reload: then, why },
            (Some(_), rebuild @ Decision::Rebuild { .. }) => rebuild,
            (Some(then), _) => Decision::Reload { reload: then, files: Vec::new(), why },
            // Another container waits to take this one's place.
            (None, Decision::Sync { .. } | Decision::Reload { .. } | Decision::Nothing) if self.halfway => {
                Decision::Rebuild { why: ReloadReason::Unfinished }
            }
            (None, by_files) => by_files,
        };
        timings.decided_us = micros(now() - self.quiet);
        match decision {
            Decision::Nothing => {
                reload.measured = Some(measured);
                (None, Ok(None))
            }
            Decision::Hold(hold) => {
                reload.measured = Some(measured);
                (Some(ReloadReason::Held { hold }), Ok(Some(ReloadAction::Held)))
            }
            Decision::Rebuild { why } => match self.rebuild(reload, measured, timings).await {
                // A build failed or was given up, and then what it was about was taken back.
                Ok(None) if self.task.unsure && !reload.acted.is_empty() => {
                    (Some(ReloadReason::AsBuilt), Ok(Some(ReloadAction::NothingToDo)))
                }
                result => (Some(why), result),
            },
            Decision::Reload { reload: then, files, mut why } => {
                let then = self.past_mounts(then, &files, &mut why).await;
                let result = self.sync(reload, measured, Vec::new(), &then, timings, &mut why).await;
                (Some(why), result)
            }
            Decision::Sync { targets, reload: then, mut why } => {
                let result = self.sync(reload, measured, targets, &then, timings, &mut why).await;
                (Some(why), result)
            }
        }
    }

    /// The files of a report, with their sizes. What came and went, such as an editor's temporary file, is none.
    fn shown_files(&self, effects: &[(PathBuf, Effect)], measured: &Measure) -> Vec<(PathBuf, Option<u64>)> {
        let acts = effects.iter().filter(|(_, effect)| effect.acts());
        let sized: Vec<_> = acts.map(|(path, _)| (path.clone(), sync_files::size(path))).collect();
        let (Some(before), Some(now)) = (&self.inputs, &measured.inputs) else { return sized };
        if sized.iter().all(|(_, size)| size.is_some()) || sized.iter().all(|(_, size)| size.is_none()) {
            return sized;
        }
        let file = |part: String| self.project.file_of(&part, &self.service);
        let differing: BTreeSet<PathBuf> = now.parts.differing(&before.parts).into_iter().filter_map(file).collect();
        sized.into_iter().filter(|(path, size)| size.is_some() || differing.contains(path)).collect()
    }

    /// What a change asks for. The map is of the last measure: what an ignore file lets in or leaves out since is known to
    /// the new one alone.
    fn effect(&self, path: &Path, measured: &Measure) -> Effect {
        if self.brake.holds(path) {
            return Effect::Aside(Aside::Output);
        }
        match (self.watch.effects.effect(path), &measured.watch) {
            (Effect::Nothing, Some(watch)) => watch.effects.effect(path),
            // No build has it any more. That one had it before is said by `take_in`.
            (_, Some(watch)) if watch.effects.leaves_out(path) => watch.effects.effect(path),
            (effect, _) => effect,
        }
    }

    /// Of a file behind a mount no measure tells whether more than its times changed. After a job that ended halfway an
    /// equal content says nothing, and rules of the manifest act on every event.
    async fn without_touched(&self, mut effects: Vec<(PathBuf, Effect)>) -> Vec<(PathBuf, Effect)> {
        let by_mount = |effect: &Effect| matches!(effect, Effect::Reload { .. });
        if self.service.has_watch_rules() || !effects.iter().any(|(_, effect)| by_mount(effect)) {
            return effects;
        }
        let (mounted, unsure) = (self.mounted.clone(), self.task.unsure);
        blocking(move || {
            for (path, effect) in &mut effects {
                if by_mount(effect) && !mounted.has_changed(path) && !unsure {
                    *effect = Effect::Nothing;
                }
            }
            effects
        })
        .await
    }

    /// Nothing is to be done for these: the containers are as a new image would make them, for all that their programs
    /// see.
    fn put_aside(&self, reload: &mut Reload, measured: Measure, effects: &[(PathBuf, Effect)]) {
        if let Some(inputs) = &measured.inputs {
            let held = self.containers.iter().map(|container| (container.clone(), inputs.digest.clone()));
            reload.notes.extend(held.clone());
            reload.synced.extend(held);
        }
        reload.brought =
            effects.iter().any(|(_, effect)| matches!(effect, Effect::Aside(aside) if aside.is_in_image()));
        reload.measured = Some(measured);
    }

    /// A mount of a file shows the file that was there when the container was started. Where another one has taken its
    /// name since, only a start of the container shows that.
    async fn past_mounts(&self, then: Then, files: &[(PathBuf, String)], why: &mut ReloadReason) -> Then {
        if files.is_empty() || !matches!(then, Then::Restart | Then::Signal(_) | Then::Exec(_)) {
            return then;
        }
        for container in &self.containers {
            let image = self.project.image_name(&self.service);
            let hot = Hot { service: &self.service, container, agent: self.hot, image, stop: self.stop.clone() };
            if let Some(stale) = self.executor.agents.stale_mount(&hot, files).await {
                if let ReloadReason::Changed { replaced, .. } = why {
                    *replaced = Some(stale);
                }
                return Then::Container;
            }
        }
        then
    }

    async fn measure(&self) -> Result<Measure, Failure> {
        let (sources, project) = (Arc::clone(&self.executor.sources), Arc::clone(&self.project));
        let (service, images) = (self.service.name.clone(), self.executor.agents.images());
        let wanted = blocking(move || sources.measure(&project, std::slice::from_ref(&service), &images)).await;
        match wanted {
            Ok(wanted) => Ok(self.measure_of(&wanted)),
            Err(failures) => Err(first(failures)),
        }
    }

    async fn watch_for_mend(&self) -> Option<Watch> {
        let (sources, project) = (Arc::clone(&self.executor.sources), Arc::clone(&self.project));
        let service = self.service.name.clone();
        blocking(move || sources.watch_for_mend(&project, &service)).await
    }

    /// The measure may have seen changes whose events are still under way. They are part of it, and when their events
    /// come nothing will differ any more: so they are acted upon now. The answer is the reason for a build, where
    /// something differs that is not a file.
    fn take_in(&mut self, measured: &Measure) -> Option<ReloadReason> {
        // Rules of the manifest say alone what a change does, and act on every event.
        if self.service.has_watch_rules() {
            return None;
        }
        let (Some(before), Some(now)) = (&self.inputs, &measured.inputs) else { return None };
        let (files, besides) =
            differing(now.parts.differing(&before.parts), |part| self.project.file_of(part, &self.service));
        // What an ignore file leaves out since is no change of the file, and cannot be synced; the container has it until
        // it is made anew, which is done at once where its program may see it.
        let is_left_out = |path: &PathBuf| {
            let leaves_out = |watch: &Watch| watch.effects.leaves_out(path);
            measured.watch.as_ref().is_some_and(leaves_out) && !leaves_out(&self.watch)
        };
        let (gone, files): (Vec<PathBuf>, Vec<PathBuf>) = files.into_iter().partition(is_left_out);
        let seen = gone.iter().find(|path| self.watch.effects.effect(path).acts());
        let besides = besides.or_else(|| Some(ReloadReason::LeftOut { file: self.shown(seen?) }));
        self.task.dirty.extend(files);
        besides
    }

    fn measure_of(&self, wanted: &Wanted) -> Measure {
        let name = &self.service.name;
        Measure {
            inputs: super::watching::measured(wanted, name),
            watch: wanted.watch.get(name).cloned(),
            reloader: wanted.reloaders.get(name).cloned(),
        }
    }

    async fn sync(
        &self,
        reload: &mut Reload,
        measured: Measure,
        targets: Vec<SyncTarget>,
        then: &Then,
        timings: &mut Timings,
        why: &mut ReloadReason,
    ) -> Result<Option<ReloadAction>, Failure> {
        let mut action = None;
        for container in &self.containers {
            let image = self.project.image_name(&self.service);
            let hot = Hot { service: &self.service, container, agent: self.hot, image, stop: self.stop.clone() };
            // Until all is there, it holds what no build gives.
            reload.synced.insert(container.clone(), Digest::of(b"partly synced"));
            if measured.inputs.is_some() && !targets.is_empty() {
                let noted = self.executor.sources.note_content(container, &Content::Syncing);
                if let Err(error) = noted {
                    let error = format!("what the container holds cannot be written down: {error}");
                    *why = ReloadReason::CannotSync { error };
                    return self.rebuild(reload, measured, timings).await;
                }
            }
            match self.executor.agents.sync(&hot, &targets, then, self.grace).await {
                Ok(done) => {
                    let as_measured = self.is_as_measured(&hot, &targets, &measured).await;
                    reload.unsure |= !as_measured;
                    timings.synced_us = timings.synced_us.max(done.synced_us);
                    timings.restarted_us = timings.restarted_us.max(done.reloaded_us);
                    action = done.action;
                    reload.brought |= !targets.is_empty();
                    match &measured.inputs {
                        Some(_) if !as_measured => None,
                        Some(inputs) => {
                            // Rules of the manifest say where files go, which may not be where a build has them.
                            let news = !targets.is_empty() || measured.inputs != self.inputs;
                            if news && !self.service.has_watch_rules() {
                                reload.notes.push((container.clone(), inputs.digest.clone()));
                            }
                            reload.synced.insert(container.clone(), inputs.digest.clone())
                        }
                        None => reload.synced.remove(container),
                    };
                }
                // What cannot be synced is built: the result is the same, it only takes longer.
                Err(SyncError::Rebuild(reason)) => {
                    *why = ReloadReason::CannotSync { error: reason.clone() };
                    let built = self.rebuild(reload, measured, timings).await;
                    if matches!(built, Ok(None)) {
                        self.executor.agents.say_refused(&self.service, &reason);
                    }
                    return built;
                }
                Err(SyncError::Failed(failure)) => return Err(failure),
            }
        }
        reload.measured = Some(measured);
        // Files that are not there, and nothing that follows: nothing was done.
        Ok(action)
    }

    /// Whether a container has what was measured. A file that was touched since may have been another one for a moment,
    /// such as empty while it was saved twice, or there while version control passed by, and nothing would tell: the next
    /// measure is as this one.
    async fn is_as_measured(&self, hot: &Hot<'_>, targets: &[SyncTarget], measured: &Measure) -> bool {
        let now = |target: &SyncTarget| sync_files::stamp(&target.source);
        // What was not there has no time of its last change: it may have been there since, and be gone again.
        let is_touched = |target: &&SyncTarget| {
            self.stamps.get(&target.source).is_none_or(|stamp| stamp.is_none() || *stamp != now(target))
        };
        let touched: Vec<SyncTarget> = targets.iter().filter(is_touched).cloned().collect();
        // Rules of the manifest act on every event.
        if touched.is_empty() || self.service.has_watch_rules() {
            return true;
        }
        let before: Vec<sync_files::Stamp> = touched.iter().map(now).collect();
        let again = self.measure().await;
        again.is_ok_and(|again| again.inputs == measured.inputs)
            && self.executor.agents.missing(hot, &touched).await.is_ok_and(|missing| missing.is_empty())
            && touched.iter().map(now).eq(before)
    }

    /// Puts everything that `initial_sync` is about into the containers, as far as they do not hold it. What a build
    /// gave them is not touched by it, nor is what is remembered of it.
    async fn initial_sync(
        &mut self,
        reload: &mut Reload,
        timings: &mut Timings,
    ) -> (Option<ReloadReason>, Result<Option<ReloadAction>, Failure>) {
        let effects = Arc::clone(&self.watch.effects);
        let (targets, follows) = blocking(move || effects.at_start()).await;
        // Who cannot tell what is missing has all of it to do each time, and restarts nothing for it.
        let then = if self.hot { follows } else { Then::None };
        let mut action = None;
        for container in self.containers.clone() {
            let image = self.project.image_name(&self.service);
            let hot =
                Hot { service: &self.service, container: &container, agent: self.hot, image, stop: self.stop.clone() };
            let agents = &self.executor.agents;
            let done = match agents.missing(&hot, &targets).await {
                Ok(missing) if missing.is_empty() => continue,
                Ok(missing) => {
                    reload.acted.extend(missing.iter().map(|target| (target.source.clone(), None)));
                    agents.sync(&hot, &missing, &then, self.grace).await
                }
                Err(error) => Err(error),
            };
            let why = Some(ReloadReason::InitialSync);
            match done {
                Ok(done) => {
                    timings.synced_us = timings.synced_us.max(done.synced_us);
                    timings.restarted_us = timings.restarted_us.max(done.reloaded_us);
                    action = done.action.or(action);
                }
                Err(SyncError::Failed(failure)) => return (why, Err(failure)),
                Err(SyncError::Rebuild(reason)) => {
                    let message = Message::new(format!("`initial_sync` cannot be done: {reason}"));
                    let message = message.service(&self.service.name);
                    return (why, Err(Failure { cause: crate::execute::Cause::Engine, message }));
                }
            }
        }
        reload.measured = Some(Measure { inputs: self.inputs.clone(), watch: None, reloader: None });
        (Some(ReloadReason::InitialSync), Ok(action))
    }

    /// The plan of just this service, and of those that are to be restarted with it. Where a person asked for it,
    /// nothing says that it is needed, and only this service is made anew.
    fn rebuild_options(&self) -> UpOptions {
        // Orphans were warned of by the first plan.
        let mut options = UpOptions { no_deps: true, grace: self.grace, ignore_orphans: true, ..UpOptions::default() };
        options.services.push(self.service.name.clone());
        if self.task.asked == Some(Then::Rebuild) {
            (options.rebuild, options.recreate) = (true, Recreate::Always);
        } else {
            options.services.extend(restarted_with(&self.project, &self.service.name));
        }
        options
    }

    /// Builds the image and recreates the container.
    async fn rebuild(
        &self,
        reload: &mut Reload,
        measured: Measure,
        timings: &mut Timings,
    ) -> Result<Option<ReloadAction>, Failure> {
        let began = now();
        let options = self.rebuild_options();
        let superseded = || {
            let message = Message::new("a newer change took its place");
            Failure { cause: crate::execute::Cause::Build, message }
        };
        let turn = self.executor.turn(&self.cancel).await?.ok_or_else(superseded)?;
        let (cancel, keep_images, at_start) = (self.cancel.clone(), self.keep_images, self.at_start.clone());
        let reload_of = Some(self.service.name.clone());
        let run = RunOptions { cancel, keep_images, turn: Some(turn), at_start, reload_of, ..RunOptions::default() };
        let view = settle(&self.executor, &self.project, &options.services, &options, &run).await;
        let view = view.map_err(first)?;
        let mut synced = self.synced.clone();
        synced.extend(reload.synced.clone());
        let plan =
            plan::up(view.input(&synced), &options).map_err(|errors| first(plan_failures(&self.project, errors)))?;
        if plan.is_empty() {
            reload.halfway = false;
            reload.measured = Some(measured);
            return Ok(None);
        }
        reload.halfway = true;
        let outcome = self.executor.run(&self.project, &plan, &run).await;
        timings.synced_us = micros(now() - began);
        if let Some(failure) = outcome.failures.into_iter().next() {
            return Err(failure);
        }
        if outcome.cancelled {
            return Err(superseded());
        }
        if outcome.overtaken {
            let message = Message::new("another command changed the project meanwhile; a save tries again");
            return Err(Failure { cause: crate::execute::Cause::Engine, message });
        }
        reload.halfway = false;
        reload.measured = Some(self.measure_of(&view.wanted));
        reload.rebuilt = true;
        let has = |is: fn(&Op) -> bool| plan.steps.iter().any(|step| is(&step.op));
        let action = if has(|op| matches!(op, Op::Create(_))) {
            ReloadAction::Rebuilt { recreated: true }
        } else if has(|op| matches!(op, Op::Build { .. } | Op::Tag { .. })) {
            ReloadAction::Rebuilt { recreated: false }
        } else {
            ReloadAction::Started
        };
        Ok(Some(action))
    }
}

/// Whether a container of the service can write a path of the host.
fn writes(service: &Service, path: &Path) -> bool {
    let mut binds = service.volumes.iter().filter(|mount| mount.r#type == MountType::Bind && !mount.read_only);
    binds.any(|mount| mount.source.as_ref().is_some_and(|source| path.starts_with(source)))
}

/// A rule of the manifest asked for it: there may be no build whose inputs tell whether anything changed.
fn is_rule(effect: &Effect) -> bool {
    matches!(effect, Effect::Reload { .. } | Effect::Sync { then: Some(_), .. })
}

fn first(failures: Vec<Failure>) -> Failure {
    failures
        .into_iter()
        .next()
        .unwrap_or_else(|| Failure { cause: crate::execute::Cause::Engine, message: Message::new("nothing was done") })
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
