//! From a container to this machine.

use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use futures_util::StreamExt as _;

use super::copy::{Copy, refused};
use super::paths::{self, There};
use crate::cli::args::CpArgs;
use crate::cli::context::{Context, Stack};
use crate::cli::exit::{Exit, Failure};
use crate::cli::tar_out;
use crate::event::{Event, Message};
use crate::host::archive::{self, Place};
use crate::model::ObservedContainer;

/// Links that are followed one after another, as the system does.
const LINKS: usize = 40;

/// Copies a path of a container to a path here, or as an archive to standard output.
pub(super) async fn copy(
    context: &Context,
    stack: &Stack,
    container: &ObservedContainer,
    path: &str,
    local: &str,
    args: &CpArgs,
) -> anyhow::Result<Exit> {
    if local == "-" {
        tar_out::no_terminal("a tar archive is not written to a terminal")?;
    }
    let copy = Copy { context, container, from: format!("{}:{path}", container.name), to: local.to_owned() };
    if !context.global.dry_run {
        copy.say("Copying");
    }
    let id = &container.id;
    let missing = |path: &str| refused(format!("Could not find the file {path} in container {}", container.name));
    let mut found = stack.engine.stat(id, path).await?.ok_or_else(|| missing(path))?;
    let (mut path, mut name) = (path.to_owned(), None);
    if let (Some(link), true) = (&found.link, args.follow_link) {
        let own = paths::split(&path).1;
        path = paths::as_meant(&path, paths::target(&path, link));
        name = (paths::split(&path).1 != own).then_some(own);
        found = stack.engine.stat(id, &path).await?.ok_or_else(|| missing(&path))?;
    }
    if local == "-" {
        if context.global.dry_run {
            copy.would();
            return Ok(Exit::Ok);
        }
        let exit = tar_out::to_stdout(context, stack.engine.download(id, &path).await?).await?;
        copy.say("Copied");
        return Ok(exit);
    }
    let (to, there) = destination(&context.working_dir, local)?;
    let target = paths::place(found.is_folder, to.to_str().context("a path is not text")?, there).map_err(refused)?;
    if context.global.dry_run {
        copy.would();
        return Ok(Exit::Ok);
    }
    let bare = paths::split(&path).1 == ".";
    let name = target.name.or(name).map(Into::into);
    let place = Place { folder: target.folder.into(), bare, name };
    for name in receive(stack, container, &path, place).await? {
        context.sink.emit(Event::Warning(Message::new(format!("{name} is a device, and was left out"))));
    }
    copy.say("Copied");
    Ok(Exit::Ok)
}

async fn receive(
    stack: &Stack,
    container: &ObservedContainer,
    path: &str,
    place: Place,
) -> anyhow::Result<Vec<String>> {
    let (sender, reader) = archive::reader();
    let unpacking = tokio::task::spawn_blocking(move || archive::unpack(reader, &place));
    let bytes = stack.engine.download(&container.id, path).await?;
    let fed = archive::feed(bytes.boxed(), sender).await;
    let unpacked = unpacking.await?;
    fed?;
    Ok(unpacked.map_err(|error| refused(error.to_string()))?)
}

/// A path here, behind links where it is one, and what is there.
fn destination(working_dir: &Path, local: &str) -> anyhow::Result<(PathBuf, There)> {
    let whole = working_dir.join(local);
    let text = whole.to_str().context("a path is not text")?;
    let folder = paths::split(text.trim_end_matches("/.").trim_end_matches('/')).0;
    if !Path::new(&folder).is_dir() {
        let text = format!("invalid output path: directory \"{folder}\" does not exist");
        return Err(Failure::new(Exit::NoManifest, text).into());
    }
    let mut path = whole.clone();
    for _ in 0..LINKS {
        let found = match path.symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((path, There::Nothing)),
            found => found.with_context(|| path.display().to_string())?,
        };
        let kind = found.file_type();
        if kind.is_symlink() {
            let link = std::fs::read_link(&path)?;
            path = path.parent().unwrap_or(working_dir).join(link);
        } else if kind.is_dir() {
            return Ok((path, There::Folder));
        } else if kind.is_file() {
            return Ok((path, There::File));
        } else {
            let what = if kind.is_char_device() || kind.is_block_device() { "a device" } else { "neither" };
            let text = format!("invalid output path: \"{local}\" must be a directory or a regular file, and is {what}");
            return Err(refused(text).into());
        }
    }
    Err(refused(format!("{local}: too many links")).into())
}
