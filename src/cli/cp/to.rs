//! From this machine into containers.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tokio_util::io::ReaderStream;

use super::copy::{Copy, refused};
use super::paths::{self, Target, There};
use crate::cli::args::CpArgs;
use crate::cli::context::{Context, Stack};
use crate::cli::exit::{Exit, Failure};
use crate::host::archive;
use crate::model::{ContainerId, ObservedContainer};

/// Copies a path, or an archive that comes in at standard input, to all of the containers.
pub(super) async fn copy(
    context: &Context,
    stack: &Stack,
    containers: &[&ObservedContainer],
    local: &str,
    path: &str,
    args: &CpArgs,
) -> anyhow::Result<Exit> {
    if local == "-" && containers.len() > 1 {
        let failure = refused("what comes in at standard input can go to one container only");
        return Err(failure.hint("`--index` names one of them").into());
    }
    for container in containers {
        let (from, to) = (local.to_owned(), format!("{}:{path}", container.name));
        let copy = Copy { context, container, from, to };
        if !context.global.dry_run {
            copy.say("Copying");
        }
        let place = find(stack, &container.id, path).await?;
        if local == "-" {
            let Place { path, there: There::Folder } = place else {
                return Err(refused(format!("destination \"{}\" must be a directory", copy.to)).into());
            };
            if !context.global.dry_run {
                let tar = Box::pin(ReaderStream::new(tokio::io::stdin()));
                stack.engine.extract(&container.id, &path, tar, args.archive).await?;
            }
        } else {
            let source = Source::find(&context.working_dir, local, args.follow_link)?;
            let target = paths::place(source.is_folder, &place.path, place.there).map_err(refused)?;
            if !context.global.dry_run {
                send(stack, &container.id, source, target, args.archive).await?;
            }
        }
        if context.global.dry_run { copy.would() } else { copy.say("Copied") }
    }
    Ok(Exit::Ok)
}

/// Sends a file or folder as an archive that is made meanwhile.
async fn send(stack: &Stack, id: &ContainerId, source: Source, target: Target, copy_owner: bool) -> anyhow::Result<()> {
    let name = target.name.unwrap_or(source.name);
    let (mut writer, pieces) = archive::pieces();
    let packing = tokio::task::spawn_blocking(move || {
        let result = archive::pack(&source.path, &name, &mut writer);
        writer.finish(&result);
        result
    });
    let sent = stack.engine.extract(id, &target.folder, Box::pin(pieces), copy_owner).await;
    // What cannot be read is why the engine got no whole archive; an archive that nobody takes is the engine's refusal.
    match packing.await? {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(refused(error.to_string()).into()),
        _ => Ok(sent?),
    }
}

/// A destination, behind a link where it is one.
struct Place {
    path: String,
    there: There,
}

async fn find(stack: &Stack, id: &ContainerId, path: &str) -> anyhow::Result<Place> {
    // What cannot be looked at may be made there; the copy itself says what is wrong.
    let mut found = stack.engine.stat(id, path).await.ok().flatten();
    let mut path = path.to_owned();
    if let Some(link) = found.as_ref().and_then(|found| found.link.as_ref()) {
        path = paths::target(&path, link);
        found = stack.engine.stat(id, &path).await.ok().flatten();
    }
    let there = match found {
        None => There::Nothing,
        Some(found) if found.is_device => return Err(refused(format!("{path} is a device")).into()),
        Some(found) if found.is_folder => There::Folder,
        Some(_) => There::File,
    };
    Ok(Place { path, there })
}

/// What is copied.
struct Source {
    path: PathBuf,
    /// Its name in the archive; `.` for a folder's content.
    name: String,
    is_folder: bool,
}

impl Source {
    fn find(working_dir: &Path, local: &str, follow_link: bool) -> anyhow::Result<Self> {
        let missing = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotADirectory => refused(format!("{local}: not a directory")),
            _ => Failure::new(Exit::NoManifest, format!("{local}: {error}")),
        };
        let whole = working_dir.join(local);
        let text = whole.to_str().context("a path is not text")?;
        let (_, name) = paths::split(text);
        // A slash at the end follows a link as well.
        let path = if follow_link || paths::asserts_folder(local) || name == "." {
            whole.canonicalize().map_err(missing)?
        } else {
            let (folder, name) = paths::split(text);
            Path::new(&folder).canonicalize().map_err(missing)?.join(name)
        };
        let is_folder = path.symlink_metadata().map_err(missing)?.is_dir();
        if !is_folder && paths::asserts_folder(local) {
            return Err(refused(format!("{local}: not a directory")).into());
        }
        Ok(Self { path, name, is_folder })
    }
}
