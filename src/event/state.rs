//! What containers are told to be, what is waited for, and why a session ends.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{Health, ServiceName};

/// What a container of a service has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum State {
    /// It was started.
    Running,
    /// Its program has ended.
    Exited {
        /// With this exit code.
        code: i64,
    },
    /// Its restart policy starts it again.
    Restarting,
    /// Its health check is not decided yet.
    Starting,
    /// Its health check passes.
    Healthy,
    /// Its health check fails.
    Unhealthy,
    /// A process in it was killed because memory ran out.
    OutOfMemory,
}

impl From<Health> for State {
    fn from(health: Health) -> Self {
        match health {
            Health::Starting => Self::Starting,
            Health::Healthy => Self::Healthy,
            Health::Unhealthy => Self::Unhealthy,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("running"),
            Self::Exited { code } => write!(f, "exited ({code})"),
            Self::Restarting => f.write_str("restarting"),
            Self::Starting => f.write_str("starting"),
            Self::Healthy => f.write_str("healthy"),
            Self::Unhealthy => f.write_str("unhealthy"),
            Self::OutOfMemory => f.write_str("out of memory"),
        }
    }
}

/// What a step waits for, or shows while it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Hold {
    /// A service is not what its dependents need.
    Service {
        /// The service, or the container where it is of none.
        name: String,
        /// How it is.
        state: Pending,
    },
    /// A hook of the service's manifest runs.
    Hook {
        /// Its key, such as `post_start`.
        key: String,
        /// A line that it wrote.
        line: String,
    },
    /// The image of a hook is pulled.
    HookImage {
        /// The hook's key.
        key: String,
        /// The image.
        image: String,
    },
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service { name, state } => write!(f, "{name} {state}"),
            Self::Hook { key, line } => write!(f, "{key}: {line}"),
            Self::HookImage { key, image } => write!(f, "{key}: pulling {image}"),
        }
    }
}

/// How a container is that is not yet what is waited for, and may become it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pending {
    /// It was created, and not started.
    NotStarted,
    /// It was started a moment ago, and has no health check.
    JustStarted,
    /// Its health check has not passed yet.
    Starting,
    /// It runs, and should complete.
    Completing,
    /// It runs, and none of its published ports answers.
    PortsSilent,
    /// It ends and is started again.
    Restarting,
    /// A save is being brought into it.
    BeingChanged,
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotStarted => "is not started yet",
            Self::JustStarted => "has just been started",
            Self::Starting => "is starting; its health check has not passed yet",
            Self::Completing => "runs; waiting for it to complete",
            Self::PortsSilent => "runs; nothing answers on its published ports yet",
            Self::Restarting => "keeps ending and is started again",
            Self::BeingChanged => "is being changed by a save",
        })
    }
}

/// Why a session ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum EndCause {
    /// Ctrl-C, or another client's wish.
    Interrupt,
    /// A signal.
    Signal {
        /// Its name, such as `SIGTERM`.
        signal: String,
    },
    /// A service has exited whose exit ends the session.
    Exited {
        /// The service.
        service: ServiceName,
    },
}

impl EndCause {
    /// A signal by its name.
    pub fn signal(name: &str) -> Self {
        Self::Signal { signal: name.to_owned() }
    }
}

impl fmt::Display for EndCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupt => f.write_str("Ctrl-C"),
            Self::Signal { signal } => f.write_str(signal),
            Self::Exited { service } => write!(f, "{service} has exited"),
        }
    }
}
