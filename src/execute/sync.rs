//! One container's hot sync: through the agent where it carries one, else through the engine's archive API.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

use super::agents::Agents;
use super::hooks::Of;
use super::sync_files::{self, Item};
use super::{Cause, Failure};
use crate::agent::{self, AgentClient, Command, Then};
use crate::engine::{EngineError, ExecSpec};
use crate::event::{Event, Message};
use crate::model::{ContainerId, Reload, Service, SyncTarget};
use crate::supervise::linux_signal;

/// A container that is to be synced.
pub struct Hot<'a> {
    /// Its service.
    pub service: &'a Service,
    /// The container.
    pub container: &'a ContainerId,
    /// It runs its command under the agent.
    pub agent: bool,
    /// Its image's name.
    pub image: String,
}

/// Why a sync was not done.
#[derive(Debug)]
pub enum SyncError {
    /// It cannot be: a rebuild gives the same result.
    Rebuild(String),
    /// It could be and failed.
    Failed(Failure),
}

/// What was done.
#[allow(clippy::struct_field_names, reason = "when it was synced, and when reloaded")]
#[derive(Clone, Debug, Default)]
pub struct Synced {
    /// `synced`, `synced + restarted`, …
    pub action: String,
    /// Until the files were in place, microseconds.
    pub synced_us: u64,
    /// From then until the reload was done, microseconds.
    pub reloaded_us: u64,
}

/// Paths that an agent is asked about at once.
const LISTED: usize = 1_000;

impl Agents {
    /// Puts files into a container and does what follows.
    pub async fn sync(
        &self,
        hot: &Hot<'_>,
        targets: &[SyncTarget],
        then: &Reload,
        grace: Option<Duration>,
    ) -> Result<Synced, SyncError> {
        let items = sync_files::read(targets).map_err(SyncError::Rebuild)?;
        if hot.agent {
            match self.client(hot.service, hot.container).await {
                Ok(client) => return self.sync_by_agent(hot, &client, items, then, grace).await,
                Err(failure) => {
                    let text = format!("the agent cannot be reached ({failure}); its container is rebuilt instead");
                    self.sink.emit(Event::Warning(Message::new(text).service(&hot.service.name)));
                    return Err(SyncError::Rebuild("the agent cannot be reached".to_owned()));
                }
            }
        }
        self.sync_by_engine(hot, &items, then, grace).await
    }

    /// Those of the targets that are not in the container as they are on the host. Without an agent nobody can tell,
    /// and that is all of them.
    pub async fn missing(&self, hot: &Hot<'_>, targets: &[SyncTarget]) -> Result<Vec<SyncTarget>, SyncError> {
        if !hot.agent {
            return Ok(targets.to_vec());
        }
        let client = self.client(hot.service, hot.container).await.map_err(SyncError::Failed)?;
        let mut missing = Vec::new();
        for targets in targets.chunks(LISTED) {
            let paths = targets.iter().map(|target| target.path.trim_start_matches('/').as_bytes().to_vec()).collect();
            let there = client.list("/", paths, false, true).await.map_err(agent_failed)?;
            for (target, there) in targets.iter().zip(&there) {
                let items = sync_files::read(std::slice::from_ref(target)).map_err(SyncError::Rebuild)?;
                if items.iter().any(|(_, item)| !item.is(there)) {
                    missing.push(target.clone());
                }
            }
        }
        Ok(missing)
    }

    async fn sync_by_agent(
        &self,
        hot: &Hot<'_>,
        client: &AgentClient,
        items: Vec<(SyncTarget, Item)>,
        then: &Reload,
        grace: Option<Duration>,
    ) -> Result<Synced, SyncError> {
        let began = Instant::now();
        let mut owners = HashMap::new();
        for (target, _) in &items {
            if let Some(owner) = &target.owner
                && !owners.contains_key(owner)
            {
                let found = client.owner(owner).await.map_err(|e| SyncError::Rebuild(e.to_string()))?;
                owners.insert(owner.clone(), found);
            }
        }
        let moved = !items.is_empty();
        let ops = sync_files::ops(items, &owners);
        let follow = self.follow(hot, then, grace)?;
        let (applied, restarted) = match follow {
            Some(then) => {
                let (applied, outcome) = client.apply_then(ops, then).await.map_err(agent_failed)?;
                let restarted = match outcome {
                    agent::ThenOutcome::Restarted(restarted) => Some(restarted.started),
                    _ => None,
                };
                (applied, restarted)
            }
            None if ops.is_empty() => (agent::Applied { done: 0, took: Duration::ZERO, errors: Vec::new() }, None),
            None => (client.apply(ops).await.map_err(agent_failed)?, None),
        };
        if let Some(error) = applied.errors.first() {
            let path = String::from_utf8_lossy(&error.path).into_owned();
            let why = String::from_utf8_lossy(&error.message).into_owned();
            return Err(SyncError::Rebuild(format!("{path}: {why}")));
        }
        let total = micros(began.elapsed());
        let restarted_us = restarted.map_or(0, micros).min(total);
        let mut synced = Synced { action: String::new(), synced_us: total - restarted_us, reloaded_us: restarted_us };
        let after = Instant::now();
        match then {
            Reload::Exec(argv) => {
                let command = Command { argv: argv.clone(), ..Command::default() };
                let mut output = Vec::new();
                let done = client.exec(command, |_, bytes| output.extend_from_slice(bytes)).await;
                let code = done.map_err(agent_failed)?.code;
                if code != 0 {
                    let text = format!("`{}` exited with {code}", argv.join(" "));
                    let lines = String::from_utf8_lossy(&output).lines().map(str::to_owned).collect::<Vec<_>>();
                    let message = Message::new(text).service(&hot.service.name).detail(lines);
                    return Err(SyncError::Failed(Failure { cause: Cause::Engine, message }));
                }
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

    /// The container's restart, with the commands of its service's hooks.
    async fn restart(&self, hot: &Hot<'_>, grace: Option<Duration>) -> Result<(), SyncError> {
        let of = Of { engine: &*self.engine, project: None, service: Some(hot.service), container: hot.container };
        of.restart(grace, &|_| ()).await.map_err(SyncError::Failed)
    }

    /// What the agent does right after the files are in place.
    fn follow(&self, hot: &Hot<'_>, then: &Reload, grace: Option<Duration>) -> Result<Option<Then>, SyncError> {
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
    fn stop_signal(&self, hot: &Hot<'_>) -> String {
        let of_image = || {
            let images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
            images.get(&hot.image).and_then(|image| image.stop_signal.clone())
        };
        hot.service.stop_signal.clone().or_else(of_image).unwrap_or_else(|| "SIGTERM".to_owned())
    }

    async fn sync_by_engine(
        &self,
        hot: &Hot<'_>,
        items: &[(SyncTarget, Item)],
        then: &Reload,
        grace: Option<Duration>,
    ) -> Result<Synced, SyncError> {
        let began = Instant::now();
        if items.iter().any(|(target, item)| matches!(item, Item::Gone { .. }) || target.owner.is_some()) {
            return Err(SyncError::Rebuild("only the agent can delete files or give them an owner".to_owned()));
        }
        if !items.is_empty() {
            let entries: Vec<(String, Item)> =
                items.iter().map(|(t, item)| (t.path.trim_start_matches('/').to_owned(), item.clone())).collect();
            let tar = sync_files::archive(&entries);
            self.engine.upload(hot.container, "/", tar.into()).await.map_err(|e| engine_failed(hot.service, e))?;
        }
        let synced_us = micros(began.elapsed());
        let done = match then {
            Reload::None => Ok(()),
            Reload::Signal(name) => self.engine.kill(hot.container, name).await,
            Reload::Exec(argv) => {
                let spec = ExecSpec { command: argv.clone(), detach: true, ..ExecSpec::default() };
                self.engine.exec(hot.container, &spec).await.map(drop)
            }
            Reload::Restart | Reload::Container | Reload::Rebuild => {
                self.restart(hot, grace).await?;
                Ok(())
            }
        };
        done.map_err(|e| engine_failed(hot.service, e))?;
        let then = if *then == Reload::Restart { &Reload::Container } else { then };
        let reloaded_us = micros(began.elapsed()) - synced_us;
        Ok(Synced { action: action(!items.is_empty(), then), synced_us, reloaded_us })
    }
}

fn action(moved: bool, then: &Reload) -> String {
    let then = match then {
        Reload::None | Reload::Rebuild => "",
        Reload::Restart => "restarted",
        Reload::Container => "container restarted",
        Reload::Signal(_) => "signalled",
        Reload::Exec(_) => "command run",
    };
    match (moved, then) {
        (true, "") => "synced".to_owned(),
        (true, then) => format!("synced + {then}"),
        (false, then) => then.to_owned(),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for `map_err`, which hands it over")]
fn agent_failed(error: agent::AgentError) -> SyncError {
    SyncError::Rebuild(error.to_string())
}

fn engine_failed(service: &Service, error: EngineError) -> SyncError {
    SyncError::Failed(Failure::of_engine(Some(&service.name), error))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
