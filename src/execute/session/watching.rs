//! What is watched, and which services a burst of changes is about.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Instant;

use futures_util::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::{Session, now};
use crate::engine::BoxStream;
use crate::event::{Event, Message, Sink};
use crate::execute::{Cause, Failure};
use crate::host::watch::{Batch, ChangeKind, Changes, Coverage, Watcher};
use crate::model::{Effect, Effects, Measured, Reload, ServiceName, Watch};
use crate::plan::{Debouncer, Wanted, WantedImage};

/// What is told which folders matter; the saves in them come over a channel.
pub trait Folders: Send {
    /// Watches exactly these folders from now on.
    fn set(&mut self, folders: &BTreeSet<PathBuf>) -> Coverage;
}

impl Folders for Watcher {
    fn set(&mut self, folders: &BTreeSet<PathBuf>) -> Coverage {
        Self::set(self, folders)
    }
}

/// Everything that the watch knows.
#[derive(Default)]
pub struct Watching {
    watcher: Option<Box<dyn Folders>>,
    /// Given by a test in place of the disk's watcher.
    pub given: Option<(Box<dyn Folders>, BoxStream<Batch>)>,
    debounce: Debouncer,
    services: BTreeMap<ServiceName, Watched>,
    /// Folders that were last set.
    folders: BTreeSet<PathBuf>,
    /// Files whose change re-plans: manifests and what they include.
    manifest: BTreeSet<PathBuf>,
    /// Asked by the watcher for folders that are made while it runs.
    effects: Arc<RwLock<Vec<Arc<dyn Effects>>>>,
    /// The last apply failed: any change of a file that matters tries it again.
    pub incomplete: bool,
}

/// A watched service.
pub struct Watched {
    /// What is watched for it.
    pub watch: Watch,
    /// What its build reads, as last measured; `None` where it has none.
    pub inputs: Option<Measured>,
    /// Changed since.
    pub dirty: BTreeSet<PathBuf>,
    /// When the first of them was noticed.
    pub noticed: Option<Instant>,
    /// When the burst had ended.
    pub quiet: Option<Instant>,
    /// A job ended halfway: what the containers hold is not known, and an equal measure says nothing.
    pub unsure: bool,
    /// Asked for by a person, not by a save.
    pub asked: Option<Reload>,
    /// The job that runs, and how to end it if it is a build.
    pub job: Option<CancellationToken>,
}

impl Watching {
    /// The moment at which the burst that goes on is over.
    pub fn deadline(&self) -> Option<Instant> {
        self.debounce.deadline()
    }

    /// Nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// A service's job runs.
    pub fn is_busy(&self) -> bool {
        self.services.values().any(|watched| watched.job.is_some())
    }

    /// Ends the jobs that can be ended, which are those that build.
    pub fn cancel_builds(&self) {
        for watched in self.services.values() {
            if let Some(cancel) = &watched.job {
                cancel.cancel();
            }
        }
    }

    /// Takes in what the watcher saw.
    pub fn push(&mut self, batch: Batch, sink: &dyn Sink) {
        for notice in batch.notices {
            sink.emit(Event::Warning(Message::new(notice.to_string())));
        }
        for change in batch.changes {
            if self.matters(&change.path, change.kind) {
                self.debounce.push([change.path], batch.at);
            }
        }
    }

    /// Whether anybody reads the path; what nobody reads does not even hold a burst open.
    fn matters(&self, path: &Path, kind: ChangeKind) -> bool {
        kind == ChangeKind::Rescan
            || self.manifest.contains(path)
            || self.services.values().any(|w| w.watch.effects.effect(path) != Effect::Nothing)
    }

    /// Forgets what has changed, because it is about to be measured as a whole.
    pub fn forget_dirty(&mut self) {
        for watched in self.services.values_mut() {
            watched.dirty.clear();
            (watched.noticed, watched.quiet) = (None, None);
        }
    }

    /// A person asks for a service.
    pub fn ask(&mut self, service: &ServiceName, reload: Reload) {
        if let Some(watched) = self.services.get_mut(service) {
            watched.asked = Some(reload);
        }
    }

    /// The watched service.
    pub fn get_mut(&mut self, service: &ServiceName) -> Option<&mut Watched> {
        self.services.get_mut(service)
    }

    /// Services that have something to do and no job.
    pub fn startable(&self) -> Vec<ServiceName> {
        let asks = |w: &Watched| w.asked.is_some() || w.quiet.is_some() && !w.dirty.is_empty();
        self.services.iter().filter(|(_, w)| w.job.is_none() && asks(w)).map(|(s, _)| s.clone()).collect()
    }

    /// Services whose job runs.
    pub fn busy(&self) -> Vec<ServiceName> {
        self.services.iter().filter(|(_, w)| w.job.is_some()).map(|(s, _)| s.clone()).collect()
    }
}

/// What a service's build reads.
pub fn measured(wanted: &Wanted, service: &ServiceName) -> Option<Measured> {
    match wanted.images.get(service) {
        Some(WantedImage::Built(inputs)) => Some(inputs.clone()),
        _ => None,
    }
}

impl Session {
    /// Starts the watcher on the manifest's own files; services follow when they are measured.
    pub(super) fn start_watching(&mut self) -> Result<BoxStream<Batch>, Failure> {
        if !self.options.watch {
            return Ok(stream::pending().boxed());
        }
        if let Some((folders, saves)) = self.watching.given.take() {
            self.watching.watcher = Some(folders);
            self.set_folders();
            return Ok(saves);
        }
        let effects = Arc::clone(&self.watching.effects);
        let wanted = move |path: &Path| {
            let effects = effects.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            effects.iter().any(|e| e.wants_folder(path))
        };
        let (watcher, saves) = Watcher::start(Arc::new(wanted)).map_err(|error| Failure {
            cause: Cause::Engine,
            message: Message::new(format!("files cannot be watched: {error}"))
                .hint("`--no-watch` brings the stack up without watching"),
        })?;
        self.watching.watcher = Some(Box::new(watcher));
        self.set_folders();
        let next = |mut saves: Changes| async move { Some((saves.recv().await?, saves)) };
        Ok(stream::unfold(saves, next).boxed())
    }

    /// Watches what the services of the last view read; true where that is more than before.
    pub(super) fn watch_services(&mut self) -> bool {
        if !self.options.watch {
            return false;
        }
        let scope = self.scope();
        let wanted = Arc::clone(&self.wanted);
        self.watching.services.retain(|service, _| scope.contains(service) && wanted.watch.contains_key(service));
        for service in scope {
            let Some(watch) = wanted.watch.get(&service).cloned() else { continue };
            let inputs = measured(&wanted, &service);
            if let Some(watched) = self.watching.services.get_mut(&service) {
                (watched.watch, watched.inputs) = (watch, inputs);
            } else {
                let watched = Watched {
                    watch,
                    inputs,
                    dirty: BTreeSet::new(),
                    noticed: None,
                    quiet: None,
                    unsure: false,
                    asked: None,
                    job: None,
                };
                self.watching.services.insert(service, watched);
            }
        }
        self.set_folders()
    }

    /// Tells the watcher which folders matter now; true where there are some that did not before.
    pub(super) fn set_folders(&mut self) -> bool {
        let files = self.project.files.iter().chain(&self.project.env_files);
        self.watching.manifest = files.cloned().collect();
        let mut folders: BTreeSet<PathBuf> =
            self.watching.manifest.iter().filter_map(|file| file.parent().map(Path::to_path_buf)).collect();
        for watched in self.watching.services.values() {
            folders.extend(watched.watch.folders.iter().cloned());
        }
        let mut effects = self.watching.effects.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        *effects = self.watching.services.values().map(|w| Arc::clone(&w.watch.effects)).collect();
        drop(effects);
        if let Some(watcher) = &mut self.watching.watcher {
            for notice in watcher.set(&folders).notices {
                self.sink.emit(Event::Warning(Message::new(notice.to_string())));
            }
        }
        let more = !folders.is_subset(&self.watching.folders);
        self.watching.folders = folders;
        more
    }

    /// Says once that saves are seen from now on.
    pub(super) fn say_watching(&mut self) {
        if !self.options.watch {
            return;
        }
        let mut services: Vec<ServiceName> = self.watching.services.keys().cloned().collect();
        services.sort();
        if self.said_watching != services {
            self.said_watching.clone_from(&services);
            self.sink.emit(Event::Watching { services, folders: self.watching.folders.len() });
        }
    }

    /// A burst is over: gives each service its part of it.
    pub(super) fn quiet(&mut self) {
        let now = now();
        let Some(batch) = self.watching.debounce.poll(now) else { return };
        let rescan = batch.items.iter().any(|path| path == Path::new("/"));
        if rescan || batch.items.iter().any(|path| self.watching.manifest.contains(path)) {
            self.reread = true;
        }
        let mut any = false;
        for watched in self.watching.services.values_mut() {
            let matters = |path: &&PathBuf| rescan || watched.watch.effects.effect(path) != Effect::Nothing;
            let mine: Vec<PathBuf> = batch.items.iter().filter(matters).cloned().collect();
            if mine.is_empty() {
                continue;
            }
            any = true;
            watched.dirty.extend(mine);
            watched.noticed.get_or_insert(batch.first);
            watched.quiet = Some(now);
            // A build that runs is of what is no longer there.
            if let Some(cancel) = &watched.job {
                cancel.cancel();
            }
        }
        if self.watching.incomplete && any {
            self.again = true;
        }
    }
}
