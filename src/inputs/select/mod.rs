//! Which files of the contexts a recipe reads.

pub(crate) mod context;
pub(crate) mod finder;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::inputs::error::{InputsError, MissingSource, similar};
use crate::inputs::ignore::glob::{Glob, has_wildcard};
use crate::inputs::ignore::{Ignore, Matched};
use crate::inputs::paths::{join, relative};
use crate::inputs::recipe::{CopyStep, MountStep, Origin, Recipe, RecipeStep, Source, StepKind};
use crate::inputs::select::context::{Child, View};
use crate::inputs::select::finder::{Finder, Reader};
use crate::model::{EntryKind, Fallback};

/// An entry that a build reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selected {
    /// What it is.
    pub kind: EntryKind,
    /// Its permission bits.
    pub mode: u32,
    /// It is only a folder on the way to something that is read.
    pub parent_only: bool,
}

/// What the files of one context come to. Their paths are shared with all that is made of them.
pub(crate) type Files = BTreeMap<Arc<str>, Selected>;

/// The whole selection.
pub(crate) struct Selection {
    /// Per context.
    pub files: Vec<Files>,
    /// How each was found.
    pub readers: Vec<Reader>,
    /// A source whose pattern cannot be read in one way.
    pub fallback: Option<Fallback>,
}

/// Selects what the recipe reads.
pub(crate) fn select(
    recipe: &Recipe,
    views: &[View<'_>],
    dockerfile: Option<&PathBuf>,
) -> Result<Selection, InputsError> {
    let files = views.iter().map(|_| Files::new()).collect();
    let mut selector =
        Selector { views, dockerfile, selection: Selection { files, readers: Vec::new(), fallback: None }, step: 0 };
    for (index, step) in recipe.steps.iter().enumerate() {
        selector.step = index;
        match &step.what {
            StepKind::Copy(copy) => {
                if let Origin::Context(context) = copy.origin {
                    selector.copy(step, copy, context)?;
                }
            }
            StepKind::Run(mounts) => {
                for mount in mounts {
                    selector.mount(step, mount)?;
                }
            }
            StepKind::Folder(context) => selector.take(*context, 0, Finder::Path(String::new()), None)?,
            StepKind::Workdir(_) | StepKind::Other => {}
        }
    }
    if recipe.fallback.is_some() || selector.selection.fallback.is_some() {
        selector.tree(0, "")?;
    }
    let mut selection = selector.selection;
    for (view, files) in views.iter().zip(&mut selection.files) {
        add_ways(view, files)?;
    }
    Ok(selection)
}

/// Adds the folders on the way to what is read, which a context must hold too.
fn add_ways(view: &View<'_>, files: &mut Files) -> Result<(), InputsError> {
    let mut missing: Vec<String> = Vec::new();
    let mut last = "";
    for path in files.keys() {
        let above = path.rfind('/').map_or("", |at| &path[..at]);
        // Paths are sorted, so most share their folder with the one before.
        if above != last && !files.contains_key(above) {
            missing.push(above.to_owned());
        }
        last = above;
    }
    for above in missing {
        let mut path = above.as_str();
        while !path.is_empty() && !files.contains_key(path) {
            if let Some(entry) = view.entry(path)? {
                files.insert(path.into(), Selected { kind: entry.kind, mode: entry.mode, parent_only: true });
            }
            path = path.rfind('/').map_or("", |at| &path[..at]);
        }
    }
    Ok(())
}

struct Selector<'a, 't> {
    views: &'a [View<'t>],
    dockerfile: Option<&'a PathBuf>,
    selection: Selection,
    step: usize,
}

impl Selector<'_, '_> {
    fn copy(&mut self, step: &RecipeStep, copy: &CopyStep, context: usize) -> Result<(), InputsError> {
        let exclude = Ignore::from_patterns(copy.exclude.iter().map(String::as_str)).unwrap_or_default();
        for (index, source) in copy.sources.iter().enumerate() {
            let Source::Path(raw) = source else { continue };
            if copy.parents {
                self.parents(step, context, index, raw)?;
                continue;
            }
            let path = relative(raw);
            let parts: Vec<&str> = path.split('/').collect();
            let wild = parts.iter().position(|part| has_wildcard(part)).unwrap_or(parts.len());
            if wild == parts.len() {
                self.literal(step, context, index, &path, Some(&exclude))?;
                continue;
            }
            let globs: Result<Vec<Glob>, _> = parts[wild..].iter().map(|part| Glob::new(part)).collect();
            let Ok(globs) = globs else {
                self.unclear(step, raw);
                continue;
            };
            let start = parts[..wild].join("/");
            let resolved = self.views[context].resolve(&start)?;
            self.links(context, index, &resolved.links);
            // A folder that is not there yet may come.
            let folder = resolved.path.unwrap_or(start);
            // Without it the build fails, even where nothing in it matches.
            if !folder.is_empty() && self.is_there(context, &folder)? {
                self.take_entry(context, &folder);
            }
            let mut found = Vec::new();
            self.glob(context, &folder, &globs, &mut found)?;
            for path in found {
                self.matched(context, index, &path, &exclude)?;
            }
            self.reader(context, index, Finder::Glob { folder, parts: globs }, None);
        }
        Ok(())
    }

    fn unclear(&mut self, step: &RecipeStep, source: &str) {
        let reason = Fallback::UnclearPattern { place: step.place, source: source.to_owned() };
        self.selection.fallback.get_or_insert(reason);
    }

    fn reader(&mut self, context: usize, source: usize, finder: Finder, renamed: Option<String>) {
        let reader = Reader { step: self.step, context, source, finder, renamed };
        self.selection.readers.push(reader);
    }

    fn links(&mut self, context: usize, source: usize, links: &[String]) {
        for link in links {
            self.take_entry(context, link);
            self.reader(context, source, Finder::Link(link.clone()), None);
        }
    }

    /// A source without wildcards: it must be there.
    fn literal(
        &mut self,
        step: &RecipeStep,
        context: usize,
        source: usize,
        path: &str,
        exclude: Option<&Ignore>,
    ) -> Result<(), InputsError> {
        let resolved = self.views[context].resolve(path)?;
        self.links(context, source, &resolved.links);
        let exists = match &resolved.path {
            Some(found) => self.is_there(context, found)?,
            None => false,
        };
        let (Some(found), true) = (resolved.path, exists) else { return Err(self.missing(step, context, path)) };
        let renamed = (found != path).then(|| path.rsplit('/').next().unwrap_or_default().to_owned());
        self.selected_tree(context, &found, exclude)?;
        self.reader(context, source, Finder::Path(found), renamed);
        Ok(())
    }

    /// A match of a pattern; a link is followed, as builders do with each match.
    fn matched(&mut self, context: usize, source: usize, path: &str, exclude: &Ignore) -> Result<(), InputsError> {
        let resolved = self.views[context].resolve(path)?;
        self.links(context, source, &resolved.links);
        let Some(found) = resolved.path else { return Ok(()) };
        self.selected_tree(context, &found, Some(exclude))?;
        if found != path {
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            self.reader(context, source, Finder::Path(found), Some(name));
        }
        Ok(())
    }

    fn mount(&mut self, step: &RecipeStep, mount: &MountStep) -> Result<(), InputsError> {
        match mount.origin {
            Origin::Context(context) => self.literal(step, context, 0, &relative(&mount.source), None),
            _ => Ok(()),
        }
    }

    fn parents(&mut self, step: &RecipeStep, context: usize, source: usize, raw: &str) -> Result<(), InputsError> {
        let (folder, pattern) = match raw.split_once("/./") {
            Some((folder, pattern)) => (relative(folder), relative(pattern)),
            None => (String::new(), relative(raw)),
        };
        let taken = match Ignore::from_patterns([pattern.as_str()]) {
            Ok(taken) if !has_wildcard(&folder) && !pattern.is_empty() => taken,
            // The whole folder, or a pattern before the pivot.
            _ if !has_wildcard(&folder) && pattern.is_empty() => {
                return self.literal(step, context, source, &folder, None);
            }
            _ => {
                self.unclear(step, raw);
                return Ok(());
            }
        };
        let resolved = self.views[context].resolve(&folder)?;
        self.links(context, source, &resolved.links);
        let Some(folder) = resolved.path else { return Err(self.missing(step, context, &folder)) };
        let mut found = Vec::new();
        self.walk(context, &folder, &mut |path, child| {
            let rest = path.strip_prefix(folder.as_str()).unwrap_or(path).trim_start_matches('/');
            if !child.matched.ignored && taken.selects(rest) {
                found.push(path.to_owned());
            }
        })?;
        if found.is_empty() && !has_wildcard(&pattern) {
            return Err(self.missing(step, context, &join(&folder, &pattern)));
        }
        for path in &found {
            self.take_entry(context, path);
            // The folders above it are made with their own modes.
            let mut above = path.as_str();
            while let Some(at) = above.rfind('/') {
                above = &above[..at];
                if above.len() <= folder.len() {
                    break;
                }
                self.take_entry(context, above);
            }
        }
        let needed = if has_wildcard(&pattern) { folder.clone() } else { join(&folder, &pattern) };
        self.reader(context, source, Finder::Parents { folder, pattern: taken, needed }, None);
        Ok(())
    }

    fn take(
        &mut self,
        context: usize,
        source: usize,
        finder: Finder,
        renamed: Option<String>,
    ) -> Result<(), InputsError> {
        if let Finder::Path(path) = &finder {
            self.tree(context, path)?;
        }
        self.reader(context, source, finder, renamed);
        Ok(())
    }

    fn take_entry(&mut self, context: usize, path: &str) {
        if let Ok(Some(entry)) = self.views[context].entry(path) {
            let selected = Selected { kind: entry.kind, mode: entry.mode, parent_only: false };
            self.selection.files[context].insert(path.into(), selected);
        }
    }

    /// Takes everything at and below a path.
    fn tree(&mut self, context: usize, path: &str) -> Result<(), InputsError> {
        self.selected_tree(context, path, None)
    }

    fn selected_tree(&mut self, context: usize, path: &str, exclude: Option<&Ignore>) -> Result<(), InputsError> {
        let view = &self.views[context];
        let Some(entry) = view.entry(path)? else { return Ok(()) };
        let mut found: Vec<(Arc<str>, Selected)> = Vec::new();
        let mut unnamed = None;
        let mut ways = false;
        if !path.is_empty() && (!entry.matched.ignored || entry.kind == EntryKind::Dir) {
            found.push((path.into(), Selected { kind: entry.kind.clone(), mode: entry.mode, parent_only: false }));
        }
        let excluded = exclude.filter(|e| !e.is_empty());
        walk(view, path, &entry, &mut |full, child| {
            if let Some(exclude) = excluded {
                let rest = full.strip_prefix(path).unwrap_or(full).trim_start_matches('/');
                let matched = exclude.lookup(rest);
                if matched.ignored {
                    ways = true;
                    return;
                }
            }
            if child.unnamed {
                unnamed.get_or_insert_with(|| view.host(full));
            }
            // An ignored folder is there only for what is kept below it; it is added with that.
            let way = child.matched.ignored && child.kind == EntryKind::Dir;
            ways |= way;
            if !way {
                found.push((full.into(), Selected { kind: child.kind.clone(), mode: child.mode, parent_only: false }));
            }
        })?;
        if let Some(path) = unnamed {
            return Err(InputsError::NotUtf8 { path });
        }
        // Folders between the source and what is kept below them are copied too, ignored or not.
        let mut between = Vec::new();
        for (full, _) in found.iter().filter(|_| ways) {
            let mut above: &str = full;
            while let Some(at) = above.rfind('/') {
                above = &above[..at];
                if above.len() <= path.len() {
                    break;
                }
                between.push(above.to_owned());
            }
        }
        let files = &mut self.selection.files[context];
        if files.is_empty() {
            *files = found.into_iter().collect();
        } else {
            files.extend(found);
        }
        between.sort();
        between.dedup();
        for above in between {
            self.take_entry(context, &above);
        }
        Ok(())
    }

    fn walk(&self, context: usize, path: &str, visit: &mut dyn FnMut(&str, &Child)) -> Result<(), InputsError> {
        let view = &self.views[context];
        match view.entry(path)? {
            Some(entry) => walk(view, path, &entry, visit),
            None => Ok(()),
        }
    }

    /// Whether a path leads to something that the context holds.
    fn is_there(&self, context: usize, path: &str) -> Result<bool, InputsError> {
        if path.is_empty() {
            return Ok(true);
        }
        let Some(entry) = self.views[context].entry(path)? else { return Ok(false) };
        if !entry.matched.ignored {
            return Ok(true);
        }
        let mut kept = false;
        walk(&self.views[context], path, &entry, &mut |_, child| kept |= !child.matched.ignored)?;
        Ok(kept)
    }

    fn glob(&self, context: usize, folder: &str, parts: &[Glob], found: &mut Vec<String>) -> Result<(), InputsError> {
        let Some((part, rest)) = parts.split_first() else { return Ok(()) };
        let view = &self.views[context];
        let Some(entry) = view.entry(folder)? else { return Ok(()) };
        if entry.kind != EntryKind::Dir {
            return Ok(());
        }
        for child in view.children(folder, &entry.matched)?.iter() {
            if child.pruned || !part.matches(&child.name) {
                continue;
            }
            let path = join(folder, &child.name);
            if !rest.is_empty() {
                self.glob(context, &path, rest, found)?;
            } else if self.is_there(context, &path)? {
                found.push(path);
            }
        }
        Ok(())
    }

    fn missing(&self, step: &RecipeStep, context: usize, path: &str) -> InputsError {
        let view = &self.views[context];
        let instruction = step.text.split_whitespace().next().unwrap_or_default().to_uppercase();
        let hint = match view.ignore.deciding_line(path) {
            Some(line) => Some(format!("line {line} of the ignore file leaves it out")),
            None if path.contains("://") => Some("COPY takes no URL; ADD does".to_owned()),
            None => {
                let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
                let matched = view.ignore.lookup(folder);
                let siblings = view.children(folder, &matched).unwrap_or_default();
                similar(name, siblings.iter().filter(|c| !c.pruned).map(|c| c.name.as_str()))
                    .map(|name| format!("did you mean {:?}?", join(folder, &name)))
                    .or_else(|| Some("sources are relative to the build context".to_owned()))
            }
        };
        InputsError::MissingSource(Box::new(MissingSource {
            dockerfile: self.dockerfile.cloned(),
            place: step.place,
            instruction,
            source_path: path.to_owned(),
            context: view.root.clone(),
            hint,
        }))
    }
}

/// Visits everything below a folder that is not pruned; links are not followed. Ignored folders that may hold
/// something kept are visited too.
fn walk(view: &View<'_>, path: &str, entry: &Child, visit: &mut dyn FnMut(&str, &Child)) -> Result<(), InputsError> {
    if entry.kind != EntryKind::Dir {
        return Ok(());
    }
    view.list_below(path, &entry.matched);
    visit_below(view, &mut path.to_owned(), &entry.matched, visit)
}

fn visit_below(
    view: &View<'_>,
    path: &mut String,
    matched: &Matched,
    visit: &mut dyn FnMut(&str, &Child),
) -> Result<(), InputsError> {
    let folder = path.len();
    for child in view.children(path, matched)?.iter().filter(|c| !c.pruned) {
        if folder > 0 {
            path.push('/');
        }
        path.push_str(&child.name);
        visit(path, child);
        if child.kind == EntryKind::Dir {
            visit_below(view, path, &child.matched, visit)?;
        }
        path.truncate(folder);
    }
    Ok(())
}
