//! What makes an image of an earlier one, where only files differ that a hot sync could carry.
//!
//! The question is put to the map as it was at the earlier reading: all but the files must be the same, and each file
//! that differs must be one that the last instructions copy and nothing after them reads. What the map answers for a
//! running container holds for the image too, but for one thing: what a removed file covered. That is for the
//! caller to look up, see [`Delta::copies`].

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::inputs::effect::map::InputsMap;
use crate::inputs::reading::files::{ContextFile, ContextFiles};
use crate::inputs::reading::inputs::BuildInputs;
use crate::inputs::recipe::StepKind;
use crate::inputs::select::context::View;
use crate::inputs::select::finder::Reader;
use crate::inputs::select::{Files, Selected};
use crate::model::{
    CopiedBy, Delta, Digest, Effect, Entry, EntryKind, Fallback, FileParts, Part, Parts, Put, PutKind, PutOwner,
    RebuildReason, Removed, SyncAction, SyncTarget,
};

/// With more changes than this, a whole build is no slower by much, and its image is the better one to build on.
const MOST: usize = 2_000;

/// What a build read, as far as a later one asks for it: kept by the caller, by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildRecord {
    #[serde(deserialize_with = "this_form")]
    form: u32,
    shape: Digest,
    /// The parts that are no files.
    parts: Vec<(Part, Digest)>,
    contexts: Vec<ReadContext>,
}

/// The form of what is kept: changes when what is written means something else.
const FORM: u32 = 2;

fn this_form<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let form = u32::deserialize(deserializer)?;
    if form == FORM { Ok(form) } else { Err(D::Error::custom(format!("form {form}, not {FORM}"))) }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ReadContext {
    name: Option<Arc<str>>,
    files: Vec<ReadFile>,
}

/// Path, kind, mode, and the part; none for a folder on the way. There may be tens of thousands, so it has no keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ReadFile(Arc<str>, ReadKind, u32, Option<Digest>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum ReadKind {
    #[serde(rename = "f")]
    File,
    #[serde(rename = "d")]
    Folder,
    #[serde(rename = "l")]
    Link(PathBuf),
}

/// Why an image cannot be made of an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoDelta {
    /// More than files differs.
    #[error("more than files changed")]
    Shape,
    /// Nothing differs.
    #[error("nothing changed")]
    Same,
    /// The builder alone knows what it reads.
    #[error("{0}")]
    Fallback(Fallback),
    /// The builder may fetch something newer.
    #[error("{0} may be another one by now")]
    Unpinned(String),
    /// A file that is not copied by the last instructions alone.
    #[error("{path}: {why}")]
    Rebuild {
        /// The file, relative to its context.
        path: String,
        /// Why.
        why: RebuildReason,
    },
    /// What the builder would make of it is not known well enough.
    #[error("{path}: {why}")]
    Unclear {
        /// The file, relative to its context.
        path: String,
        /// Why.
        why: &'static str,
    },
    /// Too much differs.
    #[error("{0} files changed")]
    Many(usize),
}

/// The digest of everything but the files.
pub(crate) fn shape(parts: &Parts, views: &[View<'_>], readers: &[Reader]) -> Digest {
    let others = parts.others();
    let folders: Vec<_> = views.iter().map(|view| (&view.root, &view.ignore)).collect();
    // What is written is never read back, so any form does that tells different ones apart.
    Digest::of(format!("{others:?} {folders:?} {readers:?}").as_bytes())
}

impl BuildRecord {
    /// The parts, as they were.
    pub fn into_parts(self) -> Parts {
        let part = |ReadFile(path, _, _, part)| Some((path, part?));
        let files = self.contexts.into_iter().map(|context| FileParts {
            context: context.name,
            files: context.files.into_iter().filter_map(part).collect(),
        });
        Parts::new(self.parts, files.collect())
    }
}

impl BuildInputs {
    /// What is to be kept of this reading.
    pub fn record(&self) -> BuildRecord {
        let file = |file: &ContextFile| {
            let kind = match &file.kind {
                EntryKind::Symlink(target) => ReadKind::Link(target.clone()),
                EntryKind::Dir => ReadKind::Folder,
                EntryKind::File { .. } | EntryKind::Other => ReadKind::File,
            };
            ReadFile(Arc::clone(&file.path), kind, file.mode, file.part.clone())
        };
        let context = |context: &ContextFiles| ReadContext {
            name: context.name.as_deref().map(Arc::from),
            files: context.files.iter().map(file).collect(),
        };
        BuildRecord {
            form: FORM,
            shape: self.shape.clone(),
            parts: self.parts.others().to_vec(),
            contexts: self.contexts().map(context).collect(),
        }
    }

    fn contexts(&self) -> impl Iterator<Item = &ContextFiles> {
        self.context.iter().chain(&self.additional)
    }

    /// What makes the image of this reading of that of an earlier one.
    ///
    /// # Errors
    /// Why the image has to be built.
    pub fn delta(&self, before: &BuildRecord) -> Result<Delta, NoDelta> {
        if let Some(fallback) = &self.fallback {
            return Err(NoDelta::Fallback(fallback.clone()));
        }
        if let Some(name) = self.unpinned.first() {
            return Err(NoDelta::Unpinned(name.clone()));
        }
        let names = |a: &ContextFiles, b: &ReadContext| a.name.as_deref() == b.name.as_deref();
        let same = self.shape == before.shape
            && self.contexts().count() == before.contexts.len()
            && self.contexts().zip(&before.contexts).all(|(a, b)| names(a, b));
        if !same {
            return Err(NoDelta::Shape);
        }
        let changes: Vec<(&ContextFiles, Vec<Change<'_>>)> = self
            .contexts()
            .zip(&before.contexts)
            .map(|(now, before)| (now, differing(&before.files, &now.files)))
            .collect();
        match changes.iter().map(|(_, list)| list.len()).sum() {
            0 => return Err(NoDelta::Same),
            count if count > MOST => return Err(NoDelta::Many(count)),
            _ => {}
        }
        let was = self.map_before(before);
        let mut writing = Writing { was: &was, puts: BTreeMap::new(), removed: Vec::new(), first: usize::MAX };
        for (context, changes) in changes {
            for change in changes {
                writing.change(context, &change)?;
            }
        }
        let Writing { puts, mut removed, first, .. } = writing;
        removed.sort();
        removed.dedup();
        let after = || was.steps_from(first);
        if !removed.is_empty() && after().any(|step| !matches!(step, StepKind::Copy(_) | StepKind::Other)) {
            let path = removed[0].path.clone();
            return Err(NoDelta::Unclear { path, why: "it was removed, and folders are made after it" });
        }
        let copies = after().filter(|step| matches!(step, StepKind::Copy(_))).count();
        let copies = if removed.is_empty() { 0 } else { copies };
        Ok(Delta { puts: puts.into_values().collect(), removed, copies })
    }

    /// The map as it was.
    fn map_before(&self, before: &BuildRecord) -> InputsMap {
        let files = self.map.contexts.iter().map(|context| {
            let index = self.contexts().position(|now| now.root == context.root);
            let Some(read) = index.and_then(|index| before.contexts.get(index)) else { return Files::new() };
            read.files.iter().map(|file| (Arc::clone(&file.0), file.selected())).collect()
        });
        self.map.with_files(files.collect())
    }
}

impl ReadFile {
    fn selected(&self) -> Selected {
        let kind = match &self.1 {
            // Sizes are not compared.
            ReadKind::File => EntryKind::File { size: 0 },
            ReadKind::Folder => EntryKind::Dir,
            ReadKind::Link(target) => EntryKind::Symlink(target.clone()),
        };
        Selected { kind, mode: self.2, parent_only: self.3.is_none() }
    }
}

/// A path that is not what it was.
struct Change<'r> {
    before: Option<&'r ReadFile>,
    now: Option<&'r ContextFile>,
}

/// What differs between two sorted lists.
fn differing<'r>(before: &'r [ReadFile], now: &'r [ContextFile]) -> Vec<Change<'r>> {
    let (mut old, mut new) = (before.iter().peekable(), now.iter().peekable());
    let mut changes = Vec::new();
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return changes,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(old), Some(new)) => old.0.cmp(&new.path),
        };
        let before = if order.is_le() { old.next() } else { None };
        let now = if order.is_ge() { new.next() } else { None };
        let is_same = matches!((before, now), (Some(before), Some(now)) if before.3 == now.part);
        if !is_same {
            changes.push(Change { before, now });
        }
    }
}

/// What is to be written, as it is found.
struct Writing<'m> {
    was: &'m InputsMap,
    puts: BTreeMap<String, Put>,
    removed: Vec<Removed>,
    /// The first position in the chain of an instruction that made something that is removed.
    first: usize,
}

impl Writing<'_> {
    fn change(&mut self, context: &ContextFiles, change: &Change<'_>) -> Result<(), NoDelta> {
        let path = change.before.map(|file| &*file.0).or(change.now.map(|file| &*file.path));
        let path = path.unwrap_or_default().to_owned();
        let unclear = |why| NoDelta::Unclear { path: path.clone(), why };
        let is_way = |change: &Change<'_>| {
            change.before.is_some_and(|file| file.3.is_none()) || change.now.is_some_and(|file| file.parent_only)
        };
        if is_way(change) {
            return Err(unclear("a folder on the way to files comes or goes"));
        }
        let host = context.root.join(&path);
        let now = change.now.map(|file| Entry {
            name: host.file_name().unwrap_or_default().to_owned(),
            kind: file.kind.clone(),
            mode: file.mode,
        });
        let targets = match self.was.effect(&host, now.as_ref()) {
            Effect::Rebuild { why } => return Err(NoDelta::Rebuild { path, why }),
            Effect::Sync { targets, .. } => targets,
            Effect::Nothing | Effect::Aside(_) | Effect::Reload { .. } => return Ok(()),
        };
        for target in targets {
            match (target.action, change.now) {
                (SyncAction::Put | SyncAction::MakeFolder, Some(file)) if target.source == host => {
                    let put = self.put(context, change, file, target).map_err(unclear)?;
                    let at = put.path.clone();
                    // Two instructions that make the same of one file: they come in their order.
                    if self.puts.insert(at, put).is_some_and(|other| other.source != host) {
                        return Err(unclear("two files become the same one"));
                    }
                }
                (SyncAction::Remove | SyncAction::RemoveFolder, None) => {
                    let Some(position) = self.position(&target) else {
                        return Err(unclear("its instruction is not one of the last"));
                    };
                    self.first = self.first.min(position);
                    self.removed.push(Removed { folder: target.action == SyncAction::RemoveFolder, path: target.path });
                }
                _ => return Err(unclear("what becomes of it is not clear")),
            }
        }
        Ok(())
    }

    fn put(
        &self,
        context: &ContextFiles,
        change: &Change<'_>,
        file: &ContextFile,
        target: SyncTarget,
    ) -> Result<Put, &'static str> {
        if target.unpacks {
            return Err("ADD may unpack it");
        }
        let kind = match (&file.kind, &file.digest) {
            (EntryKind::Dir, _) => PutKind::Folder,
            (EntryKind::Symlink(link), _) => PutKind::Link(link.clone()),
            (EntryKind::File { .. }, Some(digest)) => PutKind::File(digest.clone()),
            _ => return Err("it is no file"),
        };
        let mode = match target.mode.as_deref() {
            _ if matches!(kind, PutKind::Link(_)) => 0o777,
            None => file.mode & 0o7777,
            // Builders differ in what becomes of the bits for set-user-id and the like.
            Some(_) if file.mode & 0o7000 != 0 => return Err("it has set-user-id or the like, and --chmod"),
            Some(text) => u32::from_str_radix(text, 8)
                .ok()
                .filter(|mode| *mode <= 0o777)
                .ok_or("--chmod is more than permissions")?,
        };
        let owner = match target.owner.as_deref() {
            None => PutOwner::Ids(0, 0),
            Some(text) => match ids(text) {
                Some((uid, gid)) => PutOwner::Ids(uid, gid),
                None if change.before.is_some() => PutOwner::As(target.path.clone()),
                None => PutOwner::As(self.owner_reference(context, &target).ok_or("no other file has its --chown")?),
            },
        };
        Ok(Put { path: target.path, source: target.source, kind, mode, owner })
    }

    /// Where the instruction is in the chain of stages that a target is of.
    fn position(&self, target: &SyncTarget) -> Option<usize> {
        match target.by {
            CopiedBy::Instruction { place, .. } => self.was.position(place),
            CopiedBy::Rule(_) | CopiedBy::Mount => None,
        }
    }

    /// A path that the same instruction made.
    fn owner_reference(&self, context: &ContextFiles, target: &SyncTarget) -> Option<String> {
        let index = self.was.contexts.iter().position(|c| c.root == context.root)?;
        let files = self.was.files.get(index)?.iter().filter(|(_, file)| !file.parent_only);
        let made = |(path, file): (&Arc<str>, &Selected)| {
            // Judged as if it had another mode, because a folder that stays as it is asks for nothing.
            let entry = Entry { name: (**path).into(), kind: file.kind.clone(), mode: file.mode ^ 1 };
            let Effect::Sync { targets, .. } = self.was.effect(&context.root.join(&**path), Some(&entry)) else {
                return None;
            };
            targets.into_iter().find(|other| other.by == target.by).map(|other| other.path)
        };
        files.take(MOST).find_map(made)
    }
}

/// Numbers of user and group.
fn ids(chown: &str) -> Option<(u32, u32)> {
    let number = |text: &str| text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let (user, group) = chown.split_once(':')?;
    Some((number(user)?, number(group)?))
}
