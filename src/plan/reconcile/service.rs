//! The containers of a service: kept, made, replaced, started.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::{Done, Recreate, Up};
use crate::model::{ContainerState, ObservedContainer, Service, ServiceName};
use crate::plan::containers::{Existing, assess, has_anonymous, hot_sync};
use crate::plan::labels::WHY;
use crate::plan::op::{Create, StepId};
use crate::plan::spec::is_anonymous;
use crate::plan::{Op, PlannedContainer, Reason, before_start_specs, container_spec};

/// The numbers of a service's containers: those that are there, the lowest first, and then the next ones. A gap stays: as
/// in Compose, no container is removed to make one with a lower number.
fn chosen(there: &BTreeMap<u32, Vec<&ObservedContainer>>, replicas: u32) -> Vec<u32> {
    let mut numbers: Vec<u32> = there.keys().copied().take(replicas as usize).collect();
    let mut next = there.keys().next_back().copied().unwrap_or(0);
    while numbers.len() < replicas as usize {
        next = next.saturating_add(1);
        numbers.push(next);
    }
    numbers
}

impl Up<'_> {
    pub(super) fn service(&mut self, service: &Service) {
        let mut done = Done::default();
        let replicas = service.replicas();
        let before = self.plan.steps.len();
        let mut numbers: BTreeMap<u32, Vec<&ObservedContainer>> = BTreeMap::new();
        for container in self.input.observed.of_service(&service.name) {
            numbers.entry(container.number).or_default().push(container);
        }
        for number in chosen(&numbers, replicas) {
            let mut existing: Vec<Existing<'_>> = numbers
                .remove(&number)
                .unwrap_or_default()
                .into_iter()
                .map(|container| self.assess(service, container, number))
                .collect();
            existing.sort_by_key(|e| (is_going(e.container), e.differs.is_some(), !e.container.state.is_running()));
            let has_best = existing.first().is_some_and(|first| !is_going(first.container));
            let others = existing.split_off(usize::from(has_best));
            let best = existing.pop();
            // What takes a name, a port or a volume of theirs comes after them.
            let gone = others.into_iter().map(|other| self.surplus(service, other.container, best.as_ref())).collect();
            self.container(service, number, best, gone, &mut done);
        }
        for container in numbers.into_values().flatten() {
            self.remove(container, Some(&service.name), &Reason::Scale(replicas), Vec::new());
        }
        if self.plan.steps.len() == before && !done.touched && !self.images.contains_key(&service.name) {
            self.plan.unchanged.push(service.name.clone());
        }
        self.done.insert(service.name.clone(), done);
    }

    /// Whether it is not to be touched, and waited for by nobody.
    pub(super) fn is_left_stopped(&self, service: &ServiceName) -> bool {
        let runs = || self.input.observed.of_service(service).any(|container| container.state.is_running());
        self.options.leave_stopped.contains(service) && !runs()
    }

    /// Removes a container beside the one that stays. Its anonymous volumes go where that one has others in their place.
    fn surplus(&mut self, service: &Service, other: &ObservedContainer, best: Option<&Existing<'_>>) -> StepId {
        if is_going(other) {
            let reason = Reason::NotRunning(other.state);
            return self.remove(other, Some(&service.name), &reason, Vec::new());
        }
        let never_ran = other.state == ContainerState::Created;
        let replaced = best.is_some_and(|best| {
            let of_best = &best.container.volumes;
            let mut targets = other.volumes.iter().filter(|(_, volume)| is_anonymous(volume));
            targets.all(|(target, _)| of_best.get(target).is_some_and(|volume| is_anonymous(volume)))
        });
        self.remove_with(other, Some(&service.name), &Reason::Duplicate, Vec::new(), never_ran || replaced)
    }

    /// `--force-recreate` is about the services asked for; what they need is recreated where it differs.
    fn is_forced(&self, service: &Service) -> bool {
        let asked = &self.options.services;
        self.options.recreate_deps || asked.is_empty() || asked.contains(&service.name)
    }

    fn assess<'c>(&self, service: &Service, container: &'c ObservedContainer, number: u32) -> Existing<'c> {
        let shared = shared_namespaces(service)
            .find(|other| self.done.get(*other).is_some_and(|done| done.touched))
            .map(|other| Reason::Dependency(ServiceName::from(other)));
        let stale = container.networks.keys().find(|network| self.resources.stale.contains_key(*network));
        let differs = match self.options.recreate {
            _ if stale.is_some() => stale.cloned().map(Reason::Network),
            Recreate::Always if self.is_forced(service) => Some(Reason::Flag("--force-recreate")),
            Recreate::Never => None,
            _ if self.options.renew_anon_volumes && self.is_forced(service) && has_anonymous(container) => {
                Some(Reason::Flag("--renew-anon-volumes"))
            }
            Recreate::Changed | Recreate::Always => assess(self.input, service, container, number).or(shared),
        };
        Existing { container, differs }
    }

    /// One container of a service; `gone` are the removals of others that had its number.
    fn container(
        &mut self,
        service: &Service,
        number: u32,
        existing: Option<Existing<'_>>,
        gone: Vec<StepId>,
        done: &mut Done,
    ) {
        let name = service.container_name(&self.input.project.name, number);
        done.containers.push(name.clone());
        let mut runs = false;
        match existing {
            None => {
                let mut others = self.input.observed.of_service(&service.name).filter(|other| !is_going(other));
                let reason = match others.next() {
                    Some(_) => Reason::Scale(service.replicas()),
                    None => Reason::NoContainer,
                };
                let created = self.create(service, number, None, gone, reason.clone());
                done.created.push(created);
                done.touched = true;
                self.start(service, &name, reason, vec![created], done);
            }
            Some(Existing { container, differs: Some(reason) }) => {
                self.replace(service, number, container, gone, reason, done);
            }
            Some(Existing { container, differs: None }) => {
                if container.name == name {
                    done.created.extend(gone);
                } else {
                    let op = Op::Rename { container: container.name.clone(), name: name.clone() };
                    let renamed = self.plan.push(op, Some(&service.name), Reason::Replaces, gone);
                    done.created.push(renamed);
                }
                runs = self.keep(service, container, &name, done);
            }
        }
        self.plan.containers.push(PlannedContainer { service: service.name.clone(), container: name, number, runs });
    }

    /// A container that is as it should be: started, restarted after what it depends on, or left alone. Whether it runs
    /// and is left alone.
    fn keep(&mut self, service: &Service, container: &ObservedContainer, name: &str, done: &mut Done) -> bool {
        let restart_after = service
            .depends_on
            .iter()
            .find(|(other, dependency)| {
                let passes_on = |done: &Done| done.touched && !done.follows && !done.started.is_empty();
                dependency.restart && self.done.get(*other).is_some_and(passes_on)
            })
            .map(|(other, _)| other.clone());
        if container.state.is_running() {
            match restart_after {
                Some(other) if !self.options.no_start => {
                    let mut after = self.gates(service);
                    if container.name != name {
                        // Until then the name is another's, or nobody's.
                        after.extend(done.created.last().copied());
                    }
                    let op = Op::Restart { container: name.to_owned(), grace: self.options.grace };
                    let step = self.plan.push(op, Some(&service.name), Reason::Dependency(other), after);
                    done.started.push(step);
                    done.touched = true;
                    done.follows = true;
                    return false;
                }
                _ => done.untouched.push((container.state, container.health)),
            }
            return true;
        }
        let completed = container.state == ContainerState::Exited(0) && self.input.project.is_job(&service.name);
        if completed && !self.options.jobs_again {
            done.untouched.push((container.state, container.health));
        } else {
            let mut after = done.created.clone();
            // One that was never started joins its networks by name.
            let networks = service.networks.keys().map(|key| self.input.project.network_name(key));
            after.extend(networks.filter_map(|network| self.resources.networks.get(&network)));
            self.start(service, name, Reason::NotRunning(container.state), after, done);
        }
        false
    }

    fn create(
        &mut self,
        service: &Service,
        number: u32,
        old: Option<&ObservedContainer>,
        mut after: Vec<StepId>,
        reason: Reason,
    ) -> StepId {
        let inherited = match old {
            Some(old) if !self.options.renew_anon_volumes => old.volumes.clone(),
            _ => IndexMap::new(),
        };
        let mut spec = container_spec(self.input.project, service, number, self.input.wanted, &inherited);
        if let Some(old) = old.filter(|old| old.name == spec.name) {
            spec.name = format!("{}_{}", old.id.short(), spec.name);
        }
        after.extend(self.images.get(&service.name));
        after.extend(spec.networks.keys().filter_map(|network| self.resources.networks.get(network)));
        let volumes = spec.mounts.iter().filter_map(|mount| mount.source.as_ref());
        after.extend(volumes.filter_map(|volume| self.resources.volumes.get(volume)));
        for other in shared_namespaces(service) {
            after.extend(self.done.get(other).into_iter().flat_map(|done| done.started.iter().chain(&done.created)));
        }
        spec.labels.insert(WHY.to_owned(), reason.to_string());
        if let Some(on) = old.and_then(|old| hot_sync(&spec.labels, old)) {
            let why = match (on, service.build.is_some()) {
                (true, true) => "its build copies files that nothing reads after",
                (true, false) => "the manifest says what follows a save",
                (false, true) => {
                    "all that its build copies is read by an instruction after, so a save builds its image"
                }
                (false, false) => "nothing says what follows a save",
            };
            let news = format!("{}: {}: {why}", service.name, Reason::HotSync(on));
            if !self.plan.news.contains(&news) {
                self.plan.news.push(news);
            }
        }
        let agent = self.input.wanted.has_agent(&service.name);
        let op = Op::Create(Box::new(Create { spec, agent }));
        self.plan.push(op, Some(&service.name), reason, after)
    }

    /// The new container is made while the old one runs, which is stopped when all that it waits for is there.
    fn replace(
        &mut self,
        service: &Service,
        number: u32,
        old: &ObservedContainer,
        gone: Vec<StepId>,
        reason: Reason,
        done: &mut Done,
    ) {
        let name = service.container_name(&self.input.project.name, number);
        let created = self.create(service, number, Some(old), gone, reason);
        let mut after = vec![created];
        if !self.options.no_start {
            after.extend(self.gates(service));
        }
        let renewed = self.options.renew_anon_volumes;
        let mut last = self.remove_with(old, Some(&service.name), &Reason::Replaced, after, renewed);
        if old.name == name {
            let op = Op::Rename { container: format!("{}_{name}", old.id.short()), name: name.clone() };
            last = self.plan.push(op, Some(&service.name), Reason::Replaces, vec![last]);
        }
        done.created.push(last);
        done.touched = true;
        self.start(service, &name, Reason::Replaces, vec![last], done);
    }

    fn start(&mut self, service: &Service, name: &str, reason: Reason, mut after: Vec<StepId>, done: &mut Done) {
        if self.options.no_start {
            return;
        }
        after.extend(self.gates(service));
        if !service.pre_start.is_empty() && done.before_start.is_none() {
            let runs = before_start_specs(self.input.project, service, name, self.input.wanted);
            let op = Op::BeforeStart { runs };
            done.before_start = Some(self.plan.push(op, Some(&service.name), Reason::BeforeStart, after.clone()));
        }
        after.extend(done.before_start);
        let step = self.plan.push(Op::Start { container: name.to_owned() }, Some(&service.name), reason, after);
        done.started.push(step);
        done.touched = true;
    }
}

/// It is no more than a name that is not free yet.
fn is_going(container: &ObservedContainer) -> bool {
    matches!(container.state, ContainerState::Removing | ContainerState::Dead)
}

/// Services whose namespaces, mounts or names this one uses: it must be recreated when they are.
fn shared_namespaces(service: &Service) -> impl Iterator<Item = &str> {
    let modes = [&service.network_mode, &service.ipc, &service.pid];
    let namespaces = modes.into_iter().flatten().filter_map(|mode| mode.strip_prefix("service:"));
    // In the engine's own bridge a link is to one container, and gone with it.
    let linked = service.links.iter().filter(|_| service.network_mode.as_deref() == Some("bridge"));
    let linked = linked.map(|link| link.split(':').next().unwrap_or(link));
    let volumes = service.volumes_from.iter().filter(|from| !from.starts_with("container:"));
    namespaces.chain(linked).chain(volumes.map(|from| from.split(':').next().unwrap_or(from)))
}
