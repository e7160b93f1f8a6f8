//! Building an image once for all who need it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::Failure;
use super::executor::{Executor, millis};
use super::observe::blocking;
use crate::engine::{BuildProgress, ErrorKind};
use crate::event::{Event, Message, Sink};
use crate::model::{Project, ServiceName};

/// Builds that run: as many at once as the machine has cores, unless there is another limit, and one for each image.
#[derive(Default)]
pub struct Builds {
    limit: Option<usize>,
    cores: OnceLock<Semaphore>,
    pulls: OnceLock<Semaphore>,
    by_image: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Builds {
    /// At most so many builds and pulls side by side.
    pub fn at_most(limit: usize) -> Self {
        Self { limit: Some(limit), ..Self::default() }
    }

    fn cores(&self) -> &Semaphore {
        let cores = || std::thread::available_parallelism().map_or(2, usize::from).max(2);
        self.cores.get_or_init(|| Semaphore::new(self.limit.unwrap_or_else(cores)))
    }

    /// The turn of a pull, of which there may be any number without a limit.
    pub async fn pull(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        let pulls = self.pulls.get_or_init(|| Semaphore::new(self.limit.unwrap_or(Semaphore::MAX_PERMITS)));
        pulls.acquire().await.ok()
    }

    fn of(&self, image: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut map = self.by_image.lock().unwrap_or_else(PoisonError::into_inner);
        map.retain(|name, lock| name == image || Arc::strong_count(lock) > 1);
        Arc::clone(map.entry(image.to_owned()).or_default())
    }
}

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
        // Another job has built the very same image: only the names are left to do. Where that build failed or was
        // given up, this one is done as if it had never been.
        if waited && self.name(image, names, &first).await? {
            return Ok(());
        }
        let _core = self.builds.cores().acquire().await;
        let mut spec = {
            let (sources, project, first) = (Arc::clone(&self.sources), Arc::clone(project), first.clone());
            blocking(move || sources.build_spec(&project, &first)).await?
        };
        spec.tags = std::iter::once(image.to_owned()).chain(names.iter().cloned()).collect();
        let progress = Progress::new(services.to_vec(), Arc::clone(&self.sink));
        let progress = move |news| progress.take(news);
        // Its files were compared with their digests as they were read, so nothing has to be measured again.
        if self.delta(project, &first, &spec, &progress).await {
            return Ok(());
        }
        let built = self.engine.build(&spec, &progress).await;
        if let Err(error) = built {
            let key = match &error.kind {
                ErrorKind::BuildKey { key, .. } => format!(".{key}"),
                _ => String::new(),
            };
            let mut failure = Failure::of_engine(Some(&first), error);
            let place = project.locate(&format!("services.{first}.build{key}"));
            failure.message.location = failure.message.location.or(place);
            return Err(failure);
        }
        if !names.is_empty() && self.has_changed(project, &first, image).await {
            // The builder may have read some of it before the change and some after: the image is used, and the next
            // plan builds it again, but nobody else may take it for what was measured.
            let removed = self.engine.remove_image(image).await;
            return removed.map_err(|error| Failure::of_engine(Some(&first), error));
        }
        Ok(())
    }

    /// Whether what a build reads is not what its image is named by any more.
    async fn has_changed(&self, project: &Arc<Project>, service: &ServiceName, image: &str) -> bool {
        let (sources, project, service) = (Arc::clone(&self.sources), Arc::clone(project), service.clone());
        let images = self.agents.images();
        let now = blocking(move || {
            let wanted = sources.measure(&project, std::slice::from_ref(&service), &images).ok()?;
            wanted.images.get(&service)?.by_digest()
        });
        now.await.is_some_and(|now| now != image)
    }

    /// Gives an image its names; false where it is not there.
    async fn name(&self, image: &str, names: &[String], service: &ServiceName) -> Result<bool, Failure> {
        let failure = |error| Failure::of_engine(Some(service), error);
        if self.engine.image(image).await.map_err(failure)?.is_none() {
            return Ok(false);
        }
        for name in names {
            self.engine.tag(image, name).await.map_err(failure)?;
        }
        Ok(true)
    }
}

/// Turns a builder's news into events, output into whole lines.
struct Progress {
    services: Vec<ServiceName>,
    sink: Arc<dyn Sink>,
    steps: Mutex<HashMap<String, (String, Vec<u8>)>>,
}

impl Progress {
    fn new(services: Vec<ServiceName>, sink: Arc<dyn Sink>) -> Self {
        Self { services, sink, steps: Mutex::default() }
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
