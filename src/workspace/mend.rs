//! What is watched for a service whose build's inputs cannot be read: whatever comes or changes in its contexts may be
//! what it lacks.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::host::DiskTree;
use crate::inputs::Housekeeping;
use crate::model::{Effect, Effects, Entry, EntryKind, FileTree as _, Project, RebuildReason, Service, Watch};

/// So many folders are watched at most.
const FOLDERS: usize = 4_000;

struct Mend {
    /// The contexts, and the Dockerfile.
    roots: Vec<PathBuf>,
    /// Knows folders of version control and of editors.
    housekeeping: Housekeeping,
    /// Files that hob's own output goes to: what is said of a failure would be the next change.
    output: Vec<PathBuf>,
}

impl Mend {
    fn covers(&self, path: &Path) -> bool {
        self.roots.iter().any(|root| path.starts_with(root))
            && !self.housekeeping.is_inside(path)
            && !self.output.iter().any(|output| output == path)
    }
}

impl Effects for Mend {
    fn effect(&self, path: &Path, _: Option<&Entry>) -> Effect {
        // A root that comes, or a folder above it.
        if self.covers(path) || self.roots.iter().any(|root| root.starts_with(path)) {
            return Effect::Rebuild { why: RebuildReason::Unreadable };
        }
        Effect::Nothing
    }

    fn wants_folder(&self, path: &Path) -> bool {
        self.covers(path)
    }
}

/// The contexts of a service's build on this machine, its Dockerfile, and the folders below.
pub(super) fn watch(tree: &Arc<DiskTree>, project: &Project, service: &Service, output: &[PathBuf]) -> Option<Watch> {
    let build = service.build.as_ref()?;
    let context = project.working_dir.join(build.context.as_deref().unwrap_or_default());
    let dockerfile = context.join(build.dockerfile.as_deref().unwrap_or("Dockerfile"));
    let others = build.additional_contexts.values().map(|folder| project.working_dir.join(folder));
    let roots: Vec<PathBuf> = [context, dockerfile.clone()].into_iter().chain(others).collect();
    let mend = Mend { housekeeping: Housekeeping::new(roots.iter().cloned(), []), roots, output: output.to_vec() };
    let mut folders = BTreeSet::from_iter(dockerfile.parent().map(Path::to_path_buf));
    let mut open: VecDeque<PathBuf> = mend.roots.iter().filter(|root| **root != dockerfile).cloned().collect();
    while let Some(folder) = open.pop_front() {
        if folders.len() >= FOLDERS {
            break;
        }
        let entries = tree.list(&folder).unwrap_or_default();
        let inside = entries.into_iter().filter(|entry| entry.kind == EntryKind::Dir);
        open.extend(inside.map(|entry| folder.join(entry.name)).filter(|folder| mend.covers(folder)));
        // One that is not there is waited for.
        folders.insert(folder);
    }
    Some(Watch { effects: Arc::new(mend), folders, acts: true })
}
