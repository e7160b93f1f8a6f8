//! What is going on right now: steps of the plan, builds, pulls. `tty` draws it, `plain` speaks of what takes long.

use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexMap;

use crate::event::{Event, Hold, Operation, Reason};
use crate::model::ServiceName;

/// Everything that has begun and has not ended.
#[derive(Debug, Default)]
pub(super) struct Activity {
    pub steps: BTreeMap<usize, Step>,
    pub builds: IndexMap<Vec<ServiceName>, Build>,
    pub pulls: IndexMap<String, Pull>,
    /// Large files on their way into containers.
    pub syncs: IndexMap<ServiceName, Pull>,
}

/// A step of the plan.
#[derive(Debug)]
pub(super) struct Step {
    pub op: Operation,
    pub service: Option<ServiceName>,
    pub reason: Reason,
    pub since: Duration,
    /// What it waits for.
    pub held: Option<Hold>,
    /// When something was last said of it.
    pub said: Duration,
}

/// A build and its steps that run.
#[derive(Debug, Default)]
pub(super) struct Build {
    pub running: IndexMap<String, BuildStep>,
    /// Steps that have ended, without those that the builder adds by itself.
    pub done: usize,
    pub cached: usize,
}

/// A step of a build.
#[derive(Debug)]
pub(super) struct BuildStep {
    pub name: String,
    pub since: Duration,
    pub said: Duration,
    /// What is counted, how much is done, and of how much.
    pub transfer: Option<(String, u64, u64)>,
    /// The last line that it wrote.
    pub last: String,
}

/// A pull of an image.
#[derive(Debug)]
pub(super) struct Pull {
    pub since: Duration,
    pub said: Duration,
    pub current: u64,
    pub total: u64,
}

/// A step that has ended, with the counts of the build that it was.
#[derive(Debug)]
pub(super) struct Ended {
    pub step: Option<Step>,
    pub build: Option<(usize, usize)>,
}

/// A step that waits, with what for. What it does may be to wait.
pub(super) fn waiting(op: &Operation, on: &Hold) -> String {
    match op {
        Operation::Wait { .. } => format!("waiting: {on}"),
        op => format!("waiting to {op}: {on}"),
    }
}

impl Activity {
    /// Nothing is going on.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
            && self.pulls.is_empty()
            && self.syncs.is_empty()
            && self.builds.values().all(|build| build.running.is_empty())
    }

    /// Takes note of an event that begins something or tells more of it. What ends a step is told by `end`.
    pub fn event(&mut self, event: &Event, now: Duration) {
        match event {
            Event::Plan { dry_run: false, .. } => *self = Self::default(),
            Event::StepStarted { step, op, service, reason } => {
                let (op, service, reason) = (op.clone(), service.clone(), reason.clone());
                self.steps.insert(*step, Step { op, service, reason, since: now, held: None, said: now });
            }
            Event::StepHeld { step, on, .. } => {
                if let Some(step) = self.steps.get_mut(step) {
                    step.held = Some(on.clone());
                }
            }
            Event::Pulling { image, current, total } => {
                let new = Pull { since: now, said: now, current: 0, total: 0 };
                let pull = self.pulls.entry(image.clone()).or_insert(new);
                (pull.current, pull.total) = (*current, *total);
            }
            Event::Syncing { service, current, total } => {
                let new = Pull { since: now, said: now, current: 0, total: 0 };
                let sync = self.syncs.entry(service.clone()).or_insert(new);
                (sync.current, sync.total) = (*current, *total);
            }
            Event::BuildStep { services, step, name } => {
                let build = self.builds.entry(services.clone()).or_default();
                let new =
                    || BuildStep { name: name.clone(), since: now, said: now, transfer: None, last: String::new() };
                // A build that was given up for a newer one leaves its steps without an end.
                build.running.retain(|id, running| id == step || running.name != *name);
                build.running.entry(step.clone()).or_insert_with(new);
            }
            Event::BuildTransfer { services, step, what, current, total } => {
                if let Some(step) = self.build_step(services, step) {
                    step.transfer = Some((what.clone(), *current, *total));
                }
            }
            Event::BuildOutput { services, step, line } => {
                if let Some(step) = self.build_step(services, step)
                    && !line.trim().is_empty()
                {
                    step.last.clone_from(line);
                }
            }
            Event::BuildStepDone { services, step, name, cached, .. } => {
                let build = self.builds.entry(services.clone()).or_default();
                build.running.shift_remove(step);
                if !internal(name) {
                    build.done += 1;
                    build.cached += usize::from(*cached);
                }
            }
            Event::Reloaded(reloaded) => {
                self.builds.retain(|services, _| !services.contains(&reloaded.service));
                self.syncs.shift_remove(&reloaded.service);
            }
            // The command is over or is being ended: what has not told its end will not.
            Event::Stopping { .. } => {
                self.builds.clear();
                self.pulls.clear();
                self.syncs.clear();
                self.steps.clear();
            }
            _ => {}
        }
    }

    /// What is dropped where the command is ended now.
    pub fn dropped(&self) -> Vec<(Option<ServiceName>, String)> {
        let is_dropped = |step: &&Step| matches!(step.op, Operation::Build { .. } | Operation::Pull { .. });
        self.steps
            .values()
            .filter(is_dropped)
            .map(|step| (step.service.clone(), format!("{}: cancelled", step.op)))
            .collect()
    }

    /// A step has ended, and what belonged to it.
    pub fn end(&mut self, number: usize) -> Ended {
        let Some(step) = self.steps.remove(&number) else { return Ended { step: None, build: None } };
        let build = self.key_of_build(&step).and_then(|key| self.builds.shift_remove(&key));
        if let Operation::Pull { image } = &step.op {
            self.pulls.shift_remove(image);
        }
        Ended { step: Some(step), build: build.map(|build| (build.done, build.cached)) }
    }

    /// The build that a step of the plan is.
    pub fn build_of(&self, step: &Step) -> Option<&Build> {
        self.builds.get(&self.key_of_build(step)?)
    }

    /// The pull that a step of the plan is.
    pub fn pull_of(&self, step: &Step) -> Option<&Pull> {
        let Operation::Pull { image } = &step.op else { return None };
        self.pulls.get(image)
    }

    /// Builds that no step of the plan speaks of, such as those of a watch.
    pub fn other_builds(&self) -> impl Iterator<Item = (&[ServiceName], &Build)> {
        let of_steps: Vec<_> = self.steps.values().filter_map(|step| self.key_of_build(step)).collect();
        let other = self.builds.iter().filter(move |(key, build)| !of_steps.contains(key) && !build.running.is_empty());
        other.map(|(key, build)| (key.as_slice(), build))
    }

    /// Pulls that no step of the plan speaks of.
    pub fn other_pulls(&self) -> impl Iterator<Item = (&str, &Pull)> {
        let is_of = |step: &Step, name: &String| matches!(&step.op, Operation::Pull { image } if image == name);
        let other = self.pulls.iter().filter(move |(image, _)| !self.steps.values().any(|step| is_of(step, image)));
        other.map(|(image, pull)| (image.as_str(), pull))
    }

    fn key_of_build(&self, step: &Step) -> Option<Vec<ServiceName>> {
        let Operation::Build { services } = &step.op else { return None };
        let of = |key: &&Vec<ServiceName>| key.iter().any(|service| services.contains(service));
        self.builds.keys().find(of).cloned()
    }

    fn build_step(&mut self, services: &[ServiceName], step: &str) -> Option<&mut BuildStep> {
        self.builds.get_mut(services)?.running.get_mut(step)
    }
}

/// Steps that the builder adds by itself, such as reading the Dockerfile.
pub(super) fn internal(name: &str) -> bool {
    name.starts_with("[internal]") || name.starts_with("[auth]")
}
