//! Catching up: what was synced lives in a container, and the next one is made from an image. When a service has been
//! quiet for a while its image is built beside everything else, so that the next start finds it. No container is
//! touched by that.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::known::phase::{Connection, ImageState, ManifestState, Phase, PlanState};
use super::state::Machine;
use crate::event::{Event, Message};
use crate::execute::executor::millis;
use crate::execute::session::action::{Action, Job, Work};
use crate::execute::session::ended::{CaughtUp, Image};
use crate::execute::session::work::CatchUp;
use crate::model::ServiceName;

/// How long a service must have been left alone.
const QUIET: Duration = Duration::from_secs(5);

/// After how much more of that an image that is another one with a layer more is built as a whole: the layer has all
/// that changed since, and each new one is larger.
const COLLAPSE: Duration = Duration::from_mins(1);

impl Machine {
    /// The service that has been quiet longest of those whose image is stale, and when its quiet was long enough.
    /// `None` while something else must end first.
    fn next_to_catch_up(&self) -> Option<(ServiceName, Instant, Image)> {
        let states = (&self.phase, &self.plan, self.manifest, &self.connection);
        let (Phase::Up, PlanState::Current, ManifestState::Current, Connection::Present) = states else { return None };
        if !self.options.catch_up || self.catching_up.is_some() {
            return None;
        }
        let waiting = self.watching.idle().filter(|(_, watched)| !watched.has_changes());
        let due = waiting.filter_map(|(service, watched)| {
            let (at, image) = match watched.image {
                ImageState::StaleSince(since) => (since + QUIET, Image::Current),
                ImageState::LayeredSince(since) => (since + COLLAPSE, Image::Whole),
                ImageState::Current => return None,
            };
            Some((service.clone(), at, image))
        });
        due.min_by_key(|(_, at, _)| *at)
    }

    /// When the session has something to do here.
    pub(super) fn catch_up_at(&self) -> Option<Instant> {
        self.next_to_catch_up().map(|(_, at, _)| at)
    }

    /// Builds the image of a service that has been quiet for long enough; one at a time.
    pub(super) fn catch_up(&mut self) {
        let now = self.now();
        let Some((service, _, image)) = self.next_to_catch_up().filter(|(_, at, _)| *at <= now) else { return };
        self.catching_up = Some(service.clone());
        let (project, keep_images) = (Arc::clone(&self.project), self.options.run.keep_images);
        self.start(Work::CatchUp(CatchUp { project, service, image, keep_images }));
    }

    /// Ends the build of this service, or whichever runs: what it reads has changed.
    pub(super) fn give_up_catching_up(&mut self, service: Option<&ServiceName>) {
        if self.catching_up.as_ref().is_some_and(|of| service.is_none_or(|service| service == of)) {
            self.act(Action::Cancel(Job::CatchUp));
        }
    }

    pub(super) fn caught_up(&mut self, caught_up: CaughtUp) {
        self.catching_up = None;
        let CaughtUp { service, image, result, cancelled } = caught_up;
        let now = self.now();
        let Some(watched) = self.watching.get_mut(&service) else { return };
        if cancelled {
            // Its quiet begins anew.
            watched.image = match watched.image {
                ImageState::Current => ImageState::Current,
                ImageState::StaleSince(_) => ImageState::StaleSince(now),
                ImageState::LayeredSince(_) => ImageState::LayeredSince(now),
            };
            return;
        }
        // Whether the new image is a layer on another one is seen when its time comes.
        watched.image = match (image, &result) {
            (Image::Current, Ok(Some(_))) => ImageState::LayeredSince(now),
            _ => ImageState::Current,
        };
        match result {
            // Nothing that anybody sees has changed, and the image is as good as it was.
            _ if image == Image::Whole => {}
            Ok(took) => {
                watched.said.stale_image = false;
                if let Some(took) = took {
                    self.emit(Event::CaughtUp { service, took_ms: millis(took) });
                }
            }
            // The containers go on as they are, and whoever needs the image builds it and sees the same.
            Err(_) if watched.said.stale_image => {}
            Err(failure) => {
                watched.said.stale_image = true;
                let text = format!("its image could not be brought up to date: {}", failure.message.text);
                let hint = "what was synced goes on running; the next `hob up` builds the image again";
                let Message { location, detail, hints, .. } = failure.message;
                let message = Message { location, detail, hints, ..Message::new(text) };
                self.emit(Event::Warning(message.service(&service).hint(hint)));
            }
        }
    }
}
