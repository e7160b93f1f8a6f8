//! Devices and limits of a container.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::model::Extensions;

/// A device of the host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    /// Path on the host.
    pub source: String,
    /// Path in the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Such as `rwm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions: Option<String>,
    /// `x-` keys.
    #[serde(flatten)]
    pub extensions: Extensions,
}

/// Devices asked for by capability.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceRequest {
    /// Such as `gpu`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// Device driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// How many; -1 for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    /// Which.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub device_ids: Vec<String>,
    /// Options of the driver.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub options: IndexMap<String, String>,
    /// `x-` keys.
    #[serde(flatten)]
    pub extensions: Extensions,
}

/// A resource limit; one number sets both.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ulimit {
    /// Soft limit; -1 for none.
    pub soft: i64,
    /// Hard limit; -1 for none.
    pub hard: i64,
    /// One number was written for both, and is printed so.
    pub single: bool,
}

impl Serialize for Ulimit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        if self.single {
            return serializer.serialize_i64(self.soft);
        }
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("hard", &self.hard)?;
        map.serialize_entry("soft", &self.soft)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Ulimit {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Single(i64),
            Pair { soft: i64, hard: i64 },
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Single(limit) => Self { soft: limit, hard: limit, single: true },
            Form::Pair { soft, hard } => Self { soft, hard, single: false },
        })
    }
}
