//! Files into the containers of a service, and what follows.

use std::path::PathBuf;
use std::sync::Arc;

use super::Job;
use crate::event::{Message, ReloadAction, Timings};
use crate::execute::observe::blocking;
use crate::execute::session::ended::{Measure, Reloaded};
use crate::execute::sync::{SyncContainer, SyncError};
use crate::execute::{Failure, sync_files};
use crate::model::{Content, Digest, Reload as Then, SyncTarget};
use crate::plan::ReloadReason;

impl Job {
    /// A mount of a file shows the file that was there when the container was started. Where another one has taken its
    /// name since, only a start of the container shows that.
    pub(super) async fn past_mounts(&self, then: Then, files: &[(PathBuf, String)], why: &mut ReloadReason) -> Then {
        if files.is_empty() || !matches!(then, Then::Restart | Then::Signal(_) | Then::Exec(_)) {
            return then;
        }
        for container in &self.containers {
            let image = self.project.image_name(&self.service);
            let hot =
                SyncContainer { service: &self.service, container, agent: self.hot, image, stop: self.stop.clone() };
            if let Some(stale) = self.executor.agents.stale_mount(&hot, files).await {
                if let ReloadReason::Changed { replaced, .. } = why {
                    *replaced = Some(stale);
                }
                return Then::Container;
            }
        }
        then
    }

    pub(super) async fn sync(
        &self,
        reload: &mut Reloaded,
        measured: Measure,
        targets: Vec<SyncTarget>,
        then: &Then,
        timings: &mut Timings,
        why: &mut ReloadReason,
    ) -> Result<Option<ReloadAction>, Failure> {
        let mut action = None;
        for container in &self.containers {
            let image = self.project.image_name(&self.service);
            let hot =
                SyncContainer { service: &self.service, container, agent: self.hot, image, stop: self.stop.clone() };
            // Until all is there, it holds what no build gives.
            reload.synced.insert(container.clone(), Digest::of(b"partly synced"));
            if measured.inputs.is_some() && !targets.is_empty() {
                let noted = self.executor.sources.note_content(container, &Content::Syncing);
                if let Err(error) = noted {
                    let error = format!("what the container holds cannot be written down: {error}");
                    *why = ReloadReason::CannotSync { error };
                    return self.rebuild(reload, measured, timings).await;
                }
            }
            match self.executor.agents.sync(&hot, &targets, then, self.grace).await {
                Ok(done) => {
                    let as_measured = self.is_as_measured(&hot, &targets, &measured).await;
                    reload.is_unsure |= !as_measured;
                    timings.synced_us = timings.synced_us.max(done.synced_us);
                    timings.restarted_us = timings.restarted_us.max(done.reloaded_us);
                    action = done.action;
                    reload.is_image_stale |= !targets.is_empty();
                    match &measured.inputs {
                        Some(_) if !as_measured => None,
                        Some(inputs) => {
                            // Rules of the manifest say where files go, which may not be where a build has them.
                            let news = !targets.is_empty() || measured.inputs != self.inputs;
                            if news && !self.service.has_watch_rules() {
                                reload.notes.push((container.clone(), inputs.digest.clone()));
                            }
                            reload.synced.insert(container.clone(), inputs.digest.clone())
                        }
                        None => reload.synced.remove(container),
                    };
                }
                // What cannot be synced is built: the result is the same, it only takes longer.
                Err(SyncError::Rebuild(reason)) => {
                    *why = ReloadReason::CannotSync { error: reason.clone() };
                    let built = self.rebuild(reload, measured, timings).await;
                    if matches!(built, Ok(None)) {
                        self.executor.agents.say_refused(&self.service, &reason);
                    }
                    return built;
                }
                Err(SyncError::Failed(failure)) => return Err(failure),
            }
        }
        reload.measured = Some(measured);
        // Files that are not there, and nothing that follows: nothing was done.
        Ok(action)
    }

    /// Whether a container has what was measured. A file that was touched since may have been another one for a moment,
    /// such as empty while it was saved twice, or there while version control passed by, and nothing would tell: the next
    /// measure is as this one.
    pub(super) async fn is_as_measured(
        &self,
        hot: &SyncContainer<'_>,
        targets: &[SyncTarget],
        measured: &Measure,
    ) -> bool {
        let now = |target: &SyncTarget| sync_files::stamp(&target.source);
        // What was not there has no time of its last change: it may have been there since, and be gone again.
        let is_touched = |target: &&SyncTarget| {
            self.stamps.get(&target.source).is_none_or(|stamp| stamp.is_none() || *stamp != now(target))
        };
        let touched: Vec<SyncTarget> = targets.iter().filter(is_touched).cloned().collect();
        // Rules of the manifest act on every event.
        if touched.is_empty() || self.service.has_watch_rules() {
            return true;
        }
        let before: Vec<sync_files::Stamp> = touched.iter().map(now).collect();
        let again = self.measure().await;
        again.is_ok_and(|again| again.inputs == measured.inputs)
            && self.executor.agents.missing(hot, &touched).await.is_ok_and(|missing| missing.is_empty())
            && touched.iter().map(now).eq(before)
    }

    /// Puts everything that `initial_sync` is about into the containers, as far as they do not hold it. What a build
    /// gave them is not touched by it, nor is what is remembered of it.
    pub(super) async fn initial_sync(
        &mut self,
        reload: &mut Reloaded,
        timings: &mut Timings,
    ) -> (Option<ReloadReason>, Result<Option<ReloadAction>, Failure>) {
        let effects = Arc::clone(&self.watch.effects);
        let (targets, follows) = blocking(move || effects.at_start()).await;
        // Who cannot tell what is missing has all of it to do each time, and restarts nothing for it.
        let then = if self.hot { follows } else { Then::None };
        let mut action = None;
        for container in self.containers.clone() {
            let image = self.project.image_name(&self.service);
            let hot = SyncContainer {
                service: &self.service,
                container: &container,
                agent: self.hot,
                image,
                stop: self.stop.clone(),
            };
            let agents = &self.executor.agents;
            let done = match agents.missing(&hot, &targets).await {
                Ok(missing) if missing.is_empty() => continue,
                Ok(missing) => {
                    reload.acted.extend(missing.iter().map(|target| (target.source.clone(), None)));
                    agents.sync(&hot, &missing, &then, self.grace).await
                }
                Err(error) => Err(error),
            };
            let why = Some(ReloadReason::InitialSync);
            match done {
                Ok(done) => {
                    timings.synced_us = timings.synced_us.max(done.synced_us);
                    timings.restarted_us = timings.restarted_us.max(done.reloaded_us);
                    action = done.action.or(action);
                }
                Err(SyncError::Failed(failure)) => return (why, Err(failure)),
                Err(SyncError::Rebuild(reason)) => {
                    let message = Message::new(format!("`initial_sync` cannot be done: {reason}"));
                    let message = message.service(&self.service.name);
                    return (why, Err(Failure { cause: crate::execute::Cause::Engine, message }));
                }
            }
        }
        reload.measured = Some(Measure { inputs: self.inputs.clone(), watch: None, reloader: None });
        (Some(ReloadReason::InitialSync), Ok(action))
    }
}
