//! The shell of a session: waits for what happens, hands it to the machine, and carries out what that asks for.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::action::{Action, Job, Work};
use super::clock::now;
use super::ended::Ended;
use super::input::{Input, Moment};
use super::machine::{End, Machine};
use super::options::SessionOptions;
use super::work::{self, Shared};
use crate::engine::{BoxStream, EngineEvent, Query};
use crate::event::{Event, Message, Request};
use crate::execute::beside::{Beside, Working};
use crate::execute::{AtStart, Cause, Doer, Executor, Failure, Follow, From, Logs, RunOptions, logs, phases};
use crate::host::watch::{Batch, Changes, Coverage, Watcher};
use crate::model::{Content, Effects, Observed, Project, ServiceName};

/// The time between two deadlines: one that a step leaves as it was must not turn the loop at full speed.
const BRAKE: Duration = Duration::from_millis(10);

/// What is told which folders matter; the saves in them come over a channel.
pub trait Folders: Send {
    /// Watches exactly these folders from now on.
    fn set(&mut self, folders: &std::collections::BTreeSet<std::path::PathBuf>) -> Coverage;
}

impl Folders for Watcher {
    fn set(&mut self, folders: &std::collections::BTreeSet<std::path::PathBuf>) -> Coverage {
        Self::set(self, folders)
    }
}

/// How work has ended, as the shell sees it.
enum Done {
    Work(Ended),
    /// The engine answers again: its events, what it has, and when it was asked.
    EngineBack(BoxStream<crate::engine::Result<EngineEvent>>, Box<Observed>, Instant),
}

/// A session on one project.
pub struct Session {
    machine: Machine,
    shared: Shared,
    run: RunOptions,
    logs: Logs,
    /// Containers whose output is shown.
    followed: HashSet<crate::model::ContainerId>,
    watcher: Option<Box<dyn Folders>>,
    /// Given by a test in place of the disk's watcher.
    pub(super) given: Option<(Box<dyn Folders>, BoxStream<Batch>)>,
    /// Asked by the watcher for folders that are made while it runs.
    effects: Arc<RwLock<Vec<Arc<dyn Effects>>>>,
    jobs: JoinSet<Done>,
    /// Ends jobs, each by itself.
    cancels: BTreeMap<Job, CancellationToken>,
    /// The plan that is carried out, for the work beside it.
    beside: Option<Arc<Beside>>,
    progress: Option<watch::Receiver<Option<Working>>>,
    /// Ends all.
    cancel: CancellationToken,
}

impl Session {
    /// A session that has done nothing yet.
    pub fn new(executor: Executor, project: Arc<Project>, options: SessionOptions) -> Self {
        let logs = Logs::new(Arc::clone(&executor.engine), Arc::clone(&executor.sink), options.logs);
        let run = options.run.clone();
        let cancel = run.cancel.child_token();
        let moment = moment(&executor);
        Self {
            machine: Machine::new(project, options, moment),
            shared: Shared { executor, claims: Arc::default(), mounts: Arc::default() },
            run,
            logs,
            followed: HashSet::new(),
            watcher: None,
            given: None,
            effects: Arc::default(),
            jobs: JoinSet::new(),
            cancels: BTreeMap::new(),
            beside: None,
            progress: None,
            cancel,
        }
    }

    /// Runs until it is stopped, or has nothing left to do.
    pub async fn run(mut self, mut requests: mpsc::Receiver<Request>) -> End {
        let mut saves = match self.start_watching() {
            Ok(saves) => saves,
            Err(failure) => return End::Failed(vec![failure]),
        };
        // Before anything else is asked: from here on every edit of the manifest is told.
        for action in self.machine.watch(moment(&self.shared.executor)) {
            self.carry_out(action);
        }
        let name = self.machine.project().name.clone();
        let mut events = match self.shared.executor.engine.events(&name).await {
            Ok(events) => events,
            Err(error) => return End::Failed(vec![Failure::of_engine(None, error)]),
        };
        let mut input = Input::Begin;
        let end = loop {
            let was_due = matches!(input, Input::Time(_));
            if let Some(end) = self.step(input) {
                break end;
            }
            let deadline = self.machine.deadline(moment(&self.shared.executor));
            let deadline = deadline.map(|at| if was_due { at.max(now() + BRAKE) } else { at });
            input = tokio::select! {
                // What the engine tells of a job is known before the job's own end.
                biased;
                Some(request) = requests.recv() => Input::Request(request),
                event = events.next() => {
                    if let Some(Ok(event)) = event {
                        let doer = Machine::asks_who_did(&event).then(|| self.shared.executor.turns.doer());
                        Input::Engine(event, doer)
                    } else {
                        events = stream::pending().boxed();
                        Input::EngineLost
                    }
                },
                Some(batch) = saves.next() => Input::Saves(batch),
                () = until(deadline) => Input::Time(self.doer()),
                working = news(&mut self.progress) => Input::Progress(working),
                Some(done) = self.jobs.join_next() => match finished(done) {
                    Some(Done::Work(ended)) => Input::Ended(ended),
                    Some(Done::EngineBack(back, observed, taken)) => {
                        events = back;
                        Input::EngineBack(observed, taken)
                    }
                    None => Input::Time(self.doer()),
                },
            };
        };
        self.cancel.cancel();
        let patience = if self.machine.reader_is_gone() { Duration::ZERO } else { Duration::from_secs(1) };
        self.logs.finish(patience).await;
        end
    }

    /// Who was the last to change the project, where that is to be told.
    fn doer(&self) -> Option<Doer> {
        self.machine.is_about_others().then(|| self.shared.executor.turns.doer())
    }

    fn step(&mut self, input: Input) -> Option<End> {
        let (actions, end) = self.machine.step(input, moment(&self.shared.executor));
        for action in actions {
            self.carry_out(action);
        }
        end
    }

    fn carry_out(&mut self, action: Action) {
        let executor = &self.shared.executor;
        match action {
            Action::Emit(event) => executor.sink.emit(event),
            Action::Start(work) => self.start(*work),
            Action::Cancel(job) => {
                if let Some(cancel) = self.cancels.get(&job) {
                    cancel.cancel();
                }
            }
            Action::CancelAll => self.cancel.cancel(),
            Action::Abandon => self.jobs = JoinSet::new(),
            Action::Watch { folders, on_behalf } => {
                *self.effects.write().unwrap_or_else(PoisonError::into_inner) = on_behalf;
                let coverage = self.watcher.as_mut().map(|watcher| watcher.set(&folders));
                for notice in coverage.into_iter().flat_map(|coverage| coverage.notices) {
                    executor.sink.emit(Event::Warning(Message::new(notice.to_string())));
                }
            }
            Action::ReadMounts(service, watch) => {
                let mounted = self.shared.mounts.of(&service);
                tokio::task::spawn_blocking(move || mounted.read_ahead(&watch));
            }
            Action::ShowStarted { follow, from, is_shown } => {
                // By a step that has attached to it.
                if self.logs.was_attached(&follow.service, follow.number) {
                    self.followed.insert(follow.container);
                } else if is_shown {
                    self.follow(follow, from);
                }
            }
            Action::ShowRunning { follows, lost } => {
                for follow in follows {
                    let Follow { container, service, number, .. } = &follow;
                    if self.followed.contains(container) || self.logs.is_attached(service, *number) {
                        continue;
                    }
                    let known = self.logs.has_followed(service, *number);
                    self.follow(follow, lost.filter(|_| known).map_or(From::Now, |at| From::Lost { at }));
                }
            }
            Action::ForgetOutput => {
                self.logs.forget_starts();
                self.followed.clear();
            }
            Action::Saw(container) => executor.agents.saw(&container),
            Action::Connect(service, container) => {
                if executor.agents.carries(&service.name) {
                    executor.agents.connect(&service, &container);
                }
            }
            Action::Disconnect(container) => executor.agents.forget(&container),
            Action::Note(container, digest) => {
                // Where it cannot be written the next plan makes the container anew.
                let _ = executor.sources.note_content(&container, &Content::Synced(digest));
            }
            Action::EndPlan => {
                (self.beside, self.progress) = (None, None);
                self.cancels.remove(&Job::Plan);
            }
        }
    }

    fn follow(&mut self, follow: Follow, from: From) {
        self.followed.insert(follow.container.clone());
        self.logs.follow(follow, from);
    }

    /// Begins work.
    fn start(&mut self, work: Work) {
        let shared = self.shared.clone();
        let project = Arc::clone(self.machine.project());
        let name = project.name.to_string();
        match work {
            Work::TakeSnapshot(task) => {
                let run = self.run_options(Job::Plan, None);
                self.spawn(task.run(shared, run));
            }
            Work::CarryOut(task) => {
                let beside = Arc::new(Beside::default());
                self.progress = Some(beside.subscribe());
                self.beside = Some(Arc::clone(&beside));
                let at_start = self.at_start(&task.options.project, &task.options.shown);
                let run = RunOptions { beside: Some(beside), ..self.run_options(Job::Plan, at_start) };
                self.spawn(task.run(shared, run));
            }
            Work::Read => {
                let sources = Arc::clone(&shared.executor.sources);
                self.jobs.spawn(async move { Done::Work(Ended::Read(phases::load(&sources).await.map(Box::new))) });
            }
            Work::Reload(task, changes) => {
                let change = self.beside.as_ref().map(|beside| beside.change(changes));
                let at_start = self.at_start(&task.project, &task.shown);
                let (cancel, stop) = (self.token(Job::Reload(task.service.name.clone())), self.cancel.clone());
                self.spawn(async move {
                    let ended = task.run(shared, at_start, cancel, stop).await;
                    drop(change);
                    ended
                });
            }
            Work::CatchUp(task) => {
                let run = self.run_options(Job::CatchUp, None);
                self.spawn(task.run(shared, run));
            }
            Work::CompareContainers(task) => self.spawn(task.run(shared)),
            Work::AskWhetherItReturns(id) => self.spawn(work::ask_whether_it_returns(shared, id)),
            Work::AskWhetherAllExited { at, pause, services } => {
                self.spawn(work::ask_whether_all_exited(shared, name, at, pause, services));
            }
            Work::FindOutWhetherReady(task) => self.spawn(async move { task.run(shared, &project).await }),
            Work::FindOutUrls(after, services) => {
                self.spawn(async move { work::find_out_urls(shared, &project, &after, &services).await });
            }
            Work::Stop(task) => self.spawn(task.run(shared)),
            Work::Kill(services, known) => self.spawn(work::kill(shared, name, services, known)),
            Work::WatchEngine => self.spawn(work::watch_engine(shared)),
            Work::Reconnect => drop(self.jobs.spawn(reconnect(shared, project))),
        }
    }

    fn spawn(&mut self, work: impl Future<Output = Ended> + Send + 'static) {
        self.jobs.spawn(async move { Done::Work(work.await) });
    }

    /// What ends a job by itself. Work that belongs to one job has one of these.
    fn token(&mut self, job: Job) -> CancellationToken {
        let cancel = self.cancel.child_token();
        self.cancels.insert(job, cancel.clone());
        cancel
    }

    fn run_options(&mut self, job: Job, at_start: Option<Arc<AtStart>>) -> RunOptions {
        RunOptions { cancel: self.token(job), at_start, ..self.run.clone() }
    }

    /// What steps that start containers are told: to attach to them before.
    fn at_start(
        &self,
        project: &Arc<Project>,
        services: &std::collections::BTreeSet<ServiceName>,
    ) -> Option<Arc<AtStart>> {
        let (logs, project, services) = (self.logs.clone(), Arc::clone(project), services.clone());
        (!services.is_empty()).then(|| Arc::new(AtStart { logs, project, services }))
    }

    /// Starts the watcher; which folders it watches is the machine's to say.
    fn start_watching(&mut self) -> Result<BoxStream<Batch>, Failure> {
        if !self.machine.options().watch {
            return Ok(stream::pending().boxed());
        }
        if let Some((folders, saves)) = self.given.take() {
            self.watcher = Some(folders);
            return Ok(saves);
        }
        let effects = Arc::clone(&self.effects);
        let wanted = move |path: &std::path::Path| {
            let effects = effects.read().unwrap_or_else(PoisonError::into_inner);
            effects.iter().any(|effects| effects.wants_folder(path))
        };
        let (watcher, saves) = Watcher::start(Arc::new(wanted)).map_err(|error| Failure {
            cause: Cause::Engine,
            message: Message::new(format!("files cannot be watched: {error}"))
                .hint("`--no-watch` brings the stack up without watching"),
        })?;
        self.watcher = Some(Box::new(watcher));
        let next = |mut saves: Changes| async move { Some((saves.recv().await?, saves)) };
        Ok(stream::unfold(saves, next).boxed())
    }
}

/// Waits for the engine to come back.
async fn reconnect(shared: Shared, project: Arc<Project>) -> Done {
    let engine = &*shared.executor.engine;
    let query = Query { project: project.name.to_string(), ..Query::default() };
    loop {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let taken = now();
        if engine.ping().await.is_ok()
            && let Ok(events) = engine.events(&project.name).await
            && let Ok(observed) = engine.observe(&query).await
        {
            return Done::EngineBack(events, Box::new(observed), taken);
        }
    }
}

/// How work has ended; `None` where it was given up. A panic in it goes on here.
fn finished(done: Result<Done, JoinError>) -> Option<Done> {
    match done {
        Ok(done) => Some(done),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}

fn moment(executor: &Executor) -> Moment {
    Moment { now: now(), clock: logs::clock(), is_with_engine: executor.is_with_engine() }
}

/// Waits until the plan that is carried out leaves more free than before.
async fn news(progress: &mut Option<watch::Receiver<Option<Working>>>) -> Option<Working> {
    if let Some(progress) = progress
        && progress.changed().await.is_ok()
    {
        return progress.borrow_and_update().clone();
    }
    std::future::pending().await
}

/// Sleeps until a moment; forever without one.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
