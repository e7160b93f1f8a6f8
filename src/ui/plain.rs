//! One line for each change, for logs of CI jobs and for terminals without a cursor. What takes long says so every
//! now and then, so that a job is not taken for dead.

use std::time::Duration;

use crate::event::{Event, Hold};
use crate::model::ServiceName;

use super::activity::{Activity, Step, internal, waiting};
use super::common::Common;
use super::fields::{bytes, millis, seconds, transfer};
use super::groups::Said;
use super::message::aside;
use super::options::Settings;
use super::palette::{ERROR, paint};
use super::render::Render;
use super::sanitize::sanitize;
use super::streams::Streams;
use super::summary::{cause, names, state_of};

/// After so long without a word, what is still going on is said again.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(super) struct Plain {
    common: Common,
    live: Activity,
}

impl Plain {
    pub fn new(settings: &Settings, streams: Streams) -> Self {
        Self { common: Common::new(settings, streams), live: Activity::default() }
    }

    fn say(&mut self, service: Option<&ServiceName>, text: &str) {
        let text = sanitize(text, false).into_owned();
        self.common.say(service, &text);
    }

    fn held(&mut self, number: usize, on: &Hold, now: Duration) {
        // Only the first hold is a change; the rest is progress, for the heartbeat.
        if let Some(step) = self.live.steps.get_mut(&number)
            && step.held.is_none()
        {
            step.said = now;
            let (service, text) = (step.service.clone(), waiting(&step.op, on));
            self.say(service.as_ref(), &text);
        }
    }

    /// What an event says in its own words.
    fn itself(&mut self, event: &Event) {
        let color = self.common.settings.status_color;
        match event {
            Event::StepStarted { op, service, reason, .. } => {
                let text = format!("{}{}", sanitize(&op.to_string(), false), aside(&reason.to_string(), color));
                self.common.say(service.as_ref(), &text);
            }
            Event::StepDone { op, service, took_ms, .. } => {
                self.say(service.as_ref(), &format!("{op}: done in {}", millis(*took_ms)));
            }
            Event::StepFailed { op, service, .. } => {
                let text = format!("{}: {}", sanitize(&op.to_string(), false), paint("failed", ERROR, color));
                self.common.say(service.as_ref(), &text);
            }
            Event::StepSkipped { op, service, because, .. } if self.common.settings.verbose => {
                self.say(service.as_ref(), &format!("{op}: skipped, because {}", cause(because)));
            }
            Event::BuildOutput { services, line, .. } if self.common.settings.verbose => {
                let line = sanitize(line, color).into_owned();
                self.common.say(services.first(), &format!("# {line}"));
            }
            Event::BuildStepDone { services, name, cached, took_ms, error, .. } => match error {
                Some(_) => self.build_step_done(services, name, &paint("failed", ERROR, color)),
                None if *cached => self.build_step_done(services, name, "cached"),
                None => self.build_step_done(services, name, &format!("done in {}", millis(*took_ms))),
            },
            Event::Syncing { service, total, .. } if !self.live.syncs.contains_key(service) => {
                self.say(Some(service), &format!("syncing {}", bytes(*total)));
            }
            Event::State { service, container, number, state, .. } => {
                self.say(Some(service), &state_of(container, *number, *state));
            }
            _ => {}
        }
    }

    fn build_step_done(&mut self, services: &[ServiceName], name: &str, how: &str) {
        if self.common.settings.verbose || !internal(name) {
            let text = format!("{}: {how}", sanitize(name, false));
            self.common.say(services.first(), &text);
        }
    }
}

impl Render for Plain {
    fn event(&mut self, event: Event, now: Duration) {
        let said = self.common.said(&event, now);
        match &event {
            Event::StepDone { step, .. } | Event::StepFailed { step, .. } | Event::StepSkipped { step, .. } => {
                self.live.end(*step);
            }
            _ => {}
        }
        if let Event::Stopping { .. } = &event {
            for (service, text) in self.live.dropped() {
                self.say(service.as_ref(), &text);
            }
        }
        match (&event, said) {
            (Event::StepHeld { step, on, .. }, _) => self.held(*step, on, now),
            (_, Said::Nothing) => {}
            (Event::StepDone { service, .. } | Event::StepFailed { service, .. }, Said::Line(line)) => {
                let text = self.common.line(&line);
                self.common.say(service.as_ref(), &text);
                if let Some(state) = line.then {
                    self.say(service.as_ref(), &state.to_string());
                }
            }
            (event, _) => self.itself(event),
        }
        self.live.event(&event, now);
        self.common.event(&event);
        if self.common.streams.full() {
            self.common.streams.flush();
        }
    }

    fn flush(&mut self, _: Duration) {
        self.common.streams.flush();
    }

    fn next_tick(&self, now: Duration) -> Option<Duration> {
        let said = said(&self.live).min()?;
        Some((said + HEARTBEAT).saturating_sub(now))
    }

    fn tick(&mut self, now: Duration) {
        for line in heartbeat(&mut self.live, now) {
            self.common.streams.status(&sanitize(&line, false));
        }
        self.common.streams.flush();
    }

    fn release(&mut self, _: Duration) {
        self.common.show_failures();
        self.common.streams.flush();
    }
}

/// When something was last said, of everything that is going on.
fn said(live: &Activity) -> impl Iterator<Item = Duration> {
    let steps = live.steps.values().map(|step| step.said);
    let builds = live.builds.values().flat_map(|build| build.running.values().map(|step| step.said));
    let transfers = live.pulls.values().chain(live.syncs.values());
    steps.chain(builds).chain(transfers.map(|transfer| transfer.said))
}

/// What has been going on for so long that it should be said.
fn heartbeat(live: &mut Activity, now: Duration) -> Vec<String> {
    let due = |said: Duration| now.saturating_sub(said) >= HEARTBEAT;
    let since = |since: Duration| seconds(now.saturating_sub(since).as_secs());
    let mut lines = Vec::new();
    // A build and a pull speak for their step.
    let told = |live: &Activity, step: &Step| {
        live.build_of(step).is_some_and(|build| !build.running.is_empty()) || live.pull_of(step).is_some()
    };
    let told: Vec<usize> = live.steps.iter().filter(|(_, step)| told(live, step)).map(|(number, _)| *number).collect();
    for (services, build) in &mut live.builds {
        for step in build.running.values_mut() {
            if due(step.said) {
                step.said = now;
                lines.push(format!("still building {}: {} ({})", names(services), step.name, since(step.since)));
            }
        }
    }
    for (image, pull) in &mut live.pulls {
        if due(pull.said) {
            pull.said = now;
            let bytes = transfer(pull.current, pull.total);
            lines.push(format!("still pulling {image}: {bytes} ({})", since(pull.since)));
        }
    }
    for (service, sync) in &mut live.syncs {
        if due(sync.said) {
            sync.said = now;
            let bytes = transfer(sync.current, sync.total);
            lines.push(format!("still syncing {service}: {bytes} ({})", since(sync.since)));
        }
    }
    for (number, step) in &mut live.steps {
        if due(step.said) {
            step.said = now;
            if told.contains(number) {
                continue;
            }
            let service = step.service.as_ref().map(|service| format!("{service}: ")).unwrap_or_default();
            let what = step.held.as_ref().map_or_else(|| step.op.to_string(), |on| waiting(&step.op, on));
            lines.push(format!("still {service}{what} ({})", since(step.since)));
        }
    }
    lines
}
