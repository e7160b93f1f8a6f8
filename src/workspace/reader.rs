//! What builds read: asked for with the surroundings of a measure, and kept for the builds that follow it.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use indexmap::IndexMap;

use super::{BuildOptions, History};
use crate::host::DiskTree;
use crate::inputs::{BaseImage, BuildInputs, BuildRequest, Images};
use crate::model::{ObservedImage, Project, Service, ServiceName};
use crate::plan::labels::ARGS;

/// Reads what builds read.
pub(super) struct Reader {
    pub(super) tree: Arc<DiskTree>,
    pub(super) environment: HashMap<String, String>,
    /// Of the engine, such as `linux/amd64`.
    platform: String,
    /// Build id of the agent that containers are given.
    pub(super) agent: Option<String>,
    pub(super) build: BuildOptions,
    /// Only what rules of the manifest ask for is watched.
    pub(super) rules_only: bool,
    pub(super) history: History,
    /// Files that hob's own output goes to.
    pub(super) output: Vec<PathBuf>,
    /// The last reading of each service's build, for the build that follows.
    read: Mutex<HashMap<ServiceName, Arc<BuildInputs>>>,
    /// Arguments of builds that a command line gives, this one's or that of an earlier `build`.
    given: Mutex<HashMap<ServiceName, IndexMap<String, String>>>,
    /// Of secrets' digests; looked up once.
    salt: OnceLock<String>,
}

impl Reader {
    pub(super) fn new(tree: Arc<DiskTree>, environment: BTreeMap<String, String>, platform: String) -> Self {
        Self {
            tree,
            environment: environment.into_iter().collect(),
            platform,
            agent: None,
            build: BuildOptions::default(),
            rules_only: false,
            history: History::default(),
            output: crate::host::output_files(),
            read: Mutex::default(),
            given: Mutex::default(),
            salt: OnceLock::new(),
        }
    }

    /// What the build of a service is read with.
    pub(super) fn request<'a>(
        &'a self,
        project: &'a Project,
        service: &'a Service,
        images: &'a Images,
        services: &'a HashMap<ServiceName, BaseImage>,
    ) -> Option<BuildRequest<'a>> {
        Some(BuildRequest {
            build: service.build.as_ref()?,
            project,
            environment: &self.environment,
            images,
            services,
            platform: &self.platform,
            salt: self.salt(),
            service_platform: service.platform.as_deref(),
        })
    }

    /// The last reading of a service's build.
    pub(super) fn reading(&self, service: &ServiceName) -> Option<Arc<BuildInputs>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).get(service).cloned()
    }

    pub(super) fn keep_reading(&self, service: &ServiceName, inputs: BuildInputs) {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(service.clone(), Arc::new(inputs));
    }

    /// The arguments that a command line gave, of those that the build of a service declares.
    pub(super) fn given_to(&self, service: &ServiceName) -> IndexMap<String, String> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).get(service).cloned().unwrap_or_default()
    }

    pub(super) fn keep_given(&self, service: &ServiceName, given: IndexMap<String, String>) {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).insert(service.clone(), given);
    }

    /// What a command line gave to the build of a service: this one, or that of the `build` which made its image.
    pub(super) fn given(&self, image: Option<&ObservedImage>) -> IndexMap<String, String> {
        if self.build.anew || !self.build.args.is_empty() {
            let given = self.build.args.iter();
            return given.filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
        }
        let label = image.and_then(|image| image.labels.get(ARGS));
        label.and_then(|label| serde_json::from_str(label).ok()).unwrap_or_default()
    }

    pub(super) fn salt(&self) -> &str {
        self.salt.get_or_init(|| self.history.salt())
    }
}
