//! One watched service: what is known of it, and what is to be done to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::phase::{Activity, ImageState};
use crate::execute::session::ended::Pending;
use crate::model::{Aside, Effect, Entry, Measured, ServiceName, Watch};
use crate::plan::Brake;

/// A watched service.
pub struct Watched {
    /// What is watched for it.
    pub watch: Watch,
    /// What its build reads, as last measured; `None` where it has none.
    pub inputs: Option<Measured>,
    /// What is to be done to it.
    pub pending: Pending,
    /// What changed while the service was being measured and acted upon, and did not matter by what was known before:
    /// by the new measure it may.
    pub meanwhile: BTreeMap<PathBuf, Option<Entry>>,
    /// What had changed when everything began to be measured; to be done still where that fails.
    pub planned: BTreeSet<PathBuf>,
    /// A recreation was begun and not finished.
    pub recreate_interrupted: bool,
    /// `initial_sync` was begun and not finished.
    pub initial_sync_failed: bool,
    /// What rules of `develop.watch` put into its containers where no build does.
    pub rule_synced: BTreeSet<PathBuf>,
    /// Its image.
    pub image: ImageState,
    /// Since when something has changed that asks for nothing now.
    pub aside: Option<Instant>,
    /// What was said once about such changes.
    pub said: super::aside::Said,
    /// Changes that follow what was done for them.
    pub brake: Brake,
    /// What has changed that is suspected to be such: when the first was noticed, and when they are acted upon.
    pub trial: Option<(Instant, Instant)>,
    /// What goes on in it.
    pub activity: Activity,
}

/// What a service makes of a change.
pub enum Stance {
    Nothing,
    Aside(Aside),
    Acts,
}

/// A change that asks for nothing of a service.
pub type Noted = (ServiceName, PathBuf, Aside);

/// How long changes that ask for nothing wait until they are taken note of: all of a burst at once.
const ASIDE: Duration = Duration::from_secs(2);

impl Watched {
    /// A service of which nothing has changed.
    pub fn new(watch: Watch, inputs: Option<Measured>) -> Self {
        Self {
            watch,
            inputs,
            pending: Pending::default(),
            meanwhile: BTreeMap::new(),
            planned: BTreeSet::new(),
            recreate_interrupted: false,
            initial_sync_failed: false,
            rule_synced: BTreeSet::new(),
            image: ImageState::Current,
            aside: None,
            said: super::aside::Said::default(),
            brake: Brake::default(),
            trial: None,
            activity: Activity::Idle,
        }
    }

    /// Takes note of a change, if it is one that asks for nothing of this service.
    pub fn note(
        &mut self,
        service: &ServiceName,
        path: &Path,
        look: Option<&Entry>,
        noted: &mut Vec<Noted>,
        now: Instant,
    ) {
        let Stance::Aside(aside) = self.stance(path, look) else { return };
        if self.said.may_say(&aside) {
            noted.push((service.clone(), path.to_path_buf(), aside));
        }
        self.aside.get_or_insert(now);
    }

    /// Whether a change of the path asks for something. What is still to be done does in any case: after a failure, that
    /// a folder is as it was before may be what mends it.
    pub fn concerns(&self, path: &Path, look: Option<&Entry>) -> bool {
        matches!(self.stance(path, look), Stance::Acts)
    }

    pub fn stance(&self, path: &Path, look: Option<&Entry>) -> Stance {
        match self.watch.effects.effect(path, look) {
            _ if self.brake.holds(path) => Stance::Nothing,
            _ if self.pending.files.contains(path) => Stance::Acts,
            Effect::Nothing => Stance::Nothing,
            Effect::Aside(aside) => Stance::Aside(aside),
            _ => Stance::Acts,
        }
    }

    /// When the changes that ask for nothing are taken note of.
    pub fn aside_at(&self) -> Option<Instant> {
        self.aside.filter(|_| self.inputs.is_some() && !self.is_busy()).map(|since| since + ASIDE)
    }

    /// Whether a job of it runs.
    pub fn is_busy(&self) -> bool {
        self.activity != Activity::Idle
    }

    /// Whether a folder that is read is at or below the path.
    pub fn reads_folder_at(&self, path: &Path) -> bool {
        self.watch.folders.range(path.to_path_buf()..).next().is_some_and(|folder| folder.starts_with(path))
    }

    /// What is known of the service is new: looks again at what has changed meanwhile, and says whether that asks for
    /// something.
    pub fn look_again(&mut self, now: Instant) -> bool {
        let meanwhile = std::mem::take(&mut self.meanwhile);
        let concerns = |(path, look): &(PathBuf, Option<Entry>)| self.concerns(path, look.as_ref());
        let mine: Vec<PathBuf> = meanwhile.into_iter().filter(concerns).map(|(path, _)| path).collect();
        if mine.is_empty() {
            return false;
        }
        self.pending.files.extend(mine);
        self.pending.set_due(now);
        true
    }

    /// Its containers do not hold what is wanted.
    pub fn has_changes(&self) -> bool {
        !self.pending.files.is_empty() || self.pending.rebuild_reason.is_some()
    }

    /// What failed is tried again at once, as noticed at this moment.
    pub fn try_again(&mut self, noticed: Instant, now: Instant) {
        self.pending.initial_sync |= std::mem::take(&mut self.initial_sync_failed);
        if self.has_changes() {
            self.pending.set_due_since(noticed, now);
        }
    }

    /// What the next job is about. `initial_sync` is a job of its own, before anything else.
    pub fn take(&mut self) -> Pending {
        if std::mem::take(&mut self.pending.initial_sync) {
            return Pending { initial_sync: true, ..Pending::default() };
        }
        let aside = self.aside.take().is_some();
        let trial = self.trial.take().map(|(first, _)| first).or(self.pending.trial);
        Pending { aside, trial, ..std::mem::take(&mut self.pending) }
    }
}
