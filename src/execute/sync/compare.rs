//! What a container has not as it is on the host.

use std::path::PathBuf;

use super::hot::{LISTED, SyncContainer, SyncError, agent_failed};
use crate::agent::AgentClient;
use crate::execute::agents::Agents;
use crate::execute::observe::blocking;
use crate::execute::sync_files::{self, Compared};
use crate::model::{CopiedBy, SyncAction, SyncTarget};

/// Bytes whose digests an agent is asked for at once.
const DIGESTED: u64 = 64 << 20;

impl Agents {
    /// Those of the targets that are not in the container as they are on the host. Without an agent nobody can tell,
    /// and that is all of them.
    pub async fn missing(&self, hot: &SyncContainer<'_>, targets: &[SyncTarget]) -> Result<Vec<SyncTarget>, SyncError> {
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
    pub async fn stale_mount(&self, hot: &SyncContainer<'_>, files: &[(PathBuf, String)]) -> Option<String> {
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
