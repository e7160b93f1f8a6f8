//! The session: one select loop over requests, saves, the engine's events and finished jobs. Everything that takes
//! time is a job beside the loop, so that one slow build or stuck stop delays no other service.

mod apply;
mod aside;
mod beside;
mod catch_up;
mod containers;
mod ending;
mod job;
mod mounted;
mod notes;
mod others;
mod readiness;
mod reload;
mod strangers;
#[cfg(test)]
mod tests;
mod url;
mod watched;
mod watching;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::agents::Agents;
use super::{Executor, Failure, LogOptions, Logs, RunOptions, Sources};
use crate::engine::{BoxStream, Engine, EngineEvent, Query};
use crate::event::{Event, Message, Request, Sink};
use crate::model::{ContainerId, Digest, Observed, Project, ServiceName};
use crate::plan::{UpOptions, Wanted};

use apply::{Applied, Viewed};
use catch_up::CaughtUp;
use containers::Containers;
use job::Reload;
use notes::Note;
use others::Others;
use strangers::Looked;
use watching::Watching;

pub use ending::End;

/// How a session behaves.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// What `up` is asked to do.
    pub up: UpOptions,
    /// How plans are carried out.
    pub run: RunOptions,
    /// Bring the stack up first; `watch --no-up` does not.
    pub apply: bool,
    /// Watch files.
    pub watch: bool,
    /// Build the images of services that were synced once they have been quiet for a while.
    pub catch_up: bool,
    /// After a failed start wait for a change that may mend it, instead of ending.
    pub stay: bool,
    /// When everything has exited, go on watching: somebody may save what starts it again.
    pub outlive: bool,
    /// Stop the services when the session is stopped.
    pub stop_services: bool,
    /// Whose logs are shown; `None` for none.
    pub attach: Attach,
    /// How logs are shown.
    pub logs: LogOptions,
    /// End when a container exits.
    pub end_on: EndOn,
    /// The session's exit code is that of this service's container.
    pub exit_code_from: Option<ServiceName>,
}

/// Whose logs a session shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Attach {
    /// Nobody's.
    #[default]
    None,
    /// Those of all but these, and of services that say `attach: false`.
    AllBut(BTreeSet<ServiceName>),
    /// Only of these.
    Only(BTreeSet<ServiceName>),
}

/// Which exit of a container ends the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndOn {
    /// None; only when all have exited and nothing is watched.
    #[default]
    AllExited,
    /// Any: `--abort-on-container-exit`.
    AnyExit,
    /// Any with a code other than 0: `--abort-on-container-failure`.
    AnyFailure,
}

/// What a job hands back to the loop.
enum Finished {
    Viewed(Box<Viewed>),
    Applied(Box<Applied>),
    Reloaded(Box<Reload>),
    Read(Result<Box<super::Loaded>, Vec<Message>>),
    Stopped(Vec<Failure>, Option<Box<Observed>>),
    /// A container has ended, and whether the engine starts it again.
    Ended(ContainerId, bool),
    /// When the engine was asked whether all containers have exited, and whether it says so.
    AllExited(Instant, bool),
    Ready(Box<readiness::Readiness>),
    Looked(Option<Box<Looked>>),
    CaughtUp(CaughtUp),
    EngineBack(BoxStream<crate::engine::Result<EngineEvent>>, Box<Observed>, Instant),
}

/// What ends so shortly before the engine goes away is ended by it: it gives its containers 15 s when it is stopped.
const LEAVING: Duration = Duration::from_secs(20);

/// A session on one project.
pub struct Session {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) sources: Arc<dyn Sources>,
    pub(super) executor: Executor,
    pub(super) agents: Arc<Agents>,
    options: SessionOptions,
    project: Arc<Project>,
    wanted: Arc<Wanted>,
    /// What containers hold by hot sync.
    synced: HashMap<ContainerId, Digest>,
    /// What is to be written down of that, once no news comes.
    notes: Vec<Note>,
    /// Containers whose content was compared with what is wanted; from then on it is this session that changes it.
    filled: HashSet<ContainerId>,
    /// The engine is being asked about containers that were not.
    looking: bool,
    /// The service whose image is being built in the background, and how to end that.
    catching_up: Option<(ServiceName, CancellationToken)>,
    containers: Containers,
    others: Others,
    watching: Watching,
    logs: Logs,
    jobs: JoinSet<Finished>,
    began: Instant,
    /// When the engine was asked for the first time.
    first_view: Option<Instant>,
    /// When the newest container was made that was there before the session, in seconds since the epoch of the engine's
    /// clock; the smallest number where there was none.
    newest_at_start: Option<i64>,
    /// When it went away last, in nanoseconds since 1970.
    lost_at: i64,
    /// A whole plan is being made or carried out.
    applying: bool,
    /// What goes on beside the plan that is being carried out.
    beside: beside::Running,
    /// The manifest must be read again.
    reread: bool,
    /// The manifest is being read.
    reading: bool,
    /// What was wrong with it, as it was last said.
    said_errors: Vec<Message>,
    /// The whole plan must be made again when the jobs that run are done.
    again: bool,
    /// The engine does not answer: nothing begins until it is back.
    lost: bool,
    /// The containers that ran when it went away.
    ran: Vec<ContainerId>,
    /// The first apply was overtaken by another hob and is made again.
    overtaken: bool,
    /// The first apply has ended.
    up: bool,
    stopping: Option<ending::Stopping>,
    /// Nobody reads the output.
    left: bool,
    /// Why the first apply ends the session.
    failed: Vec<Failure>,
    /// Why the last plan could not be made or carried out, as it was told.
    told: Vec<Message>,
    said_exited: bool,
    /// Whether all containers have exited, as far as the engine was asked.
    all_exited: ending::AllExited,
    /// The session ends as soon as it is known whether the services are ready.
    looking_whether_ready: bool,
    said_watching: Vec<ServiceName>,
    /// Where services can be reached, as it was last said.
    said_urls: HashMap<ServiceName, BTreeSet<String>>,
    cancel: CancellationToken,
}

impl Session {
    /// A session that has done nothing yet.
    pub fn new(executor: Executor, project: Arc<Project>, options: SessionOptions) -> Self {
        let (engine, sink) = (Arc::clone(&executor.engine), Arc::clone(&executor.sink));
        let logs = Logs::new(Arc::clone(&engine), Arc::clone(&sink), options.logs);
        let cancel = options.run.cancel.child_token();
        Self {
            agents: Arc::clone(&executor.agents),
            sources: Arc::clone(&executor.sources),
            engine,
            sink,
            executor,
            project,
            wanted: Arc::default(),
            synced: HashMap::new(),
            notes: Vec::new(),
            filled: HashSet::new(),
            looking: false,
            catching_up: None,
            containers: Containers::default(),
            others: Others::default(),
            watching: Watching::default(),
            logs,
            jobs: JoinSet::new(),
            began: now(),
            first_view: None,
            newest_at_start: None,
            lost_at: 0,
            applying: false,
            beside: beside::Running::within(&cancel),
            reread: false,
            reading: false,
            said_errors: Vec::new(),
            again: false,
            lost: false,
            ran: Vec::new(),
            overtaken: false,
            up: false,
            stopping: None,
            left: false,
            failed: Vec::new(),
            told: Vec::new(),
            said_exited: false,
            all_exited: ending::AllExited::Unknown,
            looking_whether_ready: false,
            said_watching: Vec::new(),
            said_urls: HashMap::new(),
            cancel,
            options,
        }
    }

    /// Runs until it is stopped, or has nothing left to do.
    pub async fn run(mut self, mut requests: mpsc::Receiver<Request>) -> End {
        let mut saves = match self.start_watching() {
            Ok(saves) => saves,
            Err(failure) => return End::failed(vec![failure]),
        };
        let mut events = match self.engine.events(&self.project.name).await {
            Ok(events) => events,
            Err(error) => return End::failed(vec![Failure::of_engine(None, error)]),
        };
        self.apply();
        let end = loop {
            let deadlines = [self.watching.deadline(), self.catch_up_at(), self.say_at(), self.give_up_at()];
            let deadlines = deadlines.into_iter().chain([self.others.deadline(), self.notes_at()]);
            let deadline = deadlines.flatten().min();
            tokio::select! {
                // What the engine tells of a job is known before the job's own end.
                biased;
                Some(request) = requests.recv() => self.request(request),
                event = events.next() => {
                    if let Some(Ok(event)) = event {
                        self.engine_event(&event);
                    } else {
                        events = futures_util::stream::pending().boxed();
                        self.engine_lost();
                    }
                },
                Some(batch) = saves.next() => {
                    let noted = self.watching.push(batch, self.applying, &*self.sink);
                    self.say_asides(noted);
                },
                () = until(deadline) => {
                    self.quiet();
                    self.tell_of_others();
                    self.write_notes(false);
                }
                () = self.beside.news() => {}
                Some(job) = self.jobs.join_next() => match job {
                    Ok(Finished::EngineBack(back, observed, taken)) => {
                        events = back;
                        self.engine_back(&observed, taken);
                    }
                    Ok(finished) => self.finished(finished),
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Err(_) => {}
                },
            }
            if let Some(end) = self.next() {
                break end;
            }
        };
        self.write_notes(true);
        self.cancel.cancel();
        self.logs.finish(if self.left { Duration::ZERO } else { Duration::from_secs(1) }).await;
        end
    }

    fn finished(&mut self, finished: Finished) {
        match finished {
            Finished::Viewed(viewed) => self.viewed(*viewed),
            Finished::Applied(applied) => self.applied(*applied),
            Finished::Reloaded(reload) => self.reloaded(*reload),
            Finished::Read(Ok(loaded)) if loaded.project.name != self.project.name => {
                let (new, old) = (&loaded.project.name, &self.project.name);
                let text = format!("the manifest's project is called {new} now, and this session is about {old}");
                let message = Message::new(text).hint(format!(
                    "end the session and run `hob up`: that makes another stack beside the old one, which `hob -p {old} \
                     down` removes; or take the name back"
                ));
                self.not_read(vec![message]);
            }
            Finished::Read(Ok(loaded)) => {
                self.watching.release_brakes();
                self.reading = false;
                self.watching.manifest_is_broken = false;
                self.said_errors.clear();
                for warning in loaded.warnings {
                    self.sink.emit(Event::Warning(warning));
                }
                self.project = Arc::new(loaded.project);
                self.again = true;
            }
            Finished::Read(Err(messages)) => {
                self.not_read(messages);
            }
            Finished::Stopped(failures, after) => self.stopped(failures, after.as_deref()),
            Finished::CaughtUp(caught_up) => self.caught_up(caught_up),
            Finished::AllExited(asked, confirmed) => self.confirmed_exits(asked, confirmed),
            Finished::Ready(readiness) => self.said_whether_ready(*readiness),
            Finished::Ended(container, returns) => self.container_ended(&container, returns),
            Finished::Looked(looked) => self.looked(looked.map(|looked| *looked)),
            Finished::EngineBack(..) => {}
        }
    }

    /// The manifest is not one that this session can go on with.
    fn not_read(&mut self, messages: Vec<Message>) {
        self.reading = false;
        self.watching.manifest_is_broken = true;
        if self.said_errors == messages {
            return;
        }
        self.said_errors.clone_from(&messages);
        for message in messages {
            self.sink.emit(Event::Error(message));
        }
        self.sink.emit(Event::Notice {
            text: "the manifest has errors; the stack goes on as it was, and a save tries again".to_owned(),
        });
    }

    /// What can begin now that something has ended.
    fn next(&mut self) -> Option<End> {
        if self.stopping.is_some() {
            return self.stopping_next();
        }
        if self.lost {
            // Nothing begins, but a start that has failed ends a session that does not wait for better times.
            return self.ended();
        }
        if self.reread && !self.reading {
            self.read();
        }
        if self.again {
            // A build that runs is for a manifest that is no longer; its service is planned again anyway.
            self.watching.cancel_builds();
            self.give_up_catching_up(None);
            if self.applying {
                // So is what a plan only waits for.
                self.beside.end_waits();
            } else if !self.watching.is_busy() && !self.reading {
                self.apply();
            }
        } else if !self.reading {
            self.say_watching_beside();
            self.look_at_strangers();
            self.start_reloads();
            self.catch_up();
        }
        self.ended()
    }

    /// Reads the manifest again, beside the loop.
    fn read(&mut self) {
        self.reread = false;
        self.reading = true;
        let sources = Arc::clone(&self.sources);
        self.jobs.spawn_blocking(move || Finished::Read(sources.load().map(Box::new)));
    }

    /// The engine went away: says so once, and comes back when it does.
    fn engine_lost(&mut self) {
        let message =
            Message::new("lost the connection to the engine").hint("hob waits for it; Ctrl-C ends the session");
        self.sink.emit(Event::Error(message));
        if !self.lost {
            self.ran = self.containers.all_running_since(LEAVING);
        }
        self.lost = true;
        self.lost_at = super::logs::clock();
        self.logs.forget_starts();
        self.containers.clear();
        self.others.clear();
        let (engine, project) = (Arc::clone(&self.engine), self.project.name.clone());
        let query = Query { project: project.to_string(), ..Query::default() };
        self.jobs.spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(250)).await;
                let taken = now();
                if engine.ping().await.is_ok()
                    && let Ok(events) = engine.events(&project).await
                    && let Ok(observed) = engine.observe(&query).await
                {
                    return Finished::EngineBack(events, Box::new(observed), taken);
                }
            }
        });
    }

    /// The engine answers again. Where all that ran before still does, saves of the meantime are dealt with as ever;
    /// else the whole plan is made again.
    fn engine_back(&mut self, observed: &Observed, taken: Instant) {
        self.sink.emit(Event::Notice { text: "the engine is back".to_owned() });
        self.lost = false;
        self.containers.observe(observed, taken, &self.scope());
        self.follow_running(Some(self.lost_at));
        let running = self.containers.all_running();
        // What is being carried out may still fail of it.
        self.again |= self.applying || !self.up || self.watching.incomplete;
        self.again |= !self.ran.iter().all(|id| running.contains(id));
        self.watching.engine_back();
    }
}

/// The time by tokio's clock, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Sleeps until a moment; forever without one.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
