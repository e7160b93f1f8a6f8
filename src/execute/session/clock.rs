//! The clock of a session.

use std::time::Instant;

/// The time by tokio's clock, which tests can pause.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
