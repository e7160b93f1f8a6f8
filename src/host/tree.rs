//! The file tree on the disk, with digests that are computed in parallel and remembered.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use super::digests::{DigestCache, Known, Stamp};
use crate::model::{Digest, Entry, EntryKind, FileTree, Listed};

/// A file that keeps changing while it is read is tried this often.
const TRIES: usize = 3;
/// The largest file that is read as a whole: a manifest, an env file, a Dockerfile, a secret.
const MAX_READ: u64 = 16 << 20;
/// Fewer files than this are not worth a thread.
const FEW_FILES: usize = 32;
/// Fewer folders than this are not worth one.
const FEW_FOLDERS: usize = 4;

/// The disk. Digests are kept in a file of the user's cache folder, if one is given; [`DiskTree::save`] writes it, and
/// so does dropping the tree.
#[derive(Debug)]
pub struct DiskTree {
    /// Read at the first digest: many commands ask for none.
    cache: OnceLock<RwLock<DigestCache>>,
    file: Option<PathBuf>,
}

/// A digest with what has to be noted about it.
struct Measured {
    digest: [u8; 32],
    stamp: Stamp,
    at: SystemTime,
    /// The file was the same before and after it was read.
    steady: bool,
}

/// What looking up one file gave.
enum Found {
    Kept(Digest, Option<Stamp>),
    Measured(Measured),
}

impl DiskTree {
    /// Opens the disk; `cache` is the file of remembered digests.
    pub fn new(cache: Option<PathBuf>) -> Self {
        Self { cache: OnceLock::new(), file: cache }
    }

    /// Writes the remembered digests down.
    pub fn save(&self) -> io::Result<()> {
        match (&self.file, self.cache.get()) {
            (Some(file), Some(cache)) => cache.write().unwrap_or_else(PoisonError::into_inner).save(file),
            _ => Ok(()),
        }
    }

    fn cache(&self) -> &RwLock<DigestCache> {
        self.cache.get_or_init(|| RwLock::new(self.file.as_deref().map(DigestCache::load).unwrap_or_default()))
    }

    fn find(cache: &DigestCache, path: &Path) -> io::Result<Found> {
        let stamp = Stamp::of(&fs::metadata(path)?);
        match cache.get(&stamp) {
            Some(Known { digest, stale }) => Ok(Found::Kept(digest, stale.then_some(stamp))),
            None => measure(path).map(Found::Measured),
        }
    }

    fn note(cache: &mut DigestCache, found: Found) -> Digest {
        match found {
            Found::Kept(digest, stale) => {
                if let Some(stamp) = stale {
                    cache.touch(&stamp);
                }
                digest
            }
            Found::Measured(m) => {
                if m.steady {
                    cache.put(m.stamp, m.digest, m.at);
                }
                Digest::from_bytes(&m.digest)
            }
        }
    }
}

impl Drop for DiskTree {
    fn drop(&mut self) {
        // Only time is lost where the cache folder cannot be written.
        let _ = self.save();
    }
}

impl FileTree for DiskTree {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = match open(path)? {
            Opened::File(file) => file,
            Opened::Nothing => return Ok(Vec::new()),
        };
        let size = file.metadata()?.len();
        let mut content = Vec::with_capacity(usize::try_from(size.min(MAX_READ)).unwrap_or(0));
        // It may grow while it is read.
        file.take(MAX_READ + 1).read_to_end(&mut content)?;
        if content.len() as u64 > MAX_READ {
            let message = format!("it is too large: more than {} MB are not read", MAX_READ >> 20);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        Ok(content)
    }

    fn entry(&self, path: &Path) -> io::Result<Entry> {
        entry_at(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        each_entry(path, |entry, _| entries.push(entry))?;
        Ok(entries)
    }

    fn list_all(&self, paths: &[PathBuf]) -> Vec<io::Result<Vec<Listed>>> {
        let (listed, stale): (Vec<_>, Vec<Vec<Stamp>>) = {
            let cache = &*self.cache().read().unwrap_or_else(PoisonError::into_inner);
            spread(paths.len(), FEW_FOLDERS, |index| {
                let (mut listed, mut stale) = (Vec::new(), Vec::new());
                // The look that a listing takes at each file tells whether its digest is known: no second one is needed.
                let result = each_entry(&paths[index], |entry, metadata| {
                    let stamp = metadata.is_file().then(|| Stamp::of(metadata));
                    let known = stamp.and_then(|stamp| cache.get(&stamp));
                    stale.extend(stamp.filter(|_| known.as_ref().is_some_and(|known| known.stale)));
                    listed.push(Listed { entry, digest: known.map(|known| known.digest) });
                });
                (result.map(|()| listed), stale)
            })
            .into_iter()
            .map(|done| done.unwrap_or_else(|| (Err(stopped()), Vec::new())))
            .unzip()
        };
        if stale.iter().any(|stamps| !stamps.is_empty()) {
            let mut cache = self.cache().write().unwrap_or_else(PoisonError::into_inner);
            stale.iter().flatten().for_each(|stamp| cache.touch(stamp));
        }
        listed
    }

    fn digest(&self, path: &Path) -> io::Result<Digest> {
        let found = Self::find(&self.cache().read().unwrap_or_else(PoisonError::into_inner), path)?;
        Ok(match found {
            Found::Kept(digest, None) => digest,
            found => Self::note(&mut self.cache().write().unwrap_or_else(PoisonError::into_inner), found),
        })
    }

    fn digest_all(&self, paths: &[PathBuf]) -> Vec<io::Result<Digest>> {
        let found = {
            let cache = &*self.cache().read().unwrap_or_else(PoisonError::into_inner);
            spread(paths.len(), FEW_FILES, |index| Self::find(cache, &paths[index]))
        };
        let mut cache = self.cache().write().unwrap_or_else(PoisonError::into_inner);
        let found = found.into_iter().map(|result| result.unwrap_or_else(|| Err(stopped())));
        found.map(|result| result.map(|found| Self::note(&mut cache, found))).collect()
    }
}

/// Does the work for each number below `count`, `few` at a time, on as many threads as are worth it. Nothing comes
/// of what a thread did that stopped.
fn spread<T: Send>(count: usize, few: usize, work: impl Fn(usize) -> T + Sync) -> Vec<Option<T>> {
    let most = count.div_ceil(few);
    // The system is asked for its processors by way of files, which is more work than a look at one.
    let threads = if most <= 1 { 1 } else { std::thread::available_parallelism().map_or(1, usize::from).min(most) };
    if threads <= 1 {
        return (0..count).map(|index| Some(work(index))).collect();
    }
    let next = AtomicUsize::new(0);
    let share = || {
        let mut done = Vec::new();
        loop {
            let from = next.fetch_add(few, Ordering::Relaxed);
            if from >= count {
                return done;
            }
            done.extend((from..count.min(from + few)).map(|index| (index, work(index))));
        }
    };
    let mut results: Vec<Option<T>> = Vec::new();
    results.resize_with(count, || None);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads).map(|_| scope.spawn(share)).collect();
        let own = share();
        let others = workers.into_iter().filter_map(|worker| worker.join().ok()).flatten();
        for (index, result) in own.into_iter().chain(others) {
            results[index] = Some(result);
        }
    });
    results
}

fn stopped() -> io::Error {
    io::Error::other("the thread that read it has stopped")
}

/// Takes each entry of a folder.
fn each_entry(folder: &Path, mut take: impl FnMut(Entry, &Metadata)) -> io::Result<()> {
    for found in fs::read_dir(folder)? {
        let found = found?;
        let looked =
            found.metadata().and_then(|metadata| Ok((entry(found.file_name(), &metadata, || found.path())?, metadata)));
        match looked {
            Ok((entry, metadata)) => take(entry, &metadata),
            // It vanished between the listing and the look at it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What a path is, without following a symbolic link in its last part.
///
/// # Errors
/// As [`fs::symlink_metadata`].
pub fn entry_at(path: &Path) -> io::Result<Entry> {
    let metadata = fs::symlink_metadata(path)?;
    entry(path.file_name().unwrap_or_default().to_owned(), &metadata, || path.to_owned())
}

fn entry(name: OsString, metadata: &Metadata, path: impl FnOnce() -> PathBuf) -> io::Result<Entry> {
    let kind = metadata.file_type();
    let kind = if kind.is_dir() {
        EntryKind::Dir
    } else if kind.is_file() {
        EntryKind::File { size: metadata.len() }
    } else if kind.is_symlink() {
        EntryKind::Symlink(fs::read_link(path())?)
    } else {
        EntryKind::Other
    };
    Ok(Entry { name, kind, mode: metadata.permissions().mode() & 0o7777 })
}

/// What there is to read at a path.
enum Opened {
    File(File),
    /// `/dev/null`, which people name to say "no file".
    Nothing,
}

/// Opens a regular file. Whoever opens a pipe waits for its other end, and a device may never come to an end.
fn open(path: &Path) -> io::Result<Opened> {
    let file = File::options().read(true).custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits()).open(path)?;
    let metadata = file.metadata()?;
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(Opened::File(file));
    }
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if kind.is_char_device() && fs::metadata("/dev/null").is_ok_and(|null| null.rdev() == metadata.rdev()) {
        return Ok(Opened::Nothing);
    }
    let kind = if kind.is_fifo() { "a pipe" } else { "a device" };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {kind}, and hob reads files only")))
}

/// Reads a file to its digest, again if it changed meanwhile.
fn measure(path: &Path) -> io::Result<Measured> {
    let mut tries = 0;
    loop {
        tries += 1;
        let Opened::File(mut file) = open(path)? else { return Err(io::ErrorKind::InvalidInput.into()) };
        let at = SystemTime::now();
        let stamp = Stamp::of(&file.metadata()?);
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 128 * 1024];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => hasher.update(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let steady = Stamp::of(&file.metadata()?) == stamp;
        if steady || tries == TRIES {
            return Ok(Measured { digest: hasher.finalize().into(), stamp, at, steady });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets a file's times into the past, so that it is at rest.
    fn settle(path: &Path) {
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - std::time::Duration::from_mins(1)).unwrap();
    }

    #[test]
    fn lists_kinds_modes_and_links() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("folder")).unwrap();
        fs::write(dir.path().join("run"), "#!").unwrap();
        fs::set_permissions(dir.path().join("run"), fs::Permissions::from_mode(0o750)).unwrap();
        std::os::unix::fs::symlink("../elsewhere", dir.path().join("link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
        let tree = DiskTree::new(None);
        let mut entries = tree.list(dir.path()).unwrap();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let seen: Vec<_> = entries.iter().map(|e| (e.name.to_str().unwrap(), e.kind.clone())).collect();
        assert_eq!(
            seen,
            [
                ("folder", EntryKind::Dir),
                ("link", EntryKind::Symlink("../elsewhere".into())),
                ("run", EntryKind::File { size: 2 }),
                ("socket", EntryKind::Other),
            ]
        );
        assert_eq!(entries[2].mode, 0o750);
        assert_eq!(tree.entry(&dir.path().join("run")).unwrap(), entries[2]);
        assert_eq!(tree.entry(&dir.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_no_file_is_not_read_and_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink("pipe", dir.path().join("link")).unwrap();
        let tree = DiskTree::new(None);
        for path in [pipe, dir.path().join("link"), "/dev/zero".into()] {
            let error = tree.read(&path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{}: {error}", path.display());
            assert!(tree.digest(&path).is_err());
        }
        assert_eq!(tree.read(dir.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert_eq!(tree.read(Path::new("/dev/null")).unwrap(), b"");
        // It takes no room on the disk.
        let large = dir.path().join("large");
        File::create(&large).unwrap().set_len(MAX_READ + 1).unwrap();
        assert_eq!(tree.read(&large).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        File::options().write(true).open(&large).unwrap().set_len(MAX_READ).unwrap();
        assert_eq!(tree.read(&large).unwrap().len() as u64, MAX_READ);
    }

    #[test]
    fn digests_are_those_of_the_content_one_by_one_and_together() {
        let dir = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = (0..300).map(|n| dir.path().join(format!("f{n}"))).collect();
        for (n, path) in paths.iter().enumerate() {
            fs::write(path, format!("content {n}")).unwrap();
        }
        let tree = DiskTree::new(None);
        let mut asked = paths.clone();
        asked.insert(7, dir.path().join("missing"));
        let digests = tree.digest_all(&asked);
        assert_eq!(digests[7].as_ref().unwrap_err().kind(), io::ErrorKind::NotFound);
        for (n, path) in paths.iter().enumerate() {
            let expected = Digest::of(format!("content {n}").as_bytes());
            let at = if n < 7 { n } else { n + 1 };
            assert_eq!(*digests[at].as_ref().unwrap(), expected);
            assert_eq!(tree.digest(path).unwrap(), expected);
        }
    }

    #[test]
    fn a_listing_knows_the_digests_that_are_kept_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("cache/digests");
        let folders: Vec<PathBuf> = (0..40).map(|n| dir.path().join(format!("d{n}"))).collect();
        let mut kept = DigestCache::load(&cache);
        for folder in &folders {
            fs::create_dir_all(folder.join("below")).unwrap();
            for name in ["kept", "new"] {
                fs::write(folder.join(name), name).unwrap();
            }
            std::os::unix::fs::symlink("kept", folder.join("link")).unwrap();
            let stamp = Stamp::of(&fs::metadata(folder.join("kept")).unwrap());
            kept.put(stamp, [9; 32], SystemTime::now() + std::time::Duration::from_secs(10));
        }
        kept.save(&cache).unwrap();
        let tree = DiskTree::new(Some(cache));
        let mut asked = folders.clone();
        asked.insert(5, dir.path().join("none"));
        asked.insert(9, folders[0].join("new"));
        let mut listed = tree.list_all(&asked);
        assert_eq!(listed.remove(9).unwrap_err().kind(), io::ErrorKind::NotADirectory);
        assert_eq!(listed.remove(5).unwrap_err().kind(), io::ErrorKind::NotFound);
        for (folder, entries) in folders.iter().zip(listed) {
            let mut entries = entries.unwrap();
            entries.sort_by(|a, b| a.entry.name.cmp(&b.entry.name));
            let known: Vec<_> = entries.iter().map(|e| (e.entry.name.to_str().unwrap(), e.digest.clone())).collect();
            let nine = Some(Digest::from_bytes(&[9; 32]));
            assert_eq!(known, [("below", None), ("kept", nine), ("link", None), ("new", None)]);
            let mut plain = tree.list(folder).unwrap();
            plain.sort_by(|a, b| a.name.cmp(&b.name));
            assert!(plain.iter().eq(entries.iter().map(|e| &e.entry)));
        }
        // Written again with the same size: what was known holds no more.
        fs::write(folders[3].join("kept"), "tpek").unwrap();
        let again = tree.list_all(&folders[3..4]).remove(0).unwrap();
        assert!(again.iter().all(|e| e.digest.is_none()), "{again:?}");
    }

    #[test]
    fn an_edit_that_keeps_size_and_modification_time_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let tree = DiskTree::new(None);
        for content in ["aaaa", "bbbb", "cccc", "dddd"] {
            fs::write(&path, content).unwrap();
            settle(&path);
            assert_eq!(tree.digest(&path).unwrap(), Digest::of(content.as_bytes()));
        }
    }

    #[test]
    fn the_cache_outlives_the_tree_and_a_damaged_one_is_ignored() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("cache/digests");
        let path = dir.path().join("f");
        fs::write(&path, "one").unwrap();
        drop(DiskTree::new(Some(cache.clone())));
        assert!(!cache.exists(), "nothing to write, nothing written");
        // An entry that claims another digest proves that it is used; the file itself is too young to be kept.
        let stamp = Stamp::of(&fs::metadata(&path).unwrap());
        let mut kept = DigestCache::load(&cache);
        kept.put(stamp, [9; 32], SystemTime::now() + std::time::Duration::from_secs(10));
        kept.save(&cache).unwrap();
        let tree = DiskTree::new(Some(cache.clone()));
        assert_eq!(tree.digest(&path).unwrap(), Digest::from_bytes(&[9; 32]));
        drop(tree);
        fs::write(&cache, "no cache at all").unwrap();
        assert_eq!(DiskTree::new(Some(cache.clone())).digest(&path).unwrap(), Digest::of(b"one"));
        let left: Vec<_> = fs::read_dir(dir.path().join("cache")).unwrap().collect();
        assert_eq!(left.len(), 1, "no temporary file stays behind");
    }
}
