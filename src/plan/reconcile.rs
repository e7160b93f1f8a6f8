//! `up`: the plan that turns what is into what should be.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use indexmap::IndexMap;

use super::containers::{Existing, assess, is_neighbour, neighbours_stay};
use super::labels::WHY;
use super::networks::{MissingExternal, Resources, resources};
use super::op::{Create, StepId, Until};
use super::{Base, Op, Plan, Reason, Wanted, WantedImage, container_spec};
use crate::model::{
    Condition, ContainerId, ContainerState, Digest, Graph, Health, Observed, ObservedContainer, Project, Service,
    ServiceName,
};

/// Everything that `up` decides from.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// What should be.
    pub project: &'a Project,
    /// The images and files that it should have.
    pub wanted: &'a Wanted,
    /// What is.
    pub observed: &'a Observed,
    /// Parts of earlier measures by digest, to name what changed.
    pub history: &'a HashMap<Digest, Vec<(String, Digest)>>,
    /// What containers hold by hot sync, which their labels do not say.
    pub synced: &'a HashMap<ContainerId, Digest>,
}

/// When an existing container is recreated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recreate {
    /// When it differs.
    #[default]
    Changed,
    /// Always: `--force-recreate`.
    Always,
    /// Never: `--no-recreate`.
    Never,
}

/// Choices of `up`.
#[derive(Clone, Debug, Default)]
pub struct UpOptions {
    /// The services asked for; empty for all.
    pub services: Vec<ServiceName>,
    /// Leave out what they need: `--no-deps`.
    pub no_deps: bool,
    /// When to recreate.
    pub recreate: Recreate,
    /// `--force-recreate` is about what the services asked for need too: `--always-recreate-deps`.
    pub recreate_deps: bool,
    /// Create, do not start: `--no-start`.
    pub no_start: bool,
    /// An image that must be built is an error: `--no-build`.
    pub no_build: bool,
    /// Overrides the pull policy of every service.
    pub pull: Option<String>,
    /// Build again even where an image has the digest: `build --no-cache`.
    pub rebuild: bool,
    /// Wait until all are ready: `--wait`.
    pub wait: bool,
    /// Remove containers whose service is gone: `--remove-orphans`.
    pub remove_orphans: bool,
    /// New anonymous volumes for recreated containers: `--renew-anon-volumes`.
    pub renew_anon_volumes: bool,
    /// Time before SIGKILL for containers that are replaced: `--timeout`.
    pub grace: Option<Duration>,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError {
    /// The service.
    pub service: Option<ServiceName>,
    /// Dotted path of the value in the manifest, to find its place.
    pub path: String,
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub hint: String,
}

/// Plans `up`.
///
/// # Errors
/// What the manifest asks for and the engine cannot give: all of it, not the first alone.
pub fn up(input: Input<'_>, options: &UpOptions) -> Result<Plan, Vec<PlanError>> {
    let graph = Graph::of(input.project);
    let order = graph.order().map_err(|cycle| {
        vec![PlanError {
            service: cycle.0.first().cloned(),
            path: cycle.0.first().map(|s| format!("services.{s}.depends_on")).unwrap_or_default(),
            text: cycle.to_string(),
            hint: "remove one of these dependencies".to_owned(),
        }]
    })?;
    let asked: Vec<ServiceName> = if options.services.is_empty() { order.clone() } else { options.services.clone() };
    let scope = if options.no_deps { asked.clone() } else { graph.closure(asked.iter().cloned()) };
    let services: Vec<&Service> =
        order.iter().filter(|name| scope.contains(name)).filter_map(|name| input.project.services.get(name)).collect();

    let mut up = Up::new(input, options);
    up.errors.extend(services.iter().filter_map(|service| not_yet(service)));
    up.images(&services);
    match resources(&mut up.plan, input.project, &services, input.observed) {
        Ok(resources) => up.resources = resources,
        Err(missing) => up.errors.extend(missing.into_iter().map(external_error)),
    }
    if !up.errors.is_empty() {
        return Err(up.errors);
    }
    up.stale_networks(&services);
    for service in &services {
        up.service(service);
    }
    up.orphans();
    if options.wait && !options.no_start {
        for service in services.iter().filter(|s| asked.contains(&s.name)) {
            up.ready(service);
        }
    }
    Ok(up.plan)
}

/// Plans what must be there before builds can be measured: images that they start from. Empty where all are there.
///
/// # Errors
/// An image that must not be built or pulled.
pub fn bases(input: Input<'_>, options: &UpOptions) -> Result<Plan, Vec<PlanError>> {
    let mut up = Up::new(input, options);
    let built = input.wanted.bases.iter().filter_map(|base| match base {
        Base::Service { base, .. } => input.project.services.get(base),
        Base::Image { .. } => None,
    });
    let mut built: Vec<&Service> = built.collect();
    built.dedup_by_key(|service| service.name.clone());
    up.images(&built);
    if up.errors.is_empty() { Ok(up.plan) } else { Err(up.errors) }
}

/// Plans `build`: only the images of the services asked for.
///
/// # Errors
/// As [`up`].
pub fn images(input: Input<'_>, options: &UpOptions) -> Result<Plan, Vec<PlanError>> {
    let mut up = Up::new(input, options);
    let services: Vec<&Service> = options.services.iter().filter_map(|name| input.project.services.get(name)).collect();
    up.images(&services);
    let planned = |name: &ServiceName| up.images.contains_key(name);
    up.plan.unchanged = services.iter().map(|s| s.name.clone()).filter(|name| !planned(name)).collect();
    if up.errors.is_empty() { Ok(up.plan) } else { Err(up.errors) }
}

/// hob's keys that this version reads and does not carry out: a service that needs one is not started without it.
fn not_yet(service: &Service) -> Option<PlanError> {
    let key = match service {
        Service { process: Some(_), .. } => "process",
        Service { probe: Some(_), .. } => "probe",
        Service { provider: Some(_), .. } => "provider",
        Service { prepare, .. } if !prepare.is_empty() => "prepare",
        _ => return None,
    };
    Some(PlanError {
        service: Some(service.name.clone()),
        path: format!("services.{}.{key}", service.name),
        text: format!("`{key}` is part of the language, and this version of hob does not carry it out yet"),
        hint: format!("remove `{key}`, or leave the service out (`hob up` with the names of the others)"),
    })
}

fn external_error(missing: MissingExternal) -> PlanError {
    let (kind, key, name) = match missing {
        MissingExternal::Network(key, name) => ("network", key, name),
        MissingExternal::Volume(key, name) => ("volume", key, name),
    };
    PlanError {
        service: None,
        path: format!("{kind}s.{key}"),
        text: format!("{kind} {name} is declared `external` and the engine does not have it"),
        hint: format!("make it with `docker {kind} create {name}`, or remove `external: true` to let hob make it"),
    }
}

/// What the plan does with one service.
#[derive(Debug, Default)]
struct Done {
    /// Names of its containers once the plan is carried out.
    containers: Vec<String>,
    /// Steps after which its containers exist.
    created: Vec<StepId>,
    /// Steps after which it runs.
    started: Vec<StepId>,
    /// It is recreated or restarted.
    touched: bool,
    /// State and health of its containers that stay as they are.
    untouched: Vec<(ContainerState, Option<Health>)>,
    /// Waits planned for it.
    waits: HashMap<Until, StepId>,
}

struct Up<'a> {
    input: Input<'a>,
    options: &'a UpOptions,
    plan: Plan,
    images: HashMap<ServiceName, StepId>,
    resources: Resources,
    done: BTreeMap<ServiceName, Done>,
    errors: Vec<PlanError>,
}

impl<'a> Up<'a> {
    fn new(input: Input<'a>, options: &'a UpOptions) -> Self {
        Self {
            input,
            options,
            plan: Plan::default(),
            images: HashMap::new(),
            resources: Resources::default(),
            done: BTreeMap::new(),
            errors: Vec::new(),
        }
    }

    /// Pulls and builds: one build for all services that share its digest.
    fn images(&mut self, services: &[&Service]) {
        let mut builds: IndexMap<String, Vec<&Service>> = IndexMap::new();
        for service in services {
            match self.input.wanted.images.get(&service.name) {
                Some(image @ (WantedImage::Built(_) | WantedImage::Remote { .. })) => {
                    builds.entry(image.by_digest().unwrap_or_default()).or_default().push(service);
                }
                Some(WantedImage::Named(image)) => self.pull(service, image),
                None => {}
            }
        }
        // Bases first: a build that starts from another service's image comes after it.
        let mut names: HashMap<String, StepId> = HashMap::new();
        for base in &self.input.wanted.bases {
            if let Base::Image { name, platform, service } = base {
                let op = Op::Pull { image: name.clone(), platform: platform.clone() };
                let step = self.plan.push(op, Some(service), Reason::Base(service.clone()), Vec::new());
                names.insert(name.strip_suffix(":latest").unwrap_or(name).to_owned(), step);
            }
        }
        let mut open: Vec<(String, Vec<&Service>)> = builds.into_iter().collect();
        while !open.is_empty() {
            let names_of = |(_, group): &(String, Vec<&Service>)| -> Vec<String> {
                group.iter().map(|s| self.input.project.image_name(s)).collect()
            };
            let waiting: Vec<String> = open.iter().flat_map(names_of).collect();
            let free = open.iter().position(|entry| {
                let own = names_of(entry);
                self.bases(entry.1[0]).iter().all(|base| own.contains(base) || !waiting.contains(base))
            });
            let (image, group) = open.remove(free.unwrap_or(0));
            let after = self.bases(group[0]).iter().filter_map(|base| names.get(base).copied()).collect();
            if let Some(step) = self.build(&image, &group, after) {
                for service in &group {
                    self.images.insert(service.name.clone(), step);
                    names.insert(self.input.project.image_name(service), step);
                }
            }
        }
    }

    fn bases(&self, service: &Service) -> Vec<String> {
        let plain = |name: &String| name.strip_suffix(":latest").unwrap_or(name).to_owned();
        match self.input.wanted.images.get(&service.name) {
            Some(WantedImage::Built(inputs)) => inputs.base_images.iter().map(plain).collect(),
            _ => Vec::new(),
        }
    }

    fn pull(&mut self, service: &Service, image: &str) {
        let policy = self.options.pull.as_deref().or(service.pull_policy.as_deref()).unwrap_or("missing");
        let there = self.input.observed.images.contains_key(image);
        let reason = match policy {
            "always" => Reason::PullAlways,
            _ if there => return,
            "never" => {
                self.errors.push(PlanError {
                    service: Some(service.name.clone()),
                    path: format!("services.{}.image", service.name),
                    text: format!("image {image} is not on the engine and the pull policy is `never`"),
                    hint: format!("pull it with `docker pull {image}`, or remove `pull_policy: never`"),
                });
                return;
            }
            _ => Reason::Missing,
        };
        let op = Op::Pull { image: image.to_owned(), platform: service.platform.clone() };
        let same = self.plan.steps.iter().position(|step| step.op == op);
        let step = same.unwrap_or_else(|| self.plan.push(op, Some(&service.name), reason, Vec::new()));
        self.images.insert(service.name.clone(), step);
    }

    fn build(&mut self, image: &str, group: &[&Service], after: Vec<StepId>) -> Option<StepId> {
        let observed = &self.input.observed.images;
        let mut names: Vec<String> = Vec::new();
        for service in group {
            names.push(self.input.project.image_name(service));
            names.extend(service.build.iter().flat_map(|build| build.tags.iter().cloned()));
        }
        names.dedup();
        let first = group[0];
        match observed.get(image) {
            Some(there) if !self.options.rebuild => {
                let mut last = None;
                for name in names {
                    if observed.get(&name).is_none_or(|named| named.id != there.id) {
                        let op = Op::Tag { image: image.to_owned(), name };
                        last = Some(self.plan.push(op, Some(&first.name), Reason::Name, last.into_iter().collect()));
                    }
                }
                last
            }
            _ if self.options.no_build => {
                self.errors.push(PlanError {
                    service: Some(first.name.clone()),
                    path: format!("services.{}.build", first.name),
                    text: "its image must be built and --no-build was given".to_owned(),
                    hint: format!("run `hob build {}` first, or leave out --no-build", first.name),
                });
                None
            }
            there => {
                let reason = if there.is_some() {
                    Reason::Flag("--no-cache")
                } else {
                    match self.changed_parts(first) {
                        Some(parts) if !parts.is_empty() => Reason::Inputs(parts),
                        _ => Reason::NoImage,
                    }
                };
                let services = group.iter().map(|s| s.name.clone()).collect();
                let op = Op::Build { services, image: image.to_owned(), names };
                Some(self.plan.push(op, Some(&first.name), reason, after))
            }
        }
    }

    /// What changed since the image of the service's container was built, where that is known.
    fn changed_parts(&self, service: &Service) -> Option<Vec<String>> {
        let container = self.input.observed.of_service(&service.name).next()?;
        super::containers::changed_parts(self.input, service, container)
    }

    /// Networks that must be made again: nothing may be attached to them while that is done.
    fn stale_networks(&mut self, services: &[&Service]) {
        let stale = self.resources.stale.clone();
        for (name, spec) in stale {
            let mut gone = Vec::new();
            for container in &self.input.observed.containers {
                if !container.networks.contains_key(&name) {
                    continue;
                }
                let service = services.iter().find(|s| s.name == container.service).map(|s| &s.name);
                gone.push(self.remove(container, service, &Reason::Network(name.clone()), Vec::new()));
            }
            let why = Reason::Config(vec![format!("the settings of network {name}")]);
            let removed = self.plan.push(Op::RemoveNetwork { name: name.clone() }, None, why, gone);
            let op = Op::CreateNetwork(spec);
            let made = self.plan.push(op, None, Reason::Replaces, vec![removed]);
            self.resources.networks.insert(name, made);
        }
    }

    /// Stops (where it runs) and removes a container.
    fn remove(
        &mut self,
        container: &ObservedContainer,
        service: Option<&ServiceName>,
        reason: &Reason,
        mut after: Vec<StepId>,
    ) -> StepId {
        if container.state.is_running() {
            let op = Op::Stop { container: container.name.clone(), grace: self.options.grace };
            after = vec![self.plan.push(op, service, reason.clone(), after)];
        }
        let op = Op::Remove { container: container.name.clone(), volumes: false };
        self.plan.push(op, service, reason.clone(), after)
    }

    fn service(&mut self, service: &Service) {
        let mut done = Done::default();
        let replicas = service.replicas();
        let before = self.plan.steps.len();
        let mut numbers: BTreeMap<u32, Vec<&ObservedContainer>> = BTreeMap::new();
        for container in self.input.observed.of_service(&service.name) {
            // A container on a network that is made again is already planned to be removed.
            if !container.networks.keys().any(|network| self.resources.stale.contains_key(network)) {
                numbers.entry(container.number).or_default().push(container);
            }
        }
        for number in 1..=replicas {
            let mut existing: Vec<Existing<'_>> = numbers
                .remove(&number)
                .unwrap_or_default()
                .into_iter()
                .map(|container| self.assess(service, container, number))
                .collect();
            existing.sort_by_key(|e| (e.differs.is_some(), !e.container.state.is_running()));
            let mut existing = existing.into_iter();
            let best = existing.next();
            // What takes a name, a port or a volume of theirs comes after them.
            let gone = existing
                .map(|other| self.remove(other.container, Some(&service.name), &Reason::Duplicate, Vec::new()))
                .collect();
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

    /// `--force-recreate` is about the services asked for; what they need is recreated where it differs.
    fn is_forced(&self, service: &Service) -> bool {
        let asked = &self.options.services;
        self.options.recreate_deps || asked.is_empty() || asked.contains(&service.name)
    }

    fn assess<'c>(&self, service: &Service, container: &'c ObservedContainer, number: u32) -> Existing<'c> {
        let shared = shared_namespaces(service)
            .find(|other| self.done.get(*other).is_some_and(|done| done.touched))
            .map(|other| Reason::Dependency(ServiceName::from(other)));
        let differs = match self.options.recreate {
            Recreate::Always if self.is_forced(service) => Some(Reason::Flag("--force-recreate")),
            Recreate::Never => None,
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
        match existing {
            None => {
                let joins =
                    |name: &String| service.networks.keys().any(|key| self.input.project.network_name(key) == *name);
                let stale = self.resources.stale.keys().find(|name| joins(name));
                let reason = stale.map_or(Reason::NoContainer, |network| Reason::Network(network.clone()));
                let created = self.create(service, number, None, gone, reason);
                done.created.push(created);
                done.touched = true;
                self.start(service, &name, Reason::NoContainer, vec![created], done);
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
                self.keep(service, container, &name, done);
            }
        }
    }

    /// A container that is as it should be: started, restarted after what it depends on, or left alone.
    fn keep(&mut self, service: &Service, container: &ObservedContainer, name: &str, done: &mut Done) {
        let restart_after = service
            .depends_on
            .iter()
            .find(|(other, dependency)| {
                dependency.restart && self.done.get(*other).is_some_and(|done| done.touched && !done.started.is_empty())
            })
            .map(|(other, _)| other.clone());
        if container.state.is_running() {
            match restart_after {
                Some(other) if !self.options.no_start => {
                    let after = self.gates(service);
                    let op = Op::Restart { container: name.to_owned(), grace: self.options.grace };
                    let step = self.plan.push(op, Some(&service.name), Reason::Dependency(other), after);
                    done.started.push(step);
                    done.touched = true;
                }
                _ => done.untouched.push((container.state, container.health)),
            }
        } else if container.state == ContainerState::Exited(0) && self.is_job(&service.name) {
            done.untouched.push((container.state, container.health));
        } else {
            let after = done.created.clone();
            self.start(service, name, Reason::NotRunning(container.state), after, done);
        }
    }

    /// Some service waits for this one to complete: once it has, it is not run again.
    fn is_job(&self, service: &str) -> bool {
        self.input
            .project
            .services
            .values()
            .any(|other| other.depends_on.get(service).is_some_and(|d| d.condition == Condition::Completed))
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
        let mut last = self.remove(old, Some(&service.name), &Reason::Replaced, after);
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
        let step = self.plan.push(Op::Start { container: name.to_owned() }, Some(&service.name), reason, after);
        done.started.push(step);
        done.touched = true;
    }

    /// The steps that a service's start waits for: its dependencies' starts and what their conditions ask for.
    fn gates(&mut self, service: &Service) -> Vec<StepId> {
        let mut gates = Vec::new();
        for (other, dependency) in &service.depends_on {
            if self.done.contains_key(other) {
                gates.extend(self.wait(other, dependency.condition.into(), Reason::Awaited(service.name.clone())));
            }
        }
        gates
    }

    /// The steps after which a service is what is waited for; none where it is so already.
    fn wait(&mut self, service: &ServiceName, until: Until, reason: Reason) -> Vec<StepId> {
        let Some(done) = self.done.get(service) else { return Vec::new() };
        if until == Until::Running {
            return done.started.clone();
        }
        // One that is healthy is ready too.
        let met_by = if until == Until::Ready { [Until::Ready, Until::Healthy] } else { [until, until] };
        if let Some(step) = met_by.iter().find_map(|until| done.waits.get(until)) {
            return vec![*step];
        }
        let met = done.untouched.iter().all(|state| match (until, state) {
            (Until::Healthy, (_, health)) => *health == Some(Health::Healthy),
            (Until::Completed, (state, _)) => *state == ContainerState::Exited(0),
            (_, (state, health)) => state.is_running() && health.is_none_or(|health| health == Health::Healthy),
        });
        if met && done.started.is_empty() || done.containers.is_empty() {
            return Vec::new();
        }
        let op = Op::Wait { containers: done.containers.clone(), until };
        let after = done.started.iter().chain(&done.created).copied().collect();
        let step = self.plan.push(op, Some(service), reason, after);
        if let Some(done) = self.done.get_mut(service) {
            done.waits.insert(until, step);
        }
        vec![step]
    }

    /// `--wait`: one-shot jobs complete, all others run and are healthy.
    fn ready(&mut self, service: &Service) {
        let until = if self.is_job(&service.name) { Until::Completed } else { Until::Ready };
        self.wait(&service.name, until, Reason::Wait);
    }

    fn orphans(&mut self) {
        let project = self.input.project;
        let is_orphan = |c: &&ObservedContainer| {
            !c.oneoff && !project.services.contains_key(&c.service) && !project.disabled.contains_key(&c.service)
        };
        let (neighbours, orphans): (Vec<_>, Vec<_>) =
            self.input.observed.containers.iter().filter(is_orphan).partition(|c| is_neighbour(project, c));
        if self.options.remove_orphans {
            if !neighbours.is_empty() {
                self.plan.notes.push(neighbours_stay(&neighbours));
            }
            for orphan in orphans {
                self.remove(orphan, None, &Reason::Orphan, Vec::new());
            }
        } else if !orphans.is_empty() {
            let names: Vec<&str> = orphans.iter().map(|c| c.name.as_str()).collect();
            self.plan.notes.push(format!(
                "containers of services that are not in the manifest: {}; --remove-orphans removes them",
                names.join(", ")
            ));
        }
    }
}

/// Services whose namespaces or mounts this one uses: it must be recreated when they are.
fn shared_namespaces(service: &Service) -> impl Iterator<Item = &str> {
    let modes = [&service.network_mode, &service.ipc, &service.pid];
    let namespaces = modes.into_iter().flatten().filter_map(|mode| mode.strip_prefix("service:"));
    let volumes = service.volumes_from.iter().filter(|from| !from.starts_with("container:"));
    namespaces.chain(volumes.map(|from| from.split(':').next().unwrap_or(from)))
}
