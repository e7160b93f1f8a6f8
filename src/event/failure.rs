//! Failures: what happened, to which service, and what a person can do about it.

use super::Message;

/// A step, or a whole command, that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", message.text)]
pub struct Failure {
    /// The kind, which decides the exit code.
    pub cause: Cause,
    /// For a person.
    pub message: Message,
}

/// Kinds of failure, one for each exit code that tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The manifest.
    Manifest,
    /// A file or folder that the manifest names is not there.
    Missing,
    /// The engine does not answer.
    Unreachable,
    /// A build failed, or what it reads cannot be built from.
    Build,
    /// An image is not there and cannot be pulled.
    Pull,
    /// A service did not become what its dependents need.
    Unhealthy,
    /// Anything else that the engine could not do.
    Engine,
}
