//! What a service waits for.

use serde::{Deserialize, Serialize};

use crate::model::Extensions;
use crate::model::canonical::is_false;

/// One entry of `depends_on`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dependency {
    /// What is waited for.
    pub condition: Condition,
    /// Restart the dependent when the dependency is recreated or restarted.
    #[serde(skip_serializing_if = "is_false")]
    pub restart: bool,
    /// Fail if the dependency is missing; true unless said otherwise.
    pub required: bool,
    /// `x-` keys.
    #[serde(flatten)]
    pub extensions: Extensions,
}

impl Default for Dependency {
    fn default() -> Self {
        Self { condition: Condition::Started, restart: false, required: true, extensions: Extensions::default() }
    }
}

/// What a dependent waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// The container was started.
    #[default]
    #[serde(rename = "service_started")]
    Started,
    /// The container's health check passes.
    #[serde(rename = "service_healthy")]
    Healthy,
    /// The container has exited with 0.
    #[serde(rename = "service_completed_successfully")]
    Completed,
}
