//! What earlier runs measured, so that a change can be named, and the salt that keeps secrets out of labels. Both live
//! in the user's cache folder; losing them costs a reason, never a wrong decision.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::model::{Digest, Measured};

/// Measures that are kept.
const KEPT: usize = 200;

/// A folder with one file for each measure, by its digest.
#[derive(Clone, Debug)]
pub struct History {
    folder: Option<PathBuf>,
}

impl History {
    /// In a folder; without one nothing is kept.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// Keeps measures that are not kept yet. What cannot be written is not kept.
    pub fn remember<'a>(&self, measured: impl Iterator<Item = &'a Measured>) {
        let Some(folder) = &self.folder else { return };
        let mut any = false;
        for measured in measured {
            let file = folder.join(format!("{}.json", measured.digest));
            if file.exists() {
                continue;
            }
            any = true;
            if let Ok(text) = serde_json::to_vec(&measured.parts) {
                let _ = fs::create_dir_all(folder).and_then(|()| write_atomically(&file, &text));
            }
        }
        if any {
            prune(folder);
        }
    }

    /// The parts of earlier measures, as far as they are kept.
    pub fn recall(&self, digests: &[Digest]) -> HashMap<Digest, Vec<(String, Digest)>> {
        let Some(folder) = &self.folder else { return HashMap::new() };
        let read = |digest: &Digest| {
            let text = fs::read(folder.join(format!("{digest}.json"))).ok()?;
            Some((digest.clone(), serde_json::from_slice(&text).ok()?))
        };
        digests.iter().filter_map(read).collect()
    }

    /// A random text of this user on this machine.
    pub fn salt(&self) -> String {
        let Some(folder) = &self.folder else { return String::new() };
        let file = folder.join("salt");
        if let Ok(salt) = fs::read_to_string(&file) {
            return salt;
        }
        let mut random = [0_u8; 32];
        let read = fs::File::open("/dev/urandom").and_then(|mut f| std::io::Read::read_exact(&mut f, &mut random));
        if read.is_err() {
            return String::new();
        }
        let salt = Digest::of(&random).as_str().to_owned();
        let _ = fs::create_dir_all(folder).and_then(|()| write_atomically(&file, salt.as_bytes()));
        salt
    }
}

fn prune(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut files: Vec<(std::time::SystemTime, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().extension().is_some_and(|e| e == "json"))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    files.sort();
    for (_, file) in files.iter().rev().skip(KEPT) {
        let _ = fs::remove_file(file);
    }
}

fn write_atomically(file: &Path, text: &[u8]) -> std::io::Result<()> {
    let beside = file.with_extension(format!("{}.tmp", std::process::id()));
    let mut open = fs::OpenOptions::new();
    open.write(true).create(true).truncate(true).mode(0o600);
    open.open(&beside)?.write_all(text)?;
    fs::rename(&beside, file)
}
