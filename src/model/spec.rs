//! What the engine is asked to make. A spec is complete: whoever carries it out decides nothing.

use indexmap::IndexMap;
use serde::Serialize;

use super::{Attachment, Ipam, Mount, Service};

/// A container to create.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ContainerSpec {
    /// Its name on the engine.
    pub name: String,
    /// The image reference or id to create it from.
    pub image: String,
    /// The service in canonical form. Its `labels`, `volumes`, `networks` and `secrets` are already worked into the
    /// fields below; its namespaces (`network_mode: service:x`) and `volumes_from` are already container ids.
    pub service: Service,
    /// All labels: the user's, Compose's and hob's.
    pub labels: IndexMap<String, String>,
    /// All mounts, with the engine's names of volumes and absolute host paths.
    pub mounts: Vec<Mount>,
    /// Networks to join, by the engine's name, in order; empty with a `network_mode`.
    pub networks: IndexMap<String, Attachment>,
    /// Overrides the entry point (hob's agent in front of the image's). `None` leaves the service's own.
    pub entrypoint: Option<Vec<String>>,
    /// Overrides the command where `entrypoint` is set.
    pub command: Option<Vec<String>>,
    /// Files put into the container before it starts: secrets and configs that are not files of the host.
    pub files: Vec<InjectedFile>,
    /// Standard input is attached by `run -i`.
    pub interactive: bool,
    /// Publish the service's ports (`run` does not unless asked).
    pub publish: bool,
    /// The engine removes it as soon as it has ended.
    pub auto_remove: bool,
    /// What it needs the process for that made it.
    pub owned: Option<Owned>,
}

/// What a container needs the process for that made it. Without that it is left, and is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Owned {
    /// It is never started: the process does something with it and removes it at once.
    Moment,
    /// It runs for as long as the process does.
    Process,
    /// The process is about to start it.
    Start,
}

impl Owned {
    /// In the label.
    pub fn word(self) -> &'static str {
        match self {
            Self::Moment => "moment",
            Self::Process => "process",
            Self::Start => "start",
        }
    }

    /// Reads it back.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Moment, Self::Process, Self::Start].into_iter().find(|owned| owned.word() == word)
    }
}

/// A file put into a container before it starts.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct InjectedFile {
    /// Absolute path in the container.
    pub path: String,
    /// Its content: never shown in `Debug`, events or labels.
    #[serde(skip)]
    pub content: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
}

impl std::fmt::Debug for InjectedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InjectedFile({}, {} bytes)", self.path, self.content.len())
    }
}

/// A network to create.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NetworkSpec {
    /// Name on the engine.
    pub name: String,
    /// Driver; `None` leaves it to the engine.
    pub driver: Option<String>,
    /// Options of the driver.
    pub driver_opts: IndexMap<String, String>,
    /// Address management.
    pub ipam: Ipam,
    /// No way out.
    pub internal: bool,
    /// Others may join.
    pub attachable: bool,
    /// IPv6 addresses, where set.
    pub enable_ipv6: Option<bool>,
    /// IPv4 addresses, where set (API 1.48).
    pub enable_ipv4: Option<bool>,
    /// All labels.
    pub labels: IndexMap<String, String>,
}

/// A volume to create.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VolumeSpec {
    /// Name on the engine.
    pub name: String,
    /// Driver; `None` leaves it to the engine.
    pub driver: Option<String>,
    /// Options of the driver.
    pub driver_opts: IndexMap<String, String>,
    /// All labels.
    pub labels: IndexMap<String, String>,
}
