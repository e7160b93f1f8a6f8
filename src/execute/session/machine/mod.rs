//! The session as a machine: what happens and the time go in, what is to be done comes out. Nothing here waits or asks
//! the engine; that is the shell's and the work's.

mod aside;
mod catch_up;
mod containers;
mod drift;
mod ending;
mod notes;
mod others;
mod phase;
mod plan;
mod progress;
mod readiness;
mod reload;
mod watched;
mod watching;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::SessionOptions;
use super::action::{Action, Job, Work};
use super::input::{Ended, Input, Moment};
use crate::event::{Event, Message};
use crate::execute::Loaded;
use crate::model::{ContainerId, Digest, Observed, Project, ServiceName};
use crate::plan::Wanted;

use containers::Containers;
use notes::Note;
use others::Others;
use phase::{AllExited, Connection, ManifestState, Phase, PlanState};
use watching::Watching;

pub use ending::End;
pub use watched::Pending;

/// What ends so shortly before the engine goes away is ended by it: it gives its containers 15 s when it is stopped.
const LEAVING: Duration = Duration::from_secs(20);

/// A session on one project.
pub struct Machine {
    options: SessionOptions,
    /// What happens now.
    moment: Moment,
    /// What is to be done for it, in order.
    actions: Vec<Action>,
    phase: Phase,
    plan: PlanState,
    manifest: ManifestState,
    connection: Connection,
    project: Arc<Project>,
    wanted: Arc<Wanted>,
    /// What containers hold by hot sync.
    synced: BTreeMap<ContainerId, Digest>,
    /// What is to be written down of that, once no news comes.
    notes: Vec<Note>,
    /// Containers whose content was compared with what is wanted; from then on it is this session that changes it.
    verified: BTreeSet<ContainerId>,
    /// The engine is being asked about containers that were not.
    verifying: bool,
    /// The service whose image is being built in the background.
    catching_up: Option<ServiceName>,
    containers: Containers,
    others: Others,
    watching: Watching,
    began: Instant,
    /// When the engine was asked for the first time.
    first_view: Option<Instant>,
    /// When the newest container was made that was there before the session, in seconds since the epoch of the engine's
    /// clock; the smallest number where there was none.
    newest_at_start: Option<i64>,
    /// What flags force was forced already: a first plan that another hob overtook forces nothing again.
    flags_used: bool,
    /// Whether all containers have exited, as far as the engine was asked.
    all_exited: AllExited,
    /// A command ends as soon as it is known whether the services are ready.
    awaits_readiness: bool,
    said: Said,
}

/// What was said, so that it is not said twice.
#[derive(Default)]
struct Said {
    /// What was wrong with the manifest.
    manifest_errors: Vec<Message>,
    /// Why the last plan could not be made or carried out.
    failures: Vec<Message>,
    /// That all containers have exited.
    all_exited: bool,
    /// The services whose saves are seen.
    watching: Vec<ServiceName>,
    /// Where services can be reached.
    urls: BTreeMap<ServiceName, BTreeSet<String>>,
}

impl Machine {
    /// A session that has done nothing yet.
    pub fn new(project: Arc<Project>, options: SessionOptions, moment: Moment) -> Self {
        Self {
            moment,
            actions: Vec::new(),
            phase: Phase::Starting,
            plan: PlanState::Due,
            manifest: ManifestState::Current,
            connection: Connection::Present,
            project,
            wanted: Arc::default(),
            synced: BTreeMap::new(),
            notes: Vec::new(),
            verified: BTreeSet::new(),
            verifying: false,
            catching_up: None,
            containers: Containers::default(),
            others: Others::default(),
            watching: Watching::default(),
            began: moment.now,
            first_view: None,
            newest_at_start: None,
            flags_used: false,
            all_exited: AllExited::Unknown,
            awaits_readiness: false,
            said: Said::default(),
            options,
        }
    }

    /// What is to be done to watch the manifest, before anything else happens.
    pub fn watch(&mut self, moment: Moment) -> Vec<Action> {
        self.moment = moment;
        self.set_folders();
        std::mem::take(&mut self.actions)
    }

    /// Takes in one thing that happens: what is to be done for it, in this order, and whether the session is over.
    pub fn step(&mut self, input: Input, moment: Moment) -> (Vec<Action>, Option<End>) {
        self.moment = moment;
        self.take_in(input);
        let end = self.next();
        if end.is_some() {
            self.write_notes(true);
        }
        (std::mem::take(&mut self.actions), end)
    }

    /// When [`Input::Time`] is due, if nothing happens before.
    pub fn deadline(&mut self, moment: Moment) -> Option<Instant> {
        self.moment = moment;
        let deadlines = [self.watching.deadline(moment.now), self.catch_up_at(), self.say_at(), self.give_up_at()];
        deadlines.into_iter().chain([self.others.deadline(), self.notes_at()]).flatten().min()
    }

    /// The project as it was last read, with what its providers said.
    pub fn project(&self) -> &Arc<Project> {
        &self.project
    }

    /// What the session was asked for; whoever stops reading its output changes some of it.
    pub fn options(&self) -> &SessionOptions {
        &self.options
    }

    fn take_in(&mut self, input: Input) {
        match input {
            Input::Begin => {}
            Input::Request(request) => self.request(request),
            Input::Engine(event, doer) => self.engine_event(&event, doer),
            Input::EngineLost => self.engine_lost(),
            Input::EngineBack(observed, taken) => self.engine_back(&observed, taken),
            Input::Saves(batch) => self.saves(batch),
            Input::Time(doer) => {
                self.quiet();
                self.tell_of_others(&doer);
                self.write_notes(false);
            }
            Input::Progress(working) => self.progress(working),
            Input::Ended(ended) => self.ended_work(ended),
        }
    }

    fn ended_work(&mut self, ended: Ended) {
        match ended {
            Ended::SnapshotTaken(seen) => self.snapshot_taken(*seen),
            Ended::Applied(applied) => self.applied(*applied),
            Ended::Reloaded(reloaded) => self.reloaded(*reloaded),
            Ended::Read(read) => self.read(read),
            Ended::Stopped(failures, after) => self.stopped(failures, after.as_deref()),
            Ended::CaughtUp(caught_up) => self.caught_up(caught_up),
            Ended::AllExited(asked, confirmed) => self.confirmed_exits(asked, confirmed),
            Ended::Ready(readiness) => self.said_whether_ready(*readiness),
            Ended::Returns(container, returns) => self.container_returns(&container, returns),
            Ended::Drift(report) => self.drifted(report.map(|report| *report)),
        }
    }

    /// What can begin now that something has ended.
    fn next(&mut self) -> Option<End> {
        if self.phase.is_stopping() {
            return self.stopping_next();
        }
        if self.connection.is_lost() {
            // Nothing begins, but a start that has failed ends a session that does not wait for better times.
            return self.ends_by_itself();
        }
        if self.manifest == ManifestState::Outdated {
            self.manifest = ManifestState::Reading { outdated: false };
            self.start(Work::Read);
        }
        if self.plan.is_due() {
            // A build that runs is for a manifest that is no longer; its service is planned again anyway.
            self.cancel_builds();
            self.give_up_catching_up(None);
            if self.plan.is_running() {
                // So is what a plan only waits for.
                self.end_waits();
            } else if !self.watching.is_busy() && !self.manifest.is_being_read() {
                self.begin_plan();
            }
        } else if !self.manifest.is_being_read() {
            self.say_watching_beside();
            self.verify_containers();
            self.start_reloads();
            self.catch_up();
        }
        self.ends_by_itself()
    }

    /// The manifest was read again.
    fn read(&mut self, read: Result<Box<Loaded>, Vec<Message>>) {
        self.manifest.was_read();
        match read {
            Ok(loaded) if loaded.project.name != self.project.name => {
                let (new, old) = (&loaded.project.name, &self.project.name);
                let text = format!("the manifest's project is called {new} now, and this session is about {old}");
                let message = Message::new(text).hint(format!(
                    "end the session and run `hob up`: that makes another stack beside the old one, which `hob -p {old} \
                     down` removes; or take the name back"
                ));
                self.not_read(vec![message]);
            }
            Ok(loaded) => {
                self.watching.release_brakes();
                self.watching.manifest_is_broken = false;
                self.said.manifest_errors.clear();
                for warning in loaded.warnings {
                    self.emit(Event::Warning(warning));
                }
                self.project = Arc::new(loaded.project);
                self.plan.make_again();
            }
            Err(messages) => self.not_read(messages),
        }
    }

    /// The manifest is not one that this session can go on with.
    fn not_read(&mut self, messages: Vec<Message>) {
        self.watching.manifest_is_broken = true;
        if self.said.manifest_errors == messages {
            return;
        }
        self.said.manifest_errors.clone_from(&messages);
        for message in messages {
            self.emit(Event::Error(message));
        }
        self.notice("the manifest has errors; the stack goes on as it was, and a save tries again".to_owned());
    }

    /// The engine went away: says so once, and comes back when it does.
    fn engine_lost(&mut self) {
        let message =
            Message::new("lost the connection to the engine").hint("hob waits for it; Ctrl-C ends the session");
        self.emit(Event::Error(message));
        let ran = match std::mem::take(&mut self.connection) {
            Connection::Present => self.containers.all_running_since(self.moment.now, LEAVING),
            Connection::Lost { ran, .. } => ran,
        };
        self.connection = Connection::Lost { ran, since: self.moment.clock };
        self.containers.clear();
        self.others.clear();
        self.act(Action::ForgetOutput);
        self.start(Work::Reconnect);
    }

    /// The engine answers again. Where all that ran before still does, saves of the meantime are dealt with as ever;
    /// else the whole plan is made again.
    fn engine_back(&mut self, observed: &Observed, taken: Instant) {
        let Connection::Lost { ran, since } = std::mem::take(&mut self.connection) else { return };
        self.notice("the engine is back".to_owned());
        let scope = self.scope();
        self.containers.observe(observed, taken, &scope);
        self.show_running(Some(since));
        let running = self.containers.all_running();
        // What is being carried out may still fail of it.
        let unsure = self.plan.is_running() || !self.phase.is_up() || self.watching.incomplete;
        if unsure || !ran.iter().all(|id| running.contains(id)) {
            self.plan.make_again();
        }
        self.watching.engine_back(self.moment.now);
    }

    fn now(&self) -> Instant {
        self.moment.now
    }

    fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    fn start(&mut self, work: Work) {
        self.act(Action::Start(Box::new(work)));
    }

    fn emit(&mut self, event: Event) {
        self.act(Action::Emit(event));
    }

    fn notice(&mut self, text: String) {
        self.emit(Event::Notice { text });
    }

    /// Ends the jobs that can be ended, which are those that build.
    fn cancel_builds(&mut self) {
        for service in self.watching.busy() {
            self.act(Action::Cancel(Job::Reload(service)));
        }
    }
}
