//! The end of a container's log, for a failure.

use std::time::Duration;

use super::lines;
use crate::engine::{Engine, LogQuery};
use crate::model::ContainerId;
use crate::model::time::nanos_of;

/// An engine notes the time of a start, in nanoseconds, so much later at most than a program writes its first line. The
/// time between the end of a program and the next start of its container is longer.
const NOTED_LATE: i64 = 100_000_000;

/// The last lines that a container has written since it was last started, headed; empty where there are none.
pub(super) async fn tail(engine: &dyn Engine, container: &str, count: u64) -> Vec<String> {
    let id = ContainerId::new(container);
    let seen = engine.inspect(&id).await.ok().flatten();
    let started = seen.and_then(|seen| nanos_of(&seen.started)).map(|started| started.saturating_sub(NOTED_LATE));
    let query = LogQuery { tail: Some(count), timestamps: true, ..LogQuery::default() };
    let Ok(stream) = engine.logs(&id, &query).await else { return Vec::new() };
    // A log that never ends would hold the failure back.
    let read = tokio::time::timeout(Duration::from_secs(2), lines::collect(stream, started)).await;
    let lines = read.unwrap_or_default();
    if lines.is_empty() {
        return lines;
    }
    std::iter::once(format!("last lines of the log of {container}:"))
        .chain(lines.into_iter().map(|line| format!("  {line}")))
        .collect()
}
