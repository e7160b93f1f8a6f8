//! `hob export`: all files of a container as a tar archive.

use std::path::Path;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;

use super::args::ExportArgs;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::tar_out;
use crate::event::Event;
use crate::model::ServiceName;

/// `hob export`.
pub async fn run(context: &Context, args: &ExportArgs) -> anyhow::Result<Exit> {
    let output = args.output.as_ref().map(|path| context.working_dir.join(path));
    match &output {
        None => tar_out::no_terminal("output option is required when exporting to terminal")?,
        Some(path) => check(path)?,
    }
    let stack = context.stack_of_containers(std::slice::from_ref(&args.service)).await?;
    let observed = stack.observe().await?;
    let service = ServiceName::new(&args.service);
    let container = super::context::container(&observed, &service, args.index)?;
    let name = &container.name;
    let to = args.output.as_ref().map_or_else(|| "-".to_owned(), |path| path.display().to_string());
    if context.global.dry_run {
        context.sink.emit(Event::Output { text: format!("export {name} to {to}") });
        return Ok(Exit::Ok);
    }
    let say = |what| context.sink.emit(Event::Notice { text: format!("{name} export {name} to {to} {what}") });
    say("Exporting");
    let mut archive = stack.engine.export(&container.id).await?;
    let Some(path) = output else {
        let exit = tar_out::to_stdout(context, archive).await?;
        say("Exported");
        return Ok(exit);
    };
    // Beside it first: what is there stays until all of it has come.
    let folder = path.parent().unwrap_or(&context.working_dir);
    let beside = tempfile::NamedTempFile::new_in(folder).with_context(|| folder.display().to_string())?;
    let mut file = tokio::fs::File::from_std(beside.reopen()?);
    while let Some(piece) = archive.next().await {
        file.write_all(&piece?).await.with_context(|| to.clone())?;
    }
    file.flush().await.with_context(|| to.clone())?;
    beside.persist(&path).with_context(|| to.clone())?;
    say("Exported");
    Ok(Exit::Ok)
}

fn check(path: &Path) -> Result<(), Failure> {
    if path.is_dir() {
        return Err(Failure::new(Exit::Failed, format!("cannot write to a directory: {}", path.display())));
    }
    let folder = path.parent().filter(|folder| !folder.is_dir());
    if let Some(folder) = folder {
        let text = format!("invalid output path: directory \"{}\" does not exist", folder.display());
        return Err(Failure::new(Exit::NoManifest, text));
    }
    Ok(())
}
