//! Building an image once for all who need it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::executor::{Executor, millis};
use super::measure::bases;
use super::observe::blocking;
use super::{Failure, Sources};
use crate::engine::{BuildProgress, EngineError, ErrorKind};
use crate::event::{Event, Message, Sink};
use crate::model::{Digest, Project, ServiceName};
use crate::plan::by_digest;
use crate::plan::labels::INPUTS;

impl Executor {
    pub(super) async fn build(
        &self,
        project: &Arc<Project>,
        services: &[ServiceName],
        image: &str,
        names: &[String],
    ) -> Result<(), Failure> {
        let Some(first) = services.first().cloned() else { return Ok(()) };
        let lock = self.builds.of(image);
        let waited = lock.try_lock().is_err();
        let _turn = lock.lock().await;
        let failure = |error| Failure::of_engine(Some(&first), error);
        // Another job has built the very same image: only the names are left to do. Where that build failed or was
        // given up, this one is done as if it had never been.
        if waited && self.engine.image(image).await.map_err(failure)?.is_some() {
            return self.name(image, names.to_vec()).await.map_err(failure);
        }
        let _core = self.builds.cores().acquire().await;
        let mut spec = {
            let (sources, project, first) = (Arc::clone(&self.sources), Arc::clone(project), first.clone());
            blocking(move || sources.build_spec(&project, &first)).await?
        };
        let progress = Progress::new(services.to_vec(), Arc::clone(&self.sink));
        let progress = Arc::new(progress);
        let take = {
            let progress = Arc::clone(&progress);
            move |news| progress.take(news)
        };
        let all = || std::iter::once(image.to_owned()).chain(names.iter().cloned()).collect();
        // Its files were compared with their digests as they were read, so nothing has to be measured again.
        if let Some(id) = self.delta(project, &first, (image, names), &spec, &take).await {
            self.builds.built(image, &id, true);
            return self.name(&id, all()).await.map_err(failure);
        }
        let context = spec.context_key();
        spec.copy = {
            let (sources, context) = (Arc::clone(&self.sources), context.clone());
            blocking(move || sources.take_copy(&context)).await
        };
        let copy = Copy { sources: Arc::clone(&self.sources), context, name: spec.copy.clone(), progress };
        // The image has no name yet: an engine goes on with builds that were given up, and names what they make at any
        // later moment, over what was built since.
        let built = self.engine.build(&spec, &take).await;
        drop(copy);
        let built = match built {
            Ok(built) => built,
            Err(error) => return Err(self.build_failure(project, &first, error)),
        };
        // The builder may have read some of it before a change and some after, or all of it after one that was taken
        // back: the image is used, and the next plan builds it again, but nobody may take it for what was measured.
        let asked = spec.labels.get(INPUTS).and_then(|digest| Digest::parse(digest));
        let is_it = built.as_measured && asked.is_none_or(|digest| by_digest(&digest) == image);
        let confirmed = is_it && !self.has_changed(project, &first, image).await;
        self.builds.built(image, &built.id, confirmed);
        let names = if confirmed { all() } else { names.to_vec() };
        self.name(&built.id, names).await.map_err(failure)
    }

    /// Gives an image its names. Begun once, it is done, whoever gives up waiting: a name that is on its way to the
    /// engine must not get there after that of a later build.
    pub(super) async fn name(&self, image: &str, names: Vec<String>) -> Result<(), EngineError> {
        let (engine, builds, image) = (Arc::clone(&self.engine), Arc::clone(&self.builds), image.to_owned());
        let naming = tokio::spawn(async move {
            let _turn = builds.naming.lock().await;
            for name in names {
                engine.tag(&image, &name).await?;
            }
            Ok(())
        });
        match naming.await {
            Ok(result) => result,
            Err(error) => Err(EngineError::new(ErrorKind::Other, error.to_string())),
        }
    }

    fn build_failure(&self, project: &Project, service: &ServiceName, error: EngineError) -> Failure {
        let step = match &error.kind {
            ErrorKind::Build { step, .. } => self.sources.place(service, step),
            _ => None,
        };
        let key = match &error.kind {
            ErrorKind::BuildKey { key, .. } => format!(".{key}"),
            _ => String::new(),
        };
        let mut failure = Failure::of_engine(Some(service), error);
        let place = project.locate(&format!("services.{service}.build{key}"));
        failure.message.location = failure.message.location.or(step).or(place);
        failure
    }

    /// Whether what a build reads is not what its image is named by any more.
    async fn has_changed(&self, project: &Arc<Project>, service: &ServiceName, image: &str) -> bool {
        let mut images = self.agents.images();
        let names = {
            let (sources, project, service) = (Arc::clone(&self.sources), Arc::clone(project), service.clone());
            blocking(move || bases(&*sources, &project, vec![service])).await
        };
        // What it started from may be another image by now.
        if let Ok(bases) = self.engine.images_by_reference(&names).await {
            images.extend(bases);
        }
        let (sources, project, service) = (Arc::clone(&self.sources), Arc::clone(project), service.clone());
        let now = blocking(move || {
            let wanted = sources.measure(&project, std::slice::from_ref(&service), &images).ok()?;
            wanted.images.get(&service)?.by_digest()
        });
        now.await.is_some_and(|now| now != image)
    }
}

/// The builder's copy of a context while a build uses it: kept where its transfer has come to its end, whatever becomes
/// of the build.
struct Copy {
    sources: Arc<dyn Sources>,
    context: String,
    name: String,
    progress: Arc<Progress>,
}

impl Drop for Copy {
    fn drop(&mut self) {
        if self.progress.sent() {
            self.sources.keep_copy(&self.context, &self.name);
        }
    }
}

/// Turns a builder's news into events, output into whole lines.
struct Progress {
    services: Vec<ServiceName>,
    sink: Arc<dyn Sink>,
    steps: Mutex<HashMap<String, (String, Vec<u8>)>>,
    sent: AtomicBool,
}

impl Progress {
    fn new(services: Vec<ServiceName>, sink: Arc<dyn Sink>) -> Self {
        Self { services, sink, steps: Mutex::default(), sent: AtomicBool::new(false) }
    }

    /// The builder's copy of the context is whole.
    fn sent(&self) -> bool {
        self.sent.load(Ordering::Acquire)
    }

    fn take(&self, news: BuildProgress) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let services = self.services.clone();
        match news {
            BuildProgress::Started { step, name } => {
                steps.entry(step.clone()).or_default().0.clone_from(&name);
                self.sink.emit(Event::BuildStep { services, step, name });
            }
            BuildProgress::Transferred { step, what, current, total } => {
                self.sink.emit(Event::BuildTransfer { services, step, what, current, total });
            }
            BuildProgress::Output { step, bytes } => {
                let (_, rest) = steps.entry(step.clone()).or_default();
                rest.extend_from_slice(&bytes);
                while let Some(end) = rest.iter().position(|b| *b == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    self.line(&step, &line[..end]);
                }
            }
            BuildProgress::Done { step, cached, took, error } => {
                let (name, rest) = steps.remove(&step).unwrap_or_default();
                if !rest.is_empty() {
                    self.line(&step, &rest);
                }
                self.done(step, name, cached, took, error);
            }
            BuildProgress::Sent => self.sent.store(true, Ordering::Release),
            BuildProgress::Warning(text) => {
                let message = Message { service: services.first().cloned(), ..Message::new(text) };
                self.sink.emit(Event::Warning(message));
            }
        }
    }

    fn line(&self, step: &str, line: &[u8]) {
        let line = String::from_utf8_lossy(line).trim_end_matches('\r').to_owned();
        self.sink.emit(Event::BuildOutput { services: self.services.clone(), step: step.to_owned(), line });
    }

    fn done(&self, step: String, name: String, cached: bool, took: Duration, error: Option<String>) {
        let services = self.services.clone();
        self.sink.emit(Event::BuildStepDone { services, step, name, cached, took_ms: millis(took), error });
    }
}
