//! Files to an archive.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor};
use tar::{Builder, EntryType, Header};

/// Writes a file, or a folder with all that is in it, to an archive; it is called `name` there, or for `.` its content
/// has no folder around it. Owners, modes, times and links go as they are; sockets do not go.
pub fn pack(from: &Path, name: &str, into: &mut impl Write) -> io::Result<()> {
    let mut packer = Packer { tar: Builder::new(into), linked: HashMap::new() };
    let root = if name == "." { Path::new("") } else { Path::new(name) };
    packer.entry(from, root)?;
    packer.tar.into_inner().map(drop)
}

struct Packer<W: Write> {
    tar: Builder<W>,
    /// Names of files that have several, by device and inode.
    linked: HashMap<(u64, u64), PathBuf>,
}

impl<W: Write> Packer<W> {
    fn entry(&mut self, from: &Path, name: &Path) -> io::Result<()> {
        let at = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", from.display()));
        let found = fs::symlink_metadata(from).map_err(at)?;
        let kind = found.file_type();
        let mut header = Header::new_gnu();
        header.set_metadata(&found);
        if kind.is_dir() {
            return self
                .folder(from, name, header)
                .map_err(|error| if error.get_ref().is_some() { error } else { at(error) });
        }
        if found.nlink() > 1 {
            if let Some(first) = self.linked.get(&(found.dev(), found.ino())) {
                header.set_entry_type(EntryType::Link);
                header.set_size(0);
                return self.tar.append_link(&mut header, name, first).map_err(at);
            }
            self.linked.insert((found.dev(), found.ino()), name.to_owned());
        }
        if kind.is_symlink() {
            return self.tar.append_link(&mut header, name, fs::read_link(from).map_err(at)?).map_err(at);
        }
        if kind.is_file() {
            let file = File::open(from).map_err(at)?;
            return self.tar.append_data(&mut header, name, Exactly { file, left: found.len() }).map_err(at);
        }
        if kind.is_socket() {
            return Ok(());
        }
        special(&mut header, &found)?;
        self.tar.append_data(&mut header, name, io::empty()).map_err(at)
    }

    fn folder(&mut self, from: &Path, name: &Path, mut header: Header) -> io::Result<()> {
        if name != Path::new("") {
            header.set_size(0);
            self.tar.append_data(&mut header, name.join(""), io::empty())?;
        }
        let mut names = fs::read_dir(from)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
        names.sort();
        for one in names {
            self.entry(&from.join(&one), &name.join(&one))?;
        }
        Ok(())
    }
}

/// A pipe or a device.
fn special(header: &mut Header, found: &Metadata) -> io::Result<()> {
    header.set_size(0);
    let number = |number: u64| u32::try_from(number).map_err(io::Error::other);
    header.set_device_major(number(major(found.rdev()))?)?;
    header.set_device_minor(number(minor(found.rdev()))?)
}

/// Exactly so many bytes of a file: an archive says them before they come.
struct Exactly {
    file: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let count = self.file.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was read"));
        }
        self.left -= count as u64;
        Ok(count)
    }
}
