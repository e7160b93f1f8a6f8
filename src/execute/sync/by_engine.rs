//! Through the engine's archive API, where a container carries no agent.

use std::time::Duration;

use tokio::time::Instant;

use super::hot::{Moved, SyncContainer, SyncError, Synced, action, engine_failed, micros};
use crate::execute::agents::Agents;
use crate::execute::sync_files::{self, Item};
use crate::model::{Reload, SyncTarget};

impl Agents {
    pub(super) async fn sync_by_engine(
        &self,
        hot: &SyncContainer<'_>,
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

    /// The engine's archive API follows every link in a container; below the folder that an instruction or a rule
    /// names, one of these leads to where a build puts nothing.
    async fn refuse_links(&self, hot: &SyncContainer<'_>, items: &[(SyncTarget, Item)]) -> Result<(), SyncError> {
        for folder in sync_files::folders_below(items.iter().map(|(target, _)| target)) {
            if self.engine.is_link(hot.container, &folder).await.map_err(|e| engine_failed(hot.service, e))? {
                return Err(SyncError::Rebuild(format!("{folder} is a symbolic link in the container")));
            }
        }
        Ok(())
    }
}
