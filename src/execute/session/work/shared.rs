//! What all work has in common.

use std::sync::Arc;

use super::claims::Claims;
use super::mounted::Mounts;
use crate::execute::Executor;

/// What all work has in common.
#[derive(Clone)]
pub struct Shared {
    /// Carries plans out; with the engine, the sources and the sink.
    pub executor: Executor,
    /// Whose saves this session takes care of.
    pub claims: Arc<Claims>,
    /// What files behind mounts held.
    pub mounts: Arc<Mounts>,
}
