//! The engine's state as it is: what `observe` reads and `reconcile` compares with the project.

use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

use super::{ContainerId, Digest, ImageId, NetworkId, ServiceName};

/// What an engine says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineInfo {
    /// Version of the product, such as `28.5.1`.
    pub version: String,
    /// Negotiated API version.
    pub api: (u32, u32),
    /// `linux/amd64`.
    pub platform: String,
    /// Images live in containerd's store: an image's id is a manifest digest.
    pub containerd_images: bool,
    /// Host name or address of the engine for messages.
    pub endpoint: String,
}

impl EngineInfo {
    /// Whether it is on this machine, and sees its files.
    pub fn is_local(&self) -> bool {
        self.endpoint.starts_with("unix:") || self.endpoint.starts_with("npipe:")
    }
}

/// Everything on the engine that carries the project's label, and the images that its services name.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Containers of the project, one-offs and orphans included.
    pub containers: Vec<ObservedContainer>,
    /// Networks by the engine's name: the project's, and external ones that it names.
    pub networks: IndexMap<String, ObservedNetwork>,
    /// Networks of the project whose name another one of `networks` has too: an older engine makes both where it is
    /// asked for one twice at the same moment, and takes the name for neither from then on.
    pub duplicates: Vec<ObservedNetwork>,
    /// Volumes by the engine's name: the project's, and external ones that it names.
    pub volumes: IndexMap<String, ObservedVolume>,
    /// Images by the reference that was asked for; missing ones are not in the map.
    pub images: IndexMap<String, ObservedImage>,
}

impl Observed {
    /// The containers of a service without one-offs, by number.
    pub fn of_service<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a ObservedContainer> {
        self.containers.iter().filter(move |c| c.service.as_str() == service && !c.oneoff)
    }
}

/// A container of the project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedContainer {
    /// Id.
    pub id: ContainerId,
    /// Name without the leading slash.
    pub name: String,
    /// `com.docker.compose.service`.
    pub service: ServiceName,
    /// `com.docker.compose.container-number`.
    pub number: u32,
    /// Made by `run`.
    pub oneoff: bool,
    /// Id of the image it was made from.
    pub image: ImageId,
    /// The reference it was made from.
    pub image_name: String,
    /// All labels.
    pub labels: IndexMap<String, String>,
    /// What it is doing.
    pub state: ContainerState,
    /// What its health check says; `None` without one.
    pub health: Option<Health>,
    /// The engine's words for both, such as `Up 5 seconds (healthy)`.
    pub status: String,
    /// Command as the engine shows it.
    pub command: String,
    /// Unix time in seconds.
    pub created: i64,
    /// When it was last started, in the engine's words; only of one that was inspected.
    pub started: String,
    /// How long it ran; only of one that was inspected and has ended.
    pub lived: Option<Duration>,
    /// Published ports.
    pub ports: Vec<Published>,
    /// Ids of the networks it is attached to, by name.
    pub networks: IndexMap<String, NetworkId>,
    /// Names of the volumes it mounts, by path in the container.
    pub volumes: IndexMap<String, String>,
    /// All that it mounts; only of one in a list.
    pub mounts: Vec<ObservedMount>,
    /// Bytes of files that it has written; 0 where the engine was not asked for them.
    pub size: u64,
}

/// Something that a container mounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedMount {
    /// Name of the volume; empty for what is none.
    pub name: String,
    /// Path on the host.
    pub source: String,
    /// Driver of the volume.
    pub driver: String,
}

/// What is known of a container's files besides what its labels say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing was synced into it: it holds what its labels say.
    AsMade,
    /// What a build of this digest gives was synced into it.
    Synced(Digest),
    /// Another hob syncs into it, and has not yet said what it holds then.
    Syncing,
    /// Nobody knows.
    Unknown,
}

/// What a container is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ContainerState {
    /// Made, never started.
    #[default]
    Created,
    /// Running.
    Running,
    /// Frozen.
    Paused,
    /// Exited and about to be started again by its restart policy.
    Restarting,
    /// Being removed.
    Removing,
    /// Ended with this exit code.
    Exited(i64),
    /// The engine could not even remove it.
    Dead,
}

impl ContainerState {
    /// Whether its process is there.
    pub fn is_running(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Restarting)
    }

    /// The engine's own word (`docker ps --format '{{.State}}'`).
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited(_) => "exited",
            Self::Dead => "dead",
        }
    }
}

/// What a health check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Not known yet.
    Starting,
    /// The last probes passed.
    Healthy,
    /// The last probes failed.
    Unhealthy,
}

impl Health {
    /// The engine's own word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// One probe of a health check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthProbe {
    /// Exit code of the probe.
    pub exit_code: i64,
    /// What it printed.
    pub output: String,
}

/// A published port of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Address on the host.
    pub host_ip: String,
    /// Port on the host; 0 where it is only exposed.
    pub host_port: u16,
    /// Port in the container.
    pub container_port: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

/// A network on the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedNetwork {
    /// Id.
    pub id: NetworkId,
    /// Name.
    pub name: String,
    /// All labels.
    pub labels: IndexMap<String, String>,
}

/// A volume on the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedVolume {
    /// Name, which is its id.
    pub name: String,
    /// Driver.
    pub driver: String,
    /// All labels.
    pub labels: IndexMap<String, String>,
    /// Folder on the engine's machine.
    pub mountpoint: String,
    /// `local`, or `global` in a cluster.
    pub scope: String,
}

/// The processes of a container, as `ps` on the engine's machine lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Processes {
    /// Heads of the columns.
    pub titles: Vec<String>,
    /// Rows, with a cell for each head.
    pub rows: Vec<Vec<String>>,
}

/// An image on the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedImage {
    /// Id.
    pub id: ImageId,
    /// `repo:tag` names.
    pub tags: Vec<String>,
    /// Labels of its configuration.
    pub labels: IndexMap<String, String>,
    /// `ENTRYPOINT`.
    pub entrypoint: Vec<String>,
    /// `CMD`.
    pub cmd: Vec<String>,
    /// `USER`, empty for root.
    pub user: String,
    /// `WORKDIR`.
    pub working_dir: String,
    /// `ENV` as `NAME=value`.
    pub env: Vec<String>,
    /// `STOPSIGNAL`.
    pub stop_signal: Option<String>,
    /// Whether it has a `HEALTHCHECK` that runs.
    pub has_health_check: bool,
    /// Its `ONBUILD` instructions.
    pub on_build: Vec<String>,
    /// `linux/amd64`.
    pub platform: String,
    /// Size in bytes.
    pub size: u64,
    /// When it was last given a name, in Unix seconds; 0 where the engine does not say.
    pub tagged: i64,
    /// The same in the engine's words, or when it was made.
    pub dated: String,
}
