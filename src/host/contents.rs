//! What containers hold, by their id, which never comes again. A container's labels say what it was made of; what was
//! synced into it since is known to nobody but the hob that did it, so that is written down here: before the first byte
//! of a sync that there is one, and after the last what the container holds.
//!
//! What is not written here is not known, and whoever needs to know makes the container anew: one that another user's
//! hob made or synced into, one whose note was lost with the cache folder, one that was being synced into when hob was
//! killed. A note that was made before the machine was started again proves nothing either, as the disk may have the one
//! and not the other.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::atomic;
use super::process::{is_gone, mark};
use crate::model::{ContainerId, Content, Digest};

/// The first word of a note of a sync that is under way; the process that syncs follows.
const SYNCING: &str = "syncing";

/// Notes that are kept.
const KEPT: usize = 2_000;

/// A folder with a note for each container.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    folder: Option<PathBuf>,
}

impl Contents {
    /// In a folder; without one nothing is ever known.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    fn file(&self, container: &ContainerId) -> Option<PathBuf> {
        let id = container.as_str();
        let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        Some(self.folder.as_ref()?.join(format!("{id}.txt"))).filter(|_| is_id)
    }

    /// What a container holds.
    pub fn of(&self, container: &ContainerId) -> Content {
        let text = self.file(container).and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
        let mut words = text.split_whitespace();
        match (words.next(), words.next()) {
            (Some("made"), None) => Content::AsMade,
            (Some(SYNCING), Some(by)) if by != mark() && !is_gone(by) => Content::Syncing,
            (Some(digest), boot) if boot == Some(this_boot().as_str()) => {
                Digest::parse(digest).map_or(Content::Unknown, Content::Synced)
            }
            _ => Content::Unknown,
        }
    }

    /// Notes what a container holds.
    ///
    /// # Errors
    /// It cannot be written: then it must not be changed.
    pub fn note(&self, container: &ContainerId, content: &Content) -> io::Result<()> {
        let Some(file) = self.file(container) else { return Err(io::ErrorKind::NotFound.into()) };
        // In one piece: a note that is half written would be none.
        let write = |text: &str| atomic::write(&file, text.as_bytes(), atomic::PRIVATE);
        match content {
            Content::AsMade => {
                let folder = file.parent().unwrap_or(Path::new("/"));
                fs::create_dir_all(folder)?;
                write("made")?;
                prune(folder);
                Ok(())
            }
            Content::Synced(digest) => write(&format!("{digest} {}", this_boot())),
            Content::Syncing => write(&format!("{SYNCING} {}", mark())),
            Content::Unknown => match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        }
    }
}

/// Tells one start of the machine from the next, where the system says it.
fn this_boot() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    format!("boot-{}", boot.trim())
}

/// Takes away the oldest notes when there are too many. A container whose note is gone is made anew, no more.
fn prune(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut files: Vec<(SystemTime, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    if files.len() <= KEPT + KEPT / 10 {
        return;
    }
    files.sort();
    for (_, file) in files.iter().rev().skip(KEPT) {
        let _ = fs::remove_file(file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ContainerId {
        ContainerId::new(text)
    }

    #[test]
    fn what_was_noted_is_known_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let contents = Contents::new(Some(folder.path().join("deeper")));
        let digest = Digest::of(b"files");
        assert_eq!(contents.of(&id("0f")), Content::Unknown, "another user's hob made it");
        contents.note(&id("0f"), &Content::AsMade).unwrap();
        assert_eq!(contents.of(&id("0f")), Content::AsMade);
        contents.note(&id("0f"), &Content::Syncing).unwrap();
        assert_eq!(contents.of(&id("0f")), Content::Unknown, "a sync of our own has begun");
        contents.note(&id("0f"), &Content::Synced(digest.clone())).unwrap();
        assert_eq!(contents.of(&id("0f")), Content::Synced(digest.clone()));
        assert_eq!(Contents::new(Some(folder.path().join("deeper"))).of(&id("0f")), Content::Synced(digest));
        assert_eq!(contents.of(&id("0e")), Content::Unknown);
    }

    #[test]
    fn what_proves_nothing_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let contents = Contents::new(Some(folder.path().to_owned()));
        let digest = Digest::of(b"files").to_string();
        for text in ["", "\0\0", "mad", "made twice", &digest, &format!("{digest} boot-another"), "x boot-"] {
            fs::write(folder.path().join("0f.txt"), text).unwrap();
            assert_eq!(contents.of(&id("0f")), Content::Unknown, "{text:?}");
        }
        for (contents, id) in [(Contents::default(), id("0f")), (contents, id("../0f"))] {
            assert!(contents.note(&id, &Content::Synced(Digest::of(b"files"))).is_err());
            assert_eq!(contents.of(&id), Content::Unknown);
        }
    }

    #[test]
    fn a_sync_goes_on_as_long_as_its_process() {
        let folder = tempfile::tempdir().unwrap();
        let contents = Contents::new(Some(folder.path().to_owned()));
        contents.note(&id("0f"), &Content::Syncing).unwrap();
        let text = fs::read_to_string(folder.path().join("0f.txt")).unwrap();
        let (place, rest) = text.rsplit_once(&format!(".{}.", std::process::id())).unwrap();
        // Another process that runs, and the same id for one that began earlier.
        let parent = nix::unistd::getppid();
        let stat = fs::read_to_string(format!("/proc/{parent}/stat")).unwrap();
        let began = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap();
        for (by, content) in [
            (format!("{place}.{parent}.{began}"), Content::Syncing),
            (format!("{place}.{parent}.1{began}"), Content::Unknown),
            (format!("{place}.{}.1{rest}", std::process::id()), Content::Unknown),
        ] {
            fs::write(folder.path().join("0f.txt"), &by).unwrap();
            assert_eq!(contents.of(&id("0f")), content, "{by}");
        }
    }

    #[test]
    fn the_oldest_notes_go() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..KEPT + KEPT / 10 {
            fs::write(folder.path().join(format!("a{number}.txt")), "made").unwrap();
        }
        Contents::new(Some(folder.path().to_owned())).note(&id("new"), &Content::AsMade).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), KEPT);
    }
}
