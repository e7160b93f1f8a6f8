//! What a change of a file asks for, as the session is told it.

use std::path::Path;
use std::sync::Arc;

use crate::host::DiskTree;
use crate::inputs::{self, InputsMap, Rules};
use crate::model::{Effect, Effects, FileTree, Reload, SyncAction, SyncTarget};

/// What a change asks for, by the Dockerfile.
pub(super) struct FromDockerfile {
    pub(super) map: Arc<InputsMap>,
    pub(super) tree: Arc<DiskTree>,
    pub(super) dockerfile: Option<String>,
    /// Paths of the container that something is mounted over: what the image has there is not seen, and writing
    /// there would write into a volume or into the user's own files.
    pub(super) mounts: Vec<String>,
    pub(super) reload: Option<Reload>,
}

impl FromDockerfile {
    fn is_mounted(&self, path: &str) -> bool {
        self.mounts
            .iter()
            .any(|mount| path.strip_prefix(mount.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }
}

impl Effects for FromDockerfile {
    fn effect(&self, path: &Path) -> Effect {
        let now = self.tree.entry(path).ok();
        let file = self.dockerfile.as_deref().unwrap_or("Dockerfile");
        match self.map.effect(path, now.as_ref()) {
            inputs::Effect::Nothing { .. } => Effect::Nothing,
            inputs::Effect::Rebuild { why } => Effect::Rebuild { why: why.to_string() },
            inputs::Effect::HotSync { targets } if targets.iter().all(|target| self.is_mounted(&target.path)) => {
                self.reload.clone().map_or(Effect::Nothing, Effect::Reload)
            }
            inputs::Effect::HotSync { targets } => {
                let targets = targets.into_iter().filter(|target| !self.is_mounted(&target.path)).collect::<Vec<_>>();
                let targets = targets.into_iter().map(|target| SyncTarget {
                    source: target.source,
                    path: target.path,
                    action: match target.action {
                        inputs::SyncAction::Put => SyncAction::Put,
                        inputs::SyncAction::MakeFolder => SyncAction::MakeFolder,
                        inputs::SyncAction::Remove => SyncAction::Remove,
                        inputs::SyncAction::RemoveFolder => SyncAction::RemoveFolder,
                    },
                    owner: target.chown,
                    mode: target.chmod,
                    unpacks: target.unpacks,
                    instruction: format!("{file}:{} copies it and nothing after that reads it", target.place.line),
                });
                Effect::Sync { targets: targets.collect(), then: None }
            }
        }
    }

    fn wants_folder(&self, path: &Path) -> bool {
        !matches!(self.effect(path), Effect::Nothing) || self.map.watch_dirs().iter().any(|dir| dir == path)
    }
}

/// What a change asks for, by the rules of the manifest.
pub(super) struct FromRules {
    pub(super) rules: Rules,
    pub(super) tree: Arc<DiskTree>,
}

impl Effects for FromRules {
    fn effect(&self, path: &Path) -> Effect {
        self.rules.effect(path, self.tree.entry(path).ok().as_ref())
    }

    fn wants_folder(&self, path: &Path) -> bool {
        self.rules.wants_folder(path)
    }

    fn at_start(&self) -> (Vec<SyncTarget>, Reload) {
        self.rules.initial(&*self.tree)
    }
}
