//! What is to be written down of what containers hold.

use std::time::Instant;

use crate::model::{ContainerId, Digest, ServiceName};

/// What a container holds if no news comes.
#[derive(Debug)]
pub struct Note {
    pub service: ServiceName,
    pub container: ContainerId,
    pub digest: Digest,
    pub at: Instant,
}
