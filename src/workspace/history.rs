//! What earlier runs read, so that a change can be named and an image be made of an earlier one, and the salt that
//! keeps secrets out of labels. Both live in the user's cache folder; losing them costs a reason, never a wrong decision.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::host::atomic;
use crate::inputs::{BuildInputs, BuildRecord};
use crate::model::{Digest, Look, Parts};

/// Readings that are kept.
const KEPT: usize = 200;
/// Bytes of them that are kept: one of 20,000 files takes three million.
const KEPT_BYTES: u64 = 96 << 20;

/// A folder with one file for each measure, by its digest.
#[derive(Clone, Debug, Default)]
pub struct History {
    folder: Option<PathBuf>,
}

impl History {
    /// In a folder; without one nothing is kept.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// Keeps readings that are not kept yet. What cannot be written is not kept.
    pub fn remember<'a>(&self, read: impl Iterator<Item = &'a BuildInputs>) {
        let Some(folder) = &self.folder else { return };
        let mut any = false;
        for inputs in read {
            let file = folder.join(format!("{}.json", inputs.digest));
            if file.exists() {
                continue;
            }
            any = true;
            if let Ok(text) = serde_json::to_vec(&inputs.record()) {
                let _ = fs::create_dir_all(folder).and_then(|()| atomic::write(&file, &text, atomic::PRIVATE));
            }
        }
        if any {
            prune(folder);
        }
    }

    /// The parts of earlier readings, as far as they are kept.
    pub fn recall(&self, digests: &[Digest]) -> HashMap<Digest, Parts> {
        digests.iter().filter_map(|digest| Some((digest.clone(), self.record(digest)?.into_parts()))).collect()
    }

    /// An earlier reading, if it is kept; it counts as used now.
    pub fn record(&self, digest: &Digest) -> Option<BuildRecord> {
        let file = self.folder.as_ref()?.join(format!("{digest}.json"));
        let reading = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
        let _ = fs::File::options().append(true).open(&file).and_then(|file| file.set_modified(SystemTime::now()));
        Some(reading)
    }

    /// What is known of the files of an image, by its id.
    pub fn looks(&self, image: &str) -> HashMap<String, Option<Look>> {
        let read = self.looks_file(image).and_then(|file| fs::read(file).ok());
        read.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// Keeps what is known of the files of an image.
    pub fn keep_looks(&self, image: &str, looks: &HashMap<String, Option<Look>>) {
        if let (Some(file), Ok(text)) = (self.looks_file(image), serde_json::to_vec(looks)) {
            let _ = atomic::write(&file, &text, atomic::PRIVATE);
        }
    }

    fn looks_file(&self, image: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(format!("image-{}.json", Digest::of(image.as_bytes()))))
    }

    /// The name of the builder's copy of a context, which nobody else has from now on; a new one where none is kept.
    pub fn take_copy(&self, context: &str) -> String {
        let kept = self.copy_file(context).and_then(|file| {
            let name = fs::read_to_string(&file).ok()?;
            // Of two who read it, one removes it.
            fs::remove_file(&file).ok().map(|()| name)
        });
        kept.unwrap_or_else(|| random().unwrap_or_default())
    }

    /// The copy is whole.
    pub fn keep_copy(&self, context: &str, name: &str) {
        if let (Some(folder), Some(file)) = (&self.folder, self.copy_file(context)) {
            let _ = fs::create_dir_all(folder).and_then(|()| atomic::write(&file, name.as_bytes(), atomic::PRIVATE));
        }
    }

    fn copy_file(&self, context: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(format!("copy-{}.json", Digest::of(context.as_bytes()))))
    }

    /// A random text of this user on this machine; empty where none can be kept.
    pub fn salt(&self) -> String {
        let Some(folder) = &self.folder else { return String::new() };
        let file = folder.join("salt");
        if let Ok(salt) = fs::read_to_string(&file) {
            return salt;
        }
        let Some(salt) = random() else { return String::new() };
        // One that is not kept would make another digest of the same secret each time.
        let kept = fs::create_dir_all(folder).and_then(|()| atomic::write(&file, salt.as_bytes(), atomic::PRIVATE));
        kept.map(|()| salt).unwrap_or_default()
    }
}

fn random() -> Option<String> {
    let mut random = [0_u8; 32];
    fs::File::open("/dev/urandom").and_then(|mut f| std::io::Read::read_exact(&mut f, &mut random)).ok()?;
    Some(Digest::of(&random).to_string())
}

fn prune(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().extension().is_some_and(|e| e == "json"))
        .filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            Some((metadata.modified().ok()?, metadata.len(), entry.path()))
        })
        .collect();
    files.sort();
    let mut bytes = 0;
    for (index, (_, size, file)) in files.iter().rev().enumerate() {
        bytes += size;
        if index >= KEPT || bytes > KEPT_BYTES {
            let _ = fs::remove_file(file);
        }
    }
}
