//! The answer to what has changed of one service: what was measured, what that asks for, and then sync and restart in
//! place, or build and recreate.

mod rebuild;
mod sync;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, info_span};

use super::drift::differing;
use super::mounted::Mounted;
use super::plan;
use super::shared::Shared;
use crate::event::{self, Message, ReloadAction, Timings};
use crate::execute::observe::blocking;
use crate::execute::session::clock::now;
use crate::execute::session::ended::{Ended, Measure, Pending, Reloaded};
use crate::execute::{AtStart, Executor, Failure, sync_files};
use crate::host::entry_at;
use crate::model::{
    Aside, ContainerId, Digest, Effect, Measured, Part, Project, Reload as Then, Service, ServiceName, SyncTarget,
    Watch,
};
use crate::plan::{Brake, Decision, ReloadReason, Running, Wanted, decide};

/// Answers what has changed of a service.
pub struct ReloadTask {
    /// The project.
    pub project: Arc<Project>,
    /// The service.
    pub service: Service,
    /// Its containers that run.
    pub containers: Vec<ContainerId>,
    /// What its build reads, as last measured.
    pub inputs: Option<Measured>,
    /// What is watched for it.
    pub watch: Watch,
    /// What it is about.
    pub pending: Pending,
    /// When the first change was noticed.
    pub noticed: Instant,
    /// When the burst had ended.
    pub quiet: Instant,
    /// It is a job and has completed.
    pub completed: bool,
    /// Somebody stopped it.
    pub stopped: bool,
    /// It has no container at all.
    pub removed: bool,
    /// The last job left a recreation unfinished.
    pub recreate_interrupted: bool,
    /// What containers hold by hot sync.
    pub synced: HashMap<ContainerId, Digest>,
    /// Changes that are not acted upon any more.
    pub brake: Brake,
    /// How long a stop may take: `--timeout`.
    pub grace: Option<Duration>,
    /// Images that are superseded stay.
    pub keep_images: bool,
    /// Services whose output is to be shown.
    pub shown: BTreeSet<ServiceName>,
}

/// Everything that the work takes with it.
struct Job {
    executor: Executor,
    task: ReloadTask,
    /// Its containers carry the agent.
    hot: bool,
    /// How the files were that it is about, before they were measured.
    stamps: HashMap<PathBuf, sync_files::Stamp>,
    /// What files behind its mounts held.
    mounted: Mounted,
    at_start: Option<Arc<AtStart>>,
    cancel: CancellationToken,
    /// The session is being ended.
    stop: CancellationToken,
}

impl std::ops::Deref for Job {
    type Target = ReloadTask;

    fn deref(&self) -> &ReloadTask {
        &self.task
    }
}

impl ReloadTask {
    /// Does it. `cancel` ends what can be ended, and `stop` is the end of the session.
    pub async fn run(
        self,
        shared: Shared,
        at_start: Option<Arc<AtStart>>,
        cancel: CancellationToken,
        stop: CancellationToken,
    ) -> Ended {
        let (hot, mounted) = (shared.executor.agents.carries(&self.service.name), shared.mounts.of(&self.service.name));
        let executor = shared.executor;
        let job = Job { executor, task: self, hot, stamps: HashMap::new(), mounted, at_start, cancel, stop };
        let span = info_span!("job", service = %job.service.name);
        Ended::Reloaded(Box::new(job.run().instrument(span).await))
    }
}

impl Job {
    async fn run(mut self) -> Reloaded {
        let mut reload = Reloaded {
            service: self.service.name.clone(),
            pending: self.pending.clone(),
            noticed: self.noticed,
            containers: self.containers.clone(),
            measured: None,
            synced: HashMap::new(),
            is_unsure: false,
            notes: Vec::new(),
            is_image_stale: false,
            acted: Vec::new(),
            rebuilt: false,
            mend: None,
            report: None,
            superseded: false,
            recreate_interrupted: self.recreate_interrupted,
        };
        let mut timings = Timings { noticed_us: micros(self.quiet - self.noticed), ..Timings::default() };
        let (reason, result) = self.act(&mut reload, &mut timings).await;
        reload.superseded = self.cancel.is_cancelled() && result.is_err();
        let (action, error) = match result {
            Ok(None) => return reload,
            Ok(Some(action)) => (action, None),
            Err(_) if reload.superseded => return reload,
            // Nobody waits for it, and what is wrong is said by whoever needs it.
            Err(_) if self.pending.aside && !self.pending.has_work() => return reload,
            Err(failure) => (ReloadAction::Failed, Some(failure.message)),
        };
        let files = reload.acted.iter().map(|(path, _)| self.shown(path)).collect();
        let service = self.service.name.clone();
        reload.report = Some(event::Reloaded { service, files, action, reason, timings, error });
        reload
    }

    fn shown(&self, path: &std::path::Path) -> PathBuf {
        path.strip_prefix(&self.project.working_dir).unwrap_or(path).to_path_buf()
    }

    /// Measures, decides and does. The result is what was done, `None` for nothing; the reason for that is there once it
    /// was decided.
    async fn act(
        &mut self,
        reload: &mut Reloaded,
        timings: &mut Timings,
    ) -> (Option<ReloadReason>, Result<Option<ReloadAction>, Failure>) {
        if self.pending.initial_sync {
            return self.initial_sync(reload, timings).await;
        }
        for path in &self.task.pending.files {
            if let Effect::Sync { targets, .. } = effect(&self.task.watch, path) {
                let stamp = |target: SyncTarget| (sync_files::stamp(&target.source), target.source);
                self.stamps.extend(targets.into_iter().map(stamp).map(|(stamp, source)| (source, stamp)));
            }
        }
        let measured = match self.measure().await {
            Ok(measured) => measured,
            Err(failure) => {
                reload.acted = self.pending.files.iter().map(|path| (path.clone(), sync_files::size(path))).collect();
                reload.mend = self.watch_for_mend().await;
                return (None, Err(failure));
            }
        };
        // Where it cannot be built, something that only the new Dockerfile reads may mend it.
        reload.mend.clone_from(&measured.watch);
        let same = measured.inputs == self.inputs && !self.pending.is_unsure && self.pending.rebuild_reason.is_none();
        let besides = self.take_in(&measured).or_else(|| self.pending.rebuild_reason.clone());
        reload.pending.files.clone_from(&self.pending.files);
        let effects = self.pending.files.iter().map(|path| (path.clone(), self.effect(path, &measured)));
        let effects = self.without_touched(effects.collect()).await;
        let by_rule = effects.iter().any(|(_, effect)| is_rule(effect));
        if same && self.pending.asked.is_none() && !by_rule {
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
        if asides
            && !effects.is_empty()
            && besides.is_none()
            && self.pending.asked.is_none()
            && !self.recreate_interrupted
        {
            self.put_aside(reload, measured, &effects);
            return (None, Ok(None));
        }
        let by_files = match besides {
            Some(why) => Decision::Rebuild { why },
            None => decide(&self.service, state, measured.reloader.as_ref(), &effects),
        };
        let why = ReloadReason::Asked;
        let decision = match (self.pending.asked.clone(), by_files) {
            (Some(Then::Rebuild), _) => Decision::Rebuild { why },
            // There is nothing to restart: the plan of a rebuild starts it.
            (Some(_), _) if !state.running => Decision::Rebuild { why: ReloadReason::AskedNotRunning },
            // What was saved meanwhile goes with it.
            (Some(then), Decision::Sync { targets, .. }) => Decision::Sync { targets, reload: then, why },
            (Some(_), rebuild @ Decision::Rebuild { .. }) => rebuild,
            (Some(then), _) => Decision::Reload { reload: then, files: Vec::new(), why },
            // Another container waits to take this one's place.
            (None, Decision::Sync { .. } | Decision::Reload { .. } | Decision::Nothing)
                if self.recreate_interrupted =>
            {
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
                Ok(None) if self.pending.is_unsure && !reload.acted.is_empty() => {
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
        let file = |part: Part| self.project.file_of(&part, &self.service);
        let differing: BTreeSet<PathBuf> = now.parts.differing(&before.parts).into_iter().filter_map(file).collect();
        sized.into_iter().filter(|(path, size)| size.is_some() || differing.contains(path)).collect()
    }

    /// What a change asks for. The map is of the last measure: what an ignore file lets in or leaves out since is known to
    /// the new one alone.
    fn effect(&self, path: &Path, measured: &Measure) -> Effect {
        if self.brake.holds(path) {
            return Effect::Aside(Aside::Output);
        }
        match (effect(&self.watch, path), &measured.watch) {
            (Effect::Nothing, Some(watch)) => effect(watch, path),
            // No build has it any more. That one had it before is said by `take_in`.
            (_, Some(watch)) if watch.effects.leaves_out(path) => effect(watch, path),
            (known, _) => known,
        }
    }

    /// Of a file behind a mount no measure tells whether more than its times changed. After a job that ended halfway an
    /// equal content says nothing, and rules of the manifest act on every event.
    async fn without_touched(&self, mut effects: Vec<(PathBuf, Effect)>) -> Vec<(PathBuf, Effect)> {
        let by_mount = |effect: &Effect| matches!(effect, Effect::Reload { .. });
        if self.service.has_watch_rules() || !effects.iter().any(|(_, effect)| by_mount(effect)) {
            return effects;
        }
        let (mounted, unsure) = (self.mounted.clone(), self.pending.is_unsure);
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
    fn put_aside(&self, reload: &mut Reloaded, measured: Measure, effects: &[(PathBuf, Effect)]) {
        if let Some(inputs) = &measured.inputs {
            let held = self.containers.iter().map(|container| (container.clone(), inputs.digest.clone()));
            reload.notes.extend(held.clone());
            reload.synced.extend(held);
        }
        reload.is_image_stale =
            effects.iter().any(|(_, effect)| matches!(effect, Effect::Aside(aside) if aside.is_in_image()));
        reload.measured = Some(measured);
    }

    async fn measure(&self) -> Result<Measure, Failure> {
        let (sources, project) = (Arc::clone(&self.executor.sources), Arc::clone(&self.project));
        let (service, images) = (self.service.name.clone(), self.executor.agents.images());
        let wanted = blocking(move || sources.measure(&project, std::slice::from_ref(&service), &images));
        match wanted.instrument(info_span!("measure")).await {
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
        let seen = gone.iter().find(|path| effect(&self.watch, path).acts());
        let besides = besides.or_else(|| Some(ReloadReason::LeftOut { file: self.shown(seen?) }));
        self.task.pending.files.extend(files);
        besides
    }

    fn measure_of(&self, wanted: &Wanted) -> Measure {
        let name = &self.service.name;
        Measure {
            inputs: plan::measured(wanted, name),
            watch: wanted.watch.get(name).cloned(),
            reloader: wanted.reloaders.get(name).cloned(),
        }
    }
}

/// What a change of a path asks for, as it is now.
fn effect(watch: &Watch, path: &Path) -> Effect {
    watch.effects.effect(path, entry_at(path).ok().as_ref())
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
