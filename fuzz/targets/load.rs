//! A whole load: a manifest, an override, an included manifest and a `.env` file from one input.

#![no_main]

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use hob_fuzz::manifest::{LoadOptions, json, load, to_yaml};
use hob_fuzz::model::{Entry, EntryKind, FileTree};
use libfuzzer_sys::fuzz_target;

struct Memory(BTreeMap<PathBuf, Vec<u8>>);

impl FileTree for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn entry(&self, path: &Path) -> io::Result<Entry> {
        let name = path.file_name().unwrap_or_default().to_owned();
        match self.0.get(path) {
            Some(bytes) => Ok(Entry { name, kind: EntryKind::File { size: bytes.len() as u64 }, mode: 0o644 }),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn list(&self, _path: &Path) -> io::Result<Vec<Entry>> {
        Ok(Vec::new())
    }
}

fuzz_target!(|data: &[u8]| {
    // The files of one input are separated by a byte that YAML cannot have.
    let names = ["compose.yaml", "compose.override.yaml", "inc.yaml", ".env"];
    let files = data
        .split(|byte| *byte == 0)
        .zip(names)
        .map(|(text, name)| (Path::new("/p").join(name), text.to_vec()))
        .collect();
    let options = LoadOptions {
        working_dir: PathBuf::from("/p"),
        environment: [("A".to_owned(), "a".to_owned())].into(),
        ..LoadOptions::default()
    };
    let tree = Memory(files);
    if let Some(project) = load(&tree, &options).project {
        let printed = json(&project);
        let _ = to_yaml(&project);
        // What is printed can be read again and says the same.
        let again = Memory([(PathBuf::from("/p/compose.yaml"), printed.to_string().into_bytes())].into());
        if let Some(again) = load(&again, &options).project {
            assert_eq!(json(&again)["services"], printed["services"]);
        }
    }
});
