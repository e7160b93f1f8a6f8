//! `config --format json` on the loader alone, for the differential runner. Not part of the program.

use std::io;
use std::path::{Path, PathBuf};

use hob::manifest::{LoadOptions, json, load};
use hob::model::{Entry, EntryKind, FileTree};

struct Disk;

fn entry(path: &Path, meta: &std::fs::Metadata) -> Entry {
    let kind = if meta.is_dir() {
        EntryKind::Dir
    } else if meta.is_symlink() {
        EntryKind::Symlink(std::fs::read_link(path).unwrap_or_default())
    } else if meta.is_file() {
        EntryKind::File { size: meta.len() }
    } else {
        EntryKind::Other
    };
    Entry { name: path.file_name().unwrap_or_default().to_owned(), kind, mode: 0o644 }
}

impl FileTree for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }
    fn entry(&self, path: &Path) -> io::Result<Entry> {
        Ok(entry(path, &std::fs::symlink_metadata(path)?))
    }
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        std::fs::read_dir(path)?.map(|e| self.entry(&e?.path())).collect()
    }
}

fn main() {
    let mut options = LoadOptions {
        working_dir: std::env::current_dir().unwrap(),
        environment: std::env::vars().collect(),
        ..LoadOptions::default()
    };
    let mut args = std::env::args().skip(1);
    let mut quiet = false;
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--profile" => options.profiles.extend(args.next()),
            "--env-file" => options.env_files.extend(args.next().map(PathBuf::from)),
            "--project-directory" => options.project_directory = args.next().map(PathBuf::from),
            "-p" => options.project_name = args.next(),
            "-f" => options.files.extend(args.next().map(PathBuf::from)),
            "-q" => quiet = true,
            "--no-interpolate" => options.no_interpolate = true,
            "--explain" => options.explain = args.next(),
            _ => {}
        }
    }
    let loaded = load(&Disk, &options);
    for diagnostic in &loaded.diagnostics {
        eprint!("{diagnostic}");
    }
    if let Some(model) = loaded.model {
        println!("{}", serde_json::to_string(&model).unwrap());
        return;
    }
    if let Some(explanation) = loaded.explanation {
        println!("{}", serde_json::to_string_pretty(&explanation).unwrap());
        return;
    }
    match loaded.project {
        Some(project) if !quiet => println!("{}", serde_json::to_string(&json(&project)).unwrap()),
        Some(_) => {}
        None => std::process::exit(1),
    }
}
