//! How a session ends: gracefully at the first Ctrl-C, at once at the second, or by itself.

use std::time::{Duration, Instant};

use super::known::ending::{End, StopPlan, Stopping};
use super::known::phase::{AllExited, ManifestState, Phase, PlanState};
use super::state::Machine;
use crate::event::{EndCause, Event, Request};
use crate::execute::Failure;
use crate::execute::session::action::{Action, Work};
use crate::execute::session::work::Stop;
use crate::execute::session::{Attach, EndOn};
use crate::model::{ContainerId, ContainerState, Observed, Reload, ServiceName};

/// How long jobs may take to end once the session is being stopped: what they wait for may never come.
const PATIENCE: Duration = Duration::from_secs(2);

/// The pause before an engine that a step is with is asked again whether it is still there.
const PULSE: Duration = Duration::from_millis(250);

/// The pause before an engine is asked again that still has a container running of whose death it has told.
const AGAIN: Duration = Duration::from_millis(50);

/// A signal that comes so soon after the first was sent with it.
const TWICE: Duration = Duration::from_secs(1);

impl Machine {
    pub(super) fn request(&mut self, request: Request) {
        let since = self.phase.stopping().map(|stopping| stopping.since);
        match request {
            Request::Stop if since.is_none() => self.stop(EndCause::Interrupt, None),
            Request::End(signal) if since.is_none() => self.stop(EndCause::signal(signal), None),
            Request::Leave => self.leave(),
            Request::Stop => self.kill(EndCause::Interrupt),
            // `timeout` signals its child, and then the group that it is in.
            Request::End(_) if since.is_some_and(|since| self.now().duration_since(since) < TWICE) => {}
            Request::End(signal) => self.kill(EndCause::signal(signal)),
            Request::Restart(service) => self.watching.ask(&service, Reload::Container),
            Request::Rebuild(service) => self.watching.ask(&service, Reload::Rebuild),
        }
    }

    fn stop(&mut self, cause: EndCause, exit: Option<i64>) {
        self.emit(Event::Stopping { cause, services: self.options.stop_services, forced: false });
        self.end_with(exit, false);
    }

    fn end_with(&mut self, exit: Option<i64>, reader_is_gone: bool) {
        self.act(Action::CancelAll);
        self.phase = Phase::Stopping(Stopping {
            since: self.now(),
            was_up: self.phase.is_up(),
            give_up: Some(self.now() + PATIENCE),
            killed: false,
            plan: StopPlan::Waits,
            exit,
            failures: Vec::new(),
            reader_is_gone,
        });
        self.watch_engine();
    }

    /// An engine that hangs must not hold the session.
    fn watch_engine(&mut self) {
        if !self.connection.is_lost() {
            self.start(Work::WatchEngine);
        }
    }

    /// Nobody reads what the session says.
    pub fn reader_is_gone(&self) -> bool {
        matches!(&self.phase, Phase::Stopping(stopping) if stopping.reader_is_gone)
    }

    /// When jobs that have not ended are given up. What is with the engine is waited for as long as the engine answers:
    /// a container that starts a moment later would be left behind.
    pub(super) fn give_up_at(&mut self) -> Option<Instant> {
        let (now, is_with_engine) = (self.now(), self.moment.is_with_engine);
        let at = self.phase.stopping()?.give_up?;
        Some(if at <= now && is_with_engine { now + PULSE } else { at })
    }

    fn give_up_jobs(&mut self) {
        let (now, is_with_engine) = (self.now(), self.moment.is_with_engine);
        let Some(stopping) = self.phase.stopping() else { return };
        if stopping.give_up.is_none_or(|at| at > now) || is_with_engine {
            return;
        }
        stopping.give_up = None;
        self.act(Action::Abandon);
        self.plan = PlanState::Current;
        self.watching.forget_jobs();
        self.watch_engine();
    }

    /// Nobody reads what the services write: the session ends, and they run on, as when `docker compose up` loses its
    /// reader.
    fn leave(&mut self) {
        if !self.phase.is_stopping() {
            self.options.stop_services = false;
            self.notice("nobody reads the output any more: hob ends, and the services run on".to_owned());
            self.end_with(None, true);
        }
    }

    /// The second Ctrl-C or signal: what runs is killed, and nothing is waited for.
    fn kill(&mut self, cause: EndCause) {
        let stops = self.options.stop_services;
        let Some(stopping) = self.phase.stopping() else {
            self.stop(EndCause::Interrupt, None);
            return;
        };
        if std::mem::replace(&mut stopping.killed, true) {
            stopping.plan = StopPlan::Done;
            return;
        }
        if stops {
            stopping.plan = StopPlan::Runs;
        }
        self.emit(Event::Stopping { cause, services: stops, forced: true });
        if stops {
            let services = self.asked();
            let known: Vec<ContainerId> =
                services.iter().flat_map(|service| self.containers.running(service)).map(|(id, _)| id).collect();
            self.start(Work::Kill(services, known));
        }
    }

    /// Plans the stop as soon as no job is in the way.
    pub(super) fn stopping_next(&mut self) -> Option<End> {
        let is_idle = |machine: &Self| !machine.plan.is_running() && !machine.watching.is_busy();
        if !is_idle(self) {
            self.give_up_jobs();
        }
        let (idle, stops) = (is_idle(self), self.options.stop_services);
        let stopping = self.phase.stopping()?;
        if idle {
            stopping.give_up = None;
        }
        if !stops {
            if idle || stopping.killed {
                stopping.plan = StopPlan::Done;
            }
        } else if stopping.plan == StopPlan::Waits && idle {
            stopping.plan = StopPlan::Runs;
            self.begin_stop();
        }
        let stopping = self.phase.stopping()?;
        if stopping.plan != StopPlan::Done {
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
        self.start(Work::Stop(Stop {
            project: std::sync::Arc::clone(&self.project),
            asked: self.asked(),
            scope: self.scope(),
            grace: self.options.up.grace,
            newest_at_start: self.newest_at_start.unwrap_or(i64::MAX),
        }));
    }

    pub(super) fn stopped(&mut self, failures: Vec<Failure>, after: Option<&Observed>) {
        for failure in &failures {
            self.emit(Event::Error(failure.message.clone()));
        }
        // It may be the stop that ended the service whose code counts, and its event may still be under way.
        if let (Some(from), Some(after)) = (&self.options.exit_code_from, after)
            && let Some(ContainerState::Exited(code)) = after.of_service(from).next().map(|c| c.state)
            && let Some(exit) = self.phase.stopping().and_then(|stopping| stopping.exit.as_mut())
        {
            *exit = code;
        }
        if let Some(stopping) = self.phase.stopping() {
            stopping.plan = StopPlan::Done;
            stopping.failures = failures;
        }
    }

    /// Whether the session ends by itself.
    pub(super) fn ends_by_itself(&mut self) -> Option<End> {
        if let Phase::Failed(failures) = &mut self.phase {
            let failures = std::mem::take(failures);
            self.say_what_runs_on();
            return Some(End::Failed(failures));
        }
        if !self.plan.is_running() && !self.manifest.is_being_read() && !self.watching.is_busy() {
            let counts = self.containers.take_ended().into_iter().find(|(service, code)| self.ends(service, *code));
            if let Some((service, code)) = counts {
                self.stop(EndCause::Exited { service }, Some(code));
                return self.stopping_next();
            }
        }
        let holds = matches!((&self.plan, self.manifest), (PlanState::Current, ManifestState::Current));
        let done = self.phase.is_up() && holds && !self.watching.is_busy();
        let idle = done && !self.connection.is_lost();
        if idle && let Some(end) = self.ended_by_others() {
            return Some(end);
        }
        if self.have_all_exited(idle) && self.is_attached() {
            if self.waits_for_saves() {
                self.say_all_exited();
                return None;
            }
            let from = self.options.exit_code_from.as_ref().and_then(|s| self.containers.exit_code(s));
            return Some(End::Exited(from.unwrap_or(0)));
        }
        if done && !self.is_attached() && !self.options.watch && !self.awaits_readiness {
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
        let (at, services) = (self.now(), self.asked());
        self.all_exited = AllExited::Asked(at);
        self.start(Work::AskWhetherAllExited { at, pause, services });
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

    pub(super) fn is_attached(&self) -> bool {
        self.options.attach != Attach::None
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
    fn say_what_runs_on(&mut self) {
        let runs = |service: &&ServiceName| self.containers.runs(service);
        let scope = self.scope();
        let names: Vec<&str> = scope.iter().filter(runs).map(ServiceName::as_str).collect();
        if self.is_attached() && !names.is_empty() {
            let verb = if names.len() == 1 { "runs" } else { "run" };
            let text = format!("{} {verb} on in the background; `hob stop` ends that", names.join(", "));
            self.notice(text);
        }
    }

    fn say_all_exited(&mut self) {
        if !std::mem::replace(&mut self.said.all_exited, true) {
            let stopped = self.asked().iter().all(|service| self.others.has_stopped(service));
            let text = if stopped {
                "all services were stopped; `hob start` or `hob up -d` starts them again, Ctrl-C ends the session"
            } else {
                "all services have exited; a save starts them again, Ctrl-C ends the session"
            };
            self.notice(text.to_owned());
        }
    }

    /// Services that are restarted with another one, directly or through each other.
    pub(super) fn restarted_with(&self, service: &ServiceName) -> Vec<ServiceName> {
        self.project.restarted_with(std::slice::from_ref(service))
    }
}
