//! `pause` and `unpause`.

use super::down::is_chosen;
use super::{Op, Plan, Reason};
use crate::model::{Observed, Project, ServiceName};

/// Plans `pause`: each container of these services that runs is frozen, or of all where none is named.
pub fn pause(project: &Project, observed: &Observed, services: &[ServiceName]) -> Plan {
    of_each(project, observed, services, "pause", |container| Op::Pause { container })
}

/// Plans `unpause`, the other way round.
pub fn unpause(project: &Project, observed: &Observed, services: &[ServiceName]) -> Plan {
    of_each(project, observed, services, "unpause", |container| Op::Unpause { container })
}

/// One that is in the wanted state already is asked for none the less: the engine refuses it, as with Docker Compose.
fn of_each(
    project: &Project,
    observed: &Observed,
    services: &[ServiceName],
    command: &'static str,
    op: impl Fn(String) -> Op,
) -> Plan {
    let mut plan = Plan::default();
    let chosen = observed.containers.iter().filter(|container| is_chosen(project, container, services));
    for container in chosen.filter(|container| container.state.is_running()) {
        plan.push(op(container.name.clone()), Some(&container.service), Reason::Asked(command), Vec::new());
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ContainerState, ObservedContainer, Service};

    #[test]
    fn what_runs_is_frozen_and_goes_on() {
        let services = ["a", "b"].map(|name| (name.into(), Service { name: name.into(), ..Service::default() }));
        let project = Project { services: services.into_iter().collect(), ..Project::default() };
        let container = |service: &str, number, state, oneoff| ObservedContainer {
            name: format!("p-{service}-{number}"),
            service: service.into(),
            state,
            oneoff,
            ..ObservedContainer::default()
        };
        let containers = vec![
            container("a", 1, ContainerState::Running, false),
            container("a", 2, ContainerState::Paused, false),
            container("a", 3, ContainerState::Exited(0), false),
            container("b", 1, ContainerState::Running, false),
            container("b", 2, ContainerState::Created, false),
            container("b", 3, ContainerState::Running, true),
            container("other", 1, ContainerState::Running, false),
        ];
        let observed = Observed { containers, ..Observed::default() };
        let steps = |plan: Plan| plan.steps.iter().map(|step| step.op.to_string()).collect::<Vec<_>>();
        assert_eq!(
            steps(pause(&project, &observed, &[])),
            ["pause container p-a-1", "pause container p-a-2", "pause container p-b-1"]
        );
        assert_eq!(steps(unpause(&project, &observed, &["b".into()])), ["unpause container p-b-1"]);
        assert_eq!(steps(pause(&project, &Observed::default(), &[])), [""; 0]);
    }
}
