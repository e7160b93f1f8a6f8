//! Paths of the host to what a change of them asks for.
//!
//! The map holds what the last reading found, so it answers without touching a file. It errs towards rebuilding: a
//! hot sync is offered only where the container is then as a rebuild would make it.

use std::collections::HashMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::inputs::ignore::Ignore;
use crate::inputs::image::{self, Image};
use crate::inputs::paths::{below_host, join};
use crate::inputs::reading::files::DockerfileSource;
use crate::inputs::reading::parts::SecretInput;
use crate::inputs::recipe::{CopyStep, Origin, Recipe, Source, StepKind};
use crate::inputs::select::context::View;
use crate::inputs::select::finder::{Placement, Reader};
use crate::inputs::select::{Files, Selected, Selection};
use crate::model::{EntryKind, Fallback, Place, RebuildReason};

/// An instruction that reads files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadingInstruction {
    /// Where it is in the Dockerfile.
    pub place: Place,
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
    /// The Dockerfile as it is named: its path in the context, where it is in there.
    pub(crate) dockerfile: String,
    pub(crate) contexts: Vec<MapContext>,
    pub(crate) controls: HashMap<PathBuf, RebuildReason>,
    pub(crate) readers: Vec<Reader>,
    pub(crate) steps: HashMap<usize, ReadingStep>,
    pub(crate) image: Image,
    pub(crate) files: Vec<Files>,
    /// Links among the files, by their paths in the image.
    pub(crate) links: Vec<String>,
    watched: Vec<PathBuf>,
    /// What the image is modelled from.
    recipe: Recipe,
}

#[derive(Clone, Debug)]
pub(crate) struct MapContext {
    pub root: PathBuf,
    pub ignore: Ignore,
    pub whole: Option<Fallback>,
}

#[derive(Clone, Debug)]
pub(crate) struct ReadingStep {
    pub instruction: ReadingInstruction,
    pub copy: Option<CopyStep>,
    pub exclude: Ignore,
}

impl InputsMap {
    pub(crate) fn new(
        mut recipe: Recipe,
        views: &[View<'_>],
        selection: Selection,
        dockerfile: Option<&DockerfileSource>,
        candidates: &[PathBuf],
        secrets: &[SecretInput],
    ) -> Self {
        // The text is for the digest only.
        recipe.text = String::new();
        let image = Image::new(&recipe, &selection.readers, &selection.files);
        let mut controls: HashMap<PathBuf, RebuildReason> =
            candidates.iter().map(|path| (path.clone(), RebuildReason::IgnoreFile)).collect();
        for secret in secrets {
            if let Some(file) = &secret.file {
                controls.insert(file.clone(), RebuildReason::Secret { id: secret.id.clone() });
            }
        }
        if let Some(path) = dockerfile.and_then(|source| source.path.as_ref()) {
            controls.insert(path.to_owned(), RebuildReason::Dockerfile);
        }
        let steps = selection.readers.iter().map(|r| r.step).collect::<std::collections::BTreeSet<_>>();
        let steps = steps.into_iter().map(|index| (index, ReadingStep::new(&recipe, &image, views, index))).collect();
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
            dockerfile: dockerfile
                .and_then(|source| source.relative.clone())
                .unwrap_or_else(|| "Dockerfile".to_owned()),
            contexts: contexts.collect(),
            controls,
            readers: selection.readers,
            steps,
            image,
            files: selection.files,
            links: Vec::new(),
            watched,
            recipe,
        };
        map.follow_links();
        map
    }

    /// The folders to watch: every folder whose content the build depends on, and those of the Dockerfile, the ignore
    /// files and secrets. Ignored folders are not among them. Each is meant without the folders below it.
    pub fn watch_dirs(&self) -> &[PathBuf] {
        &self.watched
    }

    /// Whether a folder, which may be new, is one to watch.
    pub fn watches(&self, folder: &Path) -> bool {
        let matters = |(index, context): (usize, &MapContext)| {
            let Some(rel) = below_host(&context.root, folder) else { return false };
            if context.root.as_os_str().is_empty() {
                return false;
            }
            let matched = context.ignore.lookup(rel);
            let read = context.whole.is_some()
                || self.readers.iter().any(|reader| reader.context == index && reader.finder.walks(rel));
            read && !context.ignore.prunes(rel, &matched)
        };
        self.watched.iter().any(|watched| watched == folder) || self.contexts.iter().enumerate().any(matters)
    }

    /// All instructions that read files of the host, in order.
    pub fn instructions(&self) -> Vec<&ReadingInstruction> {
        let mut found: Vec<&ReadingInstruction> = self.steps.values().map(|s| &s.instruction).collect();
        found.sort_by_key(|i| i.place);
        found
    }

    /// The same map with other files: what it was before they changed.
    pub(crate) fn with_files(&self, files: Vec<Files>) -> Self {
        let mut map = Self {
            dockerfile: self.dockerfile.clone(),
            contexts: self.contexts.clone(),
            controls: self.controls.clone(),
            readers: self.readers.clone(),
            steps: self.steps.clone(),
            image: Image::new(&self.recipe, &self.readers, &files),
            files,
            links: Vec::new(),
            watched: Vec::new(),
            recipe: self.recipe.clone(),
        };
        map.follow_links();
        map
    }

    /// Where an instruction is in the chain of stages.
    pub(crate) fn position(&self, place: Place) -> Option<usize> {
        let index = self.recipe.steps.iter().position(|step| step.place == place)?;
        self.image.positions[index]
    }

    /// The steps of the chain from a position on.
    pub(crate) fn steps_from(&self, position: usize) -> impl Iterator<Item = &StepKind> {
        let steps = self.recipe.steps.iter().zip(&self.image.positions);
        steps.filter(move |(_, at)| at.is_some_and(|at| at >= position)).map(|(step, _)| &step.what)
    }

    fn follow_links(&mut self) {
        self.links = self.image_links();
        self.image.lead_through(&self.links);
    }

    /// The links among the files, by their paths in the image.
    fn image_links(&self) -> Vec<String> {
        let mut links = Vec::new();
        for (context, files) in self.files.iter().enumerate() {
            for (rel, _) in files.iter().filter(|(_, f)| matches!(f.kind, EntryKind::Symlink(_)) && !f.parent_only) {
                for hit in self.hits(context, rel) {
                    let Some(Ok(dest)) = hit.step.copy.as_ref().map(|c| &c.dest) else { continue };
                    if let Placement::Below { rest } | Placement::Kept { rest } = &hit.placement {
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
            StepKind::Copy(copy) => Some((**copy).clone()),
            _ => None,
        };
        let (origin, sources) = match &step.what {
            StepKind::Copy(copy) => (Some(&copy.origin), copy.sources.iter().filter_map(Source::path).collect()),
            StepKind::Run(mounts) => {
                let read = mounts.iter().filter(|m| matches!(m.origin, Origin::Context(_)));
                (read.clone().map(|m| &m.origin).next(), read.map(|m| m.source.clone()).collect())
            }
            _ => (None, vec![".".to_owned()]),
        };
        let context = match (origin, &step.what) {
            (Some(Origin::Context(index)), _) | (None, StepKind::Folder(index)) if *index > 0 => {
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

pub(crate) fn at_or_below<'f>(files: &'f Files, rel: &'f str) -> impl Iterator<Item = (&'f Arc<str>, &'f Selected)> {
    let itself = files.get_key_value(rel);
    let start = if rel.is_empty() { String::new() } else { join(rel, "") };
    let below = files.range::<str, _>((Bound::Included(start.as_str()), Bound::Unbounded));
    itself.into_iter().chain(below.take_while(move |(path, _)| path.starts_with(&start)))
}
