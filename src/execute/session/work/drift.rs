//! What the engine says of containers that the session has not compared with what is wanted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::shared::Shared;
use crate::engine::Query;
use crate::execute::observe::{blocking, say_what_they_hold};
use crate::execute::session::ended::{DriftReport, Ended};
use crate::model::{ContainerId, Digest, Part};
use crate::plan::ReloadReason;
use crate::plan::labels::made_from;

/// Looks at containers.
pub struct CompareContainers {
    /// The project's name.
    pub project: String,
    /// The containers.
    pub containers: BTreeSet<ContainerId>,
    /// What containers hold by hot sync.
    pub synced: Vec<Digest>,
    /// When the newest container was made that was there before the session, by the engine's clock.
    pub newest_at_start: Option<i64>,
}

impl CompareContainers {
    /// Does it.
    pub async fn run(self, shared: Shared) -> Ended {
        let Self { project, containers, synced, newest_at_start: newest } = self;
        let query = Query { project, ..Query::default() };
        let Ok(mut observed) = shared.executor.engine.observe(&query).await else {
            // The engine's end is told by its events; a hiccup is over by then.
            tokio::time::sleep(Duration::from_secs(1)).await;
            return Ended::Drift(None);
        };
        let sources = Arc::clone(&shared.executor.sources);
        // Another program made it, and this session alone puts saves into its service.
        say_what_they_hold(&mut observed, &*sources, |container| newest.is_some_and(|at| container.created > at));
        let digests = observed.containers.iter().filter_map(made_from).chain(synced).collect::<Vec<_>>();
        let history = blocking(move || sources.history(&digests)).await;
        Ended::Drift(Some(Box::new(DriftReport { containers, observed, history })))
    }
}

/// Of the parts that are not the same in a measure: files, and the first thing that is none.
pub fn differing<P>(parts: Vec<Part>, file: impl Fn(&Part) -> Option<P>) -> (Vec<P>, Option<ReloadReason>) {
    let (mut files, mut besides) = (Vec::new(), None);
    for part in parts {
        match file(&part) {
            Some(path) => files.push(path),
            None => besides = besides.or(Some(ReloadReason::Input { part })),
        }
    }
    (files, besides)
}
