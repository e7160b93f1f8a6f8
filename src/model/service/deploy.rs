//! Replicas and resources.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::DeviceRequest;
use crate::model::{ByteSize, Extensions};

/// Deployment keys that matter to one machine; the others are kept as written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deploy {
    /// `replicated` or `global`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Number of containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// Labels of the service.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub labels: IndexMap<String, String>,
    /// Limits and reservations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Restart policy of a swarm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_policy: Option<Value>,
    /// Update policy of a swarm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_config: Option<Value>,
    /// Rollback policy of a swarm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback_config: Option<Value>,
    /// Placement in a swarm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<Value>,
    /// Service discovery in a swarm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_mode: Option<String>,
    /// `x-` keys.
    #[serde(flatten)]
    pub extensions: Extensions,
}

/// Limits and reservations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// At most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Resource>,
    /// At least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reservations: Option<Resource>,
    /// `x-` keys.
    #[serde(flatten)]
    pub extensions: Extensions,
}

/// An amount of resources.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resource {
    /// CPUs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f64>,
    /// Memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteSize>,
    /// Processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<i64>,
    /// Devices.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceRequest>,
    /// Resources of a swarm.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub generic_resources: Vec<Value>,
    /// `x-` keys.
    #[serde(flatten)]
    pub extensions: Extensions,
}
