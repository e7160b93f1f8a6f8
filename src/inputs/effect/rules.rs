//! `develop.watch`: what its rules say about a path. Where a service has rules of its own, they decide and the
//! Dockerfile does not.
//!
//! Rules are asked in the order of the manifest, and all that match count, as in Docker Compose. Patterns have the
//! meaning that they have in a .dockerignore, relative to the rule's path; the build's own .dockerignore counts too.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::inputs::effect::housekeeping;
use crate::inputs::ignore::Ignore;
use crate::model::{
    CopiedBy, Effect, Entry, EntryKind, FileTree, RebuildReason, Reload, RuleName, SyncAction, SyncTarget, WatchAction,
    WatchRule,
};

/// The rules of one service.
#[derive(Clone, Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    /// The context's .dockerignore and where it counts from.
    ignore: Option<(PathBuf, Ignore)>,
}

#[derive(Clone, Debug)]
struct Rule {
    path: PathBuf,
    /// What the path was when the rules were read.
    was: Was,
    include: Ignore,
    ignore: Ignore,
    rule: WatchRule,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Was {
    File,
    Folder,
    Missing,
}

impl Rules {
    /// Reads the rules. `ignore` is the build context with its ignore file, where the service has a build.
    pub fn new(tree: &dyn FileTree, rules: &[WatchRule], ignore: Option<(PathBuf, Ignore)>) -> Self {
        let patterns = |list: &[String]| Ignore::from_patterns(list.iter().map(String::as_str)).unwrap_or_default();
        let rules = rules
            .iter()
            .map(|rule| Rule {
                path: PathBuf::from(&rule.path),
                was: match tree.entry(Path::new(&rule.path)).map(|entry| entry.kind) {
                    Ok(EntryKind::Dir) => Was::Folder,
                    Ok(_) => Was::File,
                    Err(_) => Was::Missing,
                },
                include: patterns(&rule.include),
                ignore: patterns(&rule.ignore),
                rule: rule.clone(),
            })
            .collect();
        Self { rules, ignore }
    }

    /// Whether some rule restarts the command.
    pub fn restarts(&self) -> bool {
        self.rules.iter().any(|rule| rule.rule.action == WatchAction::Restart)
    }

    /// Whether some rule puts files into the container.
    pub fn syncs(&self) -> bool {
        self.rules.iter().any(|rule| {
            matches!(rule.rule.action, WatchAction::Sync | WatchAction::SyncExec | WatchAction::SyncRestart)
        })
    }

    /// What a change of a path asks for. `now` is what is there; none if nothing is.
    pub fn effect(&self, path: &Path, now: Option<&Entry>) -> Effect {
        let mut targets = Vec::new();
        let mut then: Option<Reload> = None;
        let mut reload = None;
        for rule in &self.rules {
            let Some(rel) = rule.relative(path) else { continue };
            if self.ignored(path) || !rule.wants(&rel, now) {
                continue;
            }
            match rule.rule.action {
                WatchAction::Rebuild => return Effect::Rebuild { why: RebuildReason::Rule(rule.name()) },
                WatchAction::Restart => reload = Some(Reload::Restart),
                WatchAction::Sync | WatchAction::SyncRestart | WatchAction::SyncExec => {
                    targets.extend(rule.target(path, &rel, now));
                    let follows = rule.follows();
                    then = then.filter(|then| *then != Reload::None).or(Some(follows));
                }
            }
        }
        match (targets.is_empty(), reload) {
            (true, None) => Effect::Nothing,
            (true, Some(then)) => Effect::Reload { then, file: None },
            (false, reload) => Effect::Sync { targets, then: reload.or(then) },
        }
    }

    /// Every file that a rule with `initial_sync` is about, and what follows when some of them were put into the
    /// container.
    pub fn initial(&self, tree: &dyn FileTree) -> (Vec<SyncTarget>, Reload) {
        let (mut targets, mut then) = (Vec::new(), Reload::None);
        for rule in self.rules.iter().filter(|rule| rule.rule.initial_sync) {
            let before = targets.len();
            let mut open = vec![rule.path.clone()];
            while let Some(path) = open.pop() {
                let Ok(entry) = tree.entry(&path) else { continue };
                if entry.kind == EntryKind::Dir {
                    if self.wants_folder(&path) {
                        let entries = tree.list(&path).unwrap_or_default();
                        open.extend(entries.into_iter().map(|entry| path.join(entry.name)));
                    }
                    continue;
                }
                let Some(rel) = rule.relative(&path) else { continue };
                if !self.ignored(&path) && rule.wants(&rel, Some(&entry)) {
                    targets.extend(rule.target(&path, &rel, Some(&entry)));
                }
            }
            if targets.len() > before && then == Reload::None {
                then = rule.follows();
            }
        }
        targets.sort_by(|a, b| a.path.cmp(&b.path));
        (targets, then)
    }

    /// Whether a folder can hold something that a rule is about.
    pub fn wants_folder(&self, folder: &Path) -> bool {
        if folder.file_name().and_then(|name| name.to_str()).is_some_and(housekeeping::is_folder) {
            return false;
        }
        self.rules.iter().any(|rule| {
            rule.relative(folder).is_some_and(|rel| {
                rel.is_empty() || !rule.ignore.prunes(&rel, &rule.ignore.lookup(&rel)) && !self.prunes(folder)
            })
        })
    }

    /// The folders to watch, each without those below it.
    pub fn folders(&self, tree: &dyn FileTree) -> BTreeSet<PathBuf> {
        let mut folders = BTreeSet::new();
        let mut open: Vec<PathBuf> = Vec::new();
        for rule in &self.rules {
            // What is not there yet may be made as either.
            if rule.was != Was::Folder {
                folders.extend(rule.path.parent().map(Path::to_path_buf));
            }
            if rule.was != Was::File {
                open.push(rule.path.clone());
            }
        }
        while let Some(folder) = open.pop() {
            if !self.wants_folder(&folder) || !folders.insert(folder.clone()) {
                continue;
            }
            let entries = tree.list(&folder).unwrap_or_default();
            open.extend(entries.into_iter().filter(|e| e.kind == EntryKind::Dir).map(|e| folder.join(e.name)));
        }
        folders
    }

    fn ignored(&self, path: &Path) -> bool {
        self.in_context(path).is_some_and(|(ignore, rel)| ignore.ignores(&rel))
    }

    fn prunes(&self, folder: &Path) -> bool {
        self.in_context(folder).is_some_and(|(ignore, rel)| ignore.prunes(&rel, &ignore.lookup(&rel)))
    }

    fn in_context(&self, path: &Path) -> Option<(&Ignore, String)> {
        let (root, ignore) = self.ignore.as_ref()?;
        let rel = path.strip_prefix(root).ok()?.to_str()?.to_owned();
        (!rel.is_empty()).then_some((ignore, rel))
    }
}

impl Rule {
    /// A path relative to the rule's own; empty for that itself.
    fn relative(&self, path: &Path) -> Option<String> {
        let rel = path.strip_prefix(&self.path).ok()?;
        Some(rel.to_str()?.to_owned())
    }

    fn wants(&self, rel: &str, now: Option<&Entry>) -> bool {
        match now.map(|entry| &entry.kind) {
            // No build and no engine takes a socket, a pipe or a device for a file.
            Some(EntryKind::Other) => return false,
            Some(EntryKind::Dir) if rel.is_empty() => return false,
            Some(_) if rel.is_empty() => return true,
            None if rel.is_empty() => return self.was == Was::File,
            _ => {}
        }
        if rel.split('/').any(housekeeping::is_folder) {
            return false;
        }
        !self.ignore.ignores(rel) && (self.include.is_empty() || self.include.ignores(rel))
    }

    fn target(&self, path: &Path, rel: &str, now: Option<&Entry>) -> Option<SyncTarget> {
        let target = self.rule.target.as_deref()?;
        let target = match rel {
            "" => target.to_owned(),
            rel => format!("{}/{rel}", target.trim_end_matches('/')),
        };
        let action = match now.map(|entry| &entry.kind) {
            None => SyncAction::Remove,
            Some(EntryKind::Dir) => SyncAction::MakeFolder,
            Some(_) => SyncAction::Put,
        };
        Some(SyncTarget {
            source: path.to_path_buf(),
            path: target,
            base: self.rule.target.clone().unwrap_or_default(),
            by: CopiedBy::Rule(self.name()),
            action,
            owner: None,
            mode: None,
            unpacks: false,
        })
    }

    fn follows(&self) -> Reload {
        match self.rule.action {
            WatchAction::SyncRestart => Reload::Restart,
            WatchAction::SyncExec => {
                let command = self.rule.exec.as_ref().and_then(|hook| hook.command.clone());
                command.map_or(Reload::None, Reload::Exec)
            }
            _ => Reload::None,
        }
    }

    fn name(&self) -> RuleName {
        RuleName { action: self.rule.action, path: self.path.clone() }
    }
}
