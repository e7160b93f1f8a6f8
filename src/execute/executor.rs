//! Carries a plan out: every step as soon as the steps before it are done, independent ones side by side.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug_span, info_span};

use super::agents::Agents;
use super::beside::{Beside, StepState, Working};
use super::builds::Builds;
use super::prune::Prunes;
use super::turn::{Turn, Turns};
use super::{Failure, Sources};
use crate::engine::Engine;
use crate::event::{Event, Message, PlannedStep, Sink};
use crate::model::{Project, ServiceName};
use crate::plan::{Op, Operation, Plan, StepId};

/// How a plan is carried out.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// After a failure go on with what does not depend on it.
    pub keep_going: bool,
    /// Ends the run: builds, pulls and waits are dropped, other steps that run are let end, no new one begins.
    pub cancel: CancellationToken,
    /// Wait at most so long for services to be ready: `--wait-timeout`.
    pub wait_timeout: Option<Duration>,
    /// Leave the images that a build has superseded: `--prune=false`.
    pub keep_images: bool,
    /// Who works beside the plan, and is told what it leaves free.
    pub beside: Option<Arc<Beside>>,
    /// The turn in which it is carried out: while there is nothing to do but wait, others may have theirs.
    pub turn: Option<Arc<Turn>>,
    /// Attaches to what is about to be started.
    pub at_start: Option<Arc<super::AtStart>>,
    /// The service whose success its caller reports.
    pub reload_of: Option<ServiceName>,
}

/// How a plan ended.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Steps that failed, in the order they did.
    pub failures: Vec<Failure>,
    /// Steps that were done.
    pub done: usize,
    /// Services that have a step that failed or was skipped.
    pub incomplete: Vec<ServiceName>,
    /// It was cancelled before it was done.
    pub cancelled: bool,
    /// Another hob changed the project while nothing was done but wait: the plan must be made again.
    pub overtaken: bool,
}

impl Outcome {
    /// All steps were done.
    pub fn is_success(&self) -> bool {
        self.failures.is_empty() && !self.cancelled && !self.overtaken
    }
}

/// Carries plans out on an engine.
#[derive(Clone)]
pub struct Executor {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) sources: Arc<dyn Sources>,
    pub(super) agents: Arc<Agents>,
    pub(super) builds: Arc<Builds>,
    pub(super) prunes: Arc<Prunes>,
    /// Whose turn it is to change the project.
    pub turns: Arc<Turns>,
    /// Numbers of steps in events: plans that are carried out side by side do not share any.
    steps: Arc<AtomicUsize>,
    /// Steps that are with the engine and cannot be taken back.
    with_engine: Arc<AtomicUsize>,
}

impl Executor {
    /// An executor that builds as many images side by side as the machine has cores.
    pub fn new(engine: Arc<dyn Engine>, sink: Arc<dyn Sink>, sources: Arc<dyn Sources>) -> Self {
        let agents = Arc::new(Agents::new(Arc::clone(&engine), Arc::clone(&sink)));
        Self {
            agents,
            engine,
            sink,
            sources,
            builds: Arc::default(),
            prunes: Arc::default(),
            turns: Arc::default(),
            steps: Arc::default(),
            with_engine: Arc::default(),
        }
    }

    /// The same, which takes turns with other processes.
    #[must_use]
    pub fn taking_turns(self, turns: Turns) -> Self {
        Self { turns: Arc::new(turns), ..self }
    }

    /// Waits for the turn to change the project: to be taken before the look from which a plan is made. `None` where
    /// that was cancelled.
    ///
    /// # Errors
    /// The lock cannot be made.
    pub async fn turn(&self, cancel: &CancellationToken) -> Result<Option<Arc<Turn>>, Failure> {
        self.turns.take(&*self.sink, cancel).await
    }

    /// The same with a limit on the builds, and on the pulls, that go on side by side.
    #[must_use]
    pub fn at_most(self, limit: usize) -> Self {
        Self { builds: Arc::new(Builds::at_most(limit)), ..self }
    }

    /// The same, which says what it does to another sink.
    pub(super) fn with_sink(&self, sink: Arc<dyn Sink>) -> Self {
        Self { sink, ..self.clone() }
    }

    /// The agents of the containers.
    pub fn agents(&self) -> &Agents {
        &self.agents
    }

    /// Removes the volume that carries the agent, if no container of any project uses it.
    pub async fn remove_agent_volume(&self) {
        // In use by another project: it stays, and that is no error.
        let _ = self.engine.remove_volume(&crate::agent::volume_name()).await;
    }

    /// Waits for what goes on after a plan is done: old images are removed. For commands that end now.
    pub async fn wait_for_prunes(&self) {
        self.prunes.settle().await;
    }

    /// Whether a step of any plan is with the engine that cannot be taken back: its end should be waited for.
    pub(super) fn is_with_engine(&self) -> bool {
        self.with_engine.load(Ordering::Relaxed) > 0
    }

    /// Says what would be done, and does nothing.
    pub fn show(&self, plan: &Plan) {
        self.announce(plan, 0, true, None);
    }

    fn announce(&self, plan: &Plan, base: usize, dry_run: bool, reload_of: Option<ServiceName>) {
        let steps = plan
            .steps
            .iter()
            .enumerate()
            .map(|(id, step)| PlannedStep {
                step: base + id,
                op: Operation::from(&step.op),
                service: step.service.clone(),
                reason: step.reason.clone(),
                after: step.after.iter().map(|id| base + id).collect(),
            })
            .collect();
        for text in plan.news.iter().filter(|_| !dry_run) {
            self.sink.emit(Event::Notice { text: text.clone() });
        }
        let (unchanged, containers) = (plan.unchanged.clone(), plan.containers.clone());
        self.sink.emit(Event::Plan { steps, unchanged, containers, dry_run, reload_of });
        for note in &plan.notes {
            self.sink.emit(Event::Warning(crate::event::Message::new(note.clone())));
        }
    }

    /// Says what will be done, and does it.
    pub async fn run(&self, project: &Arc<Project>, plan: &Plan, options: &RunOptions) -> Outcome {
        let span = info_span!("execute", steps = plan.steps.len());
        self.carry_out(project, plan, options).instrument(span).await
    }

    async fn carry_out(&self, project: &Arc<Project>, plan: &Plan, options: &RunOptions) -> Outcome {
        let base = self.steps.fetch_add(plan.steps.len(), Ordering::Relaxed);
        self.announce(plan, base, false, options.reload_of.clone());
        let mut states = vec![StepState::Waiting; plan.steps.len()];
        let mut outcome = Outcome::default();
        if !plan.steps.is_empty()
            && let Err(error) = self.engine.verify_info().await
        {
            outcome.failures.push(Failure::of_engine(None, error));
            outcome.incomplete = plan.steps.iter().filter_map(|step| step.service.clone()).collect();
            return outcome;
        }
        let mut running = FuturesUnordered::new();
        // Ends what can be ended, without an error of its own, when another step has failed.
        let stop = options.cancel.child_token();
        loop {
            let ready = if stop.is_cancelled() { Vec::new() } else { ready(plan, &states) };
            if !ready.is_empty() && self.resumes(options, &mut outcome).await {
                for id in ready {
                    states[id] = StepState::Running;
                    let span = debug_span!("step", number = base + id);
                    running.push(self.step(project, plan, base, id, options, stop.clone()).instrument(span));
                }
            } else if !ready.is_empty() {
                stop.cancel();
            }
            if let Some(turn) = &options.turn
                && states.contains(&StepState::Running)
                && states.iter().zip(&plan.steps).all(|(state, step)| *state != StepState::Running || is_wait(&step.op))
            {
                turn.rest();
            }
            if let Some(beside) = &options.beside {
                beside.tell(Working::of(plan, &states));
            }
            let Some((id, result)) = running.next().await else { break };
            match result {
                Some(Ok(())) => {
                    states[id] = StepState::Done;
                    outcome.done += 1;
                }
                Some(Err(failure)) => {
                    states[id] = StepState::Failed;
                    self.skip_dependents(plan, base, id, &failure, &mut states);
                    outcome.failures.push(failure);
                    if !options.keep_going {
                        stop.cancel();
                    }
                }
                None => states[id] = StepState::Waiting,
            }
        }
        let all_done = states.iter().all(|state| *state == StepState::Done);
        let is_reported =
            |id: usize| all_done && options.reload_of.is_some() && plan.steps[id].service == options.reload_of;
        for change in super::changed::changes(plan, |id| states[id] == StepState::Done && !is_reported(id)) {
            self.sink.emit(change);
        }
        self.prunes.start(&self.engine).await;
        // A request to end that comes after the last step has nothing left to end.
        outcome.cancelled = options.cancel.is_cancelled() && states.contains(&StepState::Waiting);
        for (id, state) in states.iter().enumerate() {
            if matches!(state, StepState::Done) {
                continue;
            }
            if let Some(service) = &plan.steps[id].service
                && !outcome.incomplete.contains(service)
            {
                outcome.incomplete.push(service.clone());
            }
        }
        if !outcome.failures.is_empty() {
            let state = |of: StepState| {
                let steps = plan.steps.iter().zip(&states).filter(move |(_, state)| **state == of);
                steps.filter_map(|(step, _)| step.service.clone())
            };
            let mut failed: Vec<ServiceName> = state(StepState::Failed).collect();
            failed.dedup();
            let left = outcome.incomplete.iter().filter(|service| !failed.contains(service)).cloned().collect();
            self.sink.emit(Event::Incomplete { failed, left });
        }
        outcome
    }

    /// Whether the plan goes on after a wait in which others could have their turn.
    async fn resumes(&self, options: &RunOptions, outcome: &mut Outcome) -> bool {
        let Some(turn) = &options.turn else { return true };
        match turn.resume(&*self.sink, &options.cancel).await {
            Ok(Some(others)) => {
                outcome.overtaken |= others;
                !others
            }
            Ok(None) => false,
            Err(failure) => {
                outcome.failures.push(failure);
                false
            }
        }
    }

    /// One step; `None` where it was dropped because the run is being ended.
    async fn step(
        &self,
        project: &Arc<Project>,
        plan: &Plan,
        base: usize,
        id: StepId,
        options: &RunOptions,
        stop: CancellationToken,
    ) -> (StepId, Option<Result<(), Failure>>) {
        let step = &plan.steps[id];
        let op = Operation::from(&step.op);
        let service = step.service.clone();
        let began = Instant::now();
        self.sink.emit(Event::StepStarted {
            step: base + id,
            op: op.clone(),
            service: service.clone(),
            reason: step.reason.clone(),
        });
        let work = self.perform(project, base + id, step, options);
        let result = match step.op {
            Op::Build { .. } | Op::Pull { .. } | Op::Wait { .. } => tokio::select! {
                biased;
                result = work => result,
                () = stop.cancelled() => return (id, None),
            },
            _ => {
                let _with = With::engine(&self.with_engine);
                work.await
            }
        };
        let event = match &result {
            Ok(()) => Event::StepDone { step: base + id, op, service, took_ms: millis(began.elapsed()) },
            Err(failure) => Event::StepFailed { step: base + id, op, service, message: failure.message.clone() },
        };
        self.sink.emit(event);
        (id, Some(result))
    }

    /// Everything that needed a failed step, directly or not, is not tried.
    fn skip_dependents(&self, plan: &Plan, base: usize, failed: StepId, failure: &Failure, states: &mut [StepState]) {
        let cause = &plan.steps[failed];
        // The failure itself is told once, with all that it printed.
        let Message { service, location, text, .. } = failure.message.clone();
        let service = service.or_else(|| cause.service.clone());
        let because = Message { service, location, ..Message::new(text) };
        for (id, step) in plan.steps.iter().enumerate().skip(failed + 1) {
            let hit = step.after.iter().any(|before| matches!(states[*before], StepState::Failed | StepState::Skipped));
            if states[id] == StepState::Waiting && hit {
                states[id] = StepState::Skipped;
                self.sink.emit(Event::StepSkipped {
                    step: base + id,
                    op: Operation::from(&step.op),
                    service: step.service.clone(),
                    because: because.clone(),
                });
            }
        }
    }
}

/// A step that is with the engine.
struct With<'a>(&'a AtomicUsize);

impl<'a> With<'a> {
    fn engine(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for With<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn is_wait(op: &Op) -> bool {
    matches!(op, Op::Wait { .. })
}

fn ready(plan: &Plan, states: &[StepState]) -> Vec<StepId> {
    let is_ready = |id: &StepId| {
        states[*id] == StepState::Waiting && plan.steps[*id].after.iter().all(|b| states[*b] == StepState::Done)
    };
    (0..states.len()).filter(is_ready).collect()
}

/// Whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
