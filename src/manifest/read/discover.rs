//! Which files make the manifest: from the command line, from `COMPOSE_FILE`, or found by walking up.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::manifest::LoadOptions;
use crate::manifest::normalize::paths::join;
use crate::manifest::read::environment::Environment;
use crate::manifest::read::yaml::{Node, Span};
use crate::manifest::report::Report;
use crate::manifest::report::diagnostic::Code;
use crate::model::{EntryKind, FileTree};

/// hob's own names, in order.
const OWN: [&str; 2] = ["devenv.yaml", "devenv.yml"];
const OWN_OVERRIDES: [&str; 2] = ["devenv.override.yaml", "devenv.override.yml"];

/// Compose's names and those of the override files that belong to each, in order.
const COMPOSE: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
const COMPOSE_OVERRIDES: [&str; 4] =
    ["compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml"];

/// Keys that only the other program of that name has.
const FOREIGN: [&str; 12] = [
    "inputs",
    "nixpkgs",
    "imports",
    "require_version",
    "secretspec",
    "allowUnfree",
    "allowBroken",
    "permittedInsecurePackages",
    "clean",
    "impure",
    "backend",
    "profile",
];

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The manifest files, absolute; later ones override earlier ones.
    pub files: Vec<PathBuf>,
    /// Where relative paths start.
    pub dir: PathBuf,
    /// The variables, `.env` included.
    pub environment: Environment,
    /// Files that would have been read too if they were there.
    pub awaited: Vec<PathBuf>,
}

/// Looks for the manifest and reads `.env`. Notes an error where there is none.
pub fn discover(
    tree: &dyn FileTree,
    options: &LoadOptions,
    report: &mut Report,
    env_files: &mut Vec<PathBuf>,
) -> Option<Found> {
    let cwd = &options.working_dir;
    let mut environment = Environment::new(std::sync::Arc::new(options.environment.clone()));
    let given = options.project_directory.as_ref().map(|dir| join_path(cwd, dir));
    let mut files: Vec<PathBuf> = options.files.iter().map(|file| join_path(cwd, file)).collect();

    // `.env` may say which files make the manifest, so it is read before they are known, and again beside them.
    let dir = given.clone().or_else(|| files.first().map(|file| parent(file))).unwrap_or_else(|| cwd.clone());
    let named = named_env_files(options, cwd, &environment);
    read_env(&mut environment, &named, &dir, tree, report, env_files);
    if files.is_empty()
        && let Some(list) = environment.filled("COMPOSE_FILE")
    {
        let separator = environment.filled("COMPOSE_PATH_SEPARATOR").unwrap_or(":");
        files = list.split(separator).map(|file| join_path(cwd, Path::new(file))).collect();
    }
    let mut awaited = Vec::new();
    if files.is_empty() {
        files = walk_up(tree, given.as_ref().unwrap_or(cwd), report)?;
        let beside = files.first().map(|file| parent(file)).unwrap_or_default();
        let names = OWN.iter().chain(&OWN_OVERRIDES).chain(&COMPOSE).chain(&COMPOSE_OVERRIDES);
        awaited.extend(names.map(|name| beside.join(name)));
    }
    let dir = given.unwrap_or_else(|| files.first().map_or_else(|| cwd.clone(), |file| parent(file)));
    read_env(&mut environment, &named, &dir, tree, report, env_files);
    if named.is_empty() {
        awaited.push(dir.join(".env"));
    }
    awaited.retain(|file| !files.contains(file) && !env_files.contains(file));
    Some(Found { files, dir, environment, awaited })
}

fn join_path(base: &Path, path: &Path) -> PathBuf {
    if path.is_absolute() { path.to_path_buf() } else { join(base, &path.display().to_string()) }
}

fn parent(file: &Path) -> PathBuf {
    file.parent().map_or_else(|| PathBuf::from("/"), Path::to_path_buf)
}

/// The `.env` files that the command line or `COMPOSE_ENV_FILES` names.
fn named_env_files(options: &LoadOptions, cwd: &Path, environment: &Environment) -> Vec<PathBuf> {
    if !options.env_files.is_empty() {
        return options.env_files.iter().map(|file| join_path(cwd, file)).collect();
    }
    let list = environment.filled("COMPOSE_ENV_FILES").unwrap_or_default();
    list.split(',').filter(|file| !file.is_empty()).map(|file| join_path(cwd, Path::new(file))).collect()
}

/// Whether `.env` is not to be read, in Go's spellings, as in Compose; what is none of them is the error.
pub fn env_file_is_off(environment: &Environment) -> Result<bool, String> {
    match environment.filled("COMPOSE_DISABLE_ENV_FILE") {
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some(other) => Err(other.to_owned()),
    }
}

fn read_env(
    environment: &mut Environment,
    named: &[PathBuf],
    dir: &Path,
    tree: &dyn FileTree,
    report: &mut Report,
    read: &mut Vec<PathBuf>,
) {
    let own = dir.join(".env");
    let disabled = env_file_is_off(environment).unwrap_or_else(|text| {
        let message = format!("COMPOSE_DISABLE_ENV_FILE is {text:?}; expected `true` or `false`");
        report.error(Code::EnvFile, Span::default(), message);
        true
    });
    let files = match named {
        [] if !disabled && is_file(tree, &own) => vec![own],
        named => named.to_vec(),
    };
    let new: Vec<PathBuf> = files.into_iter().filter(|file| !read.contains(file)).collect();
    if !new.is_empty() {
        environment.add_files(&new, tree, report, read);
    }
}

/// Whether there is something at a path that is to be read as a file. That it can be read is not said.
pub fn is_file(tree: &dyn FileTree, path: &Path) -> bool {
    match tree.entry(path).map(|entry| entry.kind) {
        Ok(EntryKind::File { .. } | EntryKind::Other) => true,
        Ok(EntryKind::Symlink(_)) => {
            let leads_nowhere =
                |kind| matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory);
            !tree.read(path).is_err_and(|error| leads_nowhere(error.kind()))
        }
        Ok(EntryKind::Dir) | Err(_) => false,
    }
}

fn walk_up(tree: &dyn FileTree, start: &Path, report: &mut Report) -> Option<Vec<PathBuf>> {
    let mut foreign = None;
    for dir in start.ancestors() {
        for name in OWN {
            let file = dir.join(name);
            if !is_file(tree, &file) {
                continue;
            }
            if foreign.is_none() && is_foreign(tree, &file) {
                foreign = Some(file);
                continue;
            }
            let mut files = vec![file];
            files.extend(OWN_OVERRIDES.iter().map(|name| dir.join(name)).find(|file| is_file(tree, file)));
            return Some(files);
        }
        if let Some(file) = COMPOSE.iter().map(|name| dir.join(name)).find(|file| is_file(tree, file)) {
            let mut files = vec![file];
            files.extend(COMPOSE_OVERRIDES.iter().map(|name| dir.join(name)).find(|file| is_file(tree, file)));
            return Some(files);
        }
    }
    if let Some(file) = foreign {
        let message = format!(
            "{} belongs to another program (devenv, for Nix shells), and there is no manifest of hob",
            file.display()
        );
        let help = "give hob's manifest another place: `hob -f path/to/manifest.yaml`, or write a compose.yaml";
        report.error_help(Code::Foreign, Span::default(), message, help);
    } else {
        let message = format!(
            "no manifest found: there is no devenv.yaml, compose.yaml or docker-compose.yml in {} or above it",
            start.display()
        );
        report.error_help(
            Code::NoManifest,
            Span::default(),
            message,
            "run `hob init` to write one, or name one with `-f`",
        );
    }
    None
}

/// Whether a `devenv.yaml` is the other program's.
fn is_foreign(tree: &dyn FileTree, file: &Path) -> bool {
    let text = tree.read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let (documents, _) = crate::manifest::read::yaml::parse(&text, crate::manifest::read::yaml::FileId::default());
    let Some(map) = documents.first().and_then(Node::as_map) else {
        // Its file may be empty; hob's may not.
        return text.trim().is_empty() && has_nix(tree, file);
    };
    if map.contains_key("services") || map.contains_key("include") {
        return false;
    }
    map.keys().any(|key| FOREIGN.contains(&key.as_str())) || has_nix(tree, file)
}

fn has_nix(tree: &dyn FileTree, file: &Path) -> bool {
    is_file(tree, &file.with_file_name("devenv.nix"))
}
