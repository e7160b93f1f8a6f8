//! Wires the rooms that read manifests and Dockerfiles to the session: `load` reads the manifest, `measure` what builds
//! read, with the `secrets` that go into containers; `effects` is what a change asks for, `spec` a build as the engine
//! takes it.

mod effects;
mod load;
mod measure;
mod mend;
mod secrets;
mod spec;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use indexmap::IndexMap;

use crate::agent::BUILD_ID;
use crate::engine::BuildSpec;
use crate::event::Message;
use crate::execute::{Failure, Loaded, Sources};
use crate::host::{Contents, DiskTree};
use crate::inputs::{self, BaseImage, BuildInputs, BuildRequest, Images};
use crate::manifest::LoadOptions;
use crate::model::Watch;
use crate::model::{ContainerId, Content, Delta, Digest, Location, Look, ObservedImage, Project, Service, ServiceName};
use crate::plan::Wanted;
use crate::plan::labels::ARGS;
use measure::Measuring;

pub use load::{exit_of, load, load_or_exit, message};

/// Reads the project from the disk.
pub struct DiskSources {
    tree: Arc<DiskTree>,
    options: LoadOptions,
    environment: HashMap<String, String>,
    /// Of the engine, such as `linux/amd64`.
    platform: String,
    scale: Vec<(ServiceName, u32)>,
    build: BuildOptions,
    history: super::history::History,
    /// Files that hob's own output goes to.
    output: Vec<PathBuf>,
    contents: Contents,
    /// The last reading of each service's build, for the build that follows.
    read: Mutex<HashMap<ServiceName, Arc<BuildInputs>>>,
    /// Arguments of builds that a command line gives, this one's or that of an earlier `build`.
    given: Mutex<HashMap<ServiceName, IndexMap<String, String>>>,
    /// Of secrets' digests; looked up once.
    salt: OnceLock<String>,
}

/// What the command line says about builds.
#[derive(Clone, Debug, Default)]
pub struct BuildOptions {
    /// `--build-arg`.
    pub args: Vec<(String, Option<String>)>,
    /// `--pull`.
    pub pull: bool,
    /// `--no-cache`.
    pub no_cache: bool,
    /// The arguments that an earlier `build` was given do not count any more.
    pub anew: bool,
}

impl BuildOptions {
    /// With the values of arguments that were given by name alone: from the shell, or from `.env`.
    pub fn with_values(mut self, environment: &BTreeMap<String, String>) -> Self {
        for (name, value) in self.args.iter_mut().filter(|(_, value)| value.is_none()) {
            *value = environment.get(name).cloned();
        }
        self
    }
}

impl DiskSources {
    /// Sources with the shell's environment.
    pub fn new(
        tree: Arc<DiskTree>,
        options: LoadOptions,
        platform: String,
        scale: Vec<(ServiceName, u32)>,
        build: BuildOptions,
        history: super::history::History,
        contents: Contents,
    ) -> Self {
        let environment = options.environment.clone().into_iter().collect();
        Self {
            tree,
            options,
            environment,
            platform,
            scale,
            build,
            history,
            output: crate::host::output_files(),
            contents,
            read: Mutex::default(),
            given: Mutex::default(),
            salt: OnceLock::new(),
        }
    }

    /// The project with what the command line says about it.
    pub fn adjusted(&self, mut project: Project) -> Project {
        for (name, number) in &self.scale {
            if let Some(service) = project.services.get_mut(name) {
                service.scale = Some(*number);
            }
        }
        project.share_builds();
        if let Some(platform) =
            project.environment.get("DOCKER_DEFAULT_PLATFORM").filter(|platform| !platform.is_empty())
        {
            for service in project.services.values_mut().filter(|service| service.platform.is_none()) {
                service.platform = Some(platform.clone());
            }
        }
        for build in project.services.values_mut().filter_map(|service| service.build.as_mut()) {
            build.args.extend(self.build.args.iter().cloned());
        }
        project
    }

    /// What a command line gave to the build of a service: this one, or that of the `build` which made its image.
    fn given(&self, image: Option<&ObservedImage>) -> IndexMap<String, String> {
        if self.build.anew || !self.build.args.is_empty() {
            let given = self.build.args.iter();
            return given.filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
        }
        let label = image.and_then(|image| image.labels.get(ARGS));
        label.and_then(|label| serde_json::from_str(label).ok()).unwrap_or_default()
    }

    fn salt(&self) -> &str {
        self.salt.get_or_init(|| self.history.salt())
    }

    fn is_built(service: &Service) -> bool {
        service.build.is_some()
    }
}

impl Sources for DiskSources {
    fn place(&self, service: &ServiceName, step: &str) -> Option<Location> {
        let inputs = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(service).cloned()?;
        let dockerfile = inputs.dockerfile.as_ref()?;
        let place = inputs::place_of(&dockerfile.text, step)?;
        Some(Location { file: dockerfile.path.clone()?, line: place.line, column: place.column })
    }

    fn load(&self) -> Result<Loaded, Vec<Message>> {
        let loaded = load(&*self.tree, &self.options)?;
        Ok(Loaded { project: self.adjusted(loaded.project), warnings: loaded.warnings })
    }

    fn base_images(&self, project: &Project, services: &[ServiceName]) -> Vec<String> {
        let (images, others) = (Images::new(), HashMap::new());
        let mut names = Vec::new();
        for service in services.iter().filter_map(|name| project.services.get(name)) {
            let Some(request) = request((self, project, service), &images, &others) else {
                continue;
            };
            // What is wrong with it is said when it is measured.
            let used = inputs::base_images(&*self.tree, &request).unwrap_or_default();
            names.extend(used.into_iter().filter(|image| image.base).map(|image| image.name));
        }
        names
    }

    fn measure(
        &self,
        project: &Project,
        services: &[ServiceName],
        images: &IndexMap<String, ObservedImage>,
    ) -> Result<Wanted, Vec<Failure>> {
        let mut measuring = Measuring {
            sources: self,
            project,
            images,
            wanted: Wanted { salt: self.salt().to_owned(), agent: Some(BUILD_ID.to_owned()), ..Wanted::default() },
            open: HashSet::new(),
            errors: Vec::new(),
        };
        for name in services {
            measuring.service(name);
        }
        let Measuring { wanted, errors, .. } = measuring;
        let read: Vec<Arc<BuildInputs>> = {
            let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            wanted.images.keys().filter_map(|name| read.get(name)).cloned().collect()
        };
        self.history.remember(read.iter().map(|inputs| &**inputs));
        if errors.is_empty() { Ok(wanted) } else { Err(errors) }
    }

    fn watch_for_mend(&self, project: &Project, service: &ServiceName) -> Option<Watch> {
        mend::watch(&self.tree, project, project.services.get(service)?, &self.output)
    }

    fn build_spec(&self, project: &Project, service: &ServiceName) -> Result<BuildSpec, Failure> {
        self.spec_of(project, service)
    }

    fn delta(&self, project: &Project, service: &ServiceName, now: &Digest, before: &Digest) -> Result<Delta, String> {
        let build = project.services.get(service).and_then(|service| service.build.as_ref());
        let build = build.ok_or("it has no `build`")?;
        // What a build does besides making an image, and images that are more than one.
        let on = |text: &Option<String>| text.as_deref().is_some_and(|text| !matches!(text, "" | "false"));
        if !build.cache_to.is_empty() || build.platforms.len() > 1 || on(&build.provenance) || on(&build.sbom) {
            return Err("its build gives more than an image".to_owned());
        }
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(service).cloned();
        let read = read.filter(|read| read.digest == *now).ok_or("it was measured again")?;
        let before = self.history.record(before).ok_or("what the earlier build read is not known any more")?;
        read.delta(&before).map_err(|why| why.to_string())
    }

    fn take_copy(&self, context: &str) -> String {
        self.history.take_copy(context)
    }

    fn keep_copy(&self, context: &str, name: &str) {
        self.history.keep_copy(context, name);
    }

    fn looks(&self, image: &str) -> HashMap<String, Option<Look>> {
        self.history.looks(image)
    }

    fn keep_looks(&self, image: &str, looks: &HashMap<String, Option<Look>>) {
        self.history.keep_looks(image, looks);
    }

    fn content(&self, container: &ContainerId) -> Content {
        self.contents.of(container)
    }

    fn note_content(&self, container: &ContainerId, content: &Content) -> std::io::Result<()> {
        self.contents.note(container, content)
    }

    fn history(&self, digests: &[Digest]) -> HashMap<Digest, Vec<(String, Digest)>> {
        self.history.recall(digests)
    }
}

fn request<'a>(
    (sources, project, service): (&'a DiskSources, &'a Project, &'a Service),
    images: &'a Images,
    services: &'a HashMap<ServiceName, BaseImage>,
) -> Option<BuildRequest<'a>> {
    Some(BuildRequest {
        service: &service.name,
        build: service.build.as_ref()?,
        project,
        environment: &sources.environment,
        images,
        services,
        platform: &sources.platform,
        salt: sources.salt(),
        service_platform: service.platform.as_deref(),
    })
}
