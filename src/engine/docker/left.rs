//! Containers that live no longer than the hob that made them: each carries the name of its process, and what has none any
//! more is removed by the next hob.

use std::time::{SystemTime, UNIX_EPOCH};

use super::Docker;
use super::observe::by_label;
use crate::engine::Result;
use crate::model::ContainerId;
use crate::model::labels::{LOOK, OWNED};

impl Docker {
    pub(super) async fn clear_left(&self, project: Option<&str>) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (owned, looks) = tokio::try_join!(
            self.list(Some(by_label(OWNED)), true),
            // Those of a hob before the label was there.
            self.list(Some(by_label(LOOK)), true),
        )?;
        for container in owned.into_iter().chain(looks) {
            if let (true, Some(id)) = (self.owner.has_left(&container, project, now), &container.id) {
                // Where that fails, the next one does it.
                let _ = self.removal(&ContainerId::new(id), true, &[]).await;
            }
        }
        Ok(())
    }
}
