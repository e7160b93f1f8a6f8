//! Where the log of a container goes.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::model::Extensions;

/// Log driver.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Logging {
    /// Driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Options of the driver.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub options: IndexMap<String, String>,
    /// `x-` keys.
    #[serde(flatten)]
    pub extensions: Extensions,
}
