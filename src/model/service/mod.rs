//! A service in canonical form: every key of the Compose Specification and hob's own, without short forms.

mod build;
mod command;
mod dependency;
mod deploy;
mod develop;
mod device;
mod files;
mod health;
mod logging;
mod mount;
mod network;

pub use build::{Build, Prepare};
pub use command::{Hook, HostProcess};
pub use dependency::{Condition, Dependency};
pub use deploy::{Deploy, Resource};
pub use develop::{Develop, Reload, RuleName, WatchAction, WatchRule};
pub use device::{Device, DeviceRequest, Ulimit};
pub use files::FileReference;
pub use health::{HealthCheck, Probe};
pub use logging::Logging;
pub use mount::{BindOptions, Mount, MountType, VolumeOptions};
pub use network::{Attachment, Port};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::canonical::is_false;
use super::{ByteSize, Extensions, Interval, ServiceName};

/// One service in canonical form.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Service {
    /// The service's key.
    #[serde(skip)]
    pub name: ServiceName,
    /// OCI annotations.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub annotations: IndexMap<String, String>,
    /// `attach: false` keeps its logs out of `up`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attach: Option<bool>,
    /// How its image is built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
    /// Block I/O limits, as the engine names them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blkio_config: Option<Value>,
    /// Capabilities added.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cap_add: Vec<String>,
    /// Capabilities dropped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cap_drop: Vec<String>,
    /// Cgroup namespace: `host` or `private`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// Parts of its names are joined by `_`, as Compose's `--compatibility` has it.
    #[serde(skip)]
    pub underscores: bool,
    /// Parent cgroup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup_parent: Option<String>,
    /// Command; `None` keeps the image's, an empty list clears it.
    #[serde(default)]
    pub command: Option<Vec<String>>,
    /// Configs that it may read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub configs: Vec<FileReference>,
    /// A container name of the user's choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_name: Option<String>,
    /// Number of CPUs (Windows).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_count: Option<i64>,
    /// Share of CPUs (Windows).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f64>,
    /// CFS period in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_period: Option<i64>,
    /// CFS quota in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_quota: Option<i64>,
    /// Real-time period in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_rt_period: Option<i64>,
    /// Real-time runtime in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_rt_runtime: Option<i64>,
    /// Relative CPU weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_shares: Option<i64>,
    /// CPUs to run on, such as `0-2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpuset: Option<String>,
    /// Number of CPUs at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f64>,
    /// Windows credential spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_spec: Option<Value>,
    /// What must be up before it, by service.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub depends_on: IndexMap<ServiceName, Dependency>,
    /// Replicas and resources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy: Option<Deploy>,
    /// Compose's own watch rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub develop: Option<Develop>,
    /// Rules of the device cgroup.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub device_cgroup_rules: Vec<String>,
    /// Devices of the host.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
    /// DNS servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<String>,
    /// DNS options.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns_opt: Vec<String>,
    /// DNS search domains.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns_search: Vec<String>,
    /// Domain name of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domainname: Option<String>,
    /// Entry point; `None` keeps the image's, an empty list clears it.
    #[serde(default)]
    pub entrypoint: Option<Vec<String>>,
    /// Environment, env files included; `None` removes a variable of the image.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub environment: IndexMap<String, Option<String>>,
    /// Ports exposed without being published.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expose: Vec<String>,
    /// Links to containers outside the project.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub external_links: Vec<String>,
    /// Lines for `/etc/hosts` as `name=address`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra_hosts: Vec<String>,
    /// GPUs asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<DeviceRequest>,
    /// Groups of the user besides its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub group_add: Vec<String>,
    /// How the engine tells that it is healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<HealthCheck>,
    /// Host name of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The image, or the name for the one that is built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// An init process of the engine as PID 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<bool>,
    /// IPC namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipc: Option<String>,
    /// Isolation technology.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation: Option<String>,
    /// Labels of the user.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub labels: IndexMap<String, String>,
    /// Files that labels came from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub label_file: Vec<String>,
    /// Names of other services inside it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// Log driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging: Option<Logging>,
    /// MAC address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<String>,
    /// Memory at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mem_limit: Option<ByteSize>,
    /// Memory that is reserved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mem_reservation: Option<ByteSize>,
    /// Swappiness in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mem_swappiness: Option<i64>,
    /// Memory and swap at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memswap_limit: Option<ByteSize>,
    /// Models it uses.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub models: IndexMap<String, Value>,
    /// `host`, `none`, `service:x`, `container:x`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_mode: Option<String>,
    /// Networks it joins.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub networks: IndexMap<String, Option<Attachment>>,
    /// Never killed when memory is out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_kill_disable: Option<bool>,
    /// Preference of the OOM killer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i64>,
    /// PID namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<String>,
    /// Processes at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids_limit: Option<i64>,
    /// Platform, such as `linux/arm64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Published ports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Port>,
    /// Commands run in the container after it started.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub post_start: Vec<Hook>,
    /// Commands run in containers of their own before it is started.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pre_start: Vec<Hook>,
    /// Commands run in the container before it is stopped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pre_stop: Vec<Hook>,
    /// All capabilities and devices.
    #[serde(skip_serializing_if = "is_false")]
    pub privileged: bool,
    /// Profiles that it belongs to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<String>,
    /// An external program that provides it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Value>,
    /// `always`, `never`, `missing`, `build`, `daily`, `weekly`, `every_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_policy: Option<String>,
    /// Read-only root file system.
    #[serde(skip_serializing_if = "is_false")]
    pub read_only: bool,
    /// Restart policy: `no`, `always`, `on-failure[:n]`, `unless-stopped`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<String>,
    /// OCI runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// Number of containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<u32>,
    /// Secrets that it may read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<FileReference>,
    /// Labelling and seccomp options.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub security_opt: Vec<String>,
    /// Size of `/dev/shm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shm_size: Option<ByteSize>,
    /// Keeps standard input open.
    #[serde(skip_serializing_if = "is_false")]
    pub stdin_open: bool,
    /// Time between the stop signal and SIGKILL; ten seconds where unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_grace_period: Option<Interval>,
    /// Signal that stops it; the image's, else SIGTERM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// Options of the storage driver.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub storage_opt: IndexMap<String, String>,
    /// Kernel parameters.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub sysctls: IndexMap<String, String>,
    /// Temporary file systems.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tmpfs: Vec<String>,
    /// A terminal as its standard streams.
    #[serde(skip_serializing_if = "is_false")]
    pub tty: bool,
    /// Resource limits.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub ulimits: IndexMap<String, Ulimit>,
    /// Access to the engine's API.
    #[serde(skip_serializing_if = "is_false")]
    pub use_api_socket: bool,
    /// User or `user:group`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// User namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userns_mode: Option<String>,
    /// UTS namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uts: Option<String>,
    /// Mounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Mount>,
    /// Mounts of other containers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes_from: Vec<String>,
    /// Working directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// hob: what follows a hot sync.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reload: Option<Reload>,
    /// hob: steps on the host before the image is built.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prepare: Vec<Prepare>,
    /// hob: a process of the host instead of a container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<HostProcess>,
    /// hob: a continuous check from outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// `x-` keys.
    #[serde(flatten)]
    pub extensions: Extensions,
}

impl Service {
    /// How many containers it should have: `scale`, else `deploy.replicas`, else one.
    pub fn replicas(&self) -> u32 {
        self.scale.or_else(|| self.deploy.as_ref()?.replicas).unwrap_or(1)
    }

    /// Whether `develop.watch` says what a change of its files does.
    pub fn has_watch_rules(&self) -> bool {
        self.develop.as_ref().is_some_and(|develop| !develop.watch.is_empty())
    }

    /// Whether a bind mount shows the container what a rule would copy: to sync it would write over the host's own files.
    pub fn sees(&self, rule: &WatchRule) -> bool {
        let syncs = matches!(rule.action, WatchAction::Sync | WatchAction::SyncRestart | WatchAction::SyncExec);
        let shows = |mount: &Mount| {
            mount.r#type == MountType::Bind
                && mount.source.as_ref().is_some_and(|source| std::path::Path::new(&rule.path).starts_with(source))
        };
        syncs && self.volumes.iter().any(shows)
    }

    /// `container_name`, else Compose's `project-service-number`.
    pub fn container_name(&self, project: &super::ProjectName, number: u32) -> String {
        let join = self.separator();
        self.container_name.clone().unwrap_or_else(|| format!("{project}{join}{}{join}{number}", self.name))
    }

    /// What stands between the parts of a name.
    pub fn separator(&self) -> char {
        if self.underscores { '_' } else { '-' }
    }

    /// Whether the manifest itself gives it a health check that runs.
    pub fn has_health_check(&self) -> bool {
        self.healthcheck
            .as_ref()
            .is_some_and(|check| !check.disable && check.test.first().is_none_or(|kind| kind != "NONE"))
    }
}
