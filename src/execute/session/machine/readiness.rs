//! Whether what was started is ready: found out beside the loop, which goes on meanwhile.

use std::collections::BTreeSet;

use super::state::Machine;
use crate::event::Event;
use crate::execute::executor::millis;
use crate::execute::session::action::Work;
use crate::execute::session::ended::Readiness;
use crate::execute::session::work::{FindOutWhetherReady, url};
use crate::model::{Observed, ServiceName};

impl Machine {
    /// After the first plan: where services answer, and whether they are ready. A command that ends now says what is
    /// so at this moment; a session waits for it.
    pub(super) fn find_out_whether_ready(&mut self, after: Observed) {
        let lasts = self.is_attached() || self.options.watch;
        // Later plans are about what changed; that a service is unhealthy is said when it becomes so.
        self.options.up.needs_met = false;
        self.awaits_readiness = !lasts;
        let (waited, names_ended) = (self.options.up.wait, !self.options.up.no_start);
        let services = self.scope();
        let waits = lasts && !waited;
        self.start(Work::FindOutWhetherReady(FindOutWhetherReady { after, services, waits, waited, names_ended }));
    }

    /// After later plans, and where others made containers anew: addresses that are new.
    pub(super) fn find_out_new_urls(&mut self, after: &Observed) {
        let is_new = |name: &ServiceName| {
            let ports = self.project.services.get(name).into_iter().flat_map(|service| &service.ports);
            let mut urls = ports.filter_map(|port| url(port, name, after));
            self.said.urls.get(name).is_some_and(|known| urls.any(|url| !known.contains(&url)))
        };
        let services: Vec<ServiceName> = self.scope().into_iter().filter(is_new).collect();
        if !services.is_empty() {
            self.start(Work::FindOutUrls(after.clone(), services));
        }
    }

    /// Keeps where services can be reached, of what is about to be said.
    fn keep_urls(&mut self, events: &[Event]) {
        for service in self.scope() {
            let of = |event: &Event| match event {
                Event::Url { service: of, url, .. } if *of == service => Some(url.clone()),
                _ => None,
            };
            let urls: BTreeSet<String> = events.iter().filter_map(of).collect();
            let known = self.said.urls.entry(service).or_default();
            if !urls.is_empty() {
                *known = urls;
            }
        }
    }

    pub(super) fn said_whether_ready(&mut self, readiness: Readiness) {
        self.awaits_readiness = false;
        if self.phase.is_stopping() {
            return;
        }
        let Readiness { ready, of, ended, events, waited } = readiness;
        self.keep_urls(&events);
        for (service, text) in ended {
            // Not by itself: a save has taken its place meanwhile, or somebody has stopped it.
            if !self.watching.is_busy_with(&service) && !self.others.has_touched(&service, self.moment.now) {
                self.notice(text);
            }
        }
        for event in events {
            self.emit(event);
        }
        if ready > 0 {
            self.emit(Event::Ready { services: ready, of, took_ms: millis(self.now() - self.began), waited });
        }
    }
}
