//! The plan of all services, in two pieces of work: to look at all that it is made from, and to make it and carry it out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::drift::differing;
use super::shared::Shared;
use crate::engine::Query;
use crate::execute::observe::blocking;
use crate::execute::session::clock::now;
use crate::execute::session::ended::{Applied, Claimed, Ended, Held, SnapshotTaken};
use crate::execute::snapshot::stand_for;
use crate::execute::{Depth, Executor, Failure, Outcome, Pass, RunOptions, Snapshot, Turn, provide};
use crate::host::entry_at;
use crate::model::{Aside, ContainerId, Digest, Measured, ObservedContainer, Project, ServiceName, Watch};
use crate::plan::labels::made_from;
use crate::plan::{self, Op, Plan, UpOptions, Wanted, WantedImage};

/// What a plan is about.
pub struct PlanOptions {
    /// The project.
    pub project: Arc<Project>,
    /// The services that it is about.
    pub scope: Vec<ServiceName>,
    /// Services whose output is to be shown.
    pub shown: std::collections::BTreeSet<ServiceName>,
    /// What `up` is asked to do.
    pub up: UpOptions,
    /// Containers are left that lack nothing but what their programs do not see. A command gives clean ones.
    pub holds_asides: bool,
    /// Something is to be done; else it is only looked.
    pub apply: bool,
    /// Files are watched.
    pub watch: bool,
}

/// Looks at all that a plan is made from.
pub enum TakeSnapshot {
    /// For the first time.
    Begin {
        /// What the plan is about.
        options: PlanOptions,
    },
    /// Again, where the files are not those of the snapshot any more: what changed before the watch was set was not told.
    Again {
        /// What the plan is about.
        options: PlanOptions,
        /// What was seen.
        snapshot: Box<Snapshot>,
        /// When the engine was asked for it.
        taken: Instant,
        /// The turn in which what is planned from it is carried out.
        turn: Option<Arc<Turn>>,
    },
}

/// Makes a plan and carries it out.
pub struct CarryOut {
    /// What it is about.
    pub options: PlanOptions,
    /// What it is made from.
    pub snapshot: Box<Snapshot>,
    /// When the engine was asked for that.
    pub taken: Instant,
    /// The turn in which it is carried out.
    pub turn: Option<Arc<Turn>>,
    /// What containers hold by hot sync.
    pub synced: HashMap<ContainerId, Digest>,
}

impl TakeSnapshot {
    /// Does it. `run` ends with the session.
    pub async fn run(self, shared: Shared, run: RunOptions) -> Ended {
        let seen = match self {
            Self::Begin { options } => {
                let mut looking = Looking::new(&shared, options, run);
                match looking.turn().await {
                    Ok(turn) => {
                        looking.run.turn.clone_from(&turn);
                        let taken = now();
                        let snapshot = looking.snapshot().await;
                        looking.snapshot_taken(&shared, snapshot, taken, false, turn).await
                    }
                    Err(failures) => SnapshotTaken {
                        of: looking.project,
                        snapshot: Err(failures),
                        taken: now(),
                        watched: false,
                        turn: None,
                        mends: HashMap::new(),
                        claimed: Claimed::default(),
                    },
                }
            }
            Self::Again { options, snapshot, taken, turn } => {
                let mut looking = Looking::new(&shared, options, run);
                looking.run.turn.clone_from(&turn);
                let again = looking.is_outdated(&snapshot).await;
                let snapshot = if again { looking.snapshot().await } else { Ok(*snapshot) };
                looking.snapshot_taken(&shared, snapshot, taken, true, turn).await
            }
        };
        Ended::SnapshotTaken(Box::new(seen))
    }
}

impl CarryOut {
    /// Does it. `run` ends with the session, and with a newer plan.
    pub async fn run(self, shared: Shared, run: RunOptions) -> Ended {
        let Self { options, snapshot, taken, turn, synced } = self;
        let mut looking = Looking::new(&shared, options, run);
        looking.run.turn = turn;
        Ended::Applied(Box::new(looking.carry_out(*snapshot, taken, &synced).await))
    }
}

/// All that is needed to look and to carry out.
struct Looking {
    executor: Executor,
    project: Arc<Project>,
    scope: Vec<ServiceName>,
    options: UpOptions,
    run: RunOptions,
    holds_asides: bool,
    apply: bool,
    watch: bool,
}

impl Looking {
    fn new(shared: &Shared, options: PlanOptions, run: RunOptions) -> Self {
        let PlanOptions { project, scope, up, holds_asides, apply, watch, .. } = options;
        Self { executor: shared.executor.clone(), project, scope, options: up, run, holds_asides, apply, watch }
    }

    async fn snapshot_taken(
        &self,
        shared: &Shared,
        snapshot: Result<Snapshot, Vec<Failure>>,
        taken: Instant,
        watched: bool,
        turn: Option<Arc<Turn>>,
    ) -> SnapshotTaken {
        let mends = self.mends(&snapshot).await;
        let claimed = if self.watch && snapshot.is_ok() {
            shared.claims.claim(&self.executor.turns, &self.scope)
        } else {
            Claimed::default()
        };
        SnapshotTaken { of: Arc::clone(&self.project), snapshot, taken, watched, turn, mends, claimed }
    }

    /// The turn to change the project, where that is to be done; no failure says that it was cancelled.
    async fn turn(&self) -> Result<Option<Arc<Turn>>, Vec<Failure>> {
        if !self.apply {
            return Ok(None);
        }
        let turn = self.executor.turn(&self.run.cancel).await.map_err(|failure| vec![failure])?;
        turn.map(Some).ok_or_else(Vec::new)
    }

    async fn snapshot(&self) -> Result<Snapshot, Vec<Failure>> {
        let Self { executor, project, scope, .. } = self;
        let provided;
        let project = if self.apply {
            let cancelled = self.run.cancel.cancelled();
            provided = tokio::select! {
                biased;
                provided = provide(&*executor.sink, project, scope) => provided?,
                () = cancelled => return Err(Vec::new()),
            };
            &provided
        } else {
            project
        };
        let pass = Pass { executor, project, services: scope, options: &self.options, run: &self.run };
        if self.apply {
            return pass.prepared(if self.watch { Depth::Whole } else { Depth::Plan }).await;
        }
        let snapshot = pass.snapshot(Depth::Whole).await?;
        executor.agents.remember(&snapshot.observed);
        Ok(snapshot)
    }

    /// What may mend the services that could not be measured. Where the failure is of none, such as an engine's that did
    /// not answer in time, that is a save of any: it is tried again.
    async fn mends(&self, snapshot: &Result<Snapshot, Vec<Failure>>) -> HashMap<ServiceName, Watch> {
        let Err(failures) = snapshot else { return HashMap::new() };
        let mut broken: Vec<ServiceName> =
            failures.iter().filter_map(|failure| failure.message.service.clone()).collect();
        if broken.len() < failures.len() {
            broken.clone_from(&self.scope);
        }
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

    /// Whether the files are not those of the snapshot any more. A measure that fails is said by the next snapshot.
    async fn is_outdated(&self, snapshot: &Snapshot) -> bool {
        let (sources, project, scope) =
            (Arc::clone(&self.executor.sources), Arc::clone(&self.project), self.scope.clone());
        let images = snapshot.observed.images.clone();
        let now = blocking(move || sources.measure(&project, &scope, &images)).await;
        now.is_ok_and(|now| {
            now.images.iter().any(|(name, image)| {
                image.digest() != snapshot.wanted.images.get(name).and_then(crate::plan::WantedImage::digest)
            })
        })
    }

    async fn carry_out(&self, snapshot: Snapshot, taken: Instant, synced: &HashMap<ContainerId, Digest>) -> Applied {
        let Self { executor, project, .. } = self;
        if !self.apply {
            let after = Some((snapshot.observed.clone(), taken));
            return Applied { held: Vec::new(), after, outcome: Outcome::default() };
        }
        let held = self.held(&snapshot, synced).await;
        let mut synced = synced.clone();
        synced.extend(held.iter().map(|held| (held.container.clone(), held.digest.clone())));
        let outcome = match self.plan(&snapshot, &synced, &held) {
            Ok(plan) if plan.steps.is_empty() => {
                let outcome = executor.run(project, &plan, &self.run).await;
                let after = Some((snapshot.observed.clone(), taken));
                return Applied { held, after, outcome };
            }
            Ok(plan) => executor.run(project, &plan, &self.run).await,
            Err(failures) => Outcome { failures, ..Outcome::default() },
        };
        let taken = now();
        let query = Query { project: project.name.to_string(), ..Query::default() };
        let after = executor.engine.observe(&query).await.ok().map(|after| (after, taken));
        Applied { held, after, outcome }
    }

    /// The plan. What is held needs no image now, unless something else makes a container of it.
    fn plan(
        &self,
        snapshot: &Snapshot,
        synced: &HashMap<ContainerId, Digest>,
        held: &[Held],
    ) -> Result<Plan, Vec<Failure>> {
        if held.is_empty() {
            return snapshot.reconcile(synced, plan::up, &self.options);
        }
        let mut needed: Vec<ServiceName> = Vec::new();
        loop {
            let mut assumed = snapshot.clone();
            for held in held.iter().filter(|held| !needed.contains(&held.service)) {
                let Some(service) = self.project.services.get(&held.service) else { continue };
                let image =
                    snapshot.observed.containers.iter().find(|c| c.id == held.container).map(|c| c.image.clone());
                stand_for(&self.project, &mut assumed.observed, service, &held.digest, image.unwrap_or_default());
            }
            let plan = assumed.reconcile(synced, plan::up, &self.options)?;
            // Services that build the same share the image.
            let needs = |digest: &Digest| {
                let of = |step: &&plan::Step| {
                    let image = step.service.as_ref().and_then(|name| snapshot.wanted.images.get(name));
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
    async fn held(&self, snapshot: &Snapshot, synced: &HashMap<ContainerId, Digest>) -> Vec<Held> {
        if !self.holds_asides {
            return Vec::new();
        }
        let of = |container: &ObservedContainer| {
            let now = measured(&snapshot.wanted, &container.service)?;
            Some((now, synced.get(&container.id).cloned().or_else(|| made_from(container))?))
        };
        let containers: Vec<_> = snapshot.observed.containers.iter().filter(|c| !c.oneoff).collect();
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
            let mut is_image_stale = false;
            if holds != now.digest {
                let (Some(watch), Some(before)) = (snapshot.wanted.watch.get(name), history.get(&holds)) else {
                    continue;
                };
                let (files, besides) =
                    differing(now.parts.differing(before), |part| self.project.file_of(part, service));
                let asides: Option<Vec<Aside>> =
                    files.iter().map(|path| watch.effects.aside(path, entry_at(path).ok().as_ref())).collect();
                let Some(asides) = asides.filter(|_| besides.is_none()) else { continue };
                is_image_stale = asides.iter().any(Aside::is_in_image);
            }
            held.push(Held {
                service: name.clone(),
                container: container.id.clone(),
                digest: now.digest,
                is_image_stale,
            });
        }
        held
    }
}

/// What a service's build reads.
pub fn measured(wanted: &Wanted, service: &ServiceName) -> Option<Measured> {
    match wanted.images.get(service) {
        Some(WantedImage::Built(inputs)) => Some(inputs.clone()),
        _ => None,
    }
}
