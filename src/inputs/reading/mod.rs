//! Reading a build's inputs: the one entry to this layer.

pub(crate) mod files;
pub(crate) mod inputs;
pub(crate) mod load;
pub(crate) mod parts;
pub(crate) mod request;

use std::path::PathBuf;
use std::sync::Arc;

use crate::inputs::delta;
use crate::inputs::effect::map::InputsMap;
use crate::inputs::error::InputsError;
use crate::inputs::ignore::Ignore;
use crate::inputs::reading::files::{ContextFile, ContextFiles};
use crate::inputs::reading::inputs::BuildInputs;
use crate::inputs::reading::load::{check_folder, load, missing, read_ignore};
use crate::inputs::reading::request::BuildRequest;
use crate::inputs::recipe::resolve::resolve;
use crate::inputs::recipe::resolver;
use crate::inputs::recipe::{AdditionalOrigin, ImageUse, Recipe};
use crate::inputs::select::context::View;
use crate::inputs::select::{Files, Selected, select};
use crate::model::{EntryKind, Fallback, FileTree};

/// The images that a build uses, without reading its files. The caller looks up those with `base`, adds them to the
/// request and asks again until nothing new appears: an image's `ONBUILD` may name further ones.
pub fn base_images(tree: &dyn FileTree, request: &BuildRequest<'_>) -> Result<Vec<ImageUse>, InputsError> {
    let loaded = load(tree, request)?;
    if loaded.source.is_none() {
        return Ok(Vec::new());
    }
    let path = loaded.source.as_ref().and_then(|s| s.path.as_ref());
    Ok(resolve(request, &loaded.dockerfile, path)?.images.into_iter().collect())
}

/// Reads what a build reads.
pub fn read(tree: &dyn FileTree, request: &BuildRequest<'_>) -> Result<BuildInputs, InputsError> {
    let loaded = load(tree, request)?;
    let path = loaded.source.as_ref().and_then(|s| s.path.clone());
    let mut recipe = match loaded.source {
        Some(_) => resolve(request, &loaded.dockerfile, path.as_ref())?,
        None => Recipe::default(),
    };
    if let Err(url) = request.context() {
        recipe.fallback = Some(Fallback::RemoteContext { url: url.clone() });
        recipe.unpinned.insert(url);
    }
    let folders = additional_folders(request, &recipe);
    let mut views = vec![View::new(tree, loaded.root.clone().unwrap_or_default(), loaded.ignore.clone())];
    let mut candidates = loaded.candidates;
    for (index, name, root) in &folders {
        check_folder(tree, root)?;
        let ignore_path = root.join(".dockerignore");
        let ignore = read_ignore(tree, &ignore_path)?.unwrap_or_default();
        candidates.push(ignore_path);
        // Unused folders keep their number, so that steps find theirs.
        while views.len() < *index {
            views.push(View::new(tree, PathBuf::new(), Ignore::default()));
        }
        debug_assert!(!name.is_empty());
        views.push(View::new(tree, root.clone(), ignore));
    }
    let remote = loaded.root.is_none();
    if remote {
        recipe.steps.retain(|step| !step.reads_context(0));
    }
    let mut selection = if remote && recipe.fallback.is_some() {
        let kept = Recipe { fallback: None, ..recipe.clone() };
        select(&kept, &views, path.as_ref())?
    } else {
        select(&recipe, &views, path.as_ref())?
    };
    if let Some(reason) = selection.fallback.take() {
        recipe.fallback.get_or_insert(reason);
    }
    let mut contexts: Vec<ContextFiles> = Vec::new();
    for (index, (view, files)) in views.iter().zip(&mut selection.files).enumerate() {
        let name = folders.iter().find(|(i, ..)| *i == index).map(|(_, name, _)| name.clone());
        contexts.push(ContextFiles { name, root: view.root.clone(), files: hash(tree, view, files)? });
    }
    let secrets = parts::secrets(tree, request, &recipe)?;
    let parts = parts::parts(request, &recipe, loaded.source.as_ref(), &contexts, &secrets);
    let digest = parts::digest(&parts);
    let shape = delta::shape(&parts, &views, &selection.readers);
    let map = InputsMap::new(recipe.clone(), &views, selection, loaded.source.as_ref(), &candidates, &secrets);
    let unpinned = parts::unpinned(request, &recipe);
    let mut contexts = contexts.into_iter();
    let context = contexts.next().filter(|_| !remote);
    Ok(BuildInputs {
        digest,
        parts,
        context,
        additional: contexts.filter(|c| c.name.is_some()).collect(),
        dockerfile: loaded.source,
        ignore_file: loaded.ignore_file,
        fallback: recipe.fallback,
        unpinned,
        images: recipe.images.into_iter().collect(),
        services: recipe.services.into_iter().collect(),
        map: Arc::new(map),
        shape,
    })
}

/// Additional contexts that are folders and that the target uses.
fn additional_folders(request: &BuildRequest<'_>, recipe: &Recipe) -> Vec<(usize, String, PathBuf)> {
    resolver::additional(request)
        .into_iter()
        .filter(|a| recipe.additional.contains(&a.name))
        .filter_map(|a| match a.origin {
            AdditionalOrigin::Folder(index, root) => Some((index, a.name, root)),
            _ => None,
        })
        .collect()
}

/// Hashes the selected files. What has vanished since it was listed is dropped.
fn hash(tree: &dyn FileTree, view: &View<'_>, files: &mut Files) -> Result<Vec<ContextFile>, InputsError> {
    let mut found: Vec<ContextFile> = Vec::with_capacity(files.len());
    let (mut unknown, mut paths) = (Vec::new(), Vec::new());
    // Paths are sorted, so most are in the folder of the one before.
    let (mut folder, mut children) = (None, None);
    for (path, Selected { kind, mode, parent_only }) in files.iter() {
        let mut digest = None;
        if matches!(kind, EntryKind::File { .. }) {
            let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
            if folder != Some(above) {
                (folder, children) = (Some(above), view.known(above));
            }
            digest = children.as_ref().and_then(|children| {
                let at = children.binary_search_by(|child| child.name.as_str().cmp(name)).ok()?;
                children[at].digest.clone()
            });
            if digest.is_none() {
                unknown.push(found.len());
                paths.push(view.host(path));
            }
        }
        let (path, kind, mode) = (Arc::clone(path), kind.clone(), mode & 0o7777);
        found.push(ContextFile { path, kind, mode, digest, part: None, parent_only: *parent_only });
    }
    let mut gone = Vec::new();
    for ((index, path), digest) in unknown.into_iter().zip(&paths).zip(tree.digest_all(&paths)) {
        match digest {
            Ok(digest) => found[index].digest = Some(digest),
            Err(error) if missing(&error) => gone.push(index),
            Err(error) => return Err(InputsError::Read { path: path.clone(), error }),
        }
    }
    for index in gone.into_iter().rev() {
        files.remove(&found.remove(index).path);
    }
    for file in found.iter_mut().filter(|file| !file.parent_only) {
        file.part = Some(parts::entry_digest(file));
    }
    Ok(found)
}
