//! One container's hot sync: through the agent where it carries one, else through the engine's archive API.

mod by_agent;
mod by_engine;
mod command;
mod compare;
mod hot;
mod room;
#[cfg(test)]
mod tests;

use std::sync::PoisonError;
use std::time::Duration;

use super::agents::Agents;
use super::hooks::Of;
use super::observe::blocking;
use super::sync_files;
use crate::agent;
use crate::event::{Event, Message};
use crate::model::{ContainerState, Reload, Service, SyncTarget};

pub use hot::{SyncContainer, SyncError, Synced};
use hot::{ended, paused};

/// After how long a person wonders what is waited for.
const WONDERS: Duration = Duration::from_secs(2);

impl Agents {
    /// Puts files into a container and does what follows.
    pub async fn sync(
        &self,
        hot: &SyncContainer<'_>,
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
    async fn told<T>(&self, hot: &SyncContainer<'_>, what: &str, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(WONDERS) => {}
        }
        self.sink.emit(Event::Notice { text: format!("{}: waiting for {what}", hot.service.name) });
        work.await
    }

    /// Ends when what is waited for will not come before a person lets the container go on.
    async fn pauses(&self, hot: &SyncContainer<'_>) {
        loop {
            tokio::time::sleep(WONDERS).await;
            if self.is_paused(hot).await {
                return;
            }
        }
    }

    /// Whether the container runs, as far as the engine answers.
    async fn runs(&self, hot: &SyncContainer<'_>) -> bool {
        let container = tokio::time::timeout(WONDERS, self.engine.inspect(hot.container)).await;
        !matches!(container, Ok(Ok(Some(container))) if !container.state.is_running())
    }

    /// Nothing that is in a paused container answers.
    async fn is_paused(&self, hot: &SyncContainer<'_>) -> bool {
        let container = tokio::time::timeout(WONDERS, self.engine.inspect(hot.container)).await;
        matches!(container, Ok(Ok(Some(container))) if container.state == ContainerState::Paused)
    }

    /// The container's restart, with the commands of its service's hooks.
    async fn restart(&self, hot: &SyncContainer<'_>, grace: Option<Duration>) -> Result<(), SyncError> {
        let of = Of { engine: &*self.engine, project: None, service: Some(hot.service), container: hot.container };
        of.restart(grace, &|_| ()).await.map_err(SyncError::Failed)
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
