//! Paths of the host to what a change of them asks for.
//!
//! The map holds what the last reading found, so it answers without touching a file. It errs towards rebuilding: a
//! hot sync is offered only where the container is then as a rebuild would make it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::context::{View, below, join};
use super::effect::{Effect, RebuildReason, SyncAction, SyncTarget, Untouched, has_archive_name};
use super::error;
use super::finder::{Finder, Place, Reader};
use super::ignore::Ignore;
use super::image::{self, Image, Made, base_name};
use super::parts::SecretInput;
use super::recipe::{CopyStep, Fallback, Origin, Recipe, Source, What};
use super::select::{Files, Selection};
use crate::model::{Entry, EntryKind};

/// An instruction that reads files.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ReadingInstruction {
    /// Where it is in the Dockerfile.
    pub place: error::Place,
    /// Its text.
    pub text: String,
    /// The stage that it is in: a name, or a number.
    pub stage: String,
    /// The context that it reads: none for the build's own, else an additional one's folder.
    pub context: Option<PathBuf>,
    /// What it reads there, as written, variables expanded.
    pub sources: Vec<String>,
    /// Where it puts them in the image, if that is known; a slash at the end says that it is a folder for sure.
    pub dest: Option<String>,
    /// Why its files need a rebuild; none where they can be synced.
    pub rebuild: Option<RebuildReason>,
}

/// Answers what a change of a path asks for.
#[derive(Clone, Debug)]
pub struct InputsMap {
    contexts: Vec<MapContext>,
    controls: HashMap<PathBuf, RebuildReason>,
    readers: Vec<Reader>,
    steps: HashMap<usize, ReadingStep>,
    image: Image,
    files: Vec<Files>,
    /// Links among the files, by their paths in the image.
    links: Vec<String>,
    watched: Vec<PathBuf>,
}

#[derive(Clone, Debug)]
struct MapContext {
    root: PathBuf,
    ignore: Ignore,
    whole: Option<Fallback>,
}

#[derive(Clone, Debug)]
struct ReadingStep {
    instruction: ReadingInstruction,
    copy: Option<CopyStep>,
    exclude: Ignore,
}

/// One way in which a path is read.
struct Hit<'m> {
    reader: &'m Reader,
    step: &'m ReadingStep,
    place: Place,
    rel: String,
}

impl InputsMap {
    pub(super) fn new(
        recipe: &Recipe,
        views: &[View<'_>],
        selection: Selection,
        dockerfile: Option<&Path>,
        candidates: &[PathBuf],
        secrets: &[SecretInput],
    ) -> Self {
        let image = Image::new(recipe, &selection);
        let mut controls: HashMap<PathBuf, RebuildReason> =
            candidates.iter().map(|path| (path.clone(), RebuildReason::IgnoreFile)).collect();
        for secret in secrets {
            if let Some(file) = &secret.file {
                controls.insert(file.clone(), RebuildReason::Secret { id: secret.id.clone() });
            }
        }
        if let Some(path) = dockerfile {
            controls.insert(path.to_owned(), RebuildReason::Dockerfile);
        }
        let steps = selection.readers.iter().map(|r| r.step).collect::<std::collections::BTreeSet<_>>();
        let steps = steps.into_iter().map(|index| (index, ReadingStep::new(recipe, &image, views, index))).collect();
        let contexts = views.iter().enumerate().map(|(index, view)| MapContext {
            root: view.root.clone(),
            ignore: view.ignore.clone(),
            whole: recipe.fallback.clone().filter(|_| index == 0),
        });
        let mut watched: Vec<PathBuf> = views.iter().flat_map(View::listed).collect();
        watched.extend(controls.keys().filter_map(|path| path.parent().map(Path::to_owned)));
        watched.retain(|path| path.is_absolute());
        watched.sort();
        watched.dedup();
        let mut map = Self {
            contexts: contexts.collect(),
            controls,
            readers: selection.readers,
            steps,
            image,
            files: selection.files,
            links: Vec::new(),
            watched,
        };
        map.links = map.image_links();
        map.image.lead_through(&map.links);
        map
    }

    /// The folders to watch: every folder whose content the build depends on, and those of the Dockerfile, the ignore
    /// files and secrets. Ignored folders are not among them. Each is meant without the folders below it.
    pub fn watch_dirs(&self) -> &[PathBuf] {
        &self.watched
    }

    /// The instructions that read a path.
    pub fn readers(&self, path: &Path) -> Vec<&ReadingInstruction> {
        let mut found: Vec<&ReadingInstruction> = Vec::new();
        for (index, context) in self.contexts.iter().enumerate() {
            let Some(rel) = below(&context.root, path) else { continue };
            if context.ignore.ignores(rel) {
                continue;
            }
            for hit in self.hits(index, rel) {
                if !found.contains(&&hit.step.instruction) {
                    found.push(&hit.step.instruction);
                }
            }
        }
        found
    }

    /// All instructions that read files of the host, in order.
    pub fn instructions(&self) -> Vec<&ReadingInstruction> {
        let mut found: Vec<&ReadingInstruction> = self.steps.values().map(|s| &s.instruction).collect();
        found.sort_by_key(|i| i.place);
        found
    }

    /// The files that were read at or below a path of the host: what a folder held that is gone.
    pub fn known_below(&self, path: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for (context, files) in self.contexts.iter().zip(&self.files) {
            let Some(rel) = below(&context.root, path) else { continue };
            found.extend(at_or_below(files, rel).map(|(path, _)| context.root.join(path)));
        }
        found
    }

    /// What a change of a path asks for. `now` is what is there; none if nothing is. A folder stands for itself only:
    /// what is new below it is asked for by itself. A folder that is gone stands for all that it held.
    pub fn effect(&self, path: &Path, now: Option<&Entry>) -> Effect {
        if let Some(why) = self.controls.get(path) {
            // The Dockerfile or an ignore file may be copied too, but then it is rebuilt anyway.
            return Effect::Rebuild { why: why.clone() };
        }
        let mut effect = Effect::Nothing { why: Untouched::Outside };
        for (index, context) in self.contexts.iter().enumerate() {
            if context.root.as_os_str().is_empty() {
                continue;
            }
            if now.is_none() && context.root.starts_with(path) && !self.files[index].is_empty() {
                return Effect::Rebuild { why: RebuildReason::ContextGone };
            }
            if let Some(rel) = below(&context.root, path).filter(|rel| !rel.is_empty()) {
                effect = effect.and(self.effect_in(index, rel, now));
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
        if matched.ignored && known.is_none() && (!is_folder || context.ignore.prunes(rel, &matched)) {
            return Effect::Nothing { why: Untouched::Ignored };
        }
        if matched.ignored && known.is_none() {
            // A new folder that is left out is made only for what is kept in it.
            return Effect::Nothing { why: Untouched::Ignored };
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
                return if self.hits(index, rel).is_empty() && context.whole.is_none() && known.way {
                    Effect::Nothing { why: Untouched::NotRead }
                } else {
                    Effect::Rebuild { why: RebuildReason::KindChanged }
                };
            }
            if is_folder && (known.way || entry.mode & 0o7777 == known.mode & 0o7777) {
                return Effect::Nothing { why: Untouched::Unchanged };
            }
        }
        if let Some(fallback) = &context.whole {
            if matches!(now, Some(entry) if entry.kind == EntryKind::Other) {
                return Effect::Nothing { why: Untouched::NotRead };
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
                let below: Vec<&String> = at_or_below(files, rel).map(|(path, _)| path).collect();
                // What is deepest goes first, so that folders are empty when their turn comes.
                return below.into_iter().rev().fold(Effect::Nothing { why: Untouched::NotRead }, |effect, path| {
                    effect.and(self.change(index, path, None))
                });
            }
        }
        self.change(index, rel, now)
    }

    /// The effect of one path by itself.
    fn change(&self, context: usize, rel: &str, now: Option<&Entry>) -> Effect {
        let hits = self.hits(context, rel);
        if hits.is_empty() || matches!(now, Some(entry) if entry.kind == EntryKind::Other) {
            return Effect::Nothing { why: Untouched::NotRead };
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
            return Effect::Nothing { why: Untouched::NotRead };
        };
        let source = self.contexts[context].root.join(rel);
        let mut targets = Vec::new();
        for hit in &hits {
            match self.target(hit, kind, now.is_some()) {
                Err(why) => return Effect::Rebuild { why },
                Ok(None) => {}
                Ok(Some((path, action))) => {
                    let Some(copy) = &hit.step.copy else { continue };
                    let direct = matches!(hit.place, Place::Itself { .. });
                    targets.push(SyncTarget {
                        source: source.clone(),
                        path,
                        action,
                        chown: copy.chown.clone().ok().flatten(),
                        chmod: copy.chmod.clone().ok().flatten(),
                        unpacks: copy.unpack && direct && action == SyncAction::Put,
                        place: hit.step.instruction.place,
                    });
                }
            }
        }
        if targets.is_empty() { Effect::Nothing { why: Untouched::Overwritten } } else { Effect::HotSync { targets } }
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
        let path = match &hit.place {
            Place::Below { rest } | Place::Kept { rest } => format!("{}/{rest}", dest.path.trim_end_matches('/')),
            // What a folder that is a source itself brings along is asked for by the rebuild.
            Place::Itself { .. } if is_folder => return Err(RebuildReason::UnclearSource { place }),
            // A source that is a link is followed.
            Place::Itself { .. } if matches!(kind, EntryKind::Symlink(_)) => return Err(RebuildReason::Link { place }),
            Place::Itself { name } => {
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
        let itself = matches!(hit.place, Place::Itself { .. });
        if self.links.iter().any(|link| image::below(link, &path).is_some_and(|rest| itself || !rest.is_empty())) {
            return Err(RebuildReason::Link { place });
        }
        if matches!(kind, EntryKind::Symlink(_)) && self.image.is_above_a_destination(&path) {
            return Err(RebuildReason::Link { place });
        }
        // With the last match of a pattern the destination would not be made either.
        let pattern = match &hit.place {
            Place::Itself { .. } => matches!(hit.reader.finder, Finder::Glob { .. }),
            Place::Kept { .. } => true,
            Place::Below { .. } => false,
        };
        if !there && pattern && copy.sources.len() == 1 && !self.image.others_make_folder(position, &dest.path) {
            return Err(RebuildReason::SourceGone { place });
        }
        let order = (position, hit.reader.source);
        let mut uncovers = false;
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
        let known = self.files[hit.reader.context].contains_key(&hit.rel);
        if same > usize::from(known) && !(is_folder && there) {
            return Err(RebuildReason::UnclearSource { place });
        }
        if !there && (uncovers || self.image.base_may_hold(&path)) {
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
    fn hits(&self, context: usize, rel: &str) -> Vec<Hit<'_>> {
        let here = self.readers.iter().filter(|r| r.context == context);
        here.filter_map(|reader| {
            let step = &self.steps[&reader.step];
            let place = reader.place(rel)?;
            let place = match place {
                Place::Below { rest } if step.exclude.ignores(&rest) => return None,
                Place::Kept { rest } => {
                    let Finder::Parents { folder, pattern, .. } = &reader.finder else { return None };
                    // Folders above what is taken are made with their own modes.
                    let above = || {
                        let files = &self.files[context];
                        let is_folder = files.get(rel).is_some_and(|f| f.kind == EntryKind::Dir);
                        is_folder
                            && at_or_below(files, rel)
                                .any(|(path, _)| image::below(folder, path).is_some_and(|rest| pattern.selects(rest)))
                    };
                    let taken = pattern.selects(&rest) || above();
                    if !taken {
                        return None;
                    }
                    Place::Kept { rest }
                }
                place => place,
            };
            Some(Hit { reader, step, place, rel: rel.to_owned() })
        })
        .collect()
    }

    /// The links among the files, by their paths in the image.
    fn image_links(&self) -> Vec<String> {
        let mut links = Vec::new();
        for (context, files) in self.files.iter().enumerate() {
            for (rel, _) in files.iter().filter(|(_, f)| matches!(f.kind, EntryKind::Symlink(_)) && !f.way) {
                for hit in self.hits(context, rel) {
                    let Some(Ok(dest)) = hit.step.copy.as_ref().map(|c| &c.dest) else { continue };
                    if let Place::Below { rest } | Place::Kept { rest } = &hit.place {
                        links.push(format!("{}/{rest}", dest.path.trim_end_matches('/')));
                    }
                }
            }
        }
        links
    }
}

impl ReadingStep {
    fn new(recipe: &Recipe, image: &Image, views: &[View<'_>], index: usize) -> Self {
        let step = &recipe.steps[index];
        let copy = match &step.what {
            What::Copy(copy) => Some((**copy).clone()),
            _ => None,
        };
        let (origin, sources) = match &step.what {
            What::Copy(copy) => (Some(&copy.origin), copy.sources.iter().filter_map(Source::path).collect()),
            What::Run(mounts) => {
                let read = mounts.iter().filter(|m| matches!(m.origin, Origin::Context(_)));
                (read.clone().map(|m| &m.origin).next(), read.map(|m| m.source.clone()).collect())
            }
            _ => (None, vec![".".to_owned()]),
        };
        let context = match (origin, &step.what) {
            (Some(Origin::Context(index)), _) | (None, What::Folder(index)) if *index > 0 => {
                Some(views[*index].root.clone())
            }
            _ => None,
        };
        let dest = copy
            .as_ref()
            .and_then(|c| c.dest.as_ref().ok())
            .map(|dest| if dest.folder && dest.path != "/" { format!("{}/", dest.path) } else { dest.path.clone() });
        let patterns = copy.iter().flat_map(|c| c.exclude.iter().map(String::as_str));
        Self {
            exclude: Ignore::from_patterns(patterns).unwrap_or_default(),
            instruction: ReadingInstruction {
                place: step.place,
                text: step.text.clone(),
                stage: recipe.stages[step.stage].label.clone(),
                context,
                sources,
                dest,
                rebuild: image::obstacle(recipe, image, index),
            },
            copy,
        }
    }
}

fn at_or_below<'f>(files: &'f Files, rel: &'f str) -> impl Iterator<Item = (&'f String, &'f super::select::Selected)> {
    let itself = files.get_key_value(rel);
    let start = if rel.is_empty() { String::new() } else { join(rel, "") };
    let end = start.clone();
    itself.into_iter().chain(files.range(start..).take_while(move |(path, _)| path.starts_with(&end)))
}
