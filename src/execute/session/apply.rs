//! The whole plan: made and carried out beside the loop.

use std::sync::Arc;

use super::{Finished, Session};
use crate::event::Event;
use crate::execute::executor::millis;
use crate::execute::observe::{observe, plan_failures, settle};
use crate::execute::{Outcome, View};
use crate::model::{Graph, Observed, Port, ServiceName};
use crate::plan;

/// How an apply ended.
pub struct Applied {
    /// What it was made from; `None` where that could not be found out.
    pub view: Option<View>,
    /// What is there afterwards.
    pub after: Observed,
    /// How the plan ended.
    pub outcome: Outcome,
}

impl Session {
    /// The services that this session is about: those asked for and what they need.
    pub(super) fn scope(&self) -> Vec<ServiceName> {
        let asked = &self.options.up.services;
        if asked.is_empty() {
            return self.project.services.keys().cloned().collect();
        }
        if self.options.up.no_deps {
            return asked.clone();
        }
        Graph::of(&self.project).closure(asked.iter().cloned())
    }

    pub(super) fn in_scope(&self, service: &ServiceName) -> bool {
        self.options.up.services.is_empty() || self.scope().contains(service)
    }

    /// Observes, plans and carries out; without `apply` it only observes.
    pub(super) fn apply(&mut self) {
        self.again = false;
        self.applying = true;
        // What has changed until now is part of the measure that is about to be taken.
        self.watching.forget_dirty();
        let (engine, sources) = (Arc::clone(&self.engine), Arc::clone(&self.sources));
        let (executor, project) = (self.executor.clone(), Arc::clone(&self.project));
        let (scope, synced) = (self.scope(), self.synced.clone());
        let mut options = self.options.up.clone();
        if self.up {
            // What a flag forces is forced once.
            options.recreate = plan::Recreate::Changed;
            options.rebuild = false;
            options.pull = None;
        }
        let mut run = self.options.run.clone();
        run.cancel = self.cancel.child_token();
        let apply = self.options.apply || self.up;
        self.jobs.spawn(async move {
            let view = if apply {
                settle(&executor, &project, &scope, &options, &run).await
            } else {
                observe(&*engine, &sources, &project, &scope).await
            };
            let view = match view {
                Ok(view) => view,
                Err(failures) => {
                    let outcome = Outcome { failures, ..Outcome::default() };
                    return Finished::Applied(Box::new(Applied { view: None, after: Observed::default(), outcome }));
                }
            };
            if !apply {
                let after = view.observed.clone();
                return Finished::Applied(Box::new(Applied { view: Some(view), after, outcome: Outcome::default() }));
            }
            let outcome = match plan::up(view.input(&synced), &options) {
                Ok(plan) => executor.run(&project, &plan, &run).await,
                Err(errors) => Outcome { failures: plan_failures(&project, errors), ..Outcome::default() },
            };
            let after = match executor.engine.observe(&query(&project)).await {
                Ok(after) => after,
                Err(_) => view.observed.clone(),
            };
            Finished::Applied(Box::new(Applied { view: Some(view), after, outcome }))
        });
    }

    pub(super) fn applied(&mut self, applied: Applied) {
        self.applying = false;
        let first = !self.up;
        if let Some(view) = applied.view {
            if first {
                self.containers.mark_old(&view.observed);
            }
            self.wanted = Arc::clone(&view.wanted);
            self.agents.remember_images(&view.observed.images);
            self.containers.observe(&applied.after);
            self.watch_services();
            self.follow_running();
            for container in applied.after.containers.iter().filter(|c| c.state.is_running() && !c.oneoff) {
                self.connect_agent(&container.service, &container.id);
            }
        }
        self.watching.incomplete = !applied.outcome.is_success();
        if applied.outcome.is_success() {
            if first && self.options.apply {
                self.ready(&applied.after);
            }
        } else if !(self.options.stay && self.options.watch) && first && self.stopping.is_none() {
            // Told by whoever ends the program with them.
            self.failed = applied.outcome.failures;
            return;
        } else {
            for failure in &applied.outcome.failures {
                self.sink.emit(Event::Error(failure.message.clone()));
            }
        }
        if !applied.outcome.is_success() && self.stopping.is_none() {
            self.sink.emit(Event::Notice { text: "waiting for a change that mends it".to_owned() });
        }
        self.up = true;
        self.say_watching();
    }

    fn ready(&self, after: &Observed) {
        for service in self.scope() {
            for port in self.project.services.get(&service).into_iter().flat_map(|s| &s.ports) {
                if let Some(url) = url(port, &service, after) {
                    self.sink.emit(Event::Url { service: service.clone(), url });
                }
            }
        }
        let services = self.scope().len();
        self.sink.emit(Event::Ready { services, took_ms: millis(self.began.elapsed()) });
    }
}

fn query(project: &crate::model::Project) -> crate::engine::Query {
    crate::engine::Query { project: project.name.to_string(), ..crate::engine::Query::default() }
}

/// Where a published port answers. Ports of well-known services that do not speak HTTP are shown as an address.
pub fn url(port: &Port, service: &ServiceName, observed: &Observed) -> Option<String> {
    let target = u16::try_from(port.target).ok()?;
    if port.protocol.as_deref() == Some("udp") {
        return None;
    }
    let published = observed
        .of_service(service)
        .flat_map(|c| &c.ports)
        .find(|p| p.container_port == target && p.host_port != 0 && p.protocol == "tcp")?;
    let host = match published.host_ip.as_str() {
        "" | "0.0.0.0" | "::" | "127.0.0.1" | "::1" => "localhost",
        other => other,
    };
    let address = format!("{host}:{}", published.host_port);
    let scheme = match (port.app_protocol.as_deref(), target) {
        (Some(scheme), _) => scheme,
        (None, 443 | 8443) => "https",
        (None, 22 | 25 | 53 | 1433 | 1521 | 1883 | 3306 | 4222 | 5432 | 5672 | 6379 | 9092 | 11211 | 27017) => {
            return Some(address);
        }
        (None, _) => "http",
    };
    Some(format!("{scheme}://{address}"))
}
