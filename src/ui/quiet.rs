//! Errors and results only.

use std::time::Duration;

use crate::event::Event;

use super::common::Common;
use super::message::Severity;
use super::options::Settings;
use super::render::Render;
use super::streams::Streams;

pub(super) struct Quiet {
    common: Common,
}

impl Quiet {
    pub fn new(settings: &Settings, streams: Streams) -> Self {
        Self { common: Common::new(settings, streams) }
    }
}

impl Render for Quiet {
    fn event(&mut self, event: Event, _: Duration) {
        match event {
            Event::Log { .. }
            | Event::Table { .. }
            | Event::Output { .. }
            | Event::Error(_)
            | Event::StepStarted { .. }
            | Event::StepDone { .. }
            | Event::StepFailed { .. }
            | Event::Plan { dry_run: true, .. } => self.common.event(&event),
            Event::Reloaded(reloaded) => {
                if let Some(error) = &reloaded.error {
                    self.common.message(Severity::Error, error);
                }
            }
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
        self.common.show_failures();
        self.common.streams.flush();
    }
}
