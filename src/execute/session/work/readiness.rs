//! Whether services are ready, and where they answer.

use std::collections::BTreeSet;

use super::shared::Shared;
use super::url::url;
use crate::engine::{Engine, Query};
use crate::event::Event;
use crate::execute::port;
use crate::execute::session::ended::{Ended, Readiness};
use crate::execute::wait::Wait;
use crate::model::{ContainerId, ContainerState, Observed, ObservedContainer, Project, Service, ServiceName};
use crate::plan::Until;

/// Finds out whether services are ready.
pub struct FindOutWhetherReady {
    /// What was there after the plan.
    pub after: Observed,
    /// The services.
    pub services: Vec<ServiceName>,
    /// They are waited for; else it is said what is so now.
    pub waits: bool,
    /// The plan has waited for them.
    pub waited: bool,
    /// Those that have ended are named.
    pub names_ended: bool,
}

impl FindOutWhetherReady {
    /// Does it.
    pub async fn run(self, shared: Shared, project: &Project) -> Ended {
        let Self { after, services, waits, waited, names_ended } = self;
        let engine = &*shared.executor.engine;
        let readiness = if waits {
            wait(engine, project, &services).await
        } else {
            let ready = running(project, &after, &services).count();
            let events = urls(engine, project, &after, &services).await;
            let of = wanted(project, &services).count();
            let ended = if names_ended { ended(project, &after, &services) } else { Vec::new() };
            Readiness { ready, of, ended, events, waited }
        };
        Ended::Ready(Box::new(readiness))
    }
}

/// Finds out where services answer.
pub async fn find_out_urls(shared: Shared, project: &Project, after: &Observed, services: &[ServiceName]) -> Ended {
    let events = urls(&*shared.executor.engine, project, after, services).await;
    Ended::Ready(Box::new(Readiness { events, ..Readiness::default() }))
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
