//! The phases, by which what should be and what is come to what is done: load, measure, observe, reconcile, execute.
//! Every command and every job of a session is a [`Pass`] through them, as far as it goes, and one [`Snapshot`] is handed
//! from one to the next.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use tracing::{Instrument as _, info_span};

use super::measure::{measured, names};
use super::observe::{blocking, images_of, observed};
use super::{Cause, Executor, Failure, Loaded, Outcome, RunOptions, Snapshot, Sources};
use crate::event::Message;
use crate::model::{ContainerId, Digest, Observed, ObservedImage, Project, Service, ServiceName};
use crate::plan::labels::ARGS;
use crate::plan::{self, Input, Plan, PlanError, UpOptions, Wanted};

/// What makes a plan: `plan::up`, or one that goes less far.
pub type Planner = fn(Input<'_>, &UpOptions) -> Result<Plan, Vec<PlanError>>;

/// How much of the engine's images a snapshot knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// All that the services have and start from.
    Whole,
    /// No more than the plan of `up` needs. Most often that is nothing to be done: each container says what its image
    /// was built from, and that is what is wanted. Then no image that is built is looked at.
    Plan,
}

/// One way through the phases, for some services of a project.
pub struct Pass<'a> {
    /// Carries out.
    pub executor: &'a Executor,
    /// As it was loaded.
    pub project: &'a Arc<Project>,
    /// What is measured.
    pub services: &'a [ServiceName],
    /// What is asked for.
    pub options: &'a UpOptions,
    /// How plans are carried out.
    pub run: &'a RunOptions,
}

/// Reads the manifest.
///
/// # Errors
/// All that is wrong with it.
pub async fn load(sources: &Arc<dyn Sources>) -> Result<Loaded, Vec<Message>> {
    let sources = Arc::clone(sources);
    blocking(move || sources.load()).await
}

impl Snapshot {
    /// Makes the plan. `synced` is what containers hold by hot sync.
    ///
    /// # Errors
    /// What the planner refuses, with its place in the manifest.
    pub fn reconcile(
        &self,
        synced: &HashMap<ContainerId, Digest>,
        planner: Planner,
        options: &UpOptions,
    ) -> Result<Plan, Vec<Failure>> {
        let _span = info_span!("reconcile").entered();
        planner(self.input(synced), options).map_err(|errors| plan_failures(&self.project, errors))
    }
}

impl Pass<'_> {
    /// All phases from the loaded project on: measures and observes, reconciles, executes. Of a plan without a step
    /// nothing is said with `skips_empty`.
    ///
    /// # Errors
    /// What cannot be measured, observed or planned. What cannot be carried out is the outcome's.
    pub async fn through(
        &self,
        depth: Depth,
        planner: Planner,
        skips_empty: bool,
    ) -> Result<(Snapshot, Outcome), Vec<Failure>> {
        let snapshot = self.prepared(depth).await?;
        let plan = self.reconcile(&snapshot, planner)?;
        let skipped = skips_empty && plan.is_empty();
        let outcome = if skipped { Outcome::default() } else { self.execute(&plan).await };
        Ok((snapshot, outcome))
    }

    /// Measures and observes, and changes nothing.
    ///
    /// # Errors
    /// The engine cannot be asked, or a build's inputs cannot be read.
    pub async fn snapshot(&self, depth: Depth) -> Result<Snapshot, Vec<Failure>> {
        if depth == Depth::Plan
            && let Looked::Settled(snapshot) = self.look_for_plan().await?
        {
            return Ok(*snapshot);
        }
        let snapshot = self.look(|_| true).await?;
        self.with_images_by_digest(snapshot).await
    }

    /// The same, once all that builds start from is there: an image that is missing is pulled, one of another service
    /// is built, and then the measure is taken again.
    ///
    /// # Errors
    /// As [`Pass::snapshot`], and what cannot be pulled or built.
    pub async fn prepared(&self, depth: Depth) -> Result<Snapshot, Vec<Failure>> {
        let snapshot = match depth {
            Depth::Whole => self.snapshot(Depth::Whole).await?,
            Depth::Plan => match self.look_for_plan().await? {
                Looked::Settled(snapshot) => return Ok(*snapshot),
                Looked::Open(snapshot) => self.with_built_images(*snapshot).await?,
            },
        };
        self.with_bases(snapshot).await
    }

    /// Measures the services, with the images of those.
    async fn measure(
        &self,
        which: impl Fn(&Service) -> bool,
    ) -> Result<(Wanted, IndexMap<String, ObservedImage>), Vec<Failure>> {
        measured(&*self.executor.engine, &self.executor.sources, self.project, self.services, which)
            .instrument(info_span!("measure", services = self.services.len()))
            .await
    }

    /// Observes the project on the engine.
    async fn observe(&self) -> Result<Observed, Vec<Failure>> {
        observed(&*self.executor.engine, self.project).instrument(info_span!("observe")).await
    }

    /// Makes the plan, of containers of which nothing is known but what they say themselves.
    ///
    /// # Errors
    /// As [`Snapshot::reconcile`].
    pub fn reconcile(&self, snapshot: &Snapshot, planner: Planner) -> Result<Plan, Vec<Failure>> {
        snapshot.reconcile(&HashMap::new(), planner, self.options)
    }

    /// Carries the plan out.
    pub async fn execute(&self, plan: &Plan) -> Outcome {
        self.executor.run(self.project, plan, self.run).await
    }

    /// Measures and observes beside each other; the images of these services are looked at.
    async fn look(&self, which: impl Fn(&Service) -> bool) -> Result<Snapshot, Vec<Failure>> {
        let (mut observed, (wanted, images)) = tokio::try_join!(self.observe(), self.measure(which))?;
        observed.images = images;
        Ok(Snapshot::of(&self.executor.sources, self.project, wanted, observed).await)
    }

    async fn look_for_plan(&self) -> Result<Looked, Vec<Failure>> {
        let snapshot = self.look(|service| service.build.is_none()).await?;
        if snapshot.wanted.bases.is_empty() {
            let assumed = snapshot.clone().with_images_of_containers();
            if self.reconcile(&assumed, plan::up).is_ok_and(|plan| plan.is_empty()) {
                return Ok(Looked::Settled(Box::new(assumed)));
            }
        }
        Ok(Looked::Open(Box::new(snapshot)))
    }

    /// Adds the images that have the wanted digests as their names.
    async fn with_images_by_digest(&self, mut snapshot: Snapshot) -> Result<Snapshot, Vec<Failure>> {
        let missing = snapshot.name_by_digest();
        snapshot.observed.images.extend(images_of(&*self.executor.engine, missing).await?);
        Ok(snapshot)
    }

    /// Adds the images that are built.
    async fn with_built_images(&self, mut snapshot: Snapshot) -> Result<Snapshot, Vec<Failure>> {
        let engine = &*self.executor.engine;
        let built = names(self.project, self.services, |service| service.build.is_some());
        // Something is to be done, and whoever carries it out has the engine confirmed first: beside the images that
        // takes no time. A refusal is told there.
        let (images, _) = tokio::join!(images_of(engine, built), engine.verify_info());
        snapshot.observed.images.extend(images?);
        if snapshot.observed.images.values().any(|image| image.labels.contains_key(ARGS)) {
            // They say themselves what their builds are given.
            return self.snapshot(Depth::Whole).await;
        }
        self.with_images_by_digest(snapshot).await
    }

    /// Makes what builds start from, and measures again.
    async fn with_bases(&self, mut snapshot: Snapshot) -> Result<Snapshot, Vec<Failure>> {
        // A chain of bases is as long as the chain of services at most.
        for _ in 0..=self.project.services.len() {
            if snapshot.wanted.bases.is_empty() {
                break;
            }
            let plan = self.reconcile(&snapshot, plan::bases)?;
            if plan.is_empty() {
                break;
            }
            let outcome = self.execute(&plan).await;
            if !outcome.is_success() {
                return Err(outcome.failures);
            }
            snapshot = self.snapshot(Depth::Whole).await?;
        }
        self.executor.agents.remember(&snapshot.observed);
        Ok(snapshot)
    }
}

/// What a plan is made from.
enum Looked {
    /// Nothing is to be done.
    Settled(Box<Snapshot>),
    /// Images that are built were not looked at yet.
    Open(Box<Snapshot>),
}

/// What the planner refuses, with its place in the manifest.
fn plan_failures(project: &Project, errors: Vec<PlanError>) -> Vec<Failure> {
    errors
        .into_iter()
        .map(|error| {
            let message = Message { service: error.service, ..Message::new(error.text) };
            let message = message.at(project.locate(&error.path).as_ref()).hint(error.hint);
            Failure { cause: Cause::Manifest, message }
        })
        .collect()
}
