//! `start`: containers that are there and do not run, after what they need.

use std::collections::HashMap;

use super::op::StepId;
use super::scope::scope;
use super::{Op, Plan, Reason, Until};
use crate::model::{ContainerState, Graph, Observed, ObservedContainer, Project, ServiceName};

/// Plans `start`: the services and what they need, each when what it depends on is as its condition asks for. A job
/// that has completed is not run again for those that need it.
///
/// # Errors
/// A service of these that has no container.
pub fn start(project: &Project, observed: &Observed, services: &[ServiceName]) -> Result<Plan, ServiceName> {
    let order = Graph::of(project).order().unwrap_or_else(|_| project.services.keys().cloned().collect());
    let all = services.is_empty();
    let scope = scope(project, services, false);
    let mut plan = Plan::default();
    let mut started: HashMap<&ServiceName, Vec<StepId>> = HashMap::new();
    for service in order.iter().filter(|name| scope.contains(name)).filter_map(|name| project.services.get(name)) {
        if service.provider.is_some() {
            continue;
        }
        let containers: Vec<&ObservedContainer> = observed.of_service(&service.name).collect();
        if containers.is_empty() && service.replicas() > 0 && !all {
            return Err(service.name.clone());
        }
        let completed = !services.contains(&service.name) && project.is_job(&service.name);
        let stopped = containers
            .iter()
            .filter(|c| !(c.state.is_running() || completed && c.state == ContainerState::Exited(0)))
            .collect::<Vec<_>>();
        if stopped.is_empty() {
            continue;
        }
        let mut after = Vec::new();
        for (other, dependency) in &service.depends_on {
            let starts = started.get(other).cloned().unwrap_or_default();
            let until = Until::from(dependency.condition);
            let waited: Vec<&ObservedContainer> = observed.of_service(other).collect();
            let met = starts.is_empty() && waited.iter().all(|c| until.is_met(c.state, c.health));
            if met || until == Until::Running || waited.is_empty() {
                after.extend(starts);
                continue;
            }
            let containers = waited.iter().map(|c| c.name.clone()).collect();
            let op = Op::Wait { containers, until, optional: !dependency.required };
            after.push(plan.push(op, Some(other), Reason::Awaited(service.name.clone()), starts));
        }
        let start = |container: &&&ObservedContainer| {
            let op = Op::Start { container: container.name.clone() };
            plan.push(op, Some(&service.name), Reason::Asked("start"), after.clone())
        };
        started.insert(&service.name, stopped.iter().map(start).collect());
    }
    Ok(plan)
}
