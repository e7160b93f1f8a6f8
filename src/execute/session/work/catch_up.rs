//! A build in the background.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::shared::Shared;
use crate::event::{Event, Sink};
use crate::execute::session::clock::now;
use crate::execute::session::ended::{CaughtUp, Ended, Image};
use crate::execute::{Depth, Executor, Failure, Pass, RunOptions, Snapshot};
use crate::model::{Project, ServiceName};
use crate::plan::{self, Op, Plan, UpOptions};

/// Builds the image of a service.
pub struct CatchUp {
    /// The project.
    pub project: Arc<Project>,
    /// The service.
    pub service: ServiceName,
    /// Which image.
    pub image: Image,
    /// Images that are superseded stay.
    pub keep_images: bool,
}

impl CatchUp {
    /// Does it. `run` ends with the session, and when the service changes again: what can be ended then ends, and a name
    /// that is on its way to the engine is none of that.
    pub async fn run(self, shared: Shared, run: RunOptions) -> Ended {
        let Self { project, service, image, keep_images } = self;
        let executor = shared.executor.with_sink(Arc::new(Silent));
        let run = RunOptions { cancel: run.cancel, keep_images, ..RunOptions::default() };
        let result = build(&executor, &project, &service, image, &run).await;
        Ended::CaughtUp(CaughtUp { service, image, result, cancelled: run.cancel.is_cancelled() })
    }
}

/// What there is to build for a service: the image of what its files are now where that is missing, or where it is a
/// layer on another one and is to be whole.
fn what_to_build(snapshot: &Snapshot, service: &ServiceName, wanted: Image) -> Result<Plan, Vec<Failure>> {
    let name = snapshot.wanted.images.get(service).and_then(plan::WantedImage::by_digest);
    let image = name.and_then(|name| snapshot.observed.images.get(&name));
    let is_layered = image.is_some_and(|image| plan::is_delta(image).is_some());
    let rebuild = wanted == Image::Whole && is_layered;
    let options = UpOptions { services: vec![service.clone()], rebuild, ..UpOptions::default() };
    snapshot.reconcile(&HashMap::new(), plan::images, &options)
}

/// Builds it; `None` where the image is there.
async fn build(
    executor: &Executor,
    project: &Arc<Project>,
    service: &ServiceName,
    image: Image,
    run: &RunOptions,
) -> Result<Option<Duration>, Failure> {
    let began = now();
    let services = std::slice::from_ref(service);
    let first = |failures: Vec<Failure>| failures.into_iter().next().map_or(Ok(None), Err);
    let pass = Pass { executor, project, services, options: &UpOptions::default(), run };
    let plan = match pass.prepared(Depth::Whole).await.and_then(|snapshot| what_to_build(&snapshot, service, image)) {
        Ok(plan) => plan,
        Err(failures) => return first(failures),
    };
    let builds = plan.steps.iter().any(|step| matches!(step.op, Op::Build { .. }));
    let failures = pass.execute(&plan).await.failures;
    first(failures)?;
    Ok(builds.then(|| now() - began))
}

/// Nobody watches this work; how it ended is said once it has.
struct Silent;

impl Sink for Silent {
    fn emit(&self, _: Event) {}
}
