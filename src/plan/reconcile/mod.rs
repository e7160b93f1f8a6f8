//! `up`: the plan that turns what is into what should be. `images` plans pulls and builds, `service` what becomes of
//! a service's containers, `waits` what their start waits for, `removals` what goes.

mod images;
mod removals;
mod service;
mod waits;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use super::networks::{self, MissingExternal, Resources};
use super::op::{StepId, Until};
use super::scope::scope;
use super::{Base, Plan, Wanted};
use crate::model::{
    ContainerId, ContainerState, Digest, Graph, Health, Observed, Parts, Project, Service, ServiceName,
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
    pub history: &'a HashMap<Digest, Parts>,
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
    /// Nothing else is done before all images are there.
    pub images_first: bool,
    /// A job that others wait for and that has completed is run again.
    pub jobs_again: bool,
    /// What runs already is not enough: what it depends on must be as `depends_on` says too.
    pub needs_met: bool,
    /// Wait until the services are what this one needs, which is started by other means: `run`.
    pub needed_by: Option<ServiceName>,
    /// Remove containers whose service is gone: `--remove-orphans`.
    pub remove_orphans: bool,
    /// Say nothing of them: `COMPOSE_IGNORE_ORPHANS`.
    pub ignore_orphans: bool,
    /// New anonymous volumes for recreated containers: `--renew-anon-volumes`.
    pub renew_anon_volumes: bool,
    /// Time before SIGKILL for containers that are replaced: `--timeout`.
    pub grace: Option<Duration>,
    /// Services that somebody stopped: as long as none of their containers runs they are left alone, and nobody waits
    /// for them.
    pub leave_stopped: BTreeSet<ServiceName>,
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
    let (mut up, services) = Up::with_resources(input, options)?;
    up.stale_networks();
    up.duplicate_networks();
    for service in &services {
        up.service(service);
    }
    up.orphans();
    if options.needs_met && !options.no_start {
        for service in &services {
            up.needs_of_kept(service);
        }
    }
    if options.wait && !options.no_start {
        for service in services.iter().filter(|s| options.services.is_empty() || options.services.contains(&s.name)) {
            up.ready(service);
        }
    }
    if let Some(service) = options.needed_by.as_ref().and_then(|name| input.project.services.get(name)) {
        up.gates(service);
    }
    if options.images_first {
        up.images_first();
    }
    Ok(up.plan)
}

/// Plans what a container of the services needs besides other services: images, networks and volumes that are not there.
/// What is there stays as it is, in whatever shape.
///
/// # Errors
/// As [`up`].
pub fn resources(input: Input<'_>, options: &UpOptions) -> Result<Plan, Vec<PlanError>> {
    let (mut up, _) = Up::with_resources(input, options)?;
    if options.images_first {
        up.images_first();
    }
    // What it notes is of services that stay.
    Ok(Plan { notes: Vec::new(), ..up.plan })
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
    /// The step that runs its `pre_start`: once, before the first of its containers.
    before_start: Option<StepId>,
    /// Steps after which it runs.
    started: Vec<StepId>,
    /// It is recreated or restarted.
    touched: bool,
    /// It is only restarted because another one is: that goes no further, as in Compose's `up`.
    follows: bool,
    /// State and health of its containers that stay as they are.
    untouched: Vec<(ContainerState, Option<Health>)>,
    /// Waits planned for it, by what is waited for and whether that is optional.
    waits: HashMap<(Until, bool), StepId>,
}

struct Up<'a> {
    input: Input<'a>,
    options: &'a UpOptions,
    plan: Plan,
    images: HashMap<ServiceName, StepId>,
    /// How many steps are about images: the first ones.
    image_steps: usize,
    resources: Resources,
    done: BTreeMap<ServiceName, Done>,
    /// Containers that are stopped for a network's sake.
    stopped: HashSet<ContainerId>,
    errors: Vec<PlanError>,
}

impl<'a> Up<'a> {
    fn new(input: Input<'a>, options: &'a UpOptions) -> Self {
        Self {
            input,
            options,
            plan: Plan::default(),
            images: HashMap::new(),
            image_steps: 0,
            resources: Resources::default(),
            done: BTreeMap::new(),
            stopped: HashSet::new(),
            errors: Vec::new(),
        }
    }

    /// Every other step comes after those of images.
    fn images_first(&mut self) {
        let images = self.image_steps;
        for step in self.plan.steps.iter_mut().skip(images) {
            step.after.extend(0..images);
            step.after.sort_unstable();
            step.after.dedup();
        }
    }

    /// With the plan of images, networks and volumes of the services asked for, and these services in their order.
    fn with_resources(input: Input<'a>, options: &'a UpOptions) -> Result<(Self, Vec<&'a Service>), Vec<PlanError>> {
        let graph = Graph::of(input.project);
        let order = graph.order().map_err(|cycle| {
            vec![PlanError {
                service: cycle.0.first().cloned(),
                path: cycle.0.first().map(|s| format!("services.{s}.depends_on")).unwrap_or_default(),
                text: cycle.to_string(),
                hint: "remove one of these dependencies".to_owned(),
            }]
        })?;
        let scope = scope(input.project, &options.services, options.no_deps);
        let services: Vec<&Service> = order
            .iter()
            .filter(|name| scope.contains(name))
            .filter_map(|name| input.project.services.get(name))
            .collect();
        // What a program provides has no container.
        let services: Vec<&Service> = services.into_iter().filter(|service| service.provider.is_none()).collect();

        let mut up = Self::new(input, options);
        let services: Vec<&Service> =
            services.into_iter().filter(|service| !up.is_left_stopped(&service.name)).collect();
        up.errors.extend(services.iter().filter_map(|service| not_yet(service)));
        up.images(&services);
        up.image_steps = up.plan.steps.len();
        match networks::resources(&mut up.plan, input.project, &services, input.observed) {
            Ok(resources) => up.resources = resources,
            Err(missing) => up.errors.extend(missing.into_iter().map(external_error)),
        }
        if !up.errors.is_empty() {
            return Err(up.errors);
        }
        Ok((up, services))
    }
}
