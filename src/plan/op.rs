//! Steps and plans.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::Reason;
use crate::model::{Condition, ContainerSpec, ContainerState, Health, NetworkId, NetworkSpec, ServiceName, VolumeSpec};

/// One action on the engine. Containers are named by the name or id that the engine knows when the step is reached.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Make a network.
    CreateNetwork(NetworkSpec),
    /// Remove a network.
    RemoveNetwork {
        /// Its name on the engine.
        name: String,
        /// Its id: another one may have the same name.
        id: NetworkId,
    },
    /// Make a volume.
    CreateVolume(VolumeSpec),
    /// Remove a volume and what is in it.
    RemoveVolume {
        /// Its name on the engine.
        name: String,
    },
    /// Pull an image.
    Pull {
        /// The reference.
        image: String,
        /// Platform, where the manifest names one.
        platform: Option<String>,
    },
    /// Build an image.
    Build {
        /// Services that share the build; the first one's build section is used.
        services: Vec<ServiceName>,
        /// The name by digest.
        image: String,
        /// All other names.
        names: Vec<String>,
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
    Create(Box<Create>),
    /// Rename a container.
    Rename {
        /// Its name until now.
        container: String,
        /// Its name from now on.
        name: String,
    },
    /// Run `pre_start`: one container after the other, each to its end, and remove it.
    BeforeStart {
        /// The containers.
        runs: Vec<ContainerSpec>,
    },
    /// Start a container.
    Start {
        /// Its name.
        container: String,
    },
    /// Stop a container.
    Stop {
        /// Its name.
        container: String,
        /// Time before SIGKILL; the container's own where `None`.
        grace: Option<Duration>,
    },
    /// Send a signal to a container.
    Kill {
        /// Its name.
        container: String,
        /// The signal.
        signal: String,
    },
    /// Freeze what runs in a container.
    Pause {
        /// Its name.
        container: String,
    },
    /// Let what is frozen in a container go on.
    Unpause {
        /// Its name.
        container: String,
    },
    /// Stop and start a container.
    Restart {
        /// Its name.
        container: String,
        /// Time before SIGKILL; the container's own where `None`.
        grace: Option<Duration>,
    },
    /// Remove a container.
    Remove {
        /// Its name.
        container: String,
        /// Its anonymous volumes too.
        volumes: bool,
    },
    /// Wait until a service is what its dependents need.
    Wait {
        /// Its containers.
        containers: Vec<String>,
        /// What is waited for.
        until: Until,
        /// All that wait for it can do without (`required: false`): a failure is a warning, and they go on.
        optional: bool,
    },
}

/// What a wait ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    /// It runs.
    Running,
    /// Its health check passes.
    Healthy,
    /// It has exited with 0.
    Completed,
    /// Its health check passes if it has one, else it runs: `up --wait`.
    Ready,
}

impl From<Condition> for Until {
    fn from(condition: Condition) -> Self {
        match condition {
            Condition::Started => Self::Running,
            Condition::Healthy => Self::Healthy,
            Condition::Completed => Self::Completed,
        }
    }
}

impl Until {
    /// Whether a container in this state is what is waited for.
    pub fn is_met(self, state: ContainerState, health: Option<Health>) -> bool {
        match self {
            Self::Running => state.is_running(),
            Self::Healthy => state.is_running() && health == Some(Health::Healthy),
            Self::Completed => state == ContainerState::Exited(0),
            Self::Ready => state.is_running() && health.is_none_or(|health| health == Health::Healthy),
        }
    }
}

/// A container to create.
#[derive(Clone, Debug, PartialEq)]
pub struct Create {
    /// The container.
    pub spec: ContainerSpec,
    /// Run its command under hob's agent, so that it can be hot synced.
    pub agent: bool,
}

/// Number of a step within its plan.
pub type StepId = usize;

/// An op with its reason and what must be done before.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What.
    pub op: Op,
    /// For which service.
    pub service: Option<ServiceName>,
    /// Why.
    pub reason: Reason,
    /// Steps that must have succeeded before.
    pub after: Vec<StepId>,
}

/// A container that is there once a plan is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedContainer {
    /// Its service.
    pub service: ServiceName,
    /// Its name.
    pub container: String,
    /// Its number within the service.
    pub number: u32,
    /// It runs, and is left as it is.
    pub runs: bool,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Steps; a step only comes after steps with a smaller number.
    pub steps: Vec<Step>,
    /// Services that need nothing.
    pub unchanged: Vec<ServiceName>,
    /// The services' containers once it is carried out.
    pub containers: Vec<PlannedContainer>,
    /// What a person should know besides, such as orphans that are left alone.
    pub notes: Vec<String>,
    /// What is another way from now on, and is no warning: hot sync that is on, or off.
    pub news: Vec<String>,
}

impl Plan {
    /// Adds a step and gives its number.
    pub fn push(&mut self, op: Op, service: Option<&ServiceName>, reason: Reason, mut after: Vec<StepId>) -> StepId {
        after.sort_unstable();
        after.dedup();
        self.steps.push(Step { op, service: service.cloned(), reason, after });
        self.steps.len() - 1
    }

    /// Nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, step) in self.steps.iter().enumerate() {
            write!(f, "{:>2}. {}", id + 1, step.op)?;
            write!(f, ", because {}", step.reason)?;
            if !step.after.is_empty() {
                let after: Vec<String> = step.after.iter().map(|id| (id + 1).to_string()).collect();
                write!(f, " [after {}]", after.join(", "))?;
            }
            writeln!(f)?;
        }
        if !self.unchanged.is_empty() {
            let names: Vec<&str> = self.unchanged.iter().map(ServiceName::as_str).collect();
            writeln!(f, "unchanged: {}", names.join(", "))?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        for news in &self.news {
            writeln!(f, "news: {news}")?;
        }
        Ok(())
    }
}
