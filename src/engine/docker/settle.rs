//! Waiting for what hobs that were killed had asked the engine for.

use std::fs;
use std::time::Duration;

use super::requests::{ENDING, MAKING, Open, Request, now};
use super::{Docker, time};
use crate::engine::{ErrorKind, Result};
use crate::model::{ContainerId, ContainerState};

/// An engine's own time before SIGKILL.
const GRACE: Duration = Duration::from_secs(10);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Waits as long as `pause` says, and tells whether there is time left.
async fn pause(until: Duration) -> bool {
    if now() >= until {
        return false;
    }
    tokio::time::sleep(PAUSE).await;
    true
}

impl Docker {
    /// Waits for what hobs that were killed had asked for; `tell` says what takes long.
    pub(super) async fn settle(&self, tell: &(dyn Fn(String) + Sync)) -> Result<()> {
        for (file, open) in self.requests.left(self.owner.is_gone) {
            let waits = open.iter().map(|open| self.end(open, tell));
            for end in futures_util::future::join_all(waits).await {
                // What the engine refuses would be refused every time: the plan that follows meets it, and says why.
                if let Err(error) = end
                    && matches!(error.kind, ErrorKind::Lost | ErrorKind::Unreachable { .. })
                {
                    return Err(error);
                }
            }
            // Another hob may have read it too, and waits for the same.
            let _ = fs::remove_file(file);
        }
        Ok(())
    }

    async fn end(&self, open: &Open, tell: &(dyn Fn(String) + Sync)) -> Result<()> {
        match &open.request {
            Request::Create { name } => self.end_of_create(open, name).await,
            Request::Stop { container, grace } => self.end_of_stop(open, container, *grace, false, tell).await,
            Request::Restart { container, grace } => self.end_of_stop(open, container, *grace, true, tell).await,
            // It was to go, so it goes: by the request that is under way, or by this one.
            Request::Remove { container, volumes, inherited } => {
                self.removal(&ContainerId::new(container), *volumes, inherited).await
            }
            Request::Network { name } => {
                while self.networks_called(name).await?.is_empty() && pause(open.at + MAKING).await {}
                Ok(())
            }
        }
    }

    /// What was not completed (networks, files) looks complete by its labels, and so it goes.
    async fn end_of_create(&self, open: &Open, name: &str) -> Result<()> {
        let id = ContainerId::new(name);
        loop {
            match self.inspect(&id).await? {
                Some(made) if made.state == ContainerState::Created && open.is_of(made.created) => {
                    return self.removal(&made.id, true, &[]).await;
                }
                Some(_) => return Ok(()),
                None if pause(open.at + MAKING).await => {}
                None => return Ok(()),
            }
        }
    }

    async fn end_of_stop(
        &self,
        open: &Open,
        container: &str,
        grace: Option<u64>,
        starts: bool,
        tell: &(dyn Fn(String) + Sync),
    ) -> Result<()> {
        let mut told = false;
        let mut over = None;
        loop {
            let found = match self.api.inspect_container(container, None).await {
                Ok(found) => found,
                Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => return Ok(()),
                Err(error) => return Err(self.error(error)),
            };
            let own = found.config.as_ref().and_then(|config| config.stop_timeout);
            let own = own.and_then(|seconds| u64::try_from(seconds).ok());
            let grace = grace.or(own).map_or(GRACE, Duration::from_secs);
            let state = found.state.unwrap_or_default();
            let began = state.started_at.as_deref().and_then(time::unix_time);
            if state.running == Some(true) && began.is_some_and(|began| began > open.at) {
                return Ok(());
            }
            if state.running != Some(true) {
                // The second half of a restart begins at once.
                let ended = *over.get_or_insert_with(now);
                if !starts || now() > ended + MAKING || open.at + grace + ENDING + MAKING < now() {
                    return Ok(());
                }
            } else if !std::mem::replace(&mut told, true) {
                let name = found.name.unwrap_or_default();
                let name = name.trim_start_matches('/');
                tell(format!("the engine is still stopping {name}, as a hob that was killed asked it to; waiting"));
            }
            if !pause(open.at + grace + ENDING).await {
                return Ok(());
            }
        }
    }
}
