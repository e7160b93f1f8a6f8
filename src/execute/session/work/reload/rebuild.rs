//! An image is built, and the containers of a service are made anew.

use super::{Job, first, micros};
use crate::event::{Message, ReloadAction, Timings};
use crate::execute::session::clock::now;
use crate::execute::session::ended::{Measure, Reloaded};
use crate::execute::{Depth, Failure, Pass, RunOptions};
use crate::model::Reload as Then;
use crate::plan::{self, Op, Recreate, UpOptions};

impl Job {
    /// The plan of just this service, and of those that are to be restarted with it. Where a person asked for it,
    /// nothing says that it is needed, and only this service is made anew.
    pub(super) fn rebuild_options(&self) -> UpOptions {
        // Orphans were warned of by the first plan.
        let mut options = UpOptions { no_deps: true, grace: self.grace, ignore_orphans: true, ..UpOptions::default() };
        options.services.push(self.service.name.clone());
        if self.pending.asked == Some(Then::Rebuild) {
            (options.rebuild, options.recreate) = (true, Recreate::Always);
        } else {
            options.services.extend(self.project.restarted_with(std::slice::from_ref(&self.service.name)));
        }
        options
    }

    /// Builds the image and recreates the container.
    pub(super) async fn rebuild(
        &self,
        reload: &mut Reloaded,
        measured: Measure,
        timings: &mut Timings,
    ) -> Result<Option<ReloadAction>, Failure> {
        let began = now();
        let options = self.rebuild_options();
        let superseded = || {
            let message = Message::new("a newer change took its place");
            Failure { cause: crate::execute::Cause::Build, message }
        };
        let turn = self.executor.turn(&self.cancel).await?.ok_or_else(superseded)?;
        let (cancel, keep_images, at_start) = (self.cancel.clone(), self.keep_images, self.at_start.clone());
        let reload_of = Some(self.service.name.clone());
        let run = RunOptions { cancel, keep_images, turn: Some(turn), at_start, reload_of, ..RunOptions::default() };
        let (executor, project) = (&self.executor, &self.project);
        let pass = Pass { executor, project, services: &options.services, options: &options, run: &run };
        let snapshot = pass.prepared(Depth::Whole).await.map_err(first)?;
        let mut synced = self.synced.clone();
        synced.extend(reload.synced.clone());
        let plan = snapshot.reconcile(&synced, plan::up, &options).map_err(first)?;
        if plan.is_empty() {
            reload.recreate_interrupted = false;
            reload.measured = Some(measured);
            return Ok(None);
        }
        reload.recreate_interrupted = true;
        let outcome = pass.execute(&plan).await;
        timings.synced_us = micros(now() - began);
        if let Some(failure) = outcome.failures.into_iter().next() {
            return Err(failure);
        }
        if outcome.cancelled {
            return Err(superseded());
        }
        if outcome.overtaken {
            let message = Message::new("another command changed the project meanwhile; a save tries again");
            return Err(Failure { cause: crate::execute::Cause::Engine, message });
        }
        reload.recreate_interrupted = false;
        reload.measured = Some(self.measure_of(&snapshot.wanted));
        reload.rebuilt = true;
        let has = |is: fn(&Op) -> bool| plan.steps.iter().any(|step| is(&step.op));
        let action = if has(|op| matches!(op, Op::Create(_))) {
            ReloadAction::Rebuilt { recreated: true }
        } else if has(|op| matches!(op, Op::Build { .. } | Op::Tag { .. })) {
            ReloadAction::Rebuilt { recreated: false }
        } else {
            ReloadAction::Started
        };
        Ok(Some(action))
    }
}
