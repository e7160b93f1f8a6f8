//! How a session ends: gracefully at the first Ctrl-C, at once at the second, or by itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{EndOn, Finished, Session, now};
use crate::engine::{Engine, Query};
use crate::event::{EndCause, Event, Message, Request};
use crate::execute::{Cause, Failure, RunOptions};
use crate::model::{ContainerId, ContainerState, Observed, ObservedContainer, Project, ServiceName};
use crate::plan;

/// How long the end waits for another hob's plan.
const TURN: Duration = Duration::from_secs(2);

/// Why a session ended.
#[derive(Debug)]
pub enum End {
    /// It was asked to.
    Stopped {
        /// It had to be asked twice.
        killed: bool,
    },
    /// It could not do what it was asked to.
    Failed(Vec<Failure>),
    /// The containers have exited; the code of the one that counts.
    Exited(i64),
}

impl End {
    pub(super) fn failed(failures: Vec<Failure>) -> Self {
        Self::Failed(failures)
    }
}

/// How long jobs may take to end once the session is being stopped: what they wait for may never come.
const PATIENCE: Duration = Duration::from_secs(2);

/// The pause before an engine is asked whether it is still there, while a session waits for it to end.
const PULSE: Duration = Duration::from_millis(250);

/// The pause before an engine is asked again that still has a container running of whose death it has told.
const AGAIN: Duration = Duration::from_millis(50);

/// What is known of whether all containers have exited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AllExited {
    /// Nobody has asked.
    #[default]
    Unknown,
    /// The engine is being asked, since this moment.
    Asked(Instant),
    /// The engine says that one runs.
    Denied,
    /// The engine says so too.
    Confirmed,
}

/// A signal that comes so soon after the first was sent with it.
const TWICE: Duration = Duration::from_secs(1);

/// The session is being stopped.
#[derive(Debug)]
pub struct Stopping {
    since: Instant,
    /// When jobs that have not ended are given up; `None` once they have been.
    give_up: Option<Instant>,
    /// A second request came.
    killed: bool,
    /// The stop plan was begun.
    begun: bool,
    /// The stop plan has ended.
    done: bool,
    /// What the session ends with.
    exit: Option<i64>,
    failures: Vec<Failure>,
}

impl Session {
    pub(super) fn request(&mut self, request: Request) {
        match request {
            Request::Stop if self.stopping.is_none() => self.stop(EndCause::Interrupt, None),
            Request::End(signal) if self.stopping.is_none() => self.stop(EndCause::signal(signal), None),
            Request::Leave => self.leave(),
            Request::Stop | Request::Kill => self.kill(EndCause::Interrupt),
            // `timeout` signals its child, and then the group that it is in.
            Request::End(_)
                if self.stopping.as_ref().is_some_and(|stopping| now().duration_since(stopping.since) < TWICE) => {}
            Request::End(signal) => self.kill(EndCause::signal(signal)),
            Request::Restart(service) => self.watching.ask(&service, crate::model::Reload::Container),
            Request::Rebuild(service) => self.watching.ask(&service, crate::model::Reload::Rebuild),
        }
    }

    fn stop(&mut self, cause: EndCause, exit: Option<i64>) {
        self.sink.emit(Event::Stopping { cause, services: self.options.stop_services, forced: false });
        self.end_with(exit);
    }

    fn end_with(&mut self, exit: Option<i64>) {
        self.cancel.cancel();
        let give_up = Some(now() + PATIENCE);
        self.stopping = Some(Stopping {
            since: now(),
            give_up,
            killed: false,
            begun: false,
            done: false,
            exit,
            failures: Vec::new(),
        });
        self.watch_engine();
    }

    /// An engine that hangs must not hold the session.
    fn watch_engine(&mut self) {
        if self.lost {
            return;
        }
        let engine = Arc::clone(&self.engine);
        self.jobs.spawn(async move { Finished::Stopped(vec![silence(&*engine).await], None) });
    }

    /// When jobs that have not ended are given up. What is with the engine is waited for as long as the engine answers:
    /// a container that starts a moment later would be left behind.
    pub(super) fn give_up_at(&self) -> Option<Instant> {
        let at = self.stopping.as_ref()?.give_up?;
        Some(if at <= now() && self.executor.is_with_engine() { now() + PULSE } else { at })
    }

    fn give_up_jobs(&mut self) {
        let Some(stopping) = &mut self.stopping else { return };
        if stopping.give_up.is_none_or(|at| at > now()) || self.executor.is_with_engine() {
            return;
        }
        stopping.give_up = None;
        self.jobs = JoinSet::new();
        self.applying = false;
        self.watching.forget_jobs();
        self.watch_engine();
    }

    /// Nobody reads what the services write: the session ends, and they run on, as when `docker compose up` loses its
    /// reader.
    fn leave(&mut self) {
        if self.stopping.is_none() {
            self.options.stop_services = false;
            let text = "nobody reads the output any more: hob ends, and the services run on".to_owned();
            self.sink.emit(Event::Notice { text });
            self.left = true;
            self.end_with(None);
        }
    }

    /// The second Ctrl-C or signal: what runs is killed, and nothing is waited for.
    fn kill(&mut self, cause: EndCause) {
        let Some(stopping) = &mut self.stopping else {
            self.stop(EndCause::Interrupt, None);
            return;
        };
        if std::mem::replace(&mut stopping.killed, true) {
            stopping.done = true;
            return;
        }
        self.sink.emit(Event::Stopping { cause, services: self.options.stop_services, forced: true });
        if !self.options.stop_services {
            return;
        }
        stopping.begun = true;
        let (engine, scope, project) = (Arc::clone(&self.engine), self.asked(), self.project.name.to_string());
        let known: Vec<ContainerId> =
            scope.iter().flat_map(|service| self.containers.running(service)).map(|(id, _)| id).collect();
        self.jobs.spawn(async move {
            // What a step started a moment ago may not be known yet.
            let running = match engine.observe(&Query { project, ..Query::default() }).await {
                Ok(observed) => {
                    let mine = |c: &ObservedContainer| !c.oneoff && c.state.is_running() && scope.contains(&c.service);
                    observed.containers.into_iter().filter(mine).map(|c| c.id).collect()
                }
                Err(_) => known,
            };
            let kills = running.iter().map(|id| engine.kill(id, "SIGKILL"));
            futures_util::future::join_all(kills).await;
            Finished::Stopped(Vec::new(), None)
        });
    }

    /// Plans the stop as soon as no job is in the way.
    pub(super) fn stopping_next(&mut self) -> Option<End> {
        if self.applying || self.watching.is_busy() {
            self.give_up_jobs();
        }
        let idle = !self.applying && !self.watching.is_busy();
        let stopping = self.stopping.as_mut()?;
        if idle {
            stopping.give_up = None;
        }
        if !self.options.stop_services {
            stopping.done |= idle || stopping.killed;
        } else if !stopping.begun && idle {
            stopping.begun = true;
            self.begin_stop();
        }
        let stopping = self.stopping.as_mut()?;
        if !stopping.done {
            return None;
        }
        if !stopping.failures.is_empty() {
            return Some(End::Failed(std::mem::take(&mut stopping.failures)));
        }
        Some(match stopping.exit {
            Some(code) if !stopping.killed => End::Exited(code),
            _ => End::Stopped { killed: stopping.killed },
        })
    }

    fn begin_stop(&mut self) {
        let (engine, executor, project) = (Arc::clone(&self.engine), self.executor.clone(), Arc::clone(&self.project));
        let (asked, scope, grace) = (self.asked(), self.scope(), self.options.up.grace);
        let newest = self.newest_at_start.unwrap_or(i64::MAX);
        self.jobs.spawn(async move {
            // Another hob's plan may be under way. It is waited for, but not for long: somebody wants this one to end.
            let turn = tokio::time::timeout(TURN, executor.turn(&CancellationToken::new())).await;
            let query = Query { project: project.name.to_string(), ..Query::default() };
            let observed = match engine.observe(&query).await {
                Ok(observed) => observed,
                Err(error) => return Finished::Stopped(vec![Failure::of_engine(None, error)], None),
            };
            let stays = |c: &&ObservedContainer| {
                !c.oneoff && c.state.is_running() && scope.contains(&c.service) && !asked.contains(&c.service)
            };
            let stay: BTreeSet<&str> = observed.containers.iter().filter(stays).map(|c| c.service.as_str()).collect();
            if !stay.is_empty() {
                let names = stay.into_iter().collect::<Vec<_>>().join(", ");
                executor.sink.emit(Event::Notice { text: format!("not asked for by name, runs on: {names}") });
            }
            let is_known =
                |name: &ServiceName| project.services.contains_key(name) || project.disabled.contains_key(name);
            let dropped = |c: &&ObservedContainer| {
                !c.oneoff && c.state.is_running() && c.created > newest && !is_known(&c.service)
            };
            let dropped: BTreeSet<&str> =
                observed.containers.iter().filter(dropped).map(|c| c.service.as_str()).collect();
            if !dropped.is_empty() {
                let names = dropped.into_iter().collect::<Vec<_>>().join(", ");
                let text =
                    format!("not in the manifest any more, runs on: {names}; `hob up --remove-orphans` removes it");
                executor.sink.emit(Event::Notice { text });
            }
            let plan = plan::stop(&project, &observed, &asked, grace, &plan::Reason::SessionEnds);
            let run = RunOptions { keep_going: true, ..RunOptions::default() };
            let failures = executor.run(&project, &plan, &run).await.failures;
            drop(turn);
            Finished::Stopped(failures, engine.observe(&query).await.ok().map(Box::new))
        });
    }

    pub(super) fn stopped(&mut self, failures: Vec<Failure>, after: Option<&Observed>) {
        for failure in &failures {
            self.sink.emit(Event::Error(failure.message.clone()));
        }
        // It may be the stop that ended the service whose code counts, and its event may still be under way.
        if let (Some(from), Some(after)) = (&self.options.exit_code_from, after)
            && let Some(ContainerState::Exited(code)) = after.of_service(from).next().map(|c| c.state)
            && let Some(exit) = self.stopping.as_mut().and_then(|stopping| stopping.exit.as_mut())
        {
            *exit = code;
        }
        if let Some(stopping) = &mut self.stopping {
            stopping.done = true;
            stopping.failures = failures;
        }
    }

    /// Whether the session ends by itself.
    pub(super) fn ended(&mut self) -> Option<End> {
        if !self.failed.is_empty() {
            self.say_what_runs_on();
            return Some(End::Failed(std::mem::take(&mut self.failed)));
        }
        if !self.applying && !self.reading && !self.watching.is_busy() {
            let counts = self.containers.take_ended().into_iter().find(|(service, code)| self.ends(service, *code));
            if let Some((service, code)) = counts {
                self.stop(EndCause::Exited { service }, Some(code));
                return self.stopping_next();
            }
        }
        let planning = self.applying || self.again || self.reread || self.reading;
        let done = self.up && !planning && !self.watching.is_busy();
        let idle = done && !self.lost;
        if idle && let Some(end) = self.ended_by_others() {
            return Some(end);
        }
        if self.have_all_exited(idle) && self.attached() {
            if self.waits_for_saves() {
                self.say_all_exited();
                return None;
            }
            let from = self.options.exit_code_from.as_ref().and_then(|s| self.containers.exit_code(s));
            return Some(End::Exited(from.unwrap_or(0)));
        }
        if done && !self.attached() && !self.options.watch && !self.looking_whether_ready {
            return Some(End::Exited(0));
        }
        None
    }

    /// Whether nothing runs that the session is about. Events alone do not prove it: the start of a container that has
    /// taken the place of another one, or that somebody restarts, may be told a moment later. So the engine is asked.
    fn have_all_exited(&mut self, idle: bool) -> bool {
        let exited = self.containers.any_started && !self.containers.any_running(&self.asked());
        if !idle || !exited || self.others.deadline().is_some() {
            self.all_exited = AllExited::Unknown;
            return false;
        }
        let pause = match self.all_exited {
            AllExited::Confirmed => return true,
            AllExited::Asked(_) => return false,
            AllExited::Unknown => Duration::ZERO,
            AllExited::Denied => AGAIN,
        };
        let at = now();
        self.all_exited = AllExited::Asked(at);
        let engine = Arc::clone(&self.engine);
        let query = Query { project: self.project.name.to_string(), ..Query::default() };
        let asked = self.asked();
        self.jobs.spawn(async move {
            tokio::time::sleep(pause).await;
            let goes_on = |c: &ObservedContainer| !c.oneoff && c.state.is_running() && asked.contains(&c.service);
            // An engine that does not answer confirms nothing; that it went away is told by its events.
            let observed = engine.observe(&query).await;
            Finished::AllExited(at, observed.is_ok_and(|observed| !observed.containers.iter().any(goes_on)))
        });
        false
    }

    /// The engine has said whether all containers have exited. What events told meanwhile counts more.
    pub(super) fn confirmed_exits(&mut self, asked: Instant, confirmed: bool) {
        if self.all_exited == AllExited::Asked(asked) {
            self.all_exited = if confirmed { AllExited::Confirmed } else { AllExited::Denied };
        }
    }

    /// With everything exited, a save may still start it again; somebody must be there to make it.
    fn waits_for_saves(&self) -> bool {
        self.options.watch
            && self.options.outlive
            && !self.watching.is_empty()
            && self.options.end_on == EndOn::AllExited
    }

    pub(super) fn attached(&self) -> bool {
        self.options.attach != super::Attach::None
    }

    /// Whether a service's exit ends the session. A job that others wait for is to end.
    fn ends(&self, service: &ServiceName, code: i64) -> bool {
        let job = code == 0 && self.project.is_job(service);
        match self.options.end_on {
            EndOn::AllExited => false,
            EndOn::AnyExit => !job || self.options.exit_code_from.as_ref() == Some(service),
            EndOn::AnyFailure => code != 0,
        }
    }

    /// The start has failed, and others were started meanwhile.
    fn say_what_runs_on(&self) {
        let runs = |service: &&ServiceName| self.containers.runs(service);
        let scope = self.scope();
        let names: Vec<&str> = scope.iter().filter(runs).map(ServiceName::as_str).collect();
        if self.attached() && !names.is_empty() {
            let verb = if names.len() == 1 { "runs" } else { "run" };
            let text = format!("{} {verb} on in the background; `hob stop` ends that", names.join(", "));
            self.sink.emit(Event::Notice { text });
        }
    }

    fn say_all_exited(&mut self) {
        if !std::mem::replace(&mut self.said_exited, true) {
            let stopped = self.asked().iter().all(|service| self.others.has_stopped(service));
            let text = if stopped {
                "all services were stopped; `hob start` or `hob up -d` starts them again, Ctrl-C ends the session"
            } else {
                "all services have exited; a save starts them again, Ctrl-C ends the session"
            };
            self.sink.emit(Event::Notice { text: text.to_owned() });
        }
    }
}

/// Ends when the engine does not say any more that it is there.
async fn silence(engine: &dyn Engine) -> Failure {
    loop {
        tokio::time::sleep(PULSE).await;
        if !matches!(tokio::time::timeout(PATIENCE, engine.ping()).await, Ok(Ok(()))) {
            let endpoint = &engine.info().endpoint;
            let message = Message::new(format!("the engine at {endpoint} does not answer; services may still run"))
                .hint("once it answers again, `hob stop` stops them");
            return Failure { cause: Cause::Unreachable, message };
        }
    }
}

/// Services that are restarted with another one, directly or through each other.
pub fn restarted_with(project: &Project, service: &ServiceName) -> Vec<ServiceName> {
    project.restarted_with(std::slice::from_ref(service))
}
