//! `hob init`: writes what `scaffold` proposes, and never over a file that is there unless told to.

#![allow(clippy::disallowed_methods, reason = "writing files is what it is for")]

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::event::{Event, Sink};
use crate::host::atomic;
use crate::model::FileTree;
use crate::scaffold::{self, NewFile, Proposal};

use super::args::InitArgs;
use super::exit::{Exit, Failure};

/// The schema's file, beside the manifest: an editor finds it from any clone, with no network.
const SCHEMA: &str = "devenv.schema.json";

/// Writes a manifest that fits the folder, or a template.
pub fn run(
    args: &InitArgs,
    dry_run: bool,
    folder: &Path,
    tree: &dyn FileTree,
    sink: &dyn Sink,
) -> anyhow::Result<Exit> {
    let proposal = match &args.template {
        Some(name) => Proposal::Writes { files: from_template(name)?, found: Vec::new() },
        None => scaffold::propose(tree, folder, args.force),
    };
    let (mut files, found) = match proposal {
        Proposal::Reads(manifest) => {
            let text =
                format!("{} is there, and hob reads it as it is: nothing to write\nnext: hob up", manifest.display());
            sink.emit(Event::Output { text });
            return Ok(Exit::Ok);
        }
        Proposal::Writes { files, found } => (files, found),
    };
    with_schema(&mut files)?;
    if !args.force {
        refuse_to_overwrite(folder, &files)?;
    }
    for file in files.iter().filter(|_| !dry_run) {
        write(folder, file, args.force).with_context(|| format!("cannot write {}", file.path.display()))?;
    }
    sink.emit(Event::Output { text: summary(&files, &found, dry_run) });
    Ok(Exit::Ok)
}

fn from_template(name: &str) -> anyhow::Result<Vec<NewFile>> {
    let unknown = || {
        let known = scaffold::TEMPLATES.join(", ");
        Failure::new(Exit::Usage, format!("there is no template `{name}`")).hint(format!("there is: {known}"))
    };
    Ok(scaffold::template(name).ok_or_else(unknown)?)
}

/// The schema beside the manifest, and the line by which editors find it.
fn with_schema(files: &mut Vec<NewFile>) -> anyhow::Result<()> {
    let manifests = files.iter_mut().filter(|file| file.path == Path::new("devenv.yaml"));
    for manifest in manifests {
        let mut content = format!("# yaml-language-server: $schema={SCHEMA}\n").into_bytes();
        content.extend_from_slice(&manifest.content);
        manifest.content = Cow::Owned(content);
    }
    let mut content = serde_json::to_vec_pretty(&crate::manifest::json_schema())?;
    content.push(b'\n');
    files.push(NewFile { path: SCHEMA.into(), content: Cow::Owned(content), executable: false });
    Ok(())
}

fn summary(files: &[NewFile], found: &[String], dry_run: bool) -> String {
    let wrote = if dry_run { "would write" } else { "wrote" };
    let mut text = String::new();
    // Writing into a string does not fail.
    for found in found {
        let _ = writeln!(text, "found {found}");
    }
    for file in files {
        let _ = writeln!(text, "{wrote} {}", file.path.display());
    }
    text.push_str("next: hob up");
    text
}

fn refuse_to_overwrite(folder: &Path, files: &[NewFile]) -> Result<(), Failure> {
    let there = |file: &&NewFile| fs::symlink_metadata(folder.join(&file.path)).is_ok();
    let there: Vec<String> = files.iter().filter(there).map(|file| file.path.display().to_string()).collect();
    match there.as_slice() {
        [] => Ok(()),
        [one] => Err(Failure::new(Exit::Failed, format!("{one} is there already; nothing was written"))),
        several => {
            let text = format!("{} files are there already; nothing was written", several.len());
            let mut failure = Failure::new(Exit::Failed, text);
            failure.message.detail.extend(several.iter().cloned());
            Err(failure)
        }
    }
    .map_err(|failure| failure.hint("`hob init --force` overwrites"))
}

/// Writes a file so that it is there whole or not at all, and a symbolic link in its place is replaced and not followed.
/// Without `force` it is not written where something has taken the name in the meantime.
fn write(folder: &Path, file: &NewFile, force: bool) -> std::io::Result<()> {
    let path = folder.join(&file.path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mode = if file.executable { 0o777 } else { atomic::SHARED };
    if force { atomic::write(&path, &file.content, mode) } else { atomic::create(&path, &file.content, mode) }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use super::*;
    use crate::model::{Entry, EntryKind};

    struct Disk;

    impl FileTree for Disk {
        fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
            fs::read(path)
        }
        fn entry(&self, path: &Path) -> io::Result<Entry> {
            let meta = fs::symlink_metadata(path)?;
            let kind = if meta.is_dir() { EntryKind::Dir } else { EntryKind::File { size: meta.len() } };
            Ok(Entry { name: path.file_name().unwrap_or_default().to_owned(), kind, mode: 0o644 })
        }
        fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
            fs::read_dir(path)?.map(|entry| self.entry(&entry?.path())).collect()
        }
    }

    #[derive(Default)]
    struct Said(Mutex<String>);

    impl Sink for Said {
        fn emit(&self, event: Event) {
            if let Event::Output { text } = event {
                *self.0.lock().unwrap() = text;
            }
        }
    }

    fn init(folder: &Path, template: Option<&str>, force: bool) -> anyhow::Result<String> {
        let said = Said::default();
        let args = InitArgs { template: template.map(str::to_owned), force, ignore: false };
        run(&args, false, folder, &Disk, &said)?;
        Ok(said.0.into_inner().unwrap())
    }

    #[test]
    fn a_template_is_written_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let said = init(folder.path(), Some("shop"), false).unwrap();
        assert!(said.ends_with("\nnext: hob up") && said.contains("wrote api/Dockerfile\n"), "{said}");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/shop");
        for file in scaffold::template("shop").unwrap() {
            let (new, old) = (folder.path().join(&file.path), source.join(&file.path));
            let (written, template) = (fs::read(&new).unwrap(), fs::read(&old).unwrap());
            // The manifest has one line more, for the editor.
            assert!(written.ends_with(&template), "{}", file.path.display());
            assert_eq!(written == template, file.path != Path::new("devenv.yaml"), "{}", file.path.display());
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                let executable = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o100 != 0;
                assert_eq!(executable(&new), executable(&old), "{}", file.path.display());
            }
        }
        let suffix = format!(".{}.tmp", std::process::id());
        let left: Vec<_> = walk(folder.path()).into_iter().filter(|name| name.ends_with(&suffix)).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    fn walk(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path.display().to_string()] }).collect()
    }

    #[test]
    fn the_schema_is_written_where_the_manifest_says_it_is() {
        let folder = tempfile::tempdir().unwrap();
        init(folder.path(), Some("shop"), false).unwrap();
        let manifest = fs::read_to_string(folder.path().join("devenv.yaml")).unwrap();
        let name = manifest.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=").unwrap();
        let schema: serde_json::Value = serde_json::from_slice(&fs::read(folder.path().join(name)).unwrap()).unwrap();
        assert_eq!(schema, crate::manifest::json_schema());
    }

    #[test]
    fn nothing_is_overwritten_unless_told_to() {
        let folder = tempfile::tempdir().unwrap();
        let web = folder.path().join("web");
        fs::create_dir(&web).unwrap();
        fs::write(web.join("Dockerfile"), "mine").unwrap();
        let error = init(folder.path(), Some("shop"), false).unwrap_err();
        assert_eq!(error.to_string(), "web/Dockerfile is there already; nothing was written");
        assert_eq!(walk(folder.path()).len(), 1, "something was written");
        init(folder.path(), Some("shop"), true).unwrap();
        assert_ne!(fs::read(web.join("Dockerfile")).unwrap(), b"mine");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_way_is_replaced_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::NamedTempFile::new().unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("devenv.yaml")).unwrap();
        assert!(init(folder.path(), Some("shop"), false).is_err());
        init(folder.path(), Some("shop"), true).unwrap();
        assert_eq!(fs::read(outside.path()).unwrap(), b"");
        assert!(fs::symlink_metadata(folder.path().join("devenv.yaml")).unwrap().is_file());
    }

    #[test]
    fn a_compose_file_is_read_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("docker-compose.yml"), "services: {}").unwrap();
        let said = init(folder.path(), None, false).unwrap();
        assert!(said.starts_with("docker-compose.yml is there, and hob reads it as it is"), "{said}");
        assert_eq!(walk(folder.path()).len(), 1);
    }
}
