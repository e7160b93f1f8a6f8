//! `hob plugin`: hob as a command of Docker's own, which is a link in the folder where Docker looks for its plugins.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::args::{PluginAction, PluginArgs};
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::engine::docker::Surroundings;
use crate::event::Event;

/// The names that Docker looks for: `docker hob`, `docker compose`.
const NAMES: [&str; 2] = ["docker-hob", "docker-compose"];

/// Installs or removes it, and says what was written.
pub fn run(context: &Context, args: &PluginArgs) -> anyhow::Result<Exit> {
    let config = Surroundings::of(&context.environment).config_folder();
    let config = config.context("there is no home folder to install it in; set DOCKER_CONFIG to a folder")?;
    let folder = config.join("cli-plugins");
    let program = std::env::current_exe().and_then(fs::canonicalize).context("hob's own program cannot be found")?;
    let dry_run = context.global.dry_run;
    let told = match args.action {
        PluginAction::Install { compose } => install(&folder, &program, compose, dry_run)?,
        PluginAction::Remove => remove(&folder, dry_run)?,
    };
    for text in told {
        context.sink.emit(Event::Output { text });
    }
    Ok(Exit::Ok)
}

fn install(folder: &Path, program: &Path, compose: bool, dry_run: bool) -> anyhow::Result<Vec<String>> {
    let names = if compose { &NAMES[..] } else { &NAMES[..1] };
    // All or nothing: a link that is in the way is found before the first one is made.
    for name in names {
        let path = folder.join(name);
        if fs::symlink_metadata(&path).is_ok() && !is_ours(&path) {
            let text = format!("{} is there and is not hob's", path.display());
            return Err(Failure::new(Exit::Failed, text).hint("move it away first, and back to undo this").into());
        }
    }
    if !dry_run {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    names
        .iter()
        .map(|name| {
            let path = folder.join(name);
            let command = name.replacen('-', " ", 1);
            let link = format!("{} -> {}", path.display(), program.display());
            if dry_run {
                return Ok(format!("{link}: `{command}` would be hob"));
            }
            put_link(program, &path).with_context(|| format!("cannot write {}", path.display()))?;
            Ok(format!("{link}: `{command}` is hob now"))
        })
        .collect()
}

/// In one step, so that there is no moment without a link.
fn put_link(program: &Path, path: &Path) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let link = |temporary: &Path| std::os::unix::fs::symlink(program, temporary);
    let temporary = tempfile::Builder::new().prefix(".hob-").make_in(folder, link)?;
    temporary.persist(path).map(drop).map_err(|error| error.error)
}

fn remove(folder: &Path, dry_run: bool) -> anyhow::Result<Vec<String>> {
    let mut told = Vec::new();
    for name in NAMES {
        let path = folder.join(name);
        if !is_ours(&path) {
            continue;
        }
        if dry_run {
            told.push(format!("would remove {}", path.display()));
            continue;
        }
        match fs::remove_file(&path) {
            Ok(()) => told.push(format!("removed {}", path.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot remove {}", path.display())),
        }
    }
    if told.is_empty() {
        told.push(format!("nothing to remove: no plugin of hob's in {}", folder.display()));
    }
    Ok(told)
}

/// A link to a program of hob's name, wherever that is or was.
fn is_ours(path: &Path) -> bool {
    fs::read_link(path).is_ok_and(|target: PathBuf| target.file_name().is_some_and(|name| name == "hob"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_installed_is_removed_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("cli-plugins");
        let program = Path::new("/opt/bin/hob");
        install(&folder, program, true, true).unwrap();
        assert!(!folder.exists(), "a dry run writes nothing");
        install(&folder, program, false, false).unwrap();
        assert_eq!(names(&folder), ["docker-hob"]);
        fs::write(folder.join("docker-compose"), "another").unwrap();
        let refused = install(&folder, program, true, false).unwrap_err().to_string();
        assert!(refused.contains("docker-compose is there and is not hob's"), "{refused}");
        assert!(remove(&folder, true).unwrap()[0].starts_with("would remove"));
        assert_eq!(remove(&folder, false).unwrap().len(), 1);
        assert_eq!(names(&folder), ["docker-compose"]);
        fs::remove_file(folder.join("docker-compose")).unwrap();
        assert_eq!(install(&folder, program, true, false).unwrap().len(), 2);
        // Another one takes its place.
        install(&folder, Path::new("/usr/bin/hob"), true, false).unwrap();
        assert_eq!(fs::read_link(folder.join("docker-compose")).unwrap(), Path::new("/usr/bin/hob"));
        assert_eq!(names(&folder), ["docker-compose", "docker-hob"]);
        assert_eq!(remove(&folder, false).unwrap().len(), 2);
        assert_eq!(names(&folder), [""; 0]);
        assert!(remove(&folder, false).unwrap()[0].starts_with("nothing to remove"));
    }
}
