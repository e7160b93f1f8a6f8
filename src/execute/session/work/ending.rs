//! The end of a session, as far as the engine has a part in it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::shared::Shared;
use crate::engine::Query;
use crate::event::{Event, Message};
use crate::execute::session::ended::Ended;
use crate::execute::{Cause, Failure, RunOptions};
use crate::model::{ContainerId, ObservedContainer, Project, ServiceName};
use crate::plan;

/// How long the end waits for another hob's plan.
const TURN: Duration = Duration::from_secs(2);

/// How long an engine may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);

/// The pause before it is asked again.
const PULSE: Duration = Duration::from_millis(250);

/// Stops the services of a session.
pub struct Stop {
    /// The project.
    pub project: Arc<Project>,
    /// The services that the session was asked for.
    pub asked: Vec<ServiceName>,
    /// Those and what they need.
    pub scope: Vec<ServiceName>,
    /// How long they may take: `--timeout`.
    pub grace: Option<Duration>,
    /// When the newest container was made that was there before the session, by the engine's clock.
    pub newest_at_start: i64,
}

impl Stop {
    /// Does it.
    pub async fn run(self, shared: Shared) -> Ended {
        let Self { project, asked, scope, grace, newest_at_start: newest } = self;
        let executor = shared.executor;
        // Another hob's plan may be under way. It is waited for, but not for long: somebody wants this one to end.
        let turn = tokio::time::timeout(TURN, executor.turn(&CancellationToken::new())).await;
        let query = Query { project: project.name.to_string(), ..Query::default() };
        let observed = match executor.engine.observe(&query).await {
            Ok(observed) => observed,
            Err(error) => return Ended::Stopped(vec![Failure::of_engine(None, error)], None),
        };
        let stays = |c: &&ObservedContainer| {
            !c.oneoff && c.state.is_running() && scope.contains(&c.service) && !asked.contains(&c.service)
        };
        let stay: BTreeSet<&str> = observed.containers.iter().filter(stays).map(|c| c.service.as_str()).collect();
        if !stay.is_empty() {
            let names = stay.into_iter().collect::<Vec<_>>().join(", ");
            executor.sink.emit(Event::Notice { text: format!("not asked for by name, runs on: {names}") });
        }
        let is_known = |name: &ServiceName| project.services.contains_key(name) || project.disabled.contains_key(name);
        let dropped =
            |c: &&ObservedContainer| !c.oneoff && c.state.is_running() && c.created > newest && !is_known(&c.service);
        let dropped: BTreeSet<&str> = observed.containers.iter().filter(dropped).map(|c| c.service.as_str()).collect();
        if !dropped.is_empty() {
            let names = dropped.into_iter().collect::<Vec<_>>().join(", ");
            let text = format!("not in the manifest any more, runs on: {names}; `hob up --remove-orphans` removes it");
            executor.sink.emit(Event::Notice { text });
        }
        let plan = plan::stop(&project, &observed, &asked, grace, &plan::Reason::SessionEnds);
        let run = RunOptions { keep_going: true, ..RunOptions::default() };
        let failures = executor.run(&project, &plan, &run).await.failures;
        drop(turn);
        Ended::Stopped(failures, executor.engine.observe(&query).await.ok().map(Box::new))
    }
}

/// Kills what runs of these services; the containers that are `known`, should the engine not tell.
pub async fn kill(shared: Shared, project: String, services: Vec<ServiceName>, known: Vec<ContainerId>) -> Ended {
    let engine = &*shared.executor.engine;
    // What a step started a moment ago may not be known yet.
    let running = match engine.observe(&Query { project, ..Query::default() }).await {
        Ok(observed) => {
            let mine = |c: &ObservedContainer| !c.oneoff && c.state.is_running() && services.contains(&c.service);
            observed.containers.into_iter().filter(mine).map(|c| c.id).collect()
        }
        Err(_) => known,
    };
    let kills = running.iter().map(|id| engine.kill(id, "SIGKILL"));
    futures_util::future::join_all(kills).await;
    Ended::Stopped(Vec::new(), None)
}

/// Ends when the engine does not say any more that it is there.
pub async fn watch_engine(shared: Shared) -> Ended {
    let engine = &*shared.executor.engine;
    loop {
        tokio::time::sleep(PULSE).await;
        if !matches!(tokio::time::timeout(PATIENCE, engine.ping()).await, Ok(Ok(()))) {
            let endpoint = &engine.info().endpoint;
            let message = Message::new(format!("the engine at {endpoint} does not answer; services may still run"))
                .hint("once it answers again, `hob stop` stops them");
            return Ended::Stopped(vec![Failure { cause: Cause::Unreachable, message }], None);
        }
    }
}

/// Asks, after a pause, whether no container of these services runs.
pub async fn ask_whether_all_exited(
    shared: Shared,
    project: String,
    at: Instant,
    pause: Duration,
    services: Vec<ServiceName>,
) -> Ended {
    tokio::time::sleep(pause).await;
    let goes_on = |c: &ObservedContainer| !c.oneoff && c.state.is_running() && services.contains(&c.service);
    // An engine that does not answer confirms nothing; that it went away is told by its events.
    let observed = shared.executor.engine.observe(&Query { project, ..Query::default() }).await;
    Ended::AllExited(at, observed.is_ok_and(|observed| !observed.containers.iter().any(goes_on)))
}

/// Asks whether the engine starts a container again.
pub async fn ask_whether_it_returns(shared: Shared, id: ContainerId) -> Ended {
    // Without an answer the engine is gone, and when it is back all are observed again.
    let state = shared.executor.engine.inspect(&id).await.ok().flatten().map(|container| container.state);
    Ended::Returns(id, state.is_some_and(crate::model::ContainerState::is_running))
}
