//! Through the agent: files and what follows in one round trip.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::hot::{Moved, SyncContainer, SyncError, Synced, action, agent_failed, micros};
use super::room;
use crate::agent::{self, AgentClient, AgentError, Then};
use crate::event::{Event, Message};
use crate::execute::agents::Agents;
use crate::execute::sync_files::{self, Item, Owners, Step};
use crate::execute::{Cause, Failure};
use crate::model::{Reload, SyncTarget};
use crate::supervise::linux_signal;

/// How often the progress of a large file is told.
const TOLD: Duration = Duration::from_millis(200);

impl Agents {
    pub(super) async fn sync_by_agent(
        &self,
        hot: &SyncContainer<'_>,
        client: &AgentClient,
        items: Vec<(SyncTarget, Item)>,
        then: &Reload,
        grace: Option<Duration>,
    ) -> Result<Synced, SyncError> {
        let began = Instant::now();
        let mut owners = Owners::default();
        if items.iter().any(|(target, _)| target.by.is_rule()) {
            let status = client.status().await.map_err(agent_failed)?;
            owners.user = (status.uid, status.gid);
        }
        for (target, _) in &items {
            if let Some(owner) = &target.owner
                && !owners.named.contains_key(owner)
            {
                let found = client.owner(owner).await.map_err(|e| SyncError::Rebuild(e.to_string()))?;
                owners.named.insert(owner.clone(), found);
            }
        }
        let moved = Moved::of(&items);
        let items = room::make(client, items).await?;
        let steps = sync_files::steps(items, &owners);
        let follow = self.follow(hot, then, grace)?;
        let wait = match follow {
            Some(Then::Restart { grace, .. }) => {
                format!("its command to end; it is killed after {} s", grace.as_secs())
            }
            _ => format!("its agent to answer, for {} s at most", agent::SILENCE.as_secs()),
        };
        let is_large = steps.iter().any(|step| matches!(step, Step::Large { .. }));
        let (applied, outcome) = if steps.is_empty() && follow.is_none() {
            (agent::Applied { done: 0, took: Duration::ZERO, errors: Vec::new() }, None)
        } else if is_large {
            self.send(hot, client, steps, follow).await.map_err(agent_failed)?
        } else {
            let op = |step| if let Step::Op(op) = step { Some(op) } else { None };
            let ops = steps.into_iter().filter_map(op).collect();
            let sent = async {
                match follow {
                    Some(then) => client.apply_then(ops, then).await.map(|(applied, outcome)| (applied, Some(outcome))),
                    None => client.apply(ops).await.map(|applied| (applied, None)),
                }
            };
            self.told(hot, &wait, sent).await.map_err(agent_failed)?
        };
        let restarted = match outcome {
            Some(agent::ThenOutcome::Restarted(restarted)) => Some(restarted.started),
            _ => None,
        };
        if let Some(error) = applied.errors.first() {
            let path = String::from_utf8_lossy(&error.path).into_owned();
            let why = String::from_utf8_lossy(&error.message).into_owned();
            return Err(SyncError::Rebuild(format!("{path}: {why}")));
        }
        let total = micros(began.elapsed());
        let restarted_us = restarted.map_or(0, micros).min(total);
        let mut synced = Synced { action: None, synced_us: total - restarted_us, reloaded_us: restarted_us };
        let after = Instant::now();
        match then {
            Reload::Exec(argv) => {
                self.run_by_agent(hot, client, argv).await?;
                synced.reloaded_us = micros(after.elapsed());
            }
            Reload::Container => {
                self.restart(hot, grace).await?;
                synced.reloaded_us = micros(after.elapsed());
            }
            _ => {}
        }
        synced.action = action(moved, then);
        Ok(synced)
    }

    /// Sends a batch with large files: they are read while it goes out, and never as a whole.
    async fn send(
        &self,
        hot: &SyncContainer<'_>,
        client: &AgentClient,
        steps: Vec<Step>,
        follow: Option<Then>,
    ) -> Result<(agent::Applied, Option<agent::ThenOutcome>), AgentError> {
        // It is never closed; without a turn there would be no bound on what is in memory.
        let _turn = self.large.acquire().await;
        let size = |step: &Step| if let Step::Large { size, .. } = step { *size } else { 0 };
        let total: u64 = steps.iter().map(size).sum();
        let (sender, messages) = tokio::sync::mpsc::channel(2);
        let (sink, service) = (Arc::clone(&self.sink), hot.service.name.clone());
        let mut next = Instant::now();
        let told = move |current: u64| {
            if Instant::now() >= next {
                next = Instant::now() + TOLD;
                sink.emit(Event::Syncing { service: service.clone(), current, total });
            }
        };
        tokio::task::spawn_blocking(move || sync_files::send(steps, &sender, told));
        client.apply_parts(messages, follow).await
    }

    /// What the agent does right after the files are in place.
    fn follow(
        &self,
        hot: &SyncContainer<'_>,
        then: &Reload,
        grace: Option<Duration>,
    ) -> Result<Option<Then>, SyncError> {
        let signal = |text: &str| {
            linux_signal(text).ok_or_else(|| {
                let text = format!("{text:?} is not a signal; a name such as SIGHUP was expected");
                SyncError::Failed(Failure { cause: Cause::Manifest, message: Message::new(text) })
            })
        };
        Ok(match then {
            Reload::Restart => {
                let own = hot.service.stop_grace_period.map(|grace| grace.0);
                let grace = grace.or(own).unwrap_or(Duration::from_secs(10));
                Some(Then::Restart { signal: signal(&self.stop_signal(hot))?, grace })
            }
            Reload::Signal(name) => Some(Then::Signal(signal(name)?)),
            _ => None,
        })
    }

    /// The manifest's stop signal, else the image's, else SIGTERM.
    fn stop_signal(&self, hot: &SyncContainer<'_>) -> String {
        let of_image = || {
            let images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
            images.get(&hot.image).and_then(|image| image.stop_signal.clone())
        };
        hot.service.stop_signal.clone().or_else(of_image).unwrap_or_else(|| "SIGTERM".to_owned())
    }
}
