//! What every part of the mapping needs: the API's version, and values as the API takes them.

use std::collections::HashMap;

use crate::engine::docker::errors::unsupported;
use crate::engine::{EngineError, ErrorKind, Result};
use crate::model::Port;

/// The API's version, for checks.
#[derive(Clone, Copy)]
pub(super) struct Api(pub(super) (u32, u32));

impl Api {
    /// An error unless the API is new enough for `key`.
    pub(super) fn needs(self, key: &str, version: (u32, u32)) -> Result<()> {
        if self.0 < version { Err(unsupported(key, version, self.0)) } else { Ok(()) }
    }
}

pub(super) fn protocol(port: &Port) -> &str {
    port.protocol.as_deref().unwrap_or("tcp")
}

pub(super) fn some_list<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

pub(super) fn some_map(map: &indexmap::IndexMap<String, String>) -> Option<HashMap<String, String>> {
    (!map.is_empty()).then(|| map.clone().into_iter().collect())
}

pub(super) fn refused(why: String) -> EngineError {
    EngineError::new(ErrorKind::Refused, why)
}

/// A value of the manifest that the engine takes only as one of a few words.
pub(super) fn word<T: std::str::FromStr>(key: &str, text: &str, expected: &str) -> Result<T> {
    text.parse().map_err(|_| refused(format!("{key} is \"{text}\"; expected {expected}")))
}
