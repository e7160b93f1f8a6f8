//! What is watched, and which services a burst of changes is about.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::phase::{Activity, ImageState};
use super::watched::{Noted, Watched};
use crate::host::watch::{Change, ChangeKind};
use crate::model::{Entry, Reload, ServiceName, Watch};
use crate::plan::Debouncer;

/// Everything that the watch knows.
#[derive(Default)]
pub struct Watching {
    pub debounce: Debouncer,
    /// What is there, of what is in the burst that goes on.
    pub looks: BTreeMap<PathBuf, Option<Entry>>,
    pub services: BTreeMap<ServiceName, Watched>,
    /// What may mend a service that could not be measured or built, besides what it was last measured to read.
    pub mends: BTreeMap<ServiceName, Watch>,
    /// Folders that were last set.
    pub folders: BTreeSet<PathBuf>,
    /// Files whose change re-plans: manifests and what they include.
    pub manifest: BTreeSet<PathBuf>,
    /// The manifest has errors: a file that comes beside it may be what it lacks.
    pub manifest_is_broken: bool,
    /// The last apply failed: any change of a file that matters tries it again.
    pub incomplete: bool,
    /// Rules that were said not to be followed, by service and path.
    pub unfollowed: BTreeSet<(ServiceName, String)>,
}

impl Watching {
    /// The moment at which the burst that goes on is over, or something else is due.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        // What is due waits for something else to end.
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
        let settled = |w: &Watched| !w.is_busy() && !w.has_changes() && w.meanwhile.is_empty();
        self.services.get(service).is_some_and(settled)
    }

    /// A service's job runs.
    pub fn is_busy(&self) -> bool {
        self.services.values().any(Watched::is_busy)
    }

    /// A job of this service runs.
    pub fn is_busy_with(&self, service: &ServiceName) -> bool {
        self.services.get(service).is_some_and(Watched::is_busy)
    }

    /// Jobs that were given up.
    pub fn forget_jobs(&mut self) {
        for watched in self.services.values_mut() {
            watched.activity = Activity::Idle;
        }
    }

    /// Takes in what the watcher saw at `at`; `planning` where all services are being measured. Gives what asks for
    /// nothing, as far as something may be said of it.
    pub fn push(&mut self, changes: Vec<Change>, at: Instant, planning: bool, now: Instant) -> Vec<Noted> {
        let mut noted = Vec::new();
        for change in changes {
            if change.kind == ChangeKind::Removed {
                // Another folder may be there already, and look the same; what the one before held is gone.
                let read = |watched: &&mut Watched| watched.reads_folder_at(&change.path);
                for watched in self.services.values_mut().filter(read) {
                    watched.pending.files.insert(change.path.clone());
                }
            }
            let look = change.now.as_ref();
            if self.matters(&change.path, look, change.kind) {
                self.looks.insert(change.path.clone(), change.now.clone());
                match change.kind {
                    _ if change.settled => self.debounce.push([change.path], at),
                    // What was written a moment ago and is gone was somebody's temporary file.
                    ChangeKind::Removed if self.debounce.contains(&change.path) => {
                        self.debounce.push([change.path], at);
                    }
                    ChangeKind::Removed => self.debounce.push_gone(change.path, at),
                    _ => self.debounce.push_open(change.path, at),
                }
                continue;
            }
            for (service, watched) in &mut self.services {
                watched.note(service, &change.path, look, &mut noted, now);
                if planning || watched.is_busy() {
                    watched.meanwhile.insert(change.path.clone(), change.now.clone());
                }
            }
        }
        noted
    }

    /// Whether anybody reads the path; what nobody reads does not even hold a burst open.
    pub fn matters(&self, path: &Path, look: Option<&Entry>, kind: ChangeKind) -> bool {
        kind == ChangeKind::Rescan
            || self.is_manifest(path)
            || self.services.values().any(|watched| watched.concerns(path, look))
            || self.mends.keys().any(|service| self.may_mend(service, path, look))
    }

    /// Whether a change of the path may mend a service that could not be measured or built.
    pub fn may_mend(&self, service: &ServiceName, path: &Path, look: Option<&Entry>) -> bool {
        let braked = self.services.get(service).is_some_and(|watched| watched.brake.holds(path));
        !braked && self.mends.get(service).is_some_and(|watch| watch.effects.effect(path, look).acts())
    }

    /// Whether a change of the path asks for the manifest to be read again.
    pub fn is_manifest(&self, path: &Path) -> bool {
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
            watched.planned.append(&mut watched.pending.files);
            watched.meanwhile.clear();
            watched.pending.rebuild_reason = None;
            (watched.pending.noticed, watched.pending.quiet) = (None, None);
        }
    }

    /// Everything was measured and acted upon: looks again at what has changed meanwhile. Where it failed, what had
    /// changed before is still to be done; true where it is to be tried again at once, and as a whole: what the
    /// services are measured to be now is not what their containers hold.
    pub fn planned(&mut self, success: bool, now: Instant) -> bool {
        self.incomplete = !success;
        let mut news = false;
        for watched in self.services.values_mut() {
            let planned = std::mem::take(&mut watched.planned);
            if !success {
                watched.pending.files.extend(planned);
            }
            // A job that runs beside the plan may be what mends it.
            news |= watched.look_again(now) || watched.pending.quiet.is_some() || watched.is_busy();
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
    pub fn set_image_stale(&mut self, service: &ServiceName, now: Instant) {
        if let Some(watched) = self.services.get_mut(service) {
            watched.image = ImageState::StaleSince(now);
        }
    }

    /// A plan has built every image, of what the files were when it was made.
    pub fn all_built(&mut self, planned: Option<Instant>) {
        for watched in self.services.values_mut() {
            if let ImageState::StaleSince(since) = watched.image
                && planned.is_none_or(|planned| since <= planned)
            {
                watched.image = ImageState::Current;
            }
        }
    }

    /// The engine is back: what failed while it was away is tried again, and what runs still and fails of it is too.
    pub fn engine_back(&mut self, now: Instant) {
        for watched in self.services.values_mut() {
            if watched.is_busy() {
                watched.activity = Activity::Busy { retry: true };
            } else {
                watched.try_again(now, now);
            }
        }
    }

    /// A person asks for a service.
    pub fn ask(&mut self, service: &ServiceName, reload: Reload) {
        if let Some(watched) = self.services.get_mut(service) {
            watched.pending.asked = Some(reload);
        }
    }

    /// The watched service.
    pub fn get(&self, service: &ServiceName) -> Option<&Watched> {
        self.services.get(service)
    }

    /// The watched service.
    pub fn get_mut(&mut self, service: &ServiceName) -> Option<&mut Watched> {
        self.services.get_mut(service)
    }

    /// Services that have something to do and no job.
    pub fn startable(&self, now: Instant) -> Vec<ServiceName> {
        let asks = |w: &Watched| {
            w.pending.asked.is_some()
                || w.pending.initial_sync
                || w.pending.quiet.is_some() && w.has_changes()
                || w.aside_at().is_some_and(|at| at <= now)
        };
        self.services.iter().filter(|(_, w)| !w.is_busy() && asks(w)).map(|(s, _)| s.clone()).collect()
    }

    /// The watched services that have no job.
    pub fn idle(&self) -> impl Iterator<Item = (&ServiceName, &Watched)> {
        self.services.iter().filter(|(_, watched)| !watched.is_busy())
    }

    /// Services whose job runs.
    pub fn busy(&self) -> Vec<ServiceName> {
        self.services.iter().filter(|(_, w)| w.is_busy()).map(|(s, _)| s.clone()).collect()
    }
}
