//! Room for what rules of the manifest sync: where the host has a folder and the container a file, or the other way round,
//! what is in the way goes first. (What a Dockerfile copies is built in that case: only the builder knows what the image
//! had there.) A link is left alone, whatever it leads to: the program made it, and nothing is synced through it.

use std::collections::HashSet;

use super::hot::{LISTED, SyncError, agent_failed};
use crate::agent::{AgentClient, EntryKind};
use crate::execute::sync_files::{self, Item};
use crate::model::{SyncAction, SyncTarget};

/// The items, after the removals of what is in their way.
pub async fn make(client: &AgentClient, items: Vec<(SyncTarget, Item)>) -> Result<Vec<(SyncTarget, Item)>, SyncError> {
    let mut known = HashSet::new();
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    for (target, item) in items.iter().filter(|(target, _)| target.by.is_rule()) {
        match item {
            Item::Gone { .. } => continue,
            Item::Folder { .. } => folders.push(target.clone()),
            _ => files.push(target.clone()),
        }
        for path in sync_files::folders_below([target].into_iter()) {
            if known.insert(path.clone()) {
                folders.push(SyncTarget { path, ..target.clone() });
            }
        }
    }
    let mut all = Vec::new();
    for (targets, are_folders) in [(folders, true), (files, false)] {
        for (folder, targets) in sync_files::by_folder(&targets) {
            for targets in targets.chunks(LISTED) {
                let paths = targets.iter().map(|(_, path)| path.clone()).collect();
                let there = client.list(&folder, paths, false, false).await.map_err(agent_failed)?;
                for ((target, _), entry) in targets.iter().zip(there) {
                    let is_in_the_way = match entry.kind {
                        EntryKind::Dir => !are_folders,
                        EntryKind::File(..) | EntryKind::Other => are_folders,
                        _ => false,
                    };
                    if is_in_the_way {
                        let target = SyncTarget { action: SyncAction::Remove, ..target.clone() };
                        all.push((target, Item::Gone { recursive: !are_folders }));
                    }
                }
            }
        }
    }
    all.extend(items);
    Ok(all)
}
