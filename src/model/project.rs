//! The project as the manifest describes it, in canonical form: no short forms, no variables, absolute paths.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::canonical::is_false;
use super::{Build, Condition, Extensions, Location, Origins, ProjectName, Service, ServiceName, without_latest};

/// A whole project after merging, interpolation, `extends`, `include` and the choice of profiles. Serialises to the
/// canonical form that `hob config` prints.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Project {
    /// The project's name, which prefixes what is made on the engine.
    pub name: ProjectName,
    /// Services of the active profiles, in the manifest's order.
    pub services: IndexMap<ServiceName, Service>,
    /// Networks that some service uses.
    pub networks: IndexMap<String, Network>,
    /// Named volumes that some service uses.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub volumes: IndexMap<String, Volume>,
    /// Secrets that some service uses.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub secrets: IndexMap<String, Secret>,
    /// Configs that some service uses.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub configs: IndexMap<String, ConfigFile>,
    /// AI models that some service uses.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub models: IndexMap<String, Model>,
    /// `x-` keys at the top level.
    #[serde(flatten)]
    pub extensions: Extensions,

    /// Where relative paths of the command line start: the folder of the first manifest file.
    #[serde(skip)]
    pub working_dir: PathBuf,
    /// The manifest files read (`-f`, override, `include`, `extends`), absolute, in the order read.
    #[serde(skip)]
    pub files: Vec<PathBuf>,
    /// Every other file that the load read (`.env`, env files, label files), absolute: a change of one re-plans.
    #[serde(skip)]
    pub env_files: Vec<PathBuf>,
    /// Files that the load would have read if they were there (`.env`, an override file), absolute: one that comes
    /// re-plans.
    #[serde(skip)]
    pub awaited: Vec<PathBuf>,
    /// Every variable that the manifest may use: the shell's, then those of `.env` or `--env-file`. Secrets and configs
    /// of variables are read from here, and so is a name without a value on the command line.
    #[serde(skip)]
    pub environment: BTreeMap<String, String>,
    /// Services left out because none of their profiles is active, by name.
    #[serde(skip)]
    pub disabled: IndexMap<ServiceName, Service>,
    /// What no service uses is made too (`--all-resources`).
    #[serde(skip)]
    pub all_resources: bool,
    /// Where each value came from.
    #[serde(skip)]
    pub origins: Origins,
}

impl Project {
    /// Where the value at a dotted path (`services.api.build.dockerfile`) was written, or its nearest parent.
    pub fn locate(&self, path: &str) -> Option<Location> {
        self.origins.locate(path)
    }

    /// Some service waits for this one to complete: it is to end, and once it has it is not run again.
    pub fn is_job(&self, service: &str) -> bool {
        let waits =
            |other: &Service| other.depends_on.get(service).is_some_and(|d| d.condition == Condition::Completed);
        self.services.values().any(waits)
    }

    /// Services that are restarted with one of these (`depends_on.restart`), directly or through each other.
    pub fn restarted_with(&self, services: &[ServiceName]) -> Vec<ServiceName> {
        let mut found = services.to_vec();
        let mut next = 0;
        while let Some(of) = found.get(next).cloned() {
            let restarts = |s: &&Service| s.depends_on.get(&of).is_some_and(|d| d.restart) && !found.contains(&s.name);
            let more: Vec<ServiceName> = self.services.values().filter(restarts).map(|s| s.name.clone()).collect();
            found.extend(more);
            next += 1;
        }
        found.split_off(services.len())
    }

    /// The engine's name of a named volume.
    pub fn volume_name(&self, key: &str) -> String {
        match self.volumes.get(key).and_then(|v| v.name.clone()) {
            Some(name) => name,
            None => format!("{}_{key}", self.name),
        }
    }

    /// The engine's name of a network.
    pub fn network_name(&self, key: &str) -> String {
        match self.networks.get(key).and_then(|n| n.name.clone()) {
            Some(name) => name,
            None => format!("{}_{key}", self.name),
        }
    }

    /// All names of a service's image: its own, and those of `build.tags`.
    pub fn image_names(&self, service: &Service) -> Vec<String> {
        let tags = service.build.iter().flat_map(|build| build.tags.iter().cloned());
        std::iter::once(self.image_name(service)).chain(tags).collect()
    }

    /// A service whose image another one builds is built like it: Compose builds such an image and does not pull it.
    pub fn share_builds(&mut self) {
        let plain = |image: &str| without_latest(image).to_owned();
        let mut builds: HashMap<String, (Build, Option<String>)> = HashMap::new();
        for service in self.services.values() {
            if let Some(build) = &service.build {
                let built = (build.clone(), service.platform.clone());
                builds.entry(plain(&self.image_name(service))).or_insert(built);
            }
        }
        for service in self.services.values_mut().filter(|service| service.build.is_none()) {
            let Some((build, platform)) = service.image.as_deref().and_then(|image| builds.get(&plain(image))) else {
                continue;
            };
            service.build = Some(build.clone());
            service.platform = service.platform.take().or_else(|| platform.clone());
        }
    }

    /// The tag that Compose gives to the image of a service: `image` if it is set, else `project-service`.
    pub fn image_name(&self, service: &Service) -> String {
        service.image.clone().unwrap_or_else(|| format!("{}{}{}", self.name, service.separator(), service.name))
    }
}

/// `external`: the resource exists already and is never made or removed by hob.
pub type External = bool;

/// A network of the project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// The engine's name; `None` never after loading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Driver, `bridge` where the engine decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Options of the driver.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub driver_opts: IndexMap<String, Value>,
    /// Address management.
    pub ipam: Ipam,
    /// Exists already.
    #[serde(skip_serializing_if = "is_false")]
    pub external: External,
    /// No way out.
    #[serde(skip_serializing_if = "is_false")]
    pub internal: bool,
    /// Containers that hob does not start may join.
    #[serde(skip_serializing_if = "is_false")]
    pub attachable: bool,
    /// Labels of the user.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub labels: IndexMap<String, String>,
    /// `enable_ipv4`, where set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_ipv4: Option<bool>,
    /// `enable_ipv6`, where set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_ipv6: Option<bool>,
    /// `x-` keys.
    #[serde(flatten)]
    pub extensions: Extensions,
}

/// Address management of a network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ipam {
    /// Driver, `default` where unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Address pools.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub config: Vec<IpamPool>,
    /// Options of the driver.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub options: IndexMap<String, String>,
    /// `x-` keys.
    #[serde(flatten)]
    pub extensions: Extensions,
}

/// One address pool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IpamPool {
    /// CIDR of the whole pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// CIDR that containers' addresses come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_range: Option<String>,
    /// The gateway's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Addresses that are taken by hosts, by name.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub aux_addresses: IndexMap<String, String>,
    /// `x-` keys.
    #[serde(flatten)]
    pub extensions: Extensions,
}

/// A named volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Volume {
    /// The engine's name; `None` never after loading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Driver, `local` where unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Options of the driver.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub driver_opts: IndexMap<String, Value>,
    /// Exists already.
    #[serde(skip_serializing_if = "is_false")]
    pub external: External,
    /// Labels of the user.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub labels: IndexMap<String, String>,
    /// `x-` keys.
    #[serde(flatten)]
    pub extensions: Extensions,
}

/// A secret's source: one of `file`, `environment`, `content` or `external`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Secret {
    /// The engine's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A file of the host, absolute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// A variable of hob's environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The content itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Exists already.
    #[serde(skip_serializing_if = "is_false")]
    pub external: External,
    /// Labels of the user.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub labels: IndexMap<String, String>,
    /// Driver of an external store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Options of the driver.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub driver_opts: IndexMap<String, Value>,
    /// Template driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_driver: Option<String>,
    /// `x-` keys.
    #[serde(flatten)]
    pub extensions: Extensions,
}

/// A config's source; the same keys as a secret's.
pub type ConfigFile = Secret;

/// An AI model that services use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Model {
    /// Name for the engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The model's reference in a registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Context size in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_size: Option<i64>,
    /// Flags of the model runner.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runtime_flags: Vec<String>,
    /// `x-` keys.
    #[serde(flatten)]
    pub extensions: Extensions,
}
