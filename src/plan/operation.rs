//! What a step of a plan does.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Op, Until};
use crate::model::ServiceName;

/// What a step of a plan does, and to what. Containers, networks and volumes by their names on the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Operation {
    /// Make a network.
    CreateNetwork {
        /// The network.
        network: String,
    },
    /// Remove a network.
    RemoveNetwork {
        /// The network.
        network: String,
    },
    /// Make a volume.
    CreateVolume {
        /// The volume.
        volume: String,
    },
    /// Remove a volume and what is in it.
    RemoveVolume {
        /// The volume.
        volume: String,
    },
    /// Pull an image.
    Pull {
        /// The reference.
        image: String,
    },
    /// Build an image.
    Build {
        /// Services that share the build.
        services: Vec<ServiceName>,
    },
    /// Give an image one more name.
    Tag {
        /// The image.
        image: String,
        /// The new name.
        name: String,
    },
    /// Remove an image's name, and the image with its last one.
    RemoveImage {
        /// Reference or id.
        image: String,
    },
    /// Create a container.
    CreateContainer {
        /// The container.
        container: String,
    },
    /// Rename a container.
    RenameContainer {
        /// Its name until now.
        container: String,
        /// Its name from now on.
        name: String,
    },
    /// Run a service's `pre_start`.
    RunPreStart {
        /// The containers, one after the other.
        containers: Vec<String>,
    },
    /// Start a container.
    StartContainer {
        /// The container.
        container: String,
    },
    /// Stop a container.
    StopContainer {
        /// The container.
        container: String,
    },
    /// Send a signal to a container.
    KillContainer {
        /// The container.
        container: String,
        /// The signal.
        signal: String,
    },
    /// Freeze what runs in a container.
    PauseContainer {
        /// The container.
        container: String,
    },
    /// Let what is frozen in a container go on.
    UnpauseContainer {
        /// The container.
        container: String,
    },
    /// Stop and start a container.
    RestartContainer {
        /// The container.
        container: String,
    },
    /// Remove a container.
    RemoveContainer {
        /// The container.
        container: String,
    },
    /// Wait until a service is what its dependents need.
    Wait {
        /// Its containers.
        containers: Vec<String>,
        /// What is waited for.
        until: Until,
    },
}

impl From<&Op> for Operation {
    fn from(op: &Op) -> Self {
        let container = |name: &String| name.clone();
        match op {
            Op::CreateNetwork(spec) => Self::CreateNetwork { network: spec.name.clone() },
            Op::RemoveNetwork { name, .. } => Self::RemoveNetwork { network: name.clone() },
            Op::CreateVolume(spec) => Self::CreateVolume { volume: spec.name.clone() },
            Op::RemoveVolume { name } => Self::RemoveVolume { volume: name.clone() },
            Op::Pull { image, .. } => Self::Pull { image: image.clone() },
            Op::Build { services, .. } => Self::Build { services: services.clone() },
            Op::Tag { image, name } => Self::Tag { image: image.clone(), name: name.clone() },
            Op::RemoveImage { image } => Self::RemoveImage { image: image.clone() },
            Op::Create(create) => Self::CreateContainer { container: create.spec.name.clone() },
            Op::Rename { container: old, name } => {
                Self::RenameContainer { container: container(old), name: name.clone() }
            }
            Op::BeforeStart { runs } => {
                Self::RunPreStart { containers: runs.iter().map(|run| run.name.clone()).collect() }
            }
            Op::Start { container: name } => Self::StartContainer { container: container(name) },
            Op::Stop { container: name, .. } => Self::StopContainer { container: container(name) },
            Op::Kill { container: name, signal } => {
                Self::KillContainer { container: container(name), signal: signal.clone() }
            }
            Op::Pause { container: name } => Self::PauseContainer { container: container(name) },
            Op::Unpause { container: name } => Self::UnpauseContainer { container: container(name) },
            Op::Restart { container: name, .. } => Self::RestartContainer { container: container(name) },
            Op::Remove { container: name, .. } => Self::RemoveContainer { container: container(name) },
            Op::Wait { containers, until, .. } => Self::Wait { containers: containers.clone(), until: *until },
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Operation::from(self).fmt(f)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateNetwork { network } => write!(f, "create network {network}"),
            Self::RemoveNetwork { network } => write!(f, "remove network {network}"),
            Self::CreateVolume { volume } => write!(f, "create volume {volume}"),
            Self::RemoveVolume { volume } => write!(f, "remove volume {volume}"),
            Self::Pull { image } => write!(f, "pull {image}"),
            Self::Build { services } => {
                let names: Vec<&str> = services.iter().map(ServiceName::as_str).collect();
                write!(f, "build {}", names.join(", "))
            }
            Self::Tag { name, .. } => write!(f, "use the image that is there as {name}"),
            Self::RemoveImage { image } => write!(f, "remove image {image}"),
            Self::CreateContainer { container } => write!(f, "create container {container}"),
            Self::RenameContainer { container, name } => write!(f, "rename container {container} to {name}"),
            Self::RunPreStart { containers } => write!(f, "run {}", containers.join(", ")),
            Self::StartContainer { container } => write!(f, "start container {container}"),
            Self::StopContainer { container } => write!(f, "stop container {container}"),
            Self::KillContainer { container, signal } => write!(f, "send {signal} to container {container}"),
            Self::PauseContainer { container } => write!(f, "pause container {container}"),
            Self::UnpauseContainer { container } => write!(f, "unpause container {container}"),
            Self::RestartContainer { container } => write!(f, "restart container {container}"),
            Self::RemoveContainer { container } => write!(f, "remove container {container}"),
            Self::Wait { containers, until } => {
                let what = match until {
                    Until::Running => "runs",
                    Until::Healthy => "is healthy",
                    Until::Completed => "has completed",
                    Until::Ready => "is ready",
                };
                write!(f, "wait until {} {what}", containers.join(", "))
            }
        }
    }
}
