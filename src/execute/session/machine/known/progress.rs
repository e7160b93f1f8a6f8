//! How far the plan is that is carried out.

use std::time::Instant;

use crate::execute::beside::Working;
use crate::model::ServiceName;

/// How far a plan is.
#[derive(Default)]
pub struct Progress {
    /// When the engine was asked for what it is made from; `None` until then.
    pub looked_at: Option<Instant>,
    /// What it still has to do; `None` before its first step.
    pub working: Option<Working>,
    /// Since when it only waits.
    pub waits: Option<Instant>,
}

impl Progress {
    /// The plan has no step left for the service, or none but waits.
    pub fn frees(&self, service: &ServiceName) -> bool {
        self.working.as_ref().is_some_and(|working| !working.services.contains(service))
    }
}
