//! Whose output is to be shown, which part of it, and how.

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::engine::{BoxStream, Chunk, LogQuery, Result};
use crate::model::{ContainerId, ServiceName};

/// A container whose output is to be shown.
#[derive(Clone, Debug)]
pub struct Follow {
    /// The container.
    pub container: ContainerId,
    /// Its name.
    pub name: String,
    /// Its service.
    pub service: ServiceName,
    /// Its number within the service.
    pub number: u32,
}

/// Which part of a container's output is to be shown. Times are nanoseconds since 1970.
#[derive(Clone, Debug)]
pub enum From {
    /// What its log has by now.
    Log(LogQuery),
    /// What its log has, and what it writes from now on.
    LogAndOn(LogQuery),
    /// What it writes from now on.
    Now,
    /// All since its last start, of which an event told.
    Start {
        /// What was written until this moment is of an earlier run.
        after: i64,
        /// The moment of the start by the engine's clock.
        at: i64,
        /// When the event came.
        heard: Instant,
    },
    /// What it has written since the engine went away, and what it writes from now on.
    Lost {
        /// When that was noticed.
        at: i64,
    },
}

/// How logs are shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogOptions {
    /// The time before each line.
    pub timestamps: bool,
}

/// A lane's next container.
pub(super) enum Next {
    Follow(Follow, From),
    /// It was attached to before its start.
    Attached(Follow, BoxStream<Result<Chunk>>, CancellationToken),
}

/// The time by this machine's clock, in nanoseconds since 1970.
pub fn clock() -> i64 {
    #[cfg(test)]
    if let Some(now) = crate::execute::simulated::clock() {
        return now;
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}
