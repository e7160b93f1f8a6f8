//! `hob init`: which files to write into a folder. Looks through a `FileTree` and writes nothing itself.

mod stack;
mod templates;

use std::borrow::Cow;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::model::{EntryKind, FileTree};

use stack::{Stack, is_file};

pub use templates::{TEMPLATES, template};

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// Where, relative to the folder.
    pub path: PathBuf,
    /// Its content.
    pub content: Cow<'static, [u8]>,
    /// It may be executed.
    pub executable: bool,
}

impl NewFile {
    fn text(path: impl Into<PathBuf>, content: String) -> Self {
        Self { path: path.into(), content: Cow::Owned(content.into_bytes()), executable: false }
    }
}

/// What `hob init` does in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proposal {
    /// Nothing: hob reads what is there.
    Reads(PathBuf),
    /// It writes these files. `found` says what they are for, such as `a Node.js program`.
    Writes {
        /// The files.
        files: Vec<NewFile>,
        /// What the folder was taken for.
        found: Vec<String>,
    },
}

/// Manifests that hob reads, the first one wins.
const MANIFESTS: [&str; 5] =
    ["devenv.yaml", "compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
/// More folders than these are not looked into.
const SERVICES: usize = 20;

/// A program that was found.
struct Found {
    service: String,
    /// Its folder, relative, with `.` for the folder itself.
    context: String,
    /// What it is written in; `None` where all that is known is its Dockerfile.
    stack: Option<Stack>,
    /// It has a Dockerfile.
    built: bool,
    ports: Vec<u16>,
}

/// What to write into a folder. With `force` a manifest that is there is no reason to write none.
pub fn propose(tree: &dyn FileTree, folder: &Path, force: bool) -> Proposal {
    if !force && let Some(manifest) = MANIFESTS.into_iter().find(|name| is_file(tree, &folder.join(name))) {
        return Proposal::Reads(manifest.into());
    }
    let programs = programs(tree, folder);
    let mut files = vec![NewFile::text("devenv.yaml", manifest(&programs))];
    for program in &programs {
        if let Some(stack) = program.stack.filter(|_| !program.built) {
            let context = Path::new(&program.context);
            let context = context.strip_prefix(".").unwrap_or(context);
            files.push(NewFile::text(context.join("Dockerfile"), stack.dockerfile(tree, &folder.join(context))));
            if !is_file(tree, &folder.join(context).join(".dockerignore")) {
                files.push(NewFile::text(context.join(".dockerignore"), stack.ignored().to_owned()));
            }
        }
    }
    Proposal::Writes { files, found: programs.iter().map(describe).collect() }
}

/// The folder's own program, or else those in the folders right inside it.
fn programs(tree: &dyn FileTree, folder: &Path) -> Vec<Found> {
    if let Some(program) = program(tree, folder, ".", "app") {
        return vec![program];
    }
    let mut folders: Vec<String> = tree
        .list(folder)
        .unwrap_or_default()
        .into_iter()
        .filter(|entry| entry.kind == EntryKind::Dir)
        .filter_map(|entry| entry.name.into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    folders.sort();
    let programs = folders.iter().filter_map(|name| program(tree, &folder.join(name), name, &service_name(name)?));
    programs.take(SERVICES).collect()
}

fn program(tree: &dyn FileTree, folder: &Path, context: &str, service: &str) -> Option<Found> {
    let dockerfile = tree.read(&folder.join("Dockerfile")).ok();
    let stack = Stack::of(tree, folder);
    let ports = match (&dockerfile, stack) {
        (Some(dockerfile), _) => stack::exposed(&String::from_utf8_lossy(dockerfile)),
        (None, Some(stack)) => vec![stack.port()],
        (None, None) => return None,
    };
    let context = if context == "." { ".".to_owned() } else { format!("./{context}") };
    Some(Found { service: service.to_owned(), context, stack, built: dockerfile.is_some(), ports })
}

/// A service's name made of a folder's, if it has any letter that may be in one.
fn service_name(folder: &str) -> Option<String> {
    let allowed = |char: char| if char.is_ascii_alphanumeric() || "_.-".contains(char) { char } else { '-' };
    let name: String = folder.to_lowercase().chars().map(allowed).collect();
    let name = name.trim_matches(['-', '.', '_']);
    (!name.is_empty()).then(|| name.to_owned())
}

fn describe(found: &Found) -> String {
    let what = match (found.stack, found.built) {
        (Some(stack), false) => format!("{}, with a Dockerfile to start from", stack.name()),
        (Some(stack), true) => format!("{} with a Dockerfile", stack.name()),
        (None, _) => "a Dockerfile".to_owned(),
    };
    format!("{}: {what}", found.service)
}

fn manifest(programs: &[Found]) -> String {
    let mut text = "\
# What `hob up` runs. A superset of a Compose file: whatever is valid there is valid here.
services:
"
    .to_owned();
    for program in programs {
        // Writing into a string does not fail.
        let _ = write!(text, "  {}:\n    build: {}\n", program.service, quoted(&program.context));
        if !program.ports.is_empty() {
            text.push_str("    ports:\n");
            for port in &program.ports {
                let _ = writeln!(text, "      - 127.0.0.1:{port}:{port} # on this machine only");
            }
        }
        text.push_str("    # What follows a save. `restart` is what hob does by itself; `none` is for programs that\n");
        text.push_str("    # reload themselves.\n    # reload: none\n");
    }
    if programs.is_empty() {
        text.push_str(EXAMPLE);
    }
    text.push_str(DATABASE);
    text
}

/// What to write where nothing was found.
const EXAMPLE: &str = "  app:
    image: alpine
    command: [\"sh\", \"-c\", \"while true; do date; sleep 5; done\"]
    # With a Dockerfile in this folder, in place of `image`:
    # build: .
";

const DATABASE: &str = "
  # A database beside it, with the data in a volume:
  # db:
  #   image: postgres:17
  #   environment:
  #     POSTGRES_PASSWORD: development
  #   volumes:
  #     - db-data:/var/lib/postgresql/data
  #   healthcheck:
  #     test: [CMD-SHELL, pg_isready -U postgres]
  #     interval: 1s
  # And in the service that needs it:
  #   depends_on:
  #     db:
  #       condition: service_healthy
# volumes:
#   db-data:
";

/// A path as a YAML scalar: quoted unless it is plainly a word.
fn quoted(path: &str) -> String {
    let plain = path.chars().all(|char| char.is_ascii_alphanumeric() || "./_-".contains(char));
    if plain { path.to_owned() } else { format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\"")) }
}

#[cfg(test)]
mod tests;
