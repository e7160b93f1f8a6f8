//! The files of a folder, without those in folders below it.

use std::fs;
use std::path::{Path, PathBuf};

/// Files and links of a folder, in order; none where it cannot be read.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut files: Vec<PathBuf> =
        entries.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir())).map(|entry| entry.path()).collect();
    files.sort();
    files
}
