//! Shows events as Docker Compose 2.40 does: its sentences, on its streams. For hob under the name of `docker-compose`, whose
//! output scripts read.

mod build;
mod progress;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::event::{
    EndCause, Event, Fact, Message, NeverReady, Operation, PlannedContainer, PlannedStep, State, Until,
};
use crate::model::ServiceName;

use super::common::Common;
use super::options::{Kind, Settings};
use super::prefix::short;
use super::render::Render;
use super::sanitize::sanitize;
use super::streams::{Clock, Streams};
use build::BuildLog;
use progress::{Line, Moment, Recreations, lines};

/// Shows events in Docker Compose's words.
pub(super) struct Compose {
    /// Logs, tables and results, which are the same.
    common: Common,
    kind: Kind,
    /// The time, for warnings.
    clock: Clock,
    build: BuildLog,
    recreations: Recreations,
    /// Services whose output is shown, once the session has said so.
    attached: Option<BTreeSet<ServiceName>>,
    /// The containers that are attached to were not named yet.
    to_attach: Vec<PlannedContainer>,
    dry_run: bool,
}

impl Compose {
    pub fn new(settings: &Settings, streams: Streams, clock: Clock) -> Self {
        Self {
            common: Common::new(settings, streams),
            kind: settings.kind,
            clock,
            build: BuildLog::default(),
            recreations: Recreations::default(),
            attached: None,
            to_attach: Vec::new(),
            dry_run: false,
        }
    }

    fn plan(&mut self, steps: &[PlannedStep], containers: &[PlannedContainer], dry_run: bool) {
        self.recreations = Recreations::of(steps);
        self.dry_run = dry_run;
        for container in containers.iter().filter(|container| container.runs) {
            self.progress(&Line::container(&container.container, "Running"));
        }
        if let Some(attached) = &self.attached {
            let shown = containers.iter().filter(|container| attached.contains(&container.service));
            self.to_attach.extend(shown.cloned());
        }
        if dry_run {
            for step in steps {
                for moment in [Moment::Begun, Moment::Done] {
                    self.step(step.step, step.service.as_ref(), &step.op, moment);
                }
            }
        }
        if !steps.iter().any(|step| matches!(step.op, Operation::StartContainer { .. })) {
            self.attach();
        }
    }

    /// Names the containers whose output follows, sorted as Compose has them.
    fn attach(&mut self) {
        if self.to_attach.is_empty() || self.dry_run {
            return;
        }
        let named = |c: &PlannedContainer| short(&c.service, &c.container, c.number);
        let mut names: Vec<String> = self.to_attach.drain(..).map(|c| named(&c)).collect();
        names.sort();
        let text = format!("Attaching to {}", names.join(", "));
        self.common.streams.out(&sanitize(&text, false));
    }

    fn step(&mut self, number: usize, service: Option<&ServiceName>, op: &Operation, moment: Moment) {
        // With the output of the containers their start is no news.
        let attached = self.attached.is_some();
        if attached && matches!(op, Operation::StartContainer { .. } | Operation::Wait { .. }) {
            self.attach();
            return;
        }
        for line in lines(number, service, op, moment, &self.recreations) {
            self.progress(&line);
        }
    }

    fn progress(&mut self, line: &Line) {
        match self.kind {
            Kind::Quiet => {}
            Kind::Json => self.common.streams.status(&line.json(self.dry_run)),
            Kind::Plain | Kind::Tty => {
                let dry_run = if self.dry_run { " DRY-RUN MODE - " } else { "" };
                let text = format!("{dry_run}{line}");
                self.common.streams.status(&sanitize(&text, false));
            }
        }
    }

    /// As logrus writes it, with which Compose warns.
    fn warning(&mut self, message: &Message) {
        let time = (self.clock)();
        let text = self.sentence(message);
        let line = match self.kind {
            Kind::Json => serde_json::json!({"level": "warning", "msg": text, "time": time}).to_string(),
            _ => format!("time=\"{time}\" level=warning msg={}", quoted(&text)),
        };
        self.common.streams.err(&sanitize(&line, false));
    }

    fn error(&mut self, message: &Message) {
        let text = self.sentence(message);
        if self.kind == Kind::Json {
            self.common.streams.err(&serde_json::json!({"error": true, "message": text}).to_string());
            return;
        }
        for line in text.lines() {
            self.common.streams.err(&sanitize(line, false));
        }
    }

    /// What Compose says of it, and where in the manifest it is.
    fn sentence(&self, message: &Message) -> String {
        let text = match message.fact.as_deref() {
            Some(Fact::NeverReady { container, service, until, why }) => never_ready(container, service, *until, *why),
            // Its step says where it is.
            Some(Fact::BuildFailed) => {
                let why = self.build.error().unwrap_or(&message.text);
                return format!("failed to solve: {why}");
            }
            Some(Fact::NoManifest) => return "no configuration file provided: not found".to_owned(),
            None => message.text.clone(),
        };
        match &message.location {
            Some(place) => format!("{text} ({}:{}:{})", place.file.display(), place.line, place.column),
            None => text,
        }
    }

    fn state(&mut self, service: &ServiceName, container: &str, number: u32, state: State) {
        let is_shown = self.attached.as_ref().is_some_and(|attached| attached.contains(service));
        if let (State::Exited { code }, true) = (state, is_shown) {
            let text = format!("{} exited with code {code}", short(service, container, number));
            self.common.streams.out(&sanitize(&text, false));
        }
    }
}

impl Render for Compose {
    fn event(&mut self, event: Event, now: Duration) {
        if self.kind != Kind::Quiet {
            for line in self.build.event(&event, now) {
                self.common.streams.out(&sanitize(&line, false));
            }
        }
        match &event {
            Event::Log { .. } | Event::Table { .. } | Event::Output { .. } => self.common.event(&event),
            Event::Plan { steps, containers, dry_run, .. } => {
                self.common.name_services(steps, containers);
                self.plan(steps, containers, *dry_run);
            }
            Event::StepStarted { step, op, service, .. } => self.step(*step, service.as_ref(), op, Moment::Begun),
            Event::StepDone { step, op, service, .. } => self.step(*step, service.as_ref(), op, Moment::Done),
            Event::StepFailed { step, op, service, message } => {
                self.step(*step, service.as_ref(), op, Moment::Failed(message.text.clone()));
            }
            Event::Attaching { services } => self.attached = Some(services.iter().cloned().collect()),
            Event::State { service, container, number, state, .. } => self.state(service, container, *number, *state),
            Event::Stopping { cause: EndCause::Exited { .. }, services: true, forced: false } => {
                self.common.streams.err("Aborting on container exit...");
            }
            Event::Stopping { services: true, forced: false, .. } => {
                self.common.streams.out("Gracefully Stopping... press Ctrl+C again to force");
            }
            Event::Watching { .. } => self.common.streams.out("Watch enabled"),
            Event::Reloaded(_) => self.common.event(&event),
            Event::Notice { text } if matches!(self.kind, Kind::Plain | Kind::Tty) => {
                self.common.streams.status(&sanitize(text, false));
            }
            Event::Warning(message) => self.warning(message),
            Event::Error(message) => self.error(message),
            _ => {}
        }
        if self.common.streams.full() {
            self.common.streams.flush();
        }
    }

    fn flush(&mut self, _: Duration) {
        self.common.streams.flush();
    }

    fn release(&mut self, _: Duration) {
        self.common.streams.flush();
    }
}

fn never_ready(container: &str, service: &str, until: Until, why: NeverReady) -> String {
    let what = match why {
        NeverReady::Exited(code) if until == Until::Completed => {
            return format!("service \"{service}\" didn't complete successfully: exit {code}");
        }
        NeverReady::Exited(code) => format!("container {container} exited ({code})"),
        NeverReady::Unhealthy => format!("container {container} is unhealthy"),
        NeverReady::NoHealthCheck => format!("container {container} has no healthcheck configured"),
    };
    match until {
        // `--wait` asks for it, and no dependent.
        Until::Ready => what,
        Until::Running | Until::Healthy | Until::Completed => format!("dependency failed to start: {what}"),
    }
}

/// As Go's `%q`, for text without control characters.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
