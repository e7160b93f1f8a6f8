//! `kill` and `rm`.

use super::down::is_chosen;
use super::{Op, Plan, Reason};
use crate::model::{Observed, Project, ServiceName};

/// Plans `kill`: a signal to each container of these services that runs, or of all where none is named.
pub fn kill(project: &Project, observed: &Observed, services: &[ServiceName], signal: &str) -> Plan {
    let mut plan = Plan::default();
    let chosen = observed.containers.iter().filter(|container| is_chosen(project, container, services));
    for container in chosen.filter(|container| container.state.is_running()) {
        let op = Op::Kill { container: container.name.clone(), signal: signal.to_owned() };
        plan.push(op, Some(&container.service), Reason::Asked("kill"), Vec::new());
    }
    plan
}

/// Plans `rm`: the containers of these services go, or of all where none is named. One that runs is left alone, or with
/// `stop` stopped before; with `volumes` its anonymous ones go too.
pub fn remove(project: &Project, observed: &Observed, services: &[ServiceName], stop: bool, volumes: bool) -> Plan {
    let mut plan = Plan::default();
    let chosen = observed.containers.iter().filter(|container| is_chosen(project, container, services));
    for container in chosen.filter(|container| stop || !container.state.is_running()) {
        let mut after = Vec::new();
        if container.state.is_running() {
            let op = Op::Stop { container: container.name.clone(), grace: None };
            after.push(plan.push(op, Some(&container.service), Reason::Asked("rm"), Vec::new()));
        }
        let op = Op::Remove { container: container.name.clone(), volumes };
        plan.push(op, Some(&container.service), Reason::Asked("rm"), after);
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ContainerState, ObservedContainer, Service};

    /// A project of `a` and `b`, with a container each, of which that of `b` has ended; one of another folder's project
    /// of the same name; and one of `run`.
    fn world() -> (Project, Observed) {
        let services = ["a", "b"].map(|name| (name.into(), Service { name: name.into(), ..Service::default() }));
        let project = Project { services: services.into_iter().collect(), ..Project::default() };
        let container = |service: &str, state, oneoff| ObservedContainer {
            name: format!("p-{service}-1"),
            service: service.into(),
            state,
            oneoff,
            ..ObservedContainer::default()
        };
        let containers = vec![
            container("a", ContainerState::Running, false),
            container("b", ContainerState::Exited(0), false),
            container("other", ContainerState::Running, false),
            container("a", ContainerState::Running, true),
        ];
        (project, Observed { containers, ..Observed::default() })
    }

    fn steps(plan: &Plan) -> Vec<String> {
        let step = |step: &crate::plan::Step| format!("{} after {:?}", step.op, step.after);
        plan.steps.iter().map(step).collect()
    }

    #[test]
    fn a_signal_goes_to_what_runs() {
        let (project, observed) = world();
        let killed = |services: &[&str]| {
            let services: Vec<ServiceName> = services.iter().map(|name| ServiceName::from(*name)).collect();
            steps(&kill(&project, &observed, &services, "SIGHUP"))
        };
        let a = "send SIGHUP to container p-a-1 after []";
        assert_eq!(killed(&[]), [a]);
        assert_eq!(killed(&["a"]), [a]);
        assert_eq!(killed(&["b"]), [""; 0]);
    }

    #[test]
    fn what_runs_is_removed_only_where_it_may_be_stopped() {
        let (project, observed) = world();
        let removed = |stop, volumes| steps(&remove(&project, &observed, &[], stop, volumes));
        assert_eq!(removed(false, false), ["remove container p-b-1 after []"]);
        let stopped =
            ["stop container p-a-1 after []", "remove container p-a-1 after [0]", "remove container p-b-1 after []"];
        assert_eq!(removed(true, false), stopped);
        let with_volumes = remove(&project, &observed, &["b".into()], false, true);
        assert_eq!(with_volumes.steps[0].op, Op::Remove { container: "p-b-1".into(), volumes: true });
    }
}
