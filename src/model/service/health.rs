//! How it is told that a service works.

use serde::{Deserialize, Serialize};

use crate::model::canonical::is_false;
use crate::model::{Extensions, Interval};

/// How the engine tells that a container is healthy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthCheck {
    /// `[CMD, …]`, `[CMD-SHELL, text]` or `[NONE]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    /// Time for one probe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Interval>,
    /// Time between probes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// Failures before it is unhealthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u64>,
    /// Time in which failures do not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_period: Option<Interval>,
    /// Time between probes in the start period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_interval: Option<Interval>,
    /// Switches the image's check off.
    #[serde(skip_serializing_if = "is_false")]
    pub disable: bool,
    /// `x-` keys.
    #[serde(flatten)]
    pub extensions: Extensions,
}

/// hob: a continuous check from outside the container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Probe {
    /// URL that must answer with 2xx or 3xx.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// Address that must accept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp: Option<String>,
    /// Address of a gRPC health service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc: Option<String>,
    /// Text that must appear in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Time between probes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// Time for one probe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Interval>,
    /// Failures before it is down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<u32>,
    /// Successes before it is up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successes: Option<u32>,
}
