//! Files that are replaced in one step: whoever reads one finds all that it held before or all that it holds now.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use tempfile::{NamedTempFile, TempPath};

/// The mode of files that only their owner may read.
pub const PRIVATE: u32 = 0o600;
/// The mode of files that others may read and write, as far as the umask lets them.
pub const SHARED: u32 = 0o666;

/// Writes a file with this mode, less the umask, in the place of what has the name. A symbolic link there is replaced
/// and not followed. Readers see it whole; it is not waited for until it is on the disk.
///
/// # Errors
/// Those of the file system. What was there is left as it was, and nothing stays beside it.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    beside(path, bytes, mode)?.persist(path)?;
    Ok(())
}

/// Writes a file as [`write`] does, if nothing has the name.
///
/// # Errors
/// Those of the file system, with `AlreadyExists` where something has the name. Nothing stays beside it.
pub fn create(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    match beside(path, bytes, mode)?.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(refused) if refused.error.kind() == ErrorKind::AlreadyExists => Err(refused.error),
        // A file system without hard links, which cannot do it in one step.
        Err(refused) => Ok(refused.file.persist(path).map(drop)?),
    }
}

/// A file without the name that it is to have. Dropped as it is, it is removed.
#[derive(Debug)]
pub struct Unnamed(TempPath);

impl Unnamed {
    /// A file that is written piece by piece, in a folder of the same file system as its place. It is hidden, and has
    /// this mode, less the umask.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn begin(folder: &Path, mode: u32) -> io::Result<(File, Self)> {
        let (file, path) = made(folder, OsStr::new("."), mode)?.into_parts();
        Ok((file, Self(path)))
    }

    /// Gives it its name, in the place of what has that.
    ///
    /// # Errors
    /// Those of the file system. What was there is left as it was, and the file is removed.
    pub fn name(self, path: &Path) -> io::Result<()> {
        Ok(self.0.persist(path)?)
    }
}

fn beside(path: &Path, bytes: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let mut prefix = path.file_name().unwrap_or_default().to_owned();
    prefix.push(".");
    let mut file = made(path.parent().unwrap_or(Path::new("/")), &prefix, mode)?;
    file.as_file_mut().write_all(bytes)?;
    Ok(file)
}

/// A file under a name that is removed when it is dropped. A hob that is killed leaves it: its process is part of
/// the name, so that `Paths::clear_left` knows it.
fn made(folder: &Path, prefix: &OsStr, mode: u32) -> io::Result<NamedTempFile> {
    let suffix = format!(".{}.tmp", std::process::id());
    let mut builder = tempfile::Builder::new();
    let open = |path: &Path| OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    builder.prefix(prefix).suffix(&suffix).make_in(folder, open)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_gets_the_mode() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("note");
        fs::write(&file, "longer than the next").unwrap();
        let reader = fs::File::open(&file).unwrap();
        write(&file, b"next", PRIVATE).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"next");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, PRIVATE);
        assert_eq!(io::read_to_string(reader).unwrap(), "longer than the next", "it is another file");
        assert_eq!(names(folder.path()), ["note"]);
    }

    #[test]
    fn a_link_is_replaced_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (link, target) = (folder.path().join("link"), folder.path().join("target"));
        fs::write(&target, "kept").unwrap();
        symlink(&target, &link).unwrap();
        write(&link, b"new", PRIVATE).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_file());
        assert_eq!(fs::read(&target).unwrap(), b"kept");
    }

    #[test]
    fn what_fails_leaves_all_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken");
        fs::create_dir_all(taken.join("below")).unwrap();
        assert!(write(&taken, b"new", PRIVATE).is_err(), "a folder has the name");
        assert_eq!(write(&folder.path().join("no/note"), b"", PRIVATE).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(names(folder.path()), ["taken"]);
    }

    #[test]
    fn a_file_in_pieces_has_its_name_once_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blob");
        fs::write(&path, "before").unwrap();
        let (mut file, unnamed) = Unnamed::begin(folder.path(), PRIVATE).unwrap();
        file.write_all(b"ab").unwrap();
        file.write_all(b"cd").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"before");
        unnamed.name(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"abcd");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, PRIVATE);
        let (_, given_up) = Unnamed::begin(folder.path(), PRIVATE).unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        drop(given_up);
        let (_, misplaced) = Unnamed::begin(folder.path(), PRIVATE).unwrap();
        assert_eq!(misplaced.name(&folder.path().join("no/blob")).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(names(folder.path()), ["blob"]);
    }

    #[test]
    fn a_name_that_is_taken_is_not_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        create(&file, b"first", PRIVATE).unwrap();
        symlink("nowhere", &link).unwrap();
        for path in [&file, &link] {
            assert_eq!(create(path, b"second", PRIVATE).unwrap_err().kind(), ErrorKind::AlreadyExists);
        }
        assert_eq!(fs::read(&file).unwrap(), b"first");
        assert_eq!(names(folder.path()), ["file", "link"]);
    }
}
