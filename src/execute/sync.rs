//! One container's hot sync: through the agent where it carries one, else through the engine's archive API.

mod command;
mod room;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::agents::Agents;
use super::hooks::Of;
use super::observe::blocking;
use super::sync_files::{self, Compared, Item, Owners, Step};
use super::{Cause, Failure};
use crate::agent::{self, AgentClient, AgentError, Then};
use crate::engine::EngineError;
use crate::event::{Event, Followed, Message, ReloadAction};
use crate::model::{ContainerId, ContainerState, CopiedBy, Reload, Service, SyncAction, SyncTarget};
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
    /// Ends a command that is run in it: the session is being ended.
    pub stop: CancellationToken,
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
    /// `None` where nothing was to be done.
    pub action: Option<ReloadAction>,
    /// Until the files were in place, microseconds.
    pub synced_us: u64,
    /// From then until the reload was done, microseconds.
    pub reloaded_us: u64,
}

/// Paths that an agent is asked about at once.
const LISTED: usize = 1_000;

/// Bytes whose digests an agent is asked for at once.
const DIGESTED: u64 = 64 << 20;

/// After how long a person wonders what is waited for.
const WONDERS: Duration = Duration::from_secs(2);

/// How often the progress of a large file is told.
const TOLD: Duration = Duration::from_millis(200);

impl Agents {
    /// Puts files into a container and does what follows.
    pub async fn sync(
        &self,
        hot: &Hot<'_>,
        targets: &[SyncTarget],
        then: &Reload,
        grace: Option<Duration>,
    ) -> Result<Synced, SyncError> {
        let read = targets.to_vec();
        let items = blocking(move || sync_files::read(&read)).await.map_err(SyncError::Rebuild)?;
        if hot.agent {
            let wait = format!("its agent to answer, for {} s at most", agent::SILENCE.as_secs());
            match self.told(hot, &wait, self.client(hot.service, hot.container)).await {
                Ok(client) => {
                    let synced = tokio::select! {
                        synced = self.sync_by_agent(hot, &client, items, then, grace) => synced,
                        () = self.pauses(hot) => return Err(paused(hot)),
                    };
                    return match synced {
                        Err(SyncError::Rebuild(_)) if self.is_paused(hot).await => Err(paused(hot)),
                        Err(SyncError::Rebuild(_)) if !self.runs(hot).await => Err(ended()),
                        synced => synced,
                    };
                }
                Err(_) if self.is_paused(hot).await => return Err(paused(hot)),
                // Its program ended a moment ago.
                Err(_) if !self.runs(hot).await => return Err(ended()),
                Err(failure) => {
                    let text = format!("the agent cannot be reached ({failure}); its container is rebuilt instead");
                    self.sink.emit(Event::Warning(Message::new(text).service(&hot.service.name)));
                    return Err(SyncError::Rebuild("the agent cannot be reached".to_owned()));
                }
            }
        }
        self.sync_by_engine(hot, items, then, grace).await
    }

    /// Says what is waited for, once a person wonders.
    async fn told<T>(&self, hot: &Hot<'_>, what: &str, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(WONDERS) => {}
        }
        self.sink.emit(Event::Notice { text: format!("{}: waiting for {what}", hot.service.name) });
        work.await
    }

    /// Ends when what is waited for will not come before a person lets the container go on.
    async fn pauses(&self, hot: &Hot<'_>) {
        loop {
            tokio::time::sleep(WONDERS).await;
            if self.is_paused(hot).await {
                return;
            }
        }
    }

    /// Whether the container runs, as far as the engine answers.
    async fn runs(&self, hot: &Hot<'_>) -> bool {
        let container = tokio::time::timeout(WONDERS, self.engine.inspect(hot.container)).await;
        !matches!(container, Ok(Ok(Some(container))) if !container.state.is_running())
    }

    /// Nothing that is in a paused container answers.
    async fn is_paused(&self, hot: &Hot<'_>) -> bool {
        let container = tokio::time::timeout(WONDERS, self.engine.inspect(hot.container)).await;
        matches!(container, Ok(Ok(Some(container))) if container.state == ContainerState::Paused)
    }

    /// Those of the targets that are not in the container as they are on the host. Without an agent nobody can tell,
    /// and that is all of them.
    pub async fn missing(&self, hot: &Hot<'_>, targets: &[SyncTarget]) -> Result<Vec<SyncTarget>, SyncError> {
        if !hot.agent {
            return Ok(targets.to_vec());
        }
        let client = self.client(hot.service, hot.container).await.map_err(SyncError::Failed)?;
        let mut missing = Vec::new();
        for (folder, targets) in sync_files::by_folder(targets) {
            for targets in targets.chunks(LISTED) {
                missing.extend(missing_below(&client, &folder, targets).await?);
            }
        }
        Ok(missing)
    }

    /// The first of these files, by its path in the container, that is not there as it is on the host: they are mounted
    /// one by one, and a mount shows the file that was there when the container was started. Without an agent nobody can
    /// tell; then the container itself is restarted anyway, or is not.
    pub async fn stale_mount(&self, hot: &Hot<'_>, files: &[(PathBuf, String)]) -> Option<String> {
        let target = |(source, path): &(PathBuf, String)| SyncTarget {
            source: source.clone(),
            path: path.clone(),
            base: path.clone(),
            by: CopiedBy::Mount,
            action: SyncAction::Put,
            owner: None,
            mode: None,
            unpacks: false,
        };
        if !hot.agent {
            return None;
        }
        let targets: Vec<SyncTarget> = files.iter().map(target).collect();
        self.missing(hot, &targets).await.ok()?.first().map(|target| target.path.clone())
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
        hot: &Hot<'_>,
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
        items: Vec<(SyncTarget, Item)>,
        then: &Reload,
        grace: Option<Duration>,
    ) -> Result<Synced, SyncError> {
        let began = Instant::now();
        if items.iter().any(|(target, item)| matches!(item, Item::Gone { .. }) || target.owner.is_some()) {
            return Err(SyncError::Rebuild("only the agent can delete files or give them an owner".to_owned()));
        }
        let moved = Moved::of(&items);
        if moved != Moved::Nothing {
            self.refuse_links(hot, &items).await?;
            // What rules sync is root's here: an engine that is asked to give it to the container's user looks for that
            // in the passwd of its own machine, and refuses the upload where it is not found.
            let entries: Vec<(String, Item)> =
                items.into_iter().map(|(t, item)| (t.path.trim_start_matches('/').to_owned(), item)).collect();
            let _turn = self.large.acquire().await;
            let tar = sync_files::parts(entries);
            self.engine.upload_parts(hot.container, "/", tar).await.map_err(|e| engine_failed(hot.service, e))?;
        }
        let synced_us = micros(began.elapsed());
        let done = match then {
            Reload::None => Ok(()),
            Reload::Signal(name) => self.engine.kill(hot.container, name).await,
            Reload::Exec(argv) => {
                self.run_by_engine(hot, argv).await?;
                Ok(())
            }
            Reload::Restart | Reload::Container | Reload::Rebuild => {
                self.restart(hot, grace).await?;
                Ok(())
            }
        };
        done.map_err(|e| engine_failed(hot.service, e))?;
        let then = if *then == Reload::Restart { &Reload::Container } else { then };
        let reloaded_us = micros(began.elapsed()) - synced_us;
        Ok(Synced { action: action(moved, then), synced_us, reloaded_us })
    }
}

impl Agents {
    /// The engine's archive API follows every link in a container; below the folder that an instruction or a rule
    /// names, one of these leads to where a build puts nothing.
    async fn refuse_links(&self, hot: &Hot<'_>, items: &[(SyncTarget, Item)]) -> Result<(), SyncError> {
        for folder in sync_files::folders_below(items.iter().map(|(target, _)| target)) {
            if self.engine.is_link(hot.container, &folder).await.map_err(|e| engine_failed(hot.service, e))? {
                return Err(SyncError::Rebuild(format!("{folder} is a symbolic link in the container")));
            }
        }
        Ok(())
    }

    /// Says what can neither be synced nor built, once: for the next save of it nothing is different.
    pub fn say_refused(&self, service: &Service, reason: &str) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.insert((service.name.clone(), reason.to_owned())) {
            let text = format!("a save was not synced: {reason}; the image does not have it either");
            self.sink.emit(Event::Warning(Message::new(text).service(&service.name)));
        }
    }
}

/// What was done to files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moved {
    Nothing,
    Deleted,
    Synced,
}

impl Moved {
    fn of(items: &[(SyncTarget, Item)]) -> Self {
        match items {
            [] => Self::Nothing,
            _ if items.iter().all(|(_, item)| matches!(item, Item::Gone { .. })) => Self::Deleted,
            _ => Self::Synced,
        }
    }
}

/// A target, and its path below the folder that is named for it.
type Placed = (SyncTarget, Vec<u8>);

/// Those of the targets below one folder that are not in the container as they are on the host.
async fn missing_below(client: &AgentClient, folder: &str, targets: &[Placed]) -> Result<Vec<SyncTarget>, SyncError> {
    let paths = targets.iter().map(|(_, path)| path.clone()).collect();
    let there = client.list(folder, paths, false, false).await.map_err(agent_failed)?;
    let pairs: Vec<_> = targets.iter().cloned().zip(there).collect();
    let compared = blocking(move || {
        let one =
            |(placed, there): (Placed, _)| sync_files::compare(&placed.0, &there).map(|compared| (placed, compared));
        pairs.into_iter().map(one).collect::<Result<Vec<_>, _>>()
    });
    let (mut missing, mut alike, mut bytes) = (Vec::new(), Vec::new(), 0);
    for (placed, compared) in compared.await.map_err(SyncError::Rebuild)? {
        match compared {
            Compared::Same => {}
            Compared::Differs => missing.push(placed.0),
            Compared::ByContent(size) => {
                if bytes + size > DIGESTED {
                    missing.extend(differing(client, folder, std::mem::take(&mut alike), bytes).await?);
                    bytes = 0;
                }
                alike.push(placed);
                bytes += size;
            }
        }
    }
    missing.extend(differing(client, folder, alike, bytes).await?);
    Ok(missing)
}

/// Those of the targets whose content the container has not, where all else is the same.
async fn differing(
    client: &AgentClient,
    folder: &str,
    targets: Vec<Placed>,
    bytes: u64,
) -> Result<Vec<SyncTarget>, SyncError> {
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    let paths = targets.iter().map(|(_, path)| path.clone()).collect();
    let there = client.digests(folder, paths, bytes).await.map_err(agent_failed)?;
    let pairs: Vec<_> = targets.into_iter().zip(there).collect();
    let differs = |((target, _), there): (Placed, _)| (!sync_files::holds(&there, &target.source)).then_some(target);
    Ok(blocking(move || pairs.into_iter().filter_map(differs).collect()).await)
}

fn ended() -> SyncError {
    SyncError::Rebuild("it does not run".to_owned())
}

fn paused(hot: &Hot<'_>) -> SyncError {
    let text = format!("{} is paused; it is brought up to date once it goes on", hot.service.name);
    let message = Message::new(text).service(&hot.service.name).hint("`docker unpause` lets it go on");
    SyncError::Failed(Failure { cause: Cause::Engine, message })
}

fn action(moved: Moved, then: &Reload) -> Option<ReloadAction> {
    let then = Followed::of(then);
    match moved {
        Moved::Nothing => then.map(|then| ReloadAction::Reloaded { then }),
        Moved::Deleted => Some(ReloadAction::Deleted { then }),
        Moved::Synced => Some(ReloadAction::Synced { then }),
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
