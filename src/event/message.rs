//! Messages for a person.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{Location, ServiceName};
use crate::plan::Until;

/// A message for a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The service it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// Where in the manifest or Dockerfile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// What happened, in one sentence.
    pub text: String,
    /// More of it: a failing step's output, a log's last lines, a source line with its span underlined.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    /// What happened, where another sentence may be made of it.
    #[serde(skip)]
    pub fact: Option<Box<Fact>>,
}

/// What happened, as far as it is told in more than one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A container never becomes what is waited for.
    NeverReady {
        /// The container.
        container: String,
        /// Its service, or itself where it is of none.
        service: String,
        /// What is waited for.
        until: Until,
        /// What became of it.
        why: NeverReady,
    },
    /// A build failed; its steps have told how.
    BuildFailed,
    /// There is no manifest.
    NoManifest,
}

/// Why a container never becomes what is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeverReady {
    /// It has exited with this code.
    Exited(i64),
    /// Its health check fails.
    Unhealthy,
    /// It has no health check.
    NoHealthCheck,
}

impl Message {
    /// A message of one sentence.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same about a service.
    #[must_use]
    pub fn service(mut self, service: &ServiceName) -> Self {
        self.service = Some(service.clone());
        self
    }

    /// The same at a place.
    #[must_use]
    pub fn at(mut self, location: Option<&Location>) -> Self {
        self.location = location.cloned();
        self
    }

    /// The same with more lines of detail.
    #[must_use]
    pub fn detail(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.detail.extend(lines);
        self
    }
}
