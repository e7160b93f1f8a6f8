//! What a change of a path asks for, decided on what the map holds.

use std::path::Path;

use crate::inputs::effect::has_archive_name;
use crate::inputs::effect::map::{InputsMap, ReadingStep, at_or_below};
use crate::inputs::image::Made;
use crate::inputs::paths::{base_name, below, below_host};
use crate::inputs::select::finder::{Finder, Placement, Reader};
use crate::model::{CopiedBy, Effect, Entry, EntryKind, RebuildReason, SyncAction, SyncTarget};

/// One way in which a path is read.
pub(crate) struct Hit<'m> {
    pub reader: &'m Reader,
    pub step: &'m ReadingStep,
    pub placement: Placement,
    rel: String,
}

impl InputsMap {
    /// What a change of a path asks for. `now` is what is there; none if nothing is. A folder stands for itself only:
    /// what is new below it is asked for by itself. A folder that is gone stands for all that it held.
    pub fn effect(&self, path: &Path, now: Option<&Entry>) -> Effect {
        if let Some(why) = self.controls.get(path) {
            // The Dockerfile or an ignore file may be copied too, but then it is rebuilt anyway.
            return Effect::Rebuild { why: why.clone() };
        }
        let mut effect = Effect::Nothing;
        for (index, context) in self.contexts.iter().enumerate() {
            if context.root.as_os_str().is_empty() {
                continue;
            }
            if now.is_none() && context.root.starts_with(path) && !self.files[index].is_empty() {
                return Effect::Rebuild { why: RebuildReason::ContextGone };
            }
            if let Some(rel) = below_host(&context.root, path).filter(|rel| !rel.is_empty()) {
                effect = both(effect, self.effect_in(index, rel, now));
            }
        }
        effect
    }

    fn effect_in(&self, index: usize, rel: &str, now: Option<&Entry>) -> Effect {
        let context = &self.contexts[index];
        let known = self.files[index].get(rel);
        let matched = context.ignore.lookup(rel);
        let is_folder = match now {
            Some(entry) => entry.kind == EntryKind::Dir,
            None => known.is_some_and(|k| k.kind == EntryKind::Dir),
        };
        // A new folder that is left out is made only for what is kept in it.
        if matched.ignored && known.is_none() {
            return Effect::Nothing;
        }
        // Something else than a folder on the way to sources: they are gone, or found through a link.
        let on_the_way = |r: &&Reader| r.context == index && r.finder.passes(rel);
        if now.is_some()
            && !is_folder
            && let Some(reader) = self.readers.iter().find(on_the_way)
        {
            return Effect::Rebuild { why: RebuildReason::Link { place: self.steps[&reader.step].instruction.place } };
        }
        if let (Some(entry), Some(known)) = (now, known) {
            if std::mem::discriminant(&entry.kind) != std::mem::discriminant(&known.kind) {
                return if self.hits(index, rel).is_empty() && context.whole.is_none() && known.parent_only {
                    Effect::Nothing
                } else {
                    Effect::Rebuild { why: RebuildReason::KindChanged }
                };
            }
            if is_folder && (known.parent_only || entry.mode & 0o7777 == known.mode & 0o7777) {
                return Effect::Nothing;
            }
        }
        if let Some(fallback) = &context.whole {
            if matches!(now, Some(entry) if entry.kind == EntryKind::Other) {
                return Effect::Nothing;
            }
            return Effect::Rebuild { why: RebuildReason::WholeContext { fallback: fallback.clone() } };
        }
        if now.is_none() {
            if let Some(reader) = self.readers.iter().find(|r| r.context == index && r.finder.needs(rel)) {
                return Effect::Rebuild {
                    why: RebuildReason::SourceGone { place: self.steps[&reader.step].instruction.place },
                };
            }
            if is_folder {
                let files = &self.files[index];
                let below: Vec<&str> = at_or_below(files, rel).map(|(path, _)| &**path).collect();
                // What is deepest goes first, so that folders are empty when their turn comes.
                let below = below.into_iter().rev();
                return below.fold(Effect::Nothing, |effect, path| both(effect, self.change(index, path, None)));
            }
        }
        self.change(index, rel, now)
    }

    /// Where the image has what a path becomes; none where that is not known, or where it goes into something else
    /// than a file of this image: a stage that another one takes files from, or a `RUN` that mounts it.
    pub fn destinations(&self, path: &Path, now: Option<&Entry>) -> Option<Vec<String>> {
        let mut found = Vec::new();
        for (index, context) in self.contexts.iter().enumerate() {
            let Some(rel) = below_host(&context.root, path).filter(|_| !context.root.as_os_str().is_empty()) else {
                continue;
            };
            if context.whole.is_some() {
                return None;
            }
            let known = self.files[index].get(rel).map(|known| &known.kind);
            let is_folder = now.map(|entry| &entry.kind).or(known) == Some(&EntryKind::Dir);
            for hit in self.hits(index, rel) {
                let copies = matches!(hit.step.instruction.rebuild, None | Some(RebuildReason::LaterRun { .. }));
                let dest = hit.step.copy.as_ref().filter(|_| copies)?.dest.as_ref().ok()?;
                let position = self.image.positions[hit.reader.step]?;
                found.push(match &hit.placement {
                    Placement::Below { rest } | Placement::Kept { rest } => {
                        format!("{}/{rest}", dest.path.trim_end_matches('/'))
                    }
                    Placement::Itself { name } if !is_folder => {
                        self.image.file_dest(position, dest, name, None).unwrap_or_else(|| dest.path.clone())
                    }
                    Placement::Itself { .. } => dest.path.clone(),
                });
            }
        }
        Some(found)
    }

    /// Whether an ignore file leaves the path out of the build.
    pub fn leaves_out(&self, path: &Path) -> bool {
        let out = |context: &crate::inputs::effect::map::MapContext| {
            let rel =
                below_host(&context.root, path).filter(|rel| !rel.is_empty() && !context.root.as_os_str().is_empty());
            rel.is_some_and(|rel| context.ignore.ignores(rel))
        };
        self.contexts.iter().any(out)
    }

    /// The effect of one path by itself.
    fn change(&self, context: usize, rel: &str, now: Option<&Entry>) -> Effect {
        let hits = self.hits(context, rel);
        if hits.is_empty() || matches!(now, Some(entry) if entry.kind == EntryKind::Other) {
            return Effect::Nothing;
        }
        if let Some(why) = hits.iter().find_map(|hit| hit.step.instruction.rebuild.clone()) {
            return Effect::Rebuild { why };
        }
        let known = self.files[context].get(rel);
        if let Some(hit) = hits.first()
            && now.is_none() != known.is_none()
            && self.is_below_ignored(context, rel)
        {
            return Effect::Rebuild { why: RebuildReason::UnclearSource { place: hit.step.instruction.place } };
        }
        let Some(kind) = now.map(|e| &e.kind).or(known.map(|k| &k.kind)) else {
            // It was not there when the build was read, and it is not there now.
            return Effect::Nothing;
        };
        let source = self.contexts[context].root.join(rel);
        let mut targets = Vec::new();
        for hit in &hits {
            match self.target(hit, kind, now.is_some()) {
                Err(why) => return Effect::Rebuild { why },
                Ok(None) => {}
                Ok(Some((path, action))) => {
                    let Some(copy) = &hit.step.copy else { continue };
                    let direct = matches!(hit.placement, Placement::Itself { .. });
                    let dest = copy.dest.as_ref().map(|dest| dest.path.as_str()).unwrap_or_default();
                    targets.push(SyncTarget {
                        source: source.clone(),
                        base: base_of(&path, dest).to_owned(),
                        path,
                        action,
                        by: CopiedBy::Instruction {
                            dockerfile: self.dockerfile.clone(),
                            place: hit.step.instruction.place,
                        },
                        owner: copy.chown.clone().ok().flatten(),
                        mode: copy.chmod.clone().ok().flatten(),
                        unpacks: copy.unpack && direct && action == SyncAction::Put,
                    });
                }
            }
        }
        if targets.is_empty() { Effect::Nothing } else { Effect::Sync { targets, then: None } }
    }

    /// Whether a folder above a path is left out, and so comes and goes with what is kept in it.
    fn is_below_ignored(&self, context: usize, rel: &str) -> bool {
        let ignore = &self.contexts[context].ignore;
        rel.match_indices('/').any(|(at, _)| ignore.ignores(&rel[..at]))
    }

    /// Where one reading of a path puts it. None where something else is put there later.
    fn target(
        &self,
        hit: &Hit<'_>,
        kind: &EntryKind,
        there: bool,
    ) -> Result<Option<(String, SyncAction)>, RebuildReason> {
        let place = hit.step.instruction.place;
        let position = self.image.positions[hit.reader.step].unwrap_or_default();
        let Some(copy) = &hit.step.copy else { return Err(RebuildReason::Mounted { place }) };
        let Ok(dest) = &copy.dest else { return Err(RebuildReason::UnclearWorkingDir { place }) };
        if matches!(hit.reader.finder, Finder::Link(_)) {
            return Err(RebuildReason::Link { place });
        }
        let is_folder = *kind == EntryKind::Dir;
        let path = match &hit.placement {
            Placement::Below { rest } | Placement::Kept { rest } => {
                format!("{}/{rest}", dest.path.trim_end_matches('/'))
            }
            // What a folder that is a source itself brings along is asked for by the rebuild.
            Placement::Itself { .. } if is_folder => return Err(RebuildReason::UnclearSource { place }),
            // A source that is a link is followed.
            Placement::Itself { .. } if matches!(kind, EntryKind::Symlink(_)) => {
                return Err(RebuildReason::Link { place });
            }
            Placement::Itself { name } => {
                if !hit.step.exclude.is_empty() && hit.step.exclude.ignores(name) {
                    return Err(RebuildReason::UnclearSource { place });
                }
                if copy.unpack && has_archive_name(name) {
                    return Err(RebuildReason::Archive { place });
                }
                let literal = match &hit.reader.finder {
                    Finder::Path(root) => Some(base_name(root)),
                    _ => None,
                };
                self.image
                    .file_dest(position, dest, name, literal)
                    .ok_or_else(|| RebuildReason::UnclearDestination { place, dest: dest.path.clone() })?
            }
        };
        let itself = matches!(hit.placement, Placement::Itself { .. });
        if self.links.iter().any(|link| below(link, &path).is_some_and(|rest| itself || !rest.is_empty())) {
            return Err(RebuildReason::Link { place });
        }
        if matches!(kind, EntryKind::Symlink(_)) && self.image.is_above_a_destination(&path) {
            return Err(RebuildReason::Link { place });
        }
        // With its first match a pattern makes the destination, and without its last it does not.
        let pattern = match &hit.placement {
            Placement::Itself { .. } => matches!(hit.reader.finder, Finder::Glob { .. }),
            Placement::Kept { .. } => true,
            Placement::Below { .. } => false,
        };
        let order = (position, hit.reader.source);
        let other_matches = there && self.image.made_something(order);
        if pattern && !other_matches && !self.image.earlier_makes_folder(position, &dest.path) {
            return Err(RebuildReason::SourceGone { place });
        }
        // A folder may also be made by WORKDIR, or on the way to a destination.
        let mut uncovers = is_folder && self.image.makes_folder(&path);
        let mut same = 0;
        if there && !is_folder && (self.image.makes_folder(&path) || self.image.is_above_a_destination(&path)) {
            return Err(RebuildReason::KindChanged);
        }
        for (writer, made) in self.image.writers_of(&path, &self.files) {
            if made != Made::Perhaps && (made == Made::Folder) != is_folder {
                return Err(RebuildReason::KindChanged);
            }
            match writer.order.cmp(&order) {
                std::cmp::Ordering::Greater if made == Made::Perhaps => {
                    return Err(RebuildReason::MayBeOverwritten { place: writer.place });
                }
                std::cmp::Ordering::Greater => return Ok(None),
                std::cmp::Ordering::Less => uncovers = true,
                std::cmp::Ordering::Equal => same += 1,
            }
        }
        // One of them is this file itself, if it was there before.
        let known = self.files[hit.reader.context].contains_key(hit.rel.as_str());
        if same > usize::from(known) && !(is_folder && there) {
            return Err(RebuildReason::UnclearSource { place });
        }
        if !there && (uncovers || self.image.base_may_hold(&path) || self.image.run_may_make(position, &path)) {
            return Err(RebuildReason::Uncovers { path });
        }
        let action = match (there, is_folder) {
            (true, false) => SyncAction::Put,
            (true, true) => SyncAction::MakeFolder,
            (false, false) => SyncAction::Remove,
            (false, true) => SyncAction::RemoveFolder,
        };
        Ok(Some((path, action)))
    }

    /// The ways in which instructions read a path.
    pub(crate) fn hits(&self, context: usize, rel: &str) -> Vec<Hit<'_>> {
        let here = self.readers.iter().filter(|r| r.context == context);
        here.filter_map(|reader| {
            let step = &self.steps[&reader.step];
            let placement = reader.placement(rel)?;
            let placement = match placement {
                Placement::Below { rest } if step.exclude.ignores(&rest) => return None,
                Placement::Kept { rest } => {
                    let Finder::Parents { folder, pattern, .. } = &reader.finder else { return None };
                    // Folders above what is taken are made with their own modes.
                    let above = || {
                        let files = &self.files[context];
                        let is_folder = files.get(rel).is_some_and(|f| f.kind == EntryKind::Dir);
                        is_folder
                            && at_or_below(files, rel)
                                .any(|(path, _)| below(folder, path).is_some_and(|rest| pattern.selects(rest)))
                    };
                    let taken = pattern.selects(&rest) || above();
                    if !taken {
                        return None;
                    }
                    Placement::Kept { rest }
                }
                placement => placement,
            };
            Some(Hit { reader, step, placement, rel: rel.to_owned() })
        })
        .collect()
    }
}

/// The effect of two changes, or of one path that is read in two ways.
fn both(one: Effect, other: Effect) -> Effect {
    match (one, other) {
        (rebuild @ Effect::Rebuild { .. }, _) | (_, rebuild @ Effect::Rebuild { .. }) => rebuild,
        (Effect::Sync { mut targets, then }, Effect::Sync { targets: more, .. }) => {
            targets.extend(more);
            Effect::Sync { targets, then }
        }
        (Effect::Nothing, other) => other,
        (one, _) => one,
    }
}

/// The folder that an instruction names for what goes to a path: its destination, or where that is the file itself the
/// folder of it.
fn base_of<'p>(path: &'p str, dest: &'p str) -> &'p str {
    match below(dest, path) {
        Some(rest) if !rest.is_empty() => dest,
        _ => path.rsplit_once('/').map_or("/", |(folder, _)| if folder.is_empty() { "/" } else { folder }),
    }
}
