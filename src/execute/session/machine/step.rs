//! One step: what happens and the time go in, what is to be done comes out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::known::ending::End;
use super::known::phase::{Connection, ManifestState};
use super::state::Machine;
use crate::event::{Event, Message};
use crate::execute::Loaded;
use crate::execute::session::action::{Action, Job, Work};
use crate::execute::session::ended::Ended;
use crate::execute::session::input::{Input, Moment};
use crate::model::Observed;

/// What ends so shortly before the engine goes away is ended by it: it gives its containers 15 s when it is stopped.
const LEAVING: Duration = Duration::from_secs(20);

impl Machine {
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
                self.tell_of_others(doer.as_ref());
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

    /// Whether jobs may begin, beside a plan that goes on or without one.
    pub(super) fn may_begin(&self) -> bool {
        let held_up = self.phase.is_stopping() || self.connection.is_lost() || self.plan.is_due();
        !held_up && self.manifest == ManifestState::Current
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
        } else if self.may_begin() {
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

    /// Ends the jobs that can be ended, which are those that build.
    fn cancel_builds(&mut self) {
        for service in self.watching.busy() {
            self.act(Action::Cancel(Job::Reload(service)));
        }
    }
}
