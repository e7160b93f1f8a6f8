//! What keys, signals, an editor or the dashboard ask of a running session.

use crate::model::ServiceName;

/// A request to a running session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Stop gracefully, as the first Ctrl-C.
    Stop,
    /// Stop gracefully because of this signal, such as `SIGTERM`; a second one kills what is left.
    End(&'static str),
    /// End at once and leave the services running: nobody reads the output any more.
    Leave,
    /// Restart a service.
    #[cfg_attr(not(test), expect(dead_code, reason = "the session does it; nothing asks for it yet"))]
    Restart(ServiceName),
    /// Build a service's image again and recreate it.
    #[cfg_attr(not(test), expect(dead_code, reason = "the session does it; nothing asks for it yet"))]
    Rebuild(ServiceName),
}
