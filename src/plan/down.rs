//! `stop`, `down`, `start` and `restart`.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::containers::{is_neighbour, neighbours_stay, orphans_stay};
use super::op::StepId;
use super::{Op, Plan, Reason};
use crate::model::{Graph, Observed, ObservedContainer, Project, ServiceName, without_latest};

/// Which images `down` removes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Images {
    /// None.
    #[default]
    None,
    /// Those that the manifest gives no name of their own: `--rmi local`.
    Local,
    /// All that services use: `--rmi all`.
    All,
}

/// Choices of `down`.
#[derive(Clone, Debug, Default)]
pub struct DownOptions {
    /// The services; empty for all.
    pub services: Vec<ServiceName>,
    /// Named volumes of the manifest and anonymous ones too: `-v`.
    pub volumes: bool,
    /// Images.
    pub images: Images,
    /// Containers whose service is gone too: `--remove-orphans`.
    pub remove_orphans: bool,
    /// Nothing is said of them: `COMPOSE_IGNORE_ORPHANS`.
    pub ignore_orphans: bool,
    /// Time before SIGKILL: `--timeout`.
    pub grace: Option<Duration>,
}

/// Whether a command that names these services, or none for all, is about a container. Another folder may have a project
/// of the same name, and its services are its own.
pub fn is_chosen(project: &Project, container: &ObservedContainer, services: &[ServiceName]) -> bool {
    let name = &container.service;
    let known = project.services.contains_key(name) || project.disabled.contains_key(name);
    !container.oneoff && if services.is_empty() { known } else { services.contains(name) }
}

/// Stops containers in reverse order of dependency: a service stops when all that need it have.
pub fn stop(
    project: &Project,
    observed: &Observed,
    services: &[ServiceName],
    grace: Option<Duration>,
    reason: &Reason,
) -> Plan {
    let mut plan = Plan::default();
    let chosen = |c: &&ObservedContainer| is_chosen(project, c, services);
    stops(&mut plan, project, observed.containers.iter().filter(chosen), grace, reason);
    plan
}

/// Adds the stops and gives, by container name, the steps after which it does not run.
fn stops<'a>(
    plan: &mut Plan,
    project: &Project,
    containers: impl Iterator<Item = &'a ObservedContainer>,
    grace: Option<Duration>,
    reason: &Reason,
) -> HashMap<String, Vec<StepId>> {
    let graph = Graph::of(project);
    let containers: Vec<&ObservedContainer> = containers.collect();
    let mut order = graph.order().unwrap_or_else(|_| project.services.keys().cloned().collect());
    order.reverse();
    let rank = |c: &ObservedContainer| order.iter().position(|s| *s == c.service).unwrap_or(0);
    let mut sorted = containers;
    sorted.sort_by_key(|c| rank(c));
    let mut of_service: HashMap<&ServiceName, Vec<StepId>> = HashMap::new();
    let mut of_container = HashMap::new();
    for container in sorted {
        let after: Vec<StepId> = graph
            .dependents(&container.service)
            .flat_map(|dependent| of_service.get(dependent).cloned().unwrap_or_default())
            .collect();
        let done = if container.state.is_running() {
            let op = Op::Stop { container: container.name.clone(), grace };
            vec![plan.push(op, Some(&container.service), reason.clone(), after)]
        } else {
            after
        };
        of_service.entry(&container.service).or_default().extend(&done);
        of_container.insert(container.name.clone(), done);
    }
    of_container
}

/// The networks of the services that go, where no other container has them.
fn unused_networks(
    plan: &mut Plan,
    project: &Project,
    observed: &Observed,
    chosen: &[&ObservedContainer],
    removed: &[StepId],
    options: &DownOptions,
) {
    let services = options.services.iter().filter_map(|name| project.services.get(name));
    let names: BTreeSet<String> =
        services.flat_map(|service| service.networks.keys()).map(|key| project.network_name(key)).collect();
    let stay = |c: &&ObservedContainer| !chosen.iter().any(|chosen| chosen.id == c.id);
    for network in observed.networks.values().filter(|network| names.contains(&network.name)) {
        let is_own = network.labels.get(super::labels::PROJECT).is_some_and(|label| *label == *project.name);
        let is_used = observed.containers.iter().filter(stay).any(|c| c.networks.contains_key(&network.name));
        if is_own && !is_used {
            let op = Op::RemoveNetwork { name: network.name.clone(), id: network.id.clone() };
            plan.push(op, None, Reason::Asked("down"), removed.to_vec());
        }
    }
}

/// Plans `down`.
pub fn down(project: &Project, observed: &Observed, options: &DownOptions) -> Plan {
    let mut plan = Plan::default();
    let all = options.services.is_empty();
    let known = |s: &ServiceName| project.services.contains_key(s) || project.disabled.contains_key(s);
    let (mine, orphans): (Vec<_>, Vec<_>) =
        observed.containers.iter().partition(|c| c.oneoff && !is_neighbour(project, c) || known(&c.service));
    let chosen: Vec<&ObservedContainer> = mine
        .into_iter()
        .filter(|c| all || options.services.contains(&c.service))
        .chain(orphans.iter().copied().filter(|c| all && options.remove_orphans && !is_neighbour(project, c)))
        .collect();
    let stopped = stops(&mut plan, project, chosen.iter().copied(), options.grace, &Reason::Asked("down"));
    let mut removed = Vec::new();
    for container in &chosen {
        let after = stopped.get(&container.name).cloned().unwrap_or_default();
        let op = Op::Remove { container: container.name.clone(), volumes: options.volumes };
        removed.push(plan.push(op, Some(&container.service), Reason::Asked("down"), after));
    }
    if !all {
        unused_networks(&mut plan, project, observed, &chosen, &removed, options);
        return plan;
    }
    let left: Vec<&ObservedContainer> =
        orphans.into_iter().filter(|c| !chosen.iter().any(|chosen| chosen.id == c.id)).collect();
    let (neighbours, orphans): (Vec<_>, Vec<_>) = left.iter().copied().partition(|c| is_neighbour(project, c));
    if options.remove_orphans && !neighbours.is_empty() {
        plan.notes.push(neighbours_stay(&neighbours));
    }
    if !orphans.is_empty() && !options.ignore_orphans {
        plan.notes.push(orphans_stay(&orphans));
    }
    for network in observed.networks.values().chain(&observed.duplicates) {
        let name = &network.name;
        if network.labels.get(super::labels::PROJECT).is_none_or(|label| *label != *project.name) {
            continue;
        }
        if left.iter().any(|c| c.networks.get(name).is_some_and(|id| id.is_empty() || *id == network.id)) {
            plan.notes.push(format!("network {name} stays, because such a container uses it"));
            continue;
        }
        let op = Op::RemoveNetwork { name: name.clone(), id: network.id.clone() };
        plan.push(op, None, Reason::Asked("down"), removed.clone());
    }
    if options.volumes {
        for (key, volume) in &project.volumes {
            let name = project.volume_name(key);
            if !volume.external && observed.volumes.contains_key(&name) {
                plan.push(Op::RemoveVolume { name }, None, Reason::Asked("down -v"), removed.clone());
            }
        }
    }
    images(&mut plan, project, observed, options.images, &removed);
    plan
}

fn images(plan: &mut Plan, project: &Project, observed: &Observed, which: Images, after: &[StepId]) {
    if which == Images::None {
        return;
    }
    let plain = |name: &str| without_latest(name).to_owned();
    let is_by_digest = |name: &str| name.starts_with(super::wanted::BY_DIGEST);
    let mut names: Vec<(String, Option<ServiceName>)> = Vec::new();
    for service in project.services.values() {
        let name = project.image_name(service);
        if (which == Images::All || service.image.is_none()) && observed.images.contains_key(&name) {
            names.push((name, Some(service.name.clone())));
        }
    }
    // What earlier builds left, and the names by digest: with one of them the image would stay. An image that has
    // somebody else's name too, such as another project's, keeps its name by digest with it.
    for image in observed.images.values() {
        let label = |key: &str| image.labels.get(key).map(String::as_str);
        let service = label(super::labels::SERVICE).map(ServiceName::new);
        let is_of_project = label(super::labels::PROJECT) == Some(project.name.as_str());
        let is_own = |tag: &String| {
            let name = plain(tag);
            let of_service = |service: &ServiceName| name == format!("{}-{service}", project.name);
            is_by_digest(tag)
                || names.iter().any(|(own, _)| plain(own) == name)
                || is_of_project && service.as_ref().is_some_and(of_service)
        };
        if !image.labels.contains_key(super::labels::INPUTS) || !image.tags.iter().all(is_own) {
            continue;
        }
        let all = if image.tags.is_empty() { vec![image.id.to_string()] } else { image.tags.clone() };
        let known = |name: &String| names.iter().any(|(own, _)| plain(own) == plain(name));
        let more: Vec<_> = all.into_iter().filter(|name| !known(name)).map(|name| (name, service.clone())).collect();
        names.extend(more);
    }
    let mut seen = BTreeSet::new();
    let mut last = None;
    for (image, service) in names {
        if seen.insert(image.clone()) {
            // One after another: of two names of one image that go at once, an engine finds one no more.
            let after = after.iter().copied().chain(last).collect();
            let op = Op::RemoveImage { image };
            last = Some(plan.push(op, service.as_ref(), Reason::Asked("down --rmi"), after));
        }
    }
}

/// Restarts containers, what is needed first.
pub fn restart(project: &Project, observed: &Observed, services: &[ServiceName], grace: Option<Duration>) -> Plan {
    ordered(project, observed, services, |container| Some(Op::Restart { container: container.name.clone(), grace }))
}

fn ordered(
    project: &Project,
    observed: &Observed,
    services: &[ServiceName],
    op: impl Fn(&ObservedContainer) -> Option<Op>,
) -> Plan {
    let mut plan = Plan::default();
    let graph = Graph::of(project);
    let mut of_service: HashMap<ServiceName, Vec<StepId>> = HashMap::new();
    for service in graph.order().unwrap_or_else(|_| project.services.keys().cloned().collect()) {
        if !services.is_empty() && !services.contains(&service) {
            continue;
        }
        for container in observed.of_service(&service) {
            let after = graph.needs(&service).flat_map(|need| of_service.get(need).cloned().unwrap_or_default());
            let after = after.collect();
            if let Some(op) = op(container) {
                let step = plan.push(op, Some(&service), Reason::Asked("restart"), after);
                of_service.entry(service.clone()).or_default().push(step);
            }
        }
    }
    plan
}
