//! Reading a build's inputs: the one entry to this room.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::context::View;
use super::delta;
use super::dockerfile::{self, Dockerfile};
use super::error::{InputsError, similar};
use super::ignore::Ignore;
use super::map::InputsMap;
use super::parts;
use super::recipe::{AdditionalOrigin, Fallback, ImageUse, Recipe};
use super::request::{BuildRequest, join};
use super::resolve::{self, resolve};
use super::select::{Files, Selected, select};
use crate::model::{Digest, EntryKind, FileTree, Parts};

/// One entry of a context, for a tar or a file server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextFile {
    /// Path relative to the context, with slashes.
    pub path: Arc<str>,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits as on the disk. Owners in a context are always root, times do not matter.
    pub mode: u32,
    /// Digest of a file's content; none for folders and links.
    pub digest: Option<Digest>,
    /// Its part of the build's digest; none for folders on the way.
    pub part: Option<Digest>,
    /// A folder that is there only because something below it is read; it is no part of the digest.
    pub way: bool,
}

/// A context folder with what a build reads of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextFiles {
    /// Name of the additional context; none for the context itself.
    pub name: Option<String>,
    /// The folder.
    pub root: PathBuf,
    /// Its entries, sorted, every folder before what is in it.
    pub files: Vec<ContextFile>,
}

/// The Dockerfile as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerfileSource {
    /// Where it is; none for `dockerfile_inline`.
    pub path: Option<PathBuf>,
    /// Its path relative to the context, with slashes, where it is in it.
    pub relative: Option<String>,
    /// Its text.
    pub text: String,
}

/// What a build reads.
#[derive(Clone, Debug)]
pub struct BuildInputs {
    /// Names the image: builds with this digest give the same image.
    pub digest: Digest,
    /// What the digest is made of.
    pub parts: Parts,
    /// The context and what is read of it; none where the builder fetches it.
    pub context: Option<ContextFiles>,
    /// Additional contexts that are folders, as far as the target uses them.
    pub additional: Vec<ContextFiles>,
    /// The Dockerfile; none where the builder fetches it.
    pub dockerfile: Option<DockerfileSource>,
    /// The ignore file in force.
    pub ignore_file: Option<PathBuf>,
    /// Why the whole filtered context counts as read.
    pub fallback: Option<Fallback>,
    /// What only the builder can fetch and what may change without the digest changing: `ADD` of URLs without a
    /// checksum, images whose id is not known, contexts that are URLs.
    pub unpinned: Vec<String>,
    /// The images that it uses. Those with `base` must be in the request for an exact answer.
    pub images: Vec<ImageUse>,
    /// Services whose images it uses, through `additional_contexts`.
    pub services: Vec<crate::model::ServiceName>,
    /// Ids of build secrets that it mounts.
    pub secrets: Vec<String>,
    /// What a change of a path asks for.
    pub map: Arc<InputsMap>,
    /// Digest of all but the files: what is done with them, and how they are found.
    pub(super) shape: Digest,
}

/// The files of a request, loaded.
struct Loaded {
    root: Option<PathBuf>,
    source: Option<DockerfileSource>,
    dockerfile: Dockerfile,
    ignore: Ignore,
    ignore_file: Option<PathBuf>,
    /// Paths whose appearance would change the answer.
    candidates: Vec<PathBuf>,
}

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
    let map = InputsMap::new(recipe.clone(), &views, selection, path.as_deref(), &candidates, &secrets);
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
        secrets: recipe.secrets.into_iter().collect(),
        map: Arc::new(map),
        shape,
    })
}

/// Additional contexts that are folders and that the target uses.
fn additional_folders(request: &BuildRequest<'_>, recipe: &Recipe) -> Vec<(usize, String, PathBuf)> {
    resolve::additional(request)
        .into_iter()
        .filter(|a| recipe.additional.contains(&a.name))
        .filter_map(|a| match a.origin {
            AdditionalOrigin::Folder(index, root) => Some((index, a.name, root)),
            _ => None,
        })
        .collect()
}

fn load(tree: &dyn FileTree, request: &BuildRequest<'_>) -> Result<Loaded, InputsError> {
    let root = request.context().ok();
    if let Some(root) = &root {
        check_folder(tree, root)?;
    }
    let mut candidates = Vec::new();
    let source = match (&request.build.dockerfile_inline, &root) {
        (Some(text), _) => Some(DockerfileSource { path: None, relative: None, text: text.clone() }),
        (None, Some(root)) => Some(find_dockerfile(tree, request, root)?),
        (None, None) => None,
    };
    let dockerfile = match &source {
        Some(source) => dockerfile::parse(&source.text)
            .map_err(|error| InputsError::Dockerfile { path: source.path.clone(), error: Box::new(error) })?,
        None => Dockerfile::default(),
    };
    let (mut ignore, mut ignore_file) = (Ignore::default(), None);
    let own = source.as_ref().and_then(|s| s.path.as_ref()).map(|path| {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".dockerignore");
        path.with_file_name(name)
    });
    let common = root.as_ref().map(|root| root.join(".dockerignore"));
    for path in own.into_iter().chain(common) {
        candidates.push(path.clone());
        if ignore_file.is_none()
            && let Some(found) = read_ignore(tree, &path)?
        {
            ignore = found;
            ignore_file = Some(path);
        }
    }
    Ok(Loaded { root, source, dockerfile, ignore, ignore_file, candidates })
}

fn find_dockerfile(
    tree: &dyn FileTree,
    request: &BuildRequest<'_>,
    root: &Path,
) -> Result<DockerfileSource, InputsError> {
    let named = request.build.dockerfile.as_deref().filter(|d| !d.is_empty());
    let path = join(root, named.unwrap_or("Dockerfile"));
    let (path, bytes) = match (tree.read(&path), named) {
        (Ok(bytes), _) => (path, bytes),
        // Builders try the name in small letters where none was given.
        (Err(error), None) if error.kind() == io::ErrorKind::NotFound => {
            let small = root.join("dockerfile");
            match tree.read(&small) {
                Ok(bytes) => (small, bytes),
                Err(_) => return Err(missing_dockerfile(tree, path)),
            }
        }
        (Err(error), Some(_)) if missing(&error) => return Err(missing_dockerfile(tree, path)),
        (Err(error), _) => return Err(InputsError::Read { path, error }),
    };
    let relative = super::context::below(root, &path).map(str::to_owned);
    Ok(DockerfileSource { path: Some(path), relative, text: String::from_utf8_lossy(&bytes).into_owned() })
}

fn missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn missing_dockerfile(tree: &dyn FileTree, path: PathBuf) -> InputsError {
    let similar = path.parent().and_then(|folder| {
        let entries = tree.list(folder).ok()?;
        let names: Vec<String> = entries.iter().map(|e| e.name.to_string_lossy().into_owned()).collect();
        let wanted = path.file_name()?.to_string_lossy().into_owned();
        let is_one = |name: &&str| {
            let lower = name.to_lowercase();
            lower.contains("dockerfile") && !lower.ends_with(".dockerignore") || lower.contains("containerfile")
        };
        let dockerfiles = names.iter().map(String::as_str).filter(is_one);
        similar(&wanted, names.iter().map(String::as_str)).or_else(|| dockerfiles.min().map(str::to_owned))
    });
    InputsError::MissingDockerfile { path, similar }
}

fn read_ignore(tree: &dyn FileTree, path: &Path) -> Result<Option<Ignore>, InputsError> {
    match tree.read(path) {
        Ok(bytes) => match Ignore::parse(&String::from_utf8_lossy(&bytes)) {
            Ok(ignore) => Ok(Some(ignore)),
            Err(error) => Err(InputsError::Ignore { path: path.to_owned(), error }),
        },
        Err(error) if missing(&error) => Ok(None),
        Err(error) => Err(InputsError::Read { path: path.to_owned(), error }),
    }
}

fn check_folder(tree: &dyn FileTree, root: &Path) -> Result<(), InputsError> {
    let missing_context = || {
        let similar = root.parent().and_then(|parent| {
            let names: Vec<String> =
                tree.list(parent).ok()?.iter().map(|e| e.name.to_string_lossy().into_owned()).collect();
            similar(&root.file_name()?.to_string_lossy(), names.iter().map(String::as_str))
        });
        InputsError::MissingContext { path: root.to_owned(), similar }
    };
    match tree.entry(root) {
        Ok(entry) => match entry.kind {
            EntryKind::Dir => Ok(()),
            // A link to a folder is a context like any other.
            EntryKind::Symlink(_) => match tree.list(root) {
                Ok(_) => Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing_context()),
                Err(_) => Err(InputsError::ContextIsNoFolder { path: root.to_owned() }),
            },
            _ => Err(InputsError::ContextIsNoFolder { path: root.to_owned() }),
        },
        Err(error) if missing(&error) => Err(missing_context()),
        Err(error) => Err(InputsError::Read { path: root.to_owned(), error }),
    }
}

/// Hashes the selected files. What has vanished since it was listed is dropped.
fn hash(tree: &dyn FileTree, view: &View<'_>, files: &mut Files) -> Result<Vec<ContextFile>, InputsError> {
    let mut found: Vec<ContextFile> = Vec::with_capacity(files.len());
    let (mut unknown, mut paths) = (Vec::new(), Vec::new());
    // Paths are sorted, so most are in the folder of the one before.
    let (mut folder, mut children) = (None, None);
    for (path, Selected { kind, mode, way }) in files.iter() {
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
        found.push(ContextFile { path, kind, mode, digest, part: None, way: *way });
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
    for file in found.iter_mut().filter(|file| !file.way) {
        file.part = Some(parts::entry_digest(file));
    }
    Ok(found)
}
