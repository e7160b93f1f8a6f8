//! Live on a terminal: what is going on stands below everything that was said, is drawn anew as it changes, and is
//! gone when nothing is going on.
//!
//! `bars` draws with `indicatif` on standard error; logs belong to standard output. They come in floods, so the area is
//! taken away and drawn again once for each batch, and not once for each line.

mod bars;
mod layout;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::event::{Event, Operation, State};
use crate::model::ServiceName;

use super::activity::{Activity, Ended};
use super::common::Common;
use super::fields::millis;
use super::groups::{End, Said};
use super::message::aside;
use super::options::Settings;
use super::palette::{DIM, DONE, ERROR, paint};
use super::render::Render;
use super::sanitize::sanitize;
use super::streams::Streams;
use super::summary::{cause, counted, state_of};

pub(super) use bars::Bars;

/// Time between two drawings while something moves.
const FRAME: Duration = Duration::from_millis(100);

pub(super) struct Tty {
    common: Common,
    live: Activity,
    bars: Bars,
    drawn_at: Duration,
    /// The terminal is someone else's until the next event.
    released: bool,
    /// The stack has been up: from now on every state is news.
    was_ready: bool,
    /// Services that were told to be unhealthy.
    unhealthy: BTreeSet<ServiceName>,
}

impl Tty {
    pub fn new(settings: &Settings, streams: Streams, bars: Bars) -> Self {
        let common = Common::new(settings, streams);
        Self {
            common,
            live: Activity::default(),
            bars,
            drawn_at: Duration::ZERO,
            released: false,
            was_ready: false,
            unhealthy: BTreeSet::new(),
        }
    }

    fn sign(&self, sign: Sign) -> String {
        let (utf8, ascii, style) = match sign {
            Sign::Done => ("✔", "+", DONE),
            Sign::Failed => ("✘", "x", ERROR),
            Sign::Skipped => ("-", "-", DIM),
        };
        paint(if self.common.settings.utf8 { utf8 } else { ascii }, style, self.common.settings.status_color)
    }

    fn over(&mut self, sign: Sign, service: Option<&ServiceName>, text: &str) {
        let column = self.common.column(service);
        let line = format!("{} {column}  {text}", self.sign(sign));
        self.common.streams.status(&line);
    }

    fn done(&mut self, ended: &Ended, service: Option<&ServiceName>, op: &Operation, took_ms: u64) {
        let color = self.common.settings.status_color;
        let reason = ended.step.as_ref().map(|step| aside(&step.reason.to_string(), color)).unwrap_or_default();
        let build = match ended.build {
            Some((steps, cached)) if steps > 0 => format!("  {}, {cached} cached", counted(steps, "step")),
            _ => String::new(),
        };
        let took = paint(&format!("{build}  {}", millis(took_ms)), DIM, color);
        self.over(Sign::Done, service, &format!("{}{reason}{took}", sanitize(&op.to_string(), false)));
    }

    /// What an event says in its own words.
    fn itself(&mut self, event: &Event, ended: Option<&Ended>) {
        match event {
            Event::StepDone { op, service, took_ms, .. } => {
                if let Some(ended) = ended {
                    self.done(ended, service.as_ref(), op, *took_ms);
                }
            }
            Event::StepFailed { op, service, .. } => {
                let what = sanitize(&op.to_string(), false).into_owned();
                self.over(Sign::Failed, service.as_ref(), &what);
            }
            Event::StepSkipped { op, service, because, .. } if self.common.settings.verbose => {
                let text = sanitize(&format!("{op}: skipped, because {}", cause(because)), false).into_owned();
                self.over(Sign::Skipped, service.as_ref(), &text);
            }
            Event::BuildOutput { services, line, .. } if self.common.settings.verbose => {
                let line = sanitize(line, self.common.settings.status_color).into_owned();
                self.common.say(services.first(), &format!("# {line}"));
            }
            Event::State { service, container, number, state, .. } if self.is_news(service, *state) => {
                let text = sanitize(&state_of(container, *number, *state), false).into_owned();
                self.common.say(Some(service), &text);
            }
            Event::Ready { .. } => self.was_ready = true,
            _ => {}
        }
    }

    /// Whether a state is worth a line: that a service is healthy is, once it was told not to be.
    fn is_news(&mut self, service: &ServiceName, state: State) -> bool {
        let recovered = state == State::Healthy && self.unhealthy.remove(service);
        if state == State::Unhealthy {
            self.unhealthy.insert(service.clone());
        }
        // While the steps of the plan are told anyway, these say nothing new.
        let expected = matches!(state, State::Starting | State::Running | State::Healthy);
        self.was_ready || recovered || !expected
    }

    /// Writes what was said, with the area taken away before and drawn again after.
    fn draw(&mut self, now: Duration) {
        let lines = if self.released || self.live.is_empty() {
            Vec::new()
        } else {
            layout::lines(&self.live, &mut self.common, now, self.bars.size())
        };
        // Results that go into a file do not touch the terminal.
        let written =
            if self.common.settings.out_tty { self.common.streams.waits() } else { self.common.streams.status_waits() };
        let frame = now.as_millis() / FRAME.as_millis();
        if written || self.bars.differ(&lines, frame) {
            let (erase, draw) = self.bars.draw(lines, frame);
            self.common.streams.status_first(&erase);
            self.common.streams.status_text(&draw);
        }
        self.common.streams.flush();
        self.drawn_at = now;
    }
}

#[derive(Clone, Copy)]
enum Sign {
    Done,
    Failed,
    Skipped,
}

impl Render for Tty {
    fn event(&mut self, event: Event, now: Duration) {
        self.released = false;
        let said = self.common.said(&event, now);
        let ended = match &event {
            Event::StepDone { step, .. } | Event::StepFailed { step, .. } | Event::StepSkipped { step, .. } => {
                Some(self.live.end(*step))
            }
            _ => None,
        };
        if let Event::Stopping { .. } = &event {
            for (service, text) in self.live.dropped() {
                let text = sanitize(&text, false).into_owned();
                self.over(Sign::Skipped, service.as_ref(), &text);
            }
        }
        match (&event, said) {
            (_, Said::Nothing) => {}
            (Event::StepDone { service, .. } | Event::StepFailed { service, .. }, Said::Line(line)) => {
                let sign = if line.end == End::Done { Sign::Done } else { Sign::Failed };
                let text = self.common.line(&line);
                self.over(sign, service.as_ref(), &text);
                if let Some(state) = line.then {
                    self.common.say(service.as_ref(), &state.to_string());
                }
            }
            (event, _) => self.itself(event, ended.as_ref()),
        }
        self.live.event(&event, now);
        self.common.event(&event);
        if self.common.streams.full() {
            self.draw(now);
        }
    }

    fn flush(&mut self, now: Duration) {
        // Text is never held back; the area alone is drawn at most once in a frame.
        if self.common.streams.waits() || self.live.is_empty() || now.saturating_sub(self.drawn_at) >= FRAME {
            self.draw(now);
        }
    }

    fn next_tick(&self, now: Duration) -> Option<Duration> {
        if self.live.is_empty() || self.released {
            return None;
        }
        Some((self.drawn_at + FRAME).saturating_sub(now))
    }

    fn tick(&mut self, now: Duration) {
        self.draw(now);
    }

    fn release(&mut self, now: Duration) {
        self.released = true;
        self.common.show_failures();
        self.draw(now);
    }
}
