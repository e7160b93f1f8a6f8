//! An archive to files. It comes from a container, which may be hostile: whatever it names, nothing is written outside
//! of the folder that it is for. Names are walked part by part from that folder's handle, and no link on the way is
//! followed, whether the archive made it or it was there.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, SFlag, UtimensatFlags, fchmod, fstatat, futimens, mkdirat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, linkat, mkfifoat, symlinkat, unlinkat};
use tar::{Archive, Entry, EntryType};

/// Where the content of an archive goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The folder, which is there.
    pub folder: PathBuf,
    /// The archive's names begin with no folder of their own: `./file` and `/file`.
    pub bare: bool,
    /// What is to be called so in the folder; by its name in the archive without.
    pub name: Option<OsString>,
}

impl Place {
    /// The parts of a name below the folder; empty for the folder itself.
    fn parts(&self, name: &[u8]) -> io::Result<Vec<OsString>> {
        let parts: Vec<&[u8]> =
            name.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
        if parts.contains(&&b".."[..]) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it leads out of where it is copied to"));
        }
        let kept = if self.bare || self.name.is_none() { 0 } else { 1.min(parts.len()) };
        let parts = parts[kept..].iter().map(|part| OsStr::from_bytes(part).to_owned());
        Ok(self.name.iter().cloned().chain(parts).collect())
    }
}

/// Writes what is in an archive to its place, with modes and times, as whoever runs this. Gives the names of what was
/// left out: devices.
pub fn unpack(archive: impl Read, place: &Place) -> io::Result<Vec<String>> {
    let at =
        |error: Errno| io::Error::new(io::Error::from(error).kind(), format!("{}: {error}", place.folder.display()));
    let root = openat(AT_FDCWD, &place.folder, FOLDER - OFlag::O_NOFOLLOW, Mode::empty()).map_err(at)?;
    let mut unpacker = Unpacker { place, root, folders: Vec::new(), left_out: Vec::new() };
    let mut archive = Archive::new(archive);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path_bytes().into_owned();
        unpacker
            .entry(&mut entry, &name)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", String::from_utf8_lossy(&name))))?;
    }
    unpacker.finish()?;
    Ok(unpacker.left_out)
}

/// A folder is opened so.
const FOLDER: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

struct Unpacker<'a> {
    place: &'a Place,
    root: OwnedFd,
    /// What folders are to be like once all is in them.
    folders: Vec<(Vec<OsString>, Mode, TimeSpec)>,
    left_out: Vec<String>,
}

impl Unpacker<'_> {
    fn entry(&mut self, entry: &mut Entry<'_, impl Read>, name: &[u8]) -> io::Result<()> {
        let parts = self.place.parts(name)?;
        // The place itself is somebody's folder.
        let Some((last, above)) = parts.split_last() else { return Ok(()) };
        let mode = Mode::from_bits_truncate(entry.header().mode()? as nix::libc::mode_t & 0o7777);
        let time = TimeSpec::new(entry.header().mtime()?.try_into().unwrap_or(0), 0);
        let folder = self.folder(above)?;
        match entry.header().entry_type() {
            EntryType::Directory => {
                make_folder(&folder, last)?;
                self.folders.push((parts, mode, time));
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                clear(&folder, last)?;
                let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                let mut file =
                    std::fs::File::from(openat(&folder, last.as_os_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR)?);
                io::copy(entry, &mut file)?;
                fchmod(&file, mode)?;
                futimens(&file, &time, &time)?;
            }
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                clear(&folder, last)?;
                symlinkat(OsStr::from_bytes(&target), &folder, last.as_os_str())?;
                utimensat(&folder, last.as_os_str(), &time, &time, UtimensatFlags::NoFollowSymlink)?;
            }
            EntryType::Link => {
                let target = self.place.parts(&entry.link_name_bytes().unwrap_or_default())?;
                let Some((from, above)) = target.split_last() else { return Err(Errno::ENOENT.into()) };
                let of = self.folder(above)?;
                clear(&folder, last)?;
                linkat(&of, from.as_os_str(), &folder, last.as_os_str(), AtFlags::empty())?;
            }
            EntryType::Fifo => {
                clear(&folder, last)?;
                mkfifoat(&folder, last.as_os_str(), mode)?;
            }
            EntryType::Char | EntryType::Block => self.left_out.push(String::from_utf8_lossy(name).into_owned()),
            _ => {}
        }
        Ok(())
    }

    /// The folder at these parts, which is made where it is not there.
    fn folder(&self, parts: &[OsString]) -> io::Result<OwnedFd> {
        let mut folder = self.root.try_clone()?;
        for part in parts {
            let opened = match openat(&folder, part.as_os_str(), FOLDER, Mode::empty()) {
                Err(Errno::ENOENT) => {
                    make_folder(&folder, part)?;
                    openat(&folder, part.as_os_str(), FOLDER, Mode::empty())
                }
                opened => opened,
            };
            folder = opened.map_err(|error| match error {
                Errno::ELOOP | Errno::ENOTDIR | Errno::EMLINK => not_a_folder(part),
                other => other.into(),
            })?;
        }
        Ok(folder)
    }

    fn finish(&mut self) -> io::Result<()> {
        for (parts, mode, time) in std::mem::take(&mut self.folders).into_iter().rev() {
            let folder = self.folder(&parts)?;
            futimens(&folder, &time, &time)?;
            fchmod(&folder, mode)?;
        }
        Ok(())
    }
}

fn not_a_folder(name: &OsStr) -> io::Error {
    io::Error::new(
        io::ErrorKind::NotADirectory,
        format!("cannot overwrite non-directory {} with a directory", name.display()),
    )
}

fn is_folder(folder: impl AsFd, name: &OsStr) -> io::Result<bool> {
    let found = fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    Ok(SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR)
}

/// Makes a folder, only for its owner for now, or takes the one that is there.
fn make_folder(folder: &OwnedFd, name: &OsStr) -> io::Result<()> {
    match mkdirat(folder, name, Mode::S_IRWXU) {
        Err(Errno::EEXIST) if !is_folder(folder, name)? => Err(not_a_folder(name)),
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Makes room for what is no folder.
fn clear(folder: &OwnedFd, name: &OsStr) -> io::Result<()> {
    match unlinkat(folder, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(error) if is_folder(folder, name).unwrap_or(false) => {
            let text = format!("cannot overwrite directory {} with a non-directory", name.display());
            Err(io::Error::new(io::Error::from(error).kind(), text))
        }
        Err(error) => Err(error.into()),
    }
}
