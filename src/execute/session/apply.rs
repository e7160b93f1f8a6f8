//! The whole plan: made and carried out beside the loop, in two jobs with the watch set between them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::strangers::differing;
use super::watched::measured;
use super::{Finished, Session, now};
use crate::engine::Query;
use crate::event::{Event, Message};
use crate::execute::observe::{blocking, observe, plan_failures, settle, settle_for_plan, stand_for};
use crate::execute::{Executor, Failure, Outcome, RunOptions, Turn, View, provide};
use crate::model::{Aside, ContainerId, Digest, Observed, ObservedContainer, Project, ServiceName, Watch};
use crate::plan::labels::made_from;
use crate::plan::{self, Op, Plan, UpOptions};

/// What a plan is to be made from.
pub struct Viewed {
    view: Result<View, Vec<Failure>>,
    /// When the engine was asked.
    taken: Instant,
    /// It was taken with all folders watched that it reads.
    watched: bool,
    /// The turn in which what is planned from it is carried out.
    turn: Option<Arc<Turn>>,
    /// What may mend the services that could not be measured.
    mends: HashMap<ServiceName, Watch>,
}

/// A container that holds all that matters of what is wanted.
struct Held {
    service: ServiceName,
    container: ContainerId,
    /// Of what is wanted.
    digest: Digest,
    /// The image would have something that the container has not.
    behind: bool,
}

/// How an apply ended.
pub struct Applied {
    /// Containers that hold all that matters of what is wanted, though it has changed.
    held: Vec<Held>,
    /// What is there afterwards, and when the engine was asked; `None` where it did not answer.
    after: Option<(Observed, Instant)>,
    /// How the plan ended.
    outcome: Outcome,
}

impl Applied {
    /// Nothing was planned; without a failure because it was cancelled.
    fn nothing(failures: Vec<Failure>) -> Self {
        let outcome = Outcome { cancelled: failures.is_empty(), failures, ..Outcome::default() };
        Self { held: Vec::new(), after: None, outcome }
    }
}

impl Session {
    /// The services that this session is about: those asked for and what they need.
    pub(super) fn scope(&self) -> Vec<ServiceName> {
        plan::scope(&self.project, &self.options.up.services, self.options.up.no_deps)
    }

    /// The services that the session was asked for by name, all where none was. Their end is its end, and it stops no
    /// others: what they need may have run before, and may be what others need too.
    pub(super) fn asked(&self) -> Vec<ServiceName> {
        let asked = &self.options.up.services;
        if asked.is_empty() { self.project.services.keys().cloned().collect() } else { asked.clone() }
    }

    pub(super) fn in_scope(&self, service: &ServiceName) -> bool {
        self.options.up.services.is_empty() || self.scope().contains(service)
    }

    /// Observes, plans and carries out; without `apply` it only observes.
    pub(super) fn apply(&mut self) {
        self.again = false;
        self.applying = true;
        self.watching.incomplete = false;
        // What has changed until now is part of the measure that is about to be taken.
        self.watching.forget_dirty();
        let mut looking = self.looking();
        self.jobs.spawn(async move {
            let turn = match looking.turn().await {
                Ok(turn) => turn,
                Err(failures) => {
                    let view = Err(failures);
                    return Finished::Viewed(Box::new(Viewed {
                        view,
                        taken: now(),
                        watched: false,
                        turn: None,
                        mends: HashMap::new(),
                    }));
                }
            };
            looking.run.turn.clone_from(&turn);
            let taken = now();
            let view = looking.view().await;
            let mends = looking.mends(&view).await;
            Finished::Viewed(Box::new(Viewed { view, taken, watched: false, turn, mends }))
        });
    }

    fn looking(&self) -> Looking {
        let mut options = self.options.up.clone();
        if self.up || self.overtaken {
            // What a flag forces is forced once.
            options.recreate = plan::Recreate::Changed;
            options.rebuild = false;
            options.pull = None;
            options.renew_anon_volumes = false;
            options.leave_stopped.clone_from(self.others.all_stopped());
        }
        let mut run = self.options.run.clone();
        run.cancel = self.beside.cancel.clone();
        run.beside.clone_from(&self.beside.beside);
        run.at_start = self.at_start();
        Looking {
            executor: self.executor.clone(),
            project: Arc::clone(&self.project),
            scope: self.scope(),
            options,
            run,
            holds_asides: self.up,
            apply: self.options.apply || self.up,
            watch: self.options.watch,
        }
    }

    /// Sets the watch, and then plans and carries out: what is saved meanwhile is seen.
    pub(super) fn viewed(&mut self, viewed: Viewed) {
        let Viewed { view, taken, watched, turn, mends } = viewed;
        self.watching.set_mends(mends);
        let view = match view {
            Ok(view) => view,
            Err(failures) => {
                self.set_folders();
                self.applied(Applied::nothing(failures));
                return;
            }
        };
        self.wanted = Arc::clone(&view.wanted);
        // With what providers said.
        self.project = Arc::clone(&view.project);
        if !self.up && !watched {
            self.containers.observe(&view.observed, taken, &self.scope());
            self.first_view.get_or_insert(taken);
            let newest = view.observed.containers.iter().map(|container| container.created).max();
            self.newest_at_start.get_or_insert(newest.unwrap_or(i64::MIN));
            self.follow_running(None);
        }
        if self.watch_services() && !watched {
            let mut looking = self.looking();
            looking.run.turn.clone_from(&turn);
            self.jobs.spawn(async move {
                // What changed between the measure and the watch was not told.
                let again = looking.is_outdated(&view).await;
                let view = if again { looking.view().await } else { Ok(view) };
                let mends = looking.mends(&view).await;
                Finished::Viewed(Box::new(Viewed { view, taken, watched: true, turn, mends }))
            });
            return;
        }
        self.beside.begin(taken);
        let (mut looking, synced) = (self.looking(), self.synced.clone());
        looking.run.turn = turn;
        self.jobs.spawn(async move { Finished::Applied(Box::new(looking.carry_out(view, taken, &synced).await)) });
    }

    pub(super) fn applied(&mut self, applied: Applied) {
        self.applying = false;
        let Applied { held, after, outcome } = applied;
        let first = !self.up;
        let planned_at = self.beside.end(&self.cancel);
        self.again |= self.watching.planned(outcome.is_success());
        if let Some((after, taken)) = &after {
            self.containers.observe(after, *taken, &self.scope());
            // Without a plan nobody has compared them.
            if self.options.apply || self.up {
                self.fill(after);
            }
            for container in after.containers.iter().filter(|c| !c.oneoff) {
                self.agents.saw(container);
                if container.state.is_running() {
                    self.connect_agent(&container.service, &container.id);
                }
            }
            if let Some(first) = self.first_view {
                self.follow_old(first);
            }
        }
        if self.stopping.is_some() {
            for failure in &outcome.failures {
                self.sink.emit(Event::Error(failure.message.clone()));
            }
            return;
        }
        if outcome.overtaken && outcome.failures.is_empty() {
            (self.again, self.overtaken) = (true, true);
            return;
        }
        if outcome.cancelled && outcome.failures.is_empty() {
            // Its waits were ended, for a plan that takes its place.
            return;
        }
        if outcome.is_success() {
            self.told.clear();
            self.watching.all_built(planned_at);
        }
        for Held { service, container, digest, behind } in held {
            self.synced.insert(container.clone(), digest.clone());
            self.note_later(&service, container, digest);
            if behind {
                self.watching.set_behind(&service);
            }
        }
        if outcome.is_success() {
            let after = after.map(|(after, _)| after).unwrap_or_default();
            if first && self.options.apply {
                self.look_whether_ready(after);
            } else if self.attached() {
                self.look_at_urls(&after);
            }
        } else if first && !(self.options.stay && self.options.watch) {
            // Told by whoever ends the program with them.
            self.failed = outcome.failures;
            return;
        } else {
            self.say_failures(outcome.failures.iter().map(|failure| failure.message.clone()).collect());
        }
        self.up = true;
        self.say_watching();
    }

    /// Says why nothing was done; errors that are those of the last time are not said again.
    fn say_failures(&mut self, messages: Vec<Message>) {
        let again = self.told == messages;
        if !again {
            for message in &messages {
                self.sink.emit(Event::Error(message.clone()));
            }
            self.told = messages;
        }
        let text = if again {
            "failed as before; waiting for a change that mends it"
        } else {
            "waiting for a change that mends it"
        };
        self.sink.emit(Event::Notice { text: text.to_owned() });
    }
}

/// Everything that a job takes with it to look and to carry out.
struct Looking {
    executor: Executor,
    project: Arc<Project>,
    scope: Vec<ServiceName>,
    options: UpOptions,
    run: RunOptions,
    /// Containers are left that lack nothing but what their programs do not see. A command gives clean ones.
    holds_asides: bool,
    apply: bool,
    watch: bool,
}

impl Looking {
    /// The turn to change the project, where that is to be done; no failure says that it was cancelled.
    async fn turn(&self) -> Result<Option<Arc<Turn>>, Vec<Failure>> {
        if !self.apply {
            return Ok(None);
        }
        let turn = self.executor.turn(&self.run.cancel).await.map_err(|failure| vec![failure])?;
        turn.map(Some).ok_or_else(Vec::new)
    }

    async fn view(&self) -> Result<View, Vec<Failure>> {
        let Self { executor, project, scope, .. } = self;
        let provided;
        let project = if self.apply {
            let cancelled = self.run.cancel.cancelled();
            provided = tokio::select! {
                provided = provide(&*executor.sink, project, scope) => provided?,
                () = cancelled => return Err(Vec::new()),
            };
            &provided
        } else {
            project
        };
        if self.apply && !self.watch {
            return settle_for_plan(executor, project, scope, &self.options, &self.run).await;
        }
        if self.apply {
            return settle(executor, project, scope, &self.options, &self.run).await;
        }
        let view = observe(&*executor.engine, &executor.sources, project, scope).await?;
        executor.agents.remember(&view.observed);
        Ok(view)
    }

    /// What may mend the services that could not be measured.
    async fn mends(&self, view: &Result<View, Vec<Failure>>) -> HashMap<ServiceName, Watch> {
        let Err(failures) = view else { return HashMap::new() };
        let broken: Vec<ServiceName> = failures.iter().filter_map(|failure| failure.message.service.clone()).collect();
        if !self.watch || broken.is_empty() {
            return HashMap::new();
        }
        let (sources, project) = (Arc::clone(&self.executor.sources), Arc::clone(&self.project));
        blocking(move || {
            let mend = |name: ServiceName| Some((name.clone(), sources.watch_for_mend(&project, &name)?));
            broken.into_iter().filter_map(mend).collect()
        })
        .await
    }

    /// Whether the files are not those of the view any more. A measure that fails is said by the next view.
    async fn is_outdated(&self, view: &View) -> bool {
        let (sources, project, scope) =
            (Arc::clone(&self.executor.sources), Arc::clone(&self.project), self.scope.clone());
        let images = view.observed.images.clone();
        let now = blocking(move || sources.measure(&project, &scope, &images)).await;
        now.is_ok_and(|now| {
            now.images.iter().any(|(name, image)| {
                image.digest() != view.wanted.images.get(name).and_then(crate::plan::WantedImage::digest)
            })
        })
    }

    async fn carry_out(&self, view: View, taken: Instant, synced: &HashMap<ContainerId, Digest>) -> Applied {
        let Self { executor, project, .. } = self;
        if !self.apply {
            let after = Some((view.observed.clone(), taken));
            return Applied { held: Vec::new(), after, outcome: Outcome::default() };
        }
        let held = self.held(&view, synced).await;
        let mut synced = synced.clone();
        synced.extend(held.iter().map(|held| (held.container.clone(), held.digest.clone())));
        let outcome = match self.plan(&view, &synced, &held) {
            Ok(plan) if plan.steps.is_empty() => {
                let outcome = executor.run(project, &plan, &self.run).await;
                let after = Some((view.observed.clone(), taken));
                return Applied { held, after, outcome };
            }
            Ok(plan) => executor.run(project, &plan, &self.run).await,
            Err(errors) => Outcome { failures: plan_failures(project, errors), ..Outcome::default() },
        };
        let taken = now();
        let query = Query { project: project.name.to_string(), ..Query::default() };
        let after = executor.engine.observe(&query).await.ok().map(|after| (after, taken));
        Applied { held, after, outcome }
    }

    /// The plan. What is held needs no image now, unless something else makes a container of it.
    fn plan(
        &self,
        view: &View,
        synced: &HashMap<ContainerId, Digest>,
        held: &[Held],
    ) -> Result<Plan, Vec<plan::PlanError>> {
        if held.is_empty() {
            return plan::up(view.input(synced), &self.options);
        }
        let mut needed: Vec<ServiceName> = Vec::new();
        loop {
            let mut assumed = view.clone();
            for held in held.iter().filter(|held| !needed.contains(&held.service)) {
                let Some(service) = self.project.services.get(&held.service) else { continue };
                let image = view.observed.containers.iter().find(|c| c.id == held.container).map(|c| c.image.clone());
                stand_for(&self.project, &mut assumed.observed, service, &held.digest, image.unwrap_or_default());
            }
            let plan = plan::up(assumed.input(synced), &self.options)?;
            // Services that build the same share the image.
            let needs = |digest: &Digest| {
                let of = |step: &&plan::Step| {
                    let image = step.service.as_ref().and_then(|name| view.wanted.images.get(name));
                    image.and_then(plan::WantedImage::digest) == Some(digest)
                };
                let uses = |op: &Op| matches!(op, Op::Create { .. } | Op::Build { .. } | Op::Tag { .. });
                plan.steps.iter().filter(of).any(|step| uses(&step.op))
            };
            let mut open = held.iter().filter(|held| !needed.contains(&held.service));
            let more = open.find(|held| needs(&held.digest)).map(|held| &held.service);
            match more {
                Some(name) => needed.push(name.clone()),
                None => return Ok(plan),
            }
        }
    }

    /// Containers whose builds read something else now, in nothing that their programs would see: the manifest itself,
    /// what is mounted over.
    async fn held(&self, view: &View, synced: &HashMap<ContainerId, Digest>) -> Vec<Held> {
        if !self.holds_asides {
            return Vec::new();
        }
        let of = |container: &ObservedContainer| {
            let now = measured(&view.wanted, &container.service)?;
            Some((now, synced.get(&container.id).cloned().or_else(|| made_from(container))?))
        };
        let containers: Vec<_> = view.observed.containers.iter().filter(|c| !c.oneoff).collect();
        let outdated = containers.iter().filter_map(|container| of(container));
        let outdated: Vec<Digest> =
            outdated.filter(|(now, holds)| now.digest != *holds).map(|(_, holds)| holds).collect();
        let history = if outdated.is_empty() {
            HashMap::new()
        } else {
            let sources = Arc::clone(&self.executor.sources);
            blocking(move || sources.history(&outdated)).await
        };
        let mut held = Vec::new();
        for container in containers {
            let name = &container.service;
            let (Some((now, holds)), Some(service)) = (of(container), self.project.services.get(name)) else {
                continue;
            };
            let mut behind = false;
            if holds != now.digest {
                let (Some(watch), Some(before)) = (view.wanted.watch.get(name), history.get(&holds)) else { continue };
                let (files, besides) = differing(now.differing(before), |part| self.project.file_of(part, service));
                let asides: Option<Vec<Aside>> = files.iter().map(|path| watch.effects.aside(path)).collect();
                let Some(asides) = asides.filter(|_| besides.is_none()) else { continue };
                behind = asides.iter().any(Aside::is_in_image);
            }
            held.push(Held { service: name.clone(), container: container.id.clone(), digest: now.digest, behind });
        }
        held
    }
}
