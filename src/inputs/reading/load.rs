//! The files that say how to build: the Dockerfile and the ignore file in force, and where they are looked for.

use std::io;
use std::path::{Path, PathBuf};

use crate::inputs::dockerfile::{self, Dockerfile};
use crate::inputs::error::{InputsError, similar};
use crate::inputs::ignore::Ignore;
use crate::inputs::paths::{below_host, join_host};
use crate::inputs::reading::files::DockerfileSource;
use crate::inputs::reading::request::BuildRequest;
use crate::model::{EntryKind, FileTree};

/// The files of a request, loaded.
pub(crate) struct BuildFiles {
    pub root: Option<PathBuf>,
    pub source: Option<DockerfileSource>,
    pub dockerfile: Dockerfile,
    pub ignore: Ignore,
    pub ignore_file: Option<PathBuf>,
    /// Paths whose appearance would change the answer.
    pub candidates: Vec<PathBuf>,
}

pub(crate) fn load(tree: &dyn FileTree, request: &BuildRequest<'_>) -> Result<BuildFiles, InputsError> {
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
    Ok(BuildFiles { root, source, dockerfile, ignore, ignore_file, candidates })
}

fn find_dockerfile(
    tree: &dyn FileTree,
    request: &BuildRequest<'_>,
    root: &Path,
) -> Result<DockerfileSource, InputsError> {
    let named = request.build.dockerfile.as_deref().filter(|d| !d.is_empty());
    let path = join_host(root, named.unwrap_or("Dockerfile"));
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
    let relative = below_host(root, &path).map(str::to_owned);
    Ok(DockerfileSource { path: Some(path), relative, text: String::from_utf8_lossy(&bytes).into_owned() })
}

pub(crate) fn missing(error: &io::Error) -> bool {
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

pub(crate) fn read_ignore(tree: &dyn FileTree, path: &Path) -> Result<Option<Ignore>, InputsError> {
    match tree.read(path) {
        Ok(bytes) => match Ignore::parse(&String::from_utf8_lossy(&bytes)) {
            Ok(ignore) => Ok(Some(ignore)),
            Err(error) => Err(InputsError::Ignore { path: path.to_owned(), error }),
        },
        Err(error) if missing(&error) => Ok(None),
        Err(error) => Err(InputsError::Read { path: path.to_owned(), error }),
    }
}

pub(crate) fn check_folder(tree: &dyn FileTree, root: &Path) -> Result<(), InputsError> {
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
