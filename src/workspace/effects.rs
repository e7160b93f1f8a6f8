//! What a change of a file asks for, as the session is told it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::host::DiskTree;
use crate::inputs::{Housekeeping, Ignore, InputsMap, Mounts, Rules};
use crate::model::{Aside, Effect, Effects, Entry, EntryKind, FileTree, RebuildReason, Reload, SyncTarget};

/// Folders of a bind mount that are watched where nothing follows a change but a hint.
const HINTED: usize = 64;

/// What a change asks for of one service.
pub(super) struct OfService {
    pub(super) from: From,
    pub(super) tree: Arc<DiskTree>,
    pub(super) mounts: Mounts,
    pub(super) housekeeping: Housekeeping,
    /// The build context with its ignore file.
    pub(super) ignore: Option<(PathBuf, Ignore)>,
    /// The ignore file that its build has, or would have.
    pub(super) ignore_file: PathBuf,
    /// Files that hob's own output goes to.
    pub(super) output: Vec<PathBuf>,
    pub(super) reload: Option<Reload>,
}

/// Who says what a change asks for.
pub(super) enum From {
    /// The Dockerfile.
    Dockerfile(Arc<InputsMap>),
    /// `develop.watch`.
    Rules(Rules),
    /// Nobody: it has neither.
    Nobody,
}

impl Effects for OfService {
    fn effect(&self, path: &Path, now: Option<&Entry>) -> Effect {
        self.effect_of(path, now, false)
    }

    fn aside(&self, path: &Path, now: Option<&Entry>) -> Option<Aside> {
        match self.effect_of(path, now, true) {
            Effect::Aside(aside) => Some(aside),
            _ => None,
        }
    }

    fn wants_folder(&self, path: &Path) -> bool {
        if self.housekeeping.is_inside(path) {
            return false;
        }
        let read = match &self.from {
            From::Dockerfile(map) => map.watches(path),
            From::Rules(rules) => rules.wants_folder(path),
            From::Nobody => false,
        };
        // One that is made.
        let folder = Entry { name: path.file_name().unwrap_or_default().to_owned(), kind: EntryKind::Dir, mode: 0o755 };
        read || self.effect(path, Some(&folder)).acts()
    }

    fn leaves_out(&self, path: &Path) -> bool {
        match &self.from {
            From::Dockerfile(map) => map.leaves_out(path),
            From::Rules(_) | From::Nobody => false,
        }
    }

    fn at_start(&self) -> (Vec<SyncTarget>, Reload) {
        match &self.from {
            From::Rules(rules) => rules.initial(&*self.tree),
            From::Dockerfile(_) | From::Nobody => (Vec::new(), Reload::None),
        }
    }
}

impl OfService {
    /// `is_known` says that the build reads the path and that it has changed, be it as it was last measured.
    fn effect_of(&self, path: &Path, now: Option<&Entry>, is_known: bool) -> Effect {
        if self.output.iter().any(|output| output == path) {
            return Effect::Aside(Aside::Output);
        }
        match &self.from {
            From::Dockerfile(map) => self.by_dockerfile(map, path, now, is_known),
            From::Rules(rules) => match rules.effect(path, now) {
                Effect::Nothing => self.by_mount(path, now).unwrap_or(Effect::Nothing),
                effect => effect,
            },
            From::Nobody => self.by_mount(path, now).unwrap_or(Effect::Nothing),
        }
    }

    /// A mount is what the container sees, whatever the image has; but what the build is told by comes first.
    fn by_dockerfile(&self, map: &InputsMap, path: &Path, now: Option<&Entry>, is_known: bool) -> Effect {
        let effect = map.effect(path, now);
        if let Effect::Rebuild { why: RebuildReason::Dockerfile | RebuildReason::Secret { .. } } = &effect {
            return effect;
        }
        if let Effect::Rebuild { why: RebuildReason::IgnoreFile } = &effect {
            if map.destinations(path, now).is_some_and(|copies| copies.is_empty()) {
                return Effect::Aside(Aside::IgnoreFile);
            }
            let pattern = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return self.put_aside(pattern);
        }
        let is_read = is_known || effect != Effect::Nothing;
        if let Some(pattern) = self.housekeeping.pattern(path) {
            return if is_read { self.put_aside(pattern) } else { Effect::Nothing };
        }
        if let Some(effect) = self.by_mount(path, now) {
            return effect;
        }
        if !is_read {
            return Effect::Nothing;
        }
        // A volume, or another folder of the host.
        if let Some(at) = self.hides(map, path, now) {
            return self
                .reload
                .clone()
                .map_or(Effect::Aside(Aside::Hidden { at }), |then| Effect::Reload { then, file: None });
        }
        match effect {
            Effect::Sync { mut targets, then } => {
                targets.retain(|target| self.mounts.over(&target.path).is_none());
                Effect::Sync { targets, then }
            }
            effect => effect,
        }
    }

    fn put_aside(&self, pattern: String) -> Effect {
        Effect::Aside(Aside::Housekeeping { pattern, ignore_file: self.ignore_file.clone() })
    }

    /// Where something is mounted over all that the path becomes in the image.
    fn hides(&self, map: &InputsMap, path: &Path, now: Option<&Entry>) -> Option<String> {
        if self.mounts.is_empty() {
            return None;
        }
        let destinations = map.destinations(path, now)?;
        let hidden = destinations.iter().map(|path| self.mounts.over(path)).collect::<Option<Vec<_>>>()?;
        hidden.first().map(|at| (*at).to_owned())
    }

    /// What a change of a path asks for that the container sees through a bind mount.
    fn by_mount(&self, path: &Path, now: Option<&Entry>) -> Option<Effect> {
        let at = self.mounts.shows(path)?;
        if matches!(now, Some(entry) if entry.kind == EntryKind::Other)
            || self.ignored(path)
            || is_cache(path)
            || self.housekeeping.pattern(path).is_some()
        {
            return Some(Effect::Nothing);
        }
        Some(match &self.reload {
            None => Effect::Aside(Aside::Mounted { at, said: false }),
            Some(Reload::None) => Effect::Aside(Aside::Mounted { at, said: true }),
            Some(then) => {
                let file = self.mounts.is_source(path) && !matches!(now, Some(entry) if entry.kind == EntryKind::Dir);
                Effect::Reload { then: then.clone(), file: file.then_some(at) }
            }
        })
    }

    fn ignored(&self, path: &Path) -> bool {
        self.ignore.as_ref().is_some_and(|(root, ignore)| {
            let rel = path.strip_prefix(root).ok().and_then(Path::to_str).filter(|rel| !rel.is_empty());
            rel.is_some_and(|rel| ignore.ignores(rel))
        })
    }

    /// The folders in which a change can matter. `root` is the project's.
    pub(super) fn folders(&self, root: &Path) -> BTreeSet<PathBuf> {
        let mut folders: BTreeSet<PathBuf> = match &self.from {
            From::Dockerfile(map) => map.watch_dirs().iter().cloned().collect(),
            From::Rules(rules) => rules.folders(&*self.tree),
            From::Nobody => BTreeSet::new(),
        };
        let acts = self.reload.as_ref().is_some_and(|reload| *reload != Reload::None);
        for source in self.mounts.sources() {
            // Without a reload all that can come of it is a hint, about the project's own files.
            let most = if acts { usize::MAX } else { HINTED };
            if acts || self.reload.is_none() && source.starts_with(root) {
                self.below(source, most, &mut folders);
            }
        }
        folders.retain(|folder| !self.housekeeping.is_inside(folder));
        folders
    }

    /// Adds the folders of a bind mount, level by level.
    fn below(&self, source: &Path, most: usize, folders: &mut BTreeSet<PathBuf>) {
        if !self.tree.entry(source).is_ok_and(|entry| entry.kind == EntryKind::Dir) {
            folders.extend(source.parent().map(Path::to_path_buf));
            return;
        }
        let mut open = std::collections::VecDeque::from([source.to_path_buf()]);
        let mut left = most;
        while let Some(folder) = open.pop_front() {
            let (Ok(entries), true) = (self.tree.list(&folder), left > 0) else { continue };
            left -= 1;
            let inside = entries.into_iter().filter(|entry| entry.kind == EntryKind::Dir);
            let inside = inside.map(|entry| folder.join(entry.name));
            open.extend(inside.filter(|folder| {
                self.mounts.shows(folder).is_some()
                    && !self.ignored(folder)
                    && self.housekeeping.pattern(folder).is_none()
            }));
            folders.insert(folder);
        }
    }
}

/// What interpreters and tools write beside the sources that they read: their own, and no save.
fn is_cache(path: &Path) -> bool {
    const FOLDERS: [&str; 5] = ["__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".sass-cache"];
    path.iter().any(|name| FOLDERS.iter().any(|known| name == *known))
        || path.extension().is_some_and(|ending| ending == "pyc")
}
