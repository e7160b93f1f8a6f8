//! What is watched, and which services a burst of changes is about.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Instant;

use futures_util::{StreamExt as _, stream};

use super::watched::{Noted, Task, Watched, measured};
use super::{Session, now};
use crate::engine::BoxStream;
use crate::event::{Event, Message, Sink};
use crate::execute::{Cause, Failure};
use crate::host::watch::{Batch, ChangeKind, Changes, Coverage, Watcher};
use crate::model::{Effects, Reload, ServiceName, Watch};
use crate::plan::{Brake, Debouncer};

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
    /// What may mend a service that could not be measured or built, besides what it was last measured to read.
    mends: BTreeMap<ServiceName, Watch>,
    /// Folders that were last set.
    folders: BTreeSet<PathBuf>,
    /// Files whose change re-plans: manifests and what they include.
    manifest: BTreeSet<PathBuf>,
    /// The manifest has errors: a file that comes beside it may be what it lacks.
    pub manifest_is_broken: bool,
    /// Asked by the watcher for folders that are made while it runs.
    effects: Arc<RwLock<Vec<Arc<dyn Effects>>>>,
    /// The last apply failed: any change of a file that matters tries it again.
    pub incomplete: bool,
    /// Rules that were said not to be followed, by service and path.
    unfollowed: BTreeSet<(ServiceName, String)>,
}

impl Watching {
    /// The moment at which the burst that goes on is over, or something else is due.
    pub fn deadline(&self) -> Option<Instant> {
        // What is due waits for something else to end.
        let now = now();
        let asides = self.services.values().filter_map(Watched::aside_at).filter(|at| *at > now);
        let trials = self.services.values().filter_map(|watched| Some(watched.trial?.1));
        asides.chain(trials).chain(self.debounce.deadline()).min()
    }

    /// Nothing is watched that something could follow.
    pub fn is_empty(&self) -> bool {
        !self.services.values().any(|watched| watched.watch.acts)
    }

    /// Nothing is to be done to a service, and nothing is being done.
    pub fn is_settled(&self, service: &ServiceName) -> bool {
        let settled = |w: &Watched| w.job.is_none() && !w.has_changes() && w.meanwhile.is_empty();
        self.services.get(service).is_some_and(settled)
    }

    /// A service's job runs.
    pub fn is_busy(&self) -> bool {
        self.services.values().any(|watched| watched.job.is_some())
    }

    /// A job of this service runs.
    pub fn is_busy_with(&self, service: &ServiceName) -> bool {
        self.services.get(service).is_some_and(|watched| watched.job.is_some())
    }

    /// Ends the jobs that can be ended, which are those that build.
    pub fn cancel_builds(&self) {
        for watched in self.services.values() {
            if let Some(cancel) = &watched.job {
                cancel.cancel();
            }
        }
    }

    /// Jobs that were given up.
    pub fn forget_jobs(&mut self) {
        for watched in self.services.values_mut() {
            watched.job = None;
        }
    }

    /// Takes in what the watcher saw; `applying` where all services are being measured. Gives what asks for nothing, as
    /// far as something may be said of it.
    pub fn push(&mut self, batch: Batch, applying: bool, sink: &dyn Sink) -> Vec<Noted> {
        let mut noted = Vec::new();
        for notice in batch.notices {
            sink.emit(Event::Warning(Message::new(notice.to_string())));
        }
        for change in batch.changes {
            if change.kind == ChangeKind::Removed {
                // Another folder may be there already, and look the same; what the one before held is gone.
                let read = |watched: &&mut Watched| watched.reads_folder_at(&change.path);
                for watched in self.services.values_mut().filter(read) {
                    watched.todo.dirty.insert(change.path.clone());
                }
            }
            if self.matters(&change.path, change.kind) {
                match change.kind {
                    _ if change.settled => self.debounce.push([change.path], batch.at),
                    // What was written a moment ago and is gone was somebody's temporary file.
                    ChangeKind::Removed if self.debounce.contains(&change.path) => {
                        self.debounce.push([change.path], batch.at);
                    }
                    ChangeKind::Removed => self.debounce.push_gone(change.path, batch.at),
                    _ => self.debounce.push_open(change.path, batch.at),
                }
                continue;
            }
            for (service, watched) in &mut self.services {
                watched.note(service, &change.path, &mut noted);
                if applying || watched.job.is_some() {
                    watched.meanwhile.insert(change.path.clone());
                }
            }
        }
        noted
    }

    /// Whether anybody reads the path; what nobody reads does not even hold a burst open.
    fn matters(&self, path: &Path, kind: ChangeKind) -> bool {
        kind == ChangeKind::Rescan
            || self.is_manifest(path)
            || self.services.values().any(|watched| watched.concerns(path))
            || self.mends.keys().any(|service| self.may_mend(service, path))
    }

    /// Whether a change of the path may mend a service that could not be measured or built.
    fn may_mend(&self, service: &ServiceName, path: &Path) -> bool {
        let braked = self.services.get(service).is_some_and(|watched| watched.brake.holds(path));
        !braked && self.mends.get(service).is_some_and(|watch| watch.effects.effect(path).acts())
    }

    /// Whether a change of the path asks for the manifest to be read again.
    fn is_manifest(&self, path: &Path) -> bool {
        let beside = |file: &PathBuf| file.parent() == path.parent();
        self.manifest.contains(path) || self.manifest_is_broken && self.manifest.iter().any(beside)
    }

    /// What may mend these services, from now on.
    pub fn set_mends(&mut self, mends: impl IntoIterator<Item = (ServiceName, Watch)>) {
        self.mends = mends.into_iter().collect();
    }

    /// What may mend this service; nothing where it is well. Says whether other folders are to be watched now.
    pub fn set_mend(&mut self, service: &ServiceName, mend: Option<Watch>) -> bool {
        match mend {
            Some(watch) => {
                let before = self.mends.insert(service.clone(), watch);
                before.is_none_or(|before| before.folders != self.mends[service].folders)
            }
            None => self.mends.remove(service).is_some(),
        }
    }

    /// Forgets what has changed, because it is about to be measured as a whole.
    pub fn forget_dirty(&mut self) {
        for watched in self.services.values_mut() {
            watched.aside = None;
            watched.planned.append(&mut watched.todo.dirty);
            watched.meanwhile.clear();
            watched.todo.lacks = None;
            (watched.todo.noticed, watched.todo.quiet) = (None, None);
        }
    }

    /// Everything was measured and acted upon: looks again at what has changed meanwhile. Where it failed, what had
    /// changed before is still to be done; true where it is to be tried again at once, and as a whole: what the
    /// services are measured to be now is not what their containers hold.
    pub fn planned(&mut self, success: bool) -> bool {
        self.incomplete = !success;
        let mut news = false;
        for watched in self.services.values_mut() {
            let planned = std::mem::take(&mut watched.planned);
            if !success {
                watched.todo.dirty.extend(planned);
            }
            // A job that runs beside the plan may be what mends it.
            news |= watched.look_again() || watched.todo.quiet.is_some() || watched.job.is_some();
        }
        self.incomplete && news
    }

    /// What is to be followed may be something else now.
    pub fn release_brakes(&mut self) {
        for watched in self.services.values_mut() {
            watched.brake.release();
        }
    }

    /// The image of a service may lack what has changed.
    pub fn set_behind(&mut self, service: &ServiceName) {
        if let Some(watched) = self.services.get_mut(service) {
            watched.behind = Some(now());
        }
    }

    /// A plan has built every image, of what the files were when it was made.
    pub fn all_built(&mut self, planned: Option<Instant>) {
        for watched in self.services.values_mut() {
            watched.behind = watched.behind.filter(|since| planned.is_some_and(|planned| *since > planned));
        }
    }

    /// The engine is back: what failed while it was away is tried again, and what runs still and fails of it is too.
    pub fn engine_back(&mut self) {
        for watched in self.services.values_mut() {
            watched.retry = watched.job.is_some();
            if !watched.retry {
                watched.try_again(now());
            }
        }
    }

    /// A person asks for a service.
    pub fn ask(&mut self, service: &ServiceName, reload: Reload) {
        if let Some(watched) = self.services.get_mut(service) {
            watched.todo.asked = Some(reload);
        }
    }

    /// The watched service.
    pub fn get_mut(&mut self, service: &ServiceName) -> Option<&mut Watched> {
        self.services.get_mut(service)
    }

    /// Services that have something to do and no job.
    pub fn startable(&self) -> Vec<ServiceName> {
        let now = now();
        let asks = |w: &Watched| {
            w.todo.asked.is_some()
                || w.todo.initial
                || w.todo.quiet.is_some() && w.has_changes()
                || w.aside_at().is_some_and(|at| at <= now)
        };
        self.services.iter().filter(|(_, w)| w.job.is_none() && asks(w)).map(|(s, _)| s.clone()).collect()
    }

    /// The watched services that have no job.
    pub fn idle(&self) -> impl Iterator<Item = (&ServiceName, &Watched)> {
        self.services.iter().filter(|(_, watched)| watched.job.is_none())
    }

    /// Services whose job runs.
    pub fn busy(&self) -> Vec<ServiceName> {
        self.services.iter().filter(|(_, w)| w.job.is_some()).map(|(s, _)| s.clone()).collect()
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
        let wanted = Arc::clone(&self.wanted);
        let scope = self.claim(self.scope());
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
                    todo: Task::default(),
                    meanwhile: BTreeSet::new(),
                    planned: BTreeSet::new(),
                    halfway: false,
                    initial_failed: false,
                    retry: false,
                    brought: BTreeSet::new(),
                    behind: None,
                    layered: None,
                    said_behind: false,
                    aside: None,
                    said: super::aside::Said::default(),
                    brake: Brake::default(),
                    trial: None,
                    mounted: super::mounted::Mounted::default(),
                    job: None,
                };
                self.watching.services.insert(service.clone(), watched);
            }
            self.say_unfollowed(&service);
            if let (Some(of), Some(watched)) =
                (self.project.services.get(&service), self.watching.services.get(&service))
            {
                self.read_mounted_ahead(of, watched);
            }
        }
        self.set_folders()
    }

    /// Says once which rules are not followed: a bind mount shows the container their files already.
    fn say_unfollowed(&mut self, name: &ServiceName) {
        let Some(service) = self.project.services.get(name) else { return };
        let rules = service.develop.iter().flat_map(|develop| &develop.watch);
        for (number, rule) in rules.enumerate().filter(|(_, rule)| service.sees(rule)) {
            if self.watching.unfollowed.insert((name.clone(), rule.path.clone())) {
                let place = self.project.locate(&format!("services.{name}.develop.watch[{number}]"));
                let text =
                    format!("{} is not synced: a bind mount of {name} shows it to the container already", rule.path);
                let message = Message::new(text).service(name).at(place.as_ref());
                self.sink.emit(Event::Warning(message.hint("remove the rule or the mount")));
            }
        }
    }

    /// Tells the watcher which folders matter now; true where there are some that did not before.
    pub(super) fn set_folders(&mut self) -> bool {
        let files = self.project.files.iter().chain(&self.project.env_files).chain(&self.project.awaited);
        self.watching.manifest = files.cloned().collect();
        let mut folders: BTreeSet<PathBuf> =
            self.watching.manifest.iter().filter_map(|file| file.parent().map(Path::to_path_buf)).collect();
        for watched in self.watching.services.values() {
            folders.extend(watched.watch.folders.iter().cloned());
        }
        for watch in self.watching.mends.values() {
            folders.extend(watch.folders.iter().cloned());
        }
        let mut effects = self.watching.effects.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let watches = self.watching.services.values().map(|watched| &watched.watch).chain(self.watching.mends.values());
        *effects = watches.map(|watch| Arc::clone(&watch.effects)).collect();
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
        let acting = self.watching.services.iter().filter(|(_, watched)| watched.watch.acts);
        let mut services: Vec<ServiceName> = acting.map(|(service, _)| service.clone()).collect();
        services.sort();
        if self.said_watching != services {
            self.said_watching.clone_from(&services);
            self.sink.emit(Event::Watching { services, folders: self.watching.folders.len() });
        }
    }

    /// A burst is over: gives each service its part of it.
    pub(super) fn quiet(&mut self) {
        let now = now();
        for watched in self.watching.services.values_mut() {
            if let Some((first, _)) = watched.trial.take_if(|(_, due)| *due <= now) {
                watched.todo.trial = Some(first);
                watched.todo.set_due(first);
            }
        }
        let Some(batch) = self.watching.debounce.poll(now) else { return };
        let mut noted = Vec::new();
        let rescan = batch.items.iter().any(|path| path == Path::new("/"));
        if rescan || batch.items.iter().any(|path| self.watching.is_manifest(path)) {
            self.reread = true;
            // What is wrong with it is said again where somebody has worked on it.
            if batch.items.iter().any(|path| self.watching.manifest.contains(path)) {
                self.said_errors.clear();
            }
        }
        let mut saved = Vec::new();
        for (service, watched) in &mut self.watching.services {
            let mend = self.watching.mends.get(service);
            let mends = |path: &PathBuf| {
                mend.is_some_and(|watch| watch.effects.effect(path).acts()) && !watched.brake.holds(path)
            };
            let matters = |path: &PathBuf| rescan || watched.concerns(path) || mends(path);
            let (mine, others): (Vec<PathBuf>, Vec<PathBuf>) = batch.items.iter().cloned().partition(matters);
            for path in &others {
                watched.note(service, path, &mut noted);
            }
            if self.applying || watched.job.is_some() {
                watched.meanwhile.extend(others);
            }
            if mine.is_empty() {
                continue;
            }
            let trial = mine.iter().map(|path| watched.brake.trial(path)).min().flatten();
            watched.todo.dirty.extend(mine);
            if let Some(quiet) = trial {
                // All of them are suspected.
                let first = watched.trial.map_or(batch.first, |(first, _)| first);
                watched.trial = Some((first, now + quiet));
                continue;
            }
            saved.push(service.clone());
            watched.todo.initial |= std::mem::take(&mut watched.initial_failed);
            watched.todo.noticed.get_or_insert(batch.first);
            watched.todo.quiet = Some(now);
            // A build that runs is of what is no longer there.
            if let Some(cancel) = &watched.job {
                cancel.cancel();
            }
        }
        for service in &saved {
            self.give_up_catching_up(Some(service));
        }
        let mends = |path: &PathBuf| self.watching.mends.keys().any(|service| self.watching.may_mend(service, path));
        if self.watching.incomplete && (!saved.is_empty() || batch.items.iter().any(mends)) {
            self.again = true;
        }
        self.say_asides(noted);
    }
}
