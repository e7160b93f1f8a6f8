//! Catching up: what was synced lives in a container, and the next one is made from an image. When a service has been
//! quiet for a while its image is built beside everything else, so that the next start finds it. No container is
//! touched by that.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Finished, Session, now};
use crate::event::{Event, Message, Sink};
use crate::execute::executor::millis;
use crate::execute::observe::{plan_failures, settle};
use crate::execute::{Executor, Failure, RunOptions, View};
use crate::model::{Project, ServiceName};
use crate::plan::{self, Op, Plan, UpOptions};

/// How long a service must have been left alone.
pub(super) const QUIET: Duration = Duration::from_secs(5);

/// After how much more of that an image that is another one with a layer more is built as a whole: the layer has all
/// that changed since, and each new one is larger.
pub(super) const COLLAPSE: Duration = Duration::from_mins(1);

/// What is built in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// The image of what the files are now.
    Current,
    /// The same, without layers of its own for what changed since.
    Whole,
}

/// How a build in the background ended.
pub struct CaughtUp {
    service: ServiceName,
    what: What,
    /// How long a build took, `None` where there was nothing to build; or why there is no image.
    result: Result<Option<Duration>, Failure>,
    cancelled: bool,
}

impl Session {
    /// The service that has been quiet longest of those whose image is behind, and when its quiet was long enough.
    /// `None` while something else must end first.
    fn next_to_catch_up(&self) -> Option<(ServiceName, Instant, What)> {
        let free = self.up
            && !self.applying
            && !self.again
            && !self.reread
            && !self.reading
            && !self.lost
            && self.stopping.is_none();
        if !self.options.catch_up || !free || self.catching_up.is_some() {
            return None;
        }
        let waiting = self.watching.idle().filter(|(_, watched)| !watched.has_changes());
        let due = waiting.filter_map(|(service, watched)| {
            let (at, what) = match (watched.behind, watched.layered) {
                (Some(since), _) => (since + QUIET, What::Current),
                (None, Some(since)) => (since + COLLAPSE, What::Whole),
                (None, None) => return None,
            };
            Some((service.clone(), at, what))
        });
        due.min_by_key(|(_, at, _)| *at)
    }

    /// When the session has something to do here.
    pub(super) fn catch_up_at(&self) -> Option<Instant> {
        self.next_to_catch_up().map(|(_, at, _)| at)
    }

    /// Builds the image of a service that has been quiet for long enough; one at a time.
    pub(super) fn catch_up(&mut self) {
        let Some((service, _, what)) = self.next_to_catch_up().filter(|(_, at, _)| *at <= now()) else { return };
        let cancel = self.cancel.child_token();
        self.catching_up = Some((service.clone(), cancel.clone()));
        let executor = self.executor.with_sink(Arc::new(Silent));
        let project = Arc::clone(&self.project);
        let keep_images = self.options.run.keep_images;
        self.jobs.spawn(async move {
            let run = RunOptions { cancel: cancel.clone(), keep_images, ..RunOptions::default() };
            // It ends what can be ended: a name that is on its way to the engine is none of that.
            let result = build(&executor, &project, &service, what, &run).await;
            Finished::CaughtUp(CaughtUp { service, what, result, cancelled: cancel.is_cancelled() })
        });
    }

    /// Ends the build of this service, or whichever runs: what it reads has changed.
    pub(super) fn give_up_catching_up(&self, service: Option<&ServiceName>) {
        if let Some((of, cancel)) = &self.catching_up
            && service.is_none_or(|service| service == of)
        {
            cancel.cancel();
        }
    }

    pub(super) fn caught_up(&mut self, caught_up: CaughtUp) {
        self.catching_up = None;
        let CaughtUp { service, what, result, cancelled } = caught_up;
        let Some(watched) = self.watching.get_mut(&service) else { return };
        if cancelled {
            // Its quiet begins anew.
            watched.behind = watched.behind.map(|_| now());
            watched.layered = watched.layered.map(|_| now());
            return;
        }
        watched.behind = None;
        // Whether the new image is a layer on another one is seen when its time comes.
        watched.layered = matches!((what, &result), (What::Current, Ok(Some(_)))).then(now);
        match result {
            // Nothing that anybody sees has changed, and the image is as good as it was.
            _ if what == What::Whole => {}
            Ok(took) => {
                watched.said_behind = false;
                if let Some(took) = took {
                    self.sink.emit(Event::CaughtUp { service, took_ms: millis(took) });
                }
            }
            // The containers go on as they are, and whoever needs the image builds it and sees the same.
            Err(_) if watched.said_behind => {}
            Err(failure) => {
                watched.said_behind = true;
                let text = format!("its image could not be brought up to date: {}", failure.message.text);
                let hint = "what was synced goes on running; the next `hob up` builds the image again";
                let Message { location, detail, hints, .. } = failure.message;
                let message = Message { location, detail, hints, ..Message::new(text) };
                self.sink.emit(Event::Warning(message.service(&service).hint(hint)));
            }
        }
    }
}

/// What there is to build for a service: the image of what its files are now where that is missing, or where it is a
/// layer on another one and is to be whole.
fn what_to_build(view: &View, service: &ServiceName, what: What) -> Result<Plan, Vec<plan::PlanError>> {
    let name = view.wanted.images.get(service).and_then(plan::WantedImage::by_digest);
    let image = name.and_then(|name| view.observed.images.get(&name));
    let is_layered = image.is_some_and(|image| plan::is_delta(image).is_some());
    let rebuild = what == What::Whole && is_layered;
    let options = UpOptions { services: vec![service.clone()], rebuild, ..UpOptions::default() };
    plan::images(view.input(&HashMap::new()), &options)
}

/// Builds it; `None` where the image is there.
async fn build(
    executor: &Executor,
    project: &Arc<Project>,
    service: &ServiceName,
    what: What,
    run: &RunOptions,
) -> Result<Option<Duration>, Failure> {
    let began = now();
    let services = std::slice::from_ref(service);
    let first = |failures: Vec<Failure>| failures.into_iter().next().map_or(Ok(None), Err);
    let view = match settle(executor, project, services, &UpOptions::default(), run).await {
        Ok(view) => view,
        Err(failures) => return first(failures),
    };
    let plan = match what_to_build(&view, service, what) {
        Ok(plan) => plan,
        Err(errors) => return first(plan_failures(project, errors)),
    };
    let builds = plan.steps.iter().any(|step| matches!(step.op, Op::Build { .. }));
    let failures = executor.run(project, &plan, run).await.failures;
    first(failures)?;
    Ok(builds.then(|| now() - began))
}

/// Nobody watches this work; how it ended is said once it has.
struct Silent;

impl Sink for Silent {
    fn emit(&self, _: Event) {}
}
