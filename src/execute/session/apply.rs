//! The whole plan: made and carried out beside the loop, in two jobs with the watch set between them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::{Finished, Session, now};
use crate::engine::Query;
use crate::event::Event;
use crate::execute::logs::end;
use crate::execute::observe::{blocking, observe, plan_failures, settle, settle_for_plan};
use crate::execute::{Executor, Failure, Outcome, RunOptions, Turn, View};
use crate::model::{ContainerId, Digest, Graph, Observed, Project, ServiceName};
use crate::plan::{self, UpOptions};

/// What a plan is to be made from.
pub struct Viewed {
    view: Result<View, Vec<Failure>>,
    /// When the engine was asked.
    taken: Instant,
    /// Where the logs of containers end that were there before the session.
    ends: HashMap<ContainerId, String>,
    /// It was taken with all folders watched that it reads.
    watched: bool,
    /// The turn in which what is planned from it is carried out.
    turn: Option<Arc<Turn>>,
}

/// How an apply ended.
pub struct Applied {
    /// What is there afterwards, and when the engine was asked; `None` where it did not answer.
    after: Option<(Observed, Instant)>,
    /// How the plan ended.
    outcome: Outcome,
}

impl Applied {
    /// Nothing was planned; without a failure because it was cancelled.
    fn nothing(failures: Vec<Failure>) -> Self {
        let outcome = Outcome { cancelled: failures.is_empty(), failures, ..Outcome::default() };
        Self { after: None, outcome }
    }
}

impl Session {
    /// The services that this session is about: those asked for and what they need.
    pub(super) fn scope(&self) -> Vec<ServiceName> {
        let asked = &self.options.up.services;
        if asked.is_empty() {
            return self.project.services.keys().cloned().collect();
        }
        if self.options.up.no_deps {
            return asked.clone();
        }
        Graph::of(&self.project).closure(asked.iter().cloned())
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
        let first = !self.up && self.attached();
        let engine = Arc::clone(&self.engine);
        self.jobs.spawn(async move {
            let turn = match looking.turn().await {
                Ok(turn) => turn,
                Err(failures) => {
                    let view = Err(failures);
                    let (taken, ends) = (now(), HashMap::new());
                    return Finished::Viewed(Box::new(Viewed { view, taken, ends, watched: false, turn: None }));
                }
            };
            looking.run.turn.clone_from(&turn);
            let taken = now();
            let view = looking.view().await;
            let mut ends = HashMap::new();
            if let (true, Ok(view)) = (first, &view) {
                for container in view.observed.containers.iter().filter(|c| !c.oneoff) {
                    ends.extend(end(&*engine, &container.id).await.map(|end| (container.id.clone(), end)));
                }
            }
            Finished::Viewed(Box::new(Viewed { view, taken, ends, watched: false, turn }))
        });
    }

    fn looking(&self) -> Looking {
        let mut options = self.options.up.clone();
        if self.up || self.overtaken {
            // What a flag forces is forced once.
            options.recreate = plan::Recreate::Changed;
            options.rebuild = false;
            options.pull = None;
        }
        let mut run = self.options.run.clone();
        run.cancel = self.beside.cancel.clone();
        run.beside = self.beside.beside.clone();
        Looking {
            executor: self.executor.clone(),
            project: Arc::clone(&self.project),
            scope: self.scope(),
            options,
            run,
            apply: self.options.apply || self.up,
            watch: self.options.watch,
        }
    }

    /// Sets the watch, and then plans and carries out: what is saved meanwhile is seen.
    pub(super) fn viewed(&mut self, viewed: Viewed) {
        let Viewed { view, taken, ends, watched, turn } = viewed;
        let view = match view {
            Ok(view) => view,
            Err(failures) => {
                self.applied(Applied::nothing(failures));
                return;
            }
        };
        self.wanted = Arc::clone(&view.wanted);
        if !self.up && !watched {
            self.containers.observe(&view.observed, taken, &self.scope());
            self.containers.ends = ends;
            self.follow_running();
        }
        if self.watch_services() && !watched {
            let mut looking = self.looking();
            looking.run.turn.clone_from(&turn);
            self.jobs.spawn(async move {
                // What changed between the measure and the watch was not told.
                let again = looking.is_outdated(&view).await;
                let view = if again { looking.view().await } else { Ok(view) };
                Finished::Viewed(Box::new(Viewed { view, taken, ends: HashMap::new(), watched: true, turn }))
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
        let Applied { after, outcome } = applied;
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
            self.follow_running();
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
            self.watching.all_built(planned_at);
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
            for failure in &outcome.failures {
                self.sink.emit(Event::Error(failure.message.clone()));
            }
            self.sink.emit(Event::Notice { text: "waiting for a change that mends it".to_owned() });
        }
        self.up = true;
        self.say_watching();
    }
}

/// Everything that a job takes with it to look and to carry out.
struct Looking {
    executor: Executor,
    project: Arc<Project>,
    scope: Vec<ServiceName>,
    options: UpOptions,
    run: RunOptions,
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
            return Applied { after, outcome: Outcome::default() };
        }
        let outcome = match plan::up(view.input(synced), &self.options) {
            Ok(plan) if plan.steps.is_empty() => {
                let outcome = executor.run(project, &plan, &self.run).await;
                let after = Some((view.observed.clone(), taken));
                return Applied { after, outcome };
            }
            Ok(plan) => executor.run(project, &plan, &self.run).await,
            Err(errors) => Outcome { failures: plan_failures(project, errors), ..Outcome::default() },
        };
        let taken = now();
        let query = Query { project: project.name.to_string(), ..Query::default() };
        let after = executor.engine.observe(&query).await.ok().map(|after| (after, taken));
        Applied { after, outcome }
    }
}
