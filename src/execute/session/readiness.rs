//! Whether what was started is ready: seen beside the loop, which goes on meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::url::url;
use super::{Finished, Session, now};
use crate::engine::{Engine, Query};
use crate::event::Event;
use crate::execute::executor::millis;
use crate::execute::port;
use crate::execute::wait::Wait;
use crate::model::{ContainerId, ContainerState, Observed, ObservedContainer, Project, Service, ServiceName};
use crate::plan::Until;

/// What was found out.
pub struct Readiness {
    /// Services that are ready.
    ready: usize,
    /// Services that should be.
    of: usize,
    /// Services that have ended, and how.
    ended: Vec<(ServiceName, String)>,
    /// What else there is to say, in order.
    events: Vec<Event>,
    /// It was waited until they are.
    waited: bool,
}

impl Session {
    /// After the first plan: where services answer, and whether they are ready. A command that ends now says what is
    /// so at this moment; a session waits for it.
    pub(super) fn look_whether_ready(&mut self, after: Observed) {
        let (engine, project, scope) = (Arc::clone(&self.engine), Arc::clone(&self.project), self.scope());
        let lasts = self.attached() || self.options.watch;
        // Later plans are about what changed; that a service is unhealthy is said when it becomes so.
        self.options.up.needs_met = false;
        let (waited, starts) = (self.options.up.wait, !self.options.up.no_start);
        self.looking_whether_ready = !lasts;
        self.jobs.spawn(async move {
            let readiness = if lasts && !waited {
                wait(&*engine, &project, &scope).await
            } else {
                let ready = running(&project, &after, &scope).count();
                let events = urls(&*engine, &project, &after, &scope).await;
                let of = wanted(&project, &scope).count();
                let ended = if starts { ended(&project, &after, &scope) } else { Vec::new() };
                Readiness { ready, of, ended, events, waited }
            };
            Finished::Ready(Box::new(readiness))
        });
    }

    /// After later plans, and where others made containers anew: addresses that are new.
    pub(super) fn look_at_urls(&mut self, after: &Observed) {
        let is_new = |name: &ServiceName| {
            let ports = self.project.services.get(name).into_iter().flat_map(|service| &service.ports);
            let mut urls = ports.filter_map(|port| url(port, name, after));
            self.said_urls.get(name).is_some_and(|known| urls.any(|url| !known.contains(&url)))
        };
        let services: Vec<ServiceName> = self.scope().into_iter().filter(is_new).collect();
        if services.is_empty() {
            return;
        }
        let (engine, project, after) = (Arc::clone(&self.engine), Arc::clone(&self.project), after.clone());
        self.jobs.spawn(async move {
            let events = urls(&*engine, &project, &after, &services).await;
            Finished::Ready(Box::new(Readiness { ready: 0, of: 0, ended: Vec::new(), events, waited: false }))
        });
    }

    /// Keeps where services can be reached, of what is about to be said.
    fn keep_urls(&mut self, events: &[Event]) {
        for service in self.scope() {
            let of = |event: &Event| match event {
                Event::Url { service: of, url, .. } if *of == service => Some(url.clone()),
                _ => None,
            };
            let urls: BTreeSet<String> = events.iter().filter_map(of).collect();
            let known = self.said_urls.entry(service).or_default();
            if !urls.is_empty() {
                *known = urls;
            }
        }
    }

    pub(super) fn said_whether_ready(&mut self, readiness: Readiness) {
        self.looking_whether_ready = false;
        if self.stopping.is_some() {
            return;
        }
        let Readiness { ready, of, ended, events, waited } = readiness;
        self.keep_urls(&events);
        for (service, text) in ended {
            // Not by itself: a save has taken its place meanwhile, or somebody has stopped it.
            if !self.watching.is_busy_with(&service) && !self.others.has_touched(&service) {
                self.sink.emit(Event::Notice { text });
            }
        }
        for event in events {
            self.sink.emit(event);
        }
        if ready > 0 {
            self.sink.emit(Event::Ready { services: ready, of, took_ms: millis(now() - self.began), waited });
        }
    }
}

/// Services that have containers.
fn wanted<'a>(project: &'a Project, scope: &'a [ServiceName]) -> impl Iterator<Item = &'a Service> {
    let services = scope.iter().filter_map(|name| project.services.get(name));
    services.filter(|service| service.provider.is_none() && service.replicas() > 0)
}

/// Services of which no container runs that should, and how they ended.
fn ended(project: &Project, observed: &Observed, scope: &[ServiceName]) -> Vec<(ServiceName, String)> {
    let up: BTreeSet<&ServiceName> = running(project, observed, scope).collect();
    let down = wanted(project, scope).map(|service| &service.name).filter(|name| !up.contains(name));
    let how = |name: &ServiceName| {
        let code = observed.of_service(name).find_map(|container| match container.state {
            ContainerState::Exited(code) => Some(code),
            _ => None,
        })?;
        Some((name.clone(), format!("{name} has exited with {code}; `hob logs {name}` shows what it did")))
    };
    down.filter_map(how).collect()
}

/// Services that run, or have done what they are there for.
fn running<'a>(
    project: &'a Project,
    observed: &'a Observed,
    scope: &'a [ServiceName],
) -> impl Iterator<Item = &'a ServiceName> {
    let runs = |c: &ObservedContainer| {
        c.state.is_running() || c.state == ContainerState::Exited(0) && project.is_job(&c.service)
    };
    scope.iter().filter(move |service| observed.of_service(service).any(runs))
}

/// Waits until each service is ready or can be told not to be.
async fn wait(engine: &dyn Engine, project: &Project, scope: &[ServiceName]) -> Readiness {
    let of = wanted(project, scope).count();
    let waits = wanted(project, scope).map(|service| async move {
        let containers: Vec<String> =
            (1..=service.replicas()).map(|number| service.container_name(&project.name, number)).collect();
        let until = if project.is_job(&service.name) { Until::Completed } else { Until::Ready };
        let wait = Wait { service: Some(&service.name), containers: &containers, until, limit: None, beside: None };
        let result = wait.run(engine, &|_| ()).await;
        // A save may have put another one in its place meanwhile.
        let runs = match &result {
            Err(_) => runs(engine, &containers).await,
            Ok(_) => false,
        };
        (service, if runs { Ok(Vec::new()) } else { result })
    });
    let (mut ready, mut ended, mut events) = (BTreeSet::new(), Vec::new(), Vec::new());
    for (service, result) in futures_util::future::join_all(waits).await {
        match result {
            Ok(told) if told.is_empty() => drop(ready.insert(service.name.clone())),
            Ok(told) => events.extend(told.into_iter().map(Event::Warning)),
            // Its log is shown already.
            Err(failure) => ended.push((service.name.clone(), failure.message.text)),
        }
    }
    let query = Query { project: project.name.to_string(), ..Query::default() };
    if let Ok(after) = engine.observe(&query).await {
        let scope: Vec<ServiceName> = scope.iter().filter(|name| ready.contains(*name)).cloned().collect();
        events.extend(urls(engine, project, &after, &scope).await);
    }
    Readiness { ready: ready.len(), of, ended, events, waited: true }
}

async fn runs(engine: &dyn Engine, containers: &[String]) -> bool {
    for name in containers {
        let there = engine.inspect(&ContainerId::new(name)).await.ok().flatten();
        if !there.is_some_and(|container| container.state == ContainerState::Running) {
            return false;
        }
    }
    true
}

/// Where services answer, and where they will.
async fn urls(engine: &dyn Engine, project: &Project, observed: &Observed, scope: &[ServiceName]) -> Vec<Event> {
    let mut events = Vec::new();
    for service in running(project, observed, scope).filter_map(|name| project.services.get(name)) {
        let ports: Vec<_> = observed.of_service(&service.name).flat_map(port::published).collect();
        for port in &service.ports {
            let Some(url) = url(port, &service.name, observed) else { continue };
            let mut answers = false;
            for published in ports.iter().filter(|published| u32::from(published.container_port) == port.target) {
                answers |= engine.answers(published).await;
            }
            events.push(Event::Url { service: service.name.clone(), url, answers });
        }
    }
    events
}
