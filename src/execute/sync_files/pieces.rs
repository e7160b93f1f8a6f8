//! What is too large for memory: read, digested and sent piece by piece.
#![allow(clippy::disallowed_methods, reason = "a door of this room: files are read here")]

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::item::{Item, look, stamp};
use crate::agent::{CHUNK, Entry, EntryKind, Meta, Op, Packer};
use crate::engine::BoxStream;
use crate::model::SyncTarget;

/// A step of a batch.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// One that is there as a whole.
    Op(Op),
    /// A file whose content is not read yet.
    Large {
        /// Where it goes.
        path: Vec<u8>,
        /// Owner and mode.
        meta: Meta,
        /// Where it is.
        from: PathBuf,
        /// Its size.
        size: u64,
    },
}

/// Exactly so many bytes of a file; one that has become shorter is an error.
struct Exactly {
    file: fs::File,
    left: u64,
}

impl Exactly {
    fn open(path: &Path, size: u64) -> io::Result<Self> {
        Ok(Self { file: fs::File::open(path)?, left: size })
    }
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let read = self.file.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it has become shorter while it was read"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// Makes the messages of a batch, one after another, and hands each over before the next is made; `told` hears how many
/// bytes of large files have been read. Ends early when nobody takes them any more.
pub fn send(steps: Vec<Step>, messages: &mpsc::Sender<Result<Vec<u8>, String>>, mut told: impl FnMut(u64)) {
    let mut packer = Packer::default();
    let mut read = 0;
    let mut give = |message: Vec<u8>| messages.blocking_send(Ok(message)).is_ok();
    for step in steps {
        let gone = match step {
            Step::Op(op) => packer.put(op).into_iter().any(|message| !give(message)),
            Step::Large { path, meta, from, size } => {
                let sent = large(&mut packer, (path, meta), &from, size, |message, count| {
                    read += count;
                    told(read);
                    message.is_none_or(&mut give)
                });
                match sent {
                    Ok(goes_on) => !goes_on,
                    Err(error) => {
                        let why = format!("{} cannot be read: {error}", from.display());
                        let _ = messages.blocking_send(Err(why));
                        return;
                    }
                }
            }
        };
        if gone {
            return;
        }
    }
    give(packer.finish());
}

/// One large file. Whether somebody still takes it.
fn large(
    packer: &mut Packer,
    (path, meta): (Vec<u8>, Meta),
    from: &Path,
    size: u64,
    mut give: impl FnMut(Option<Vec<u8>>, u64) -> bool,
) -> io::Result<bool> {
    let mut file = Exactly::open(from, size)?;
    let mut place = Some((path, meta));
    loop {
        let mut data = Vec::with_capacity(CHUNK);
        Read::by_ref(&mut file).take(CHUNK as u64).read_to_end(&mut data)?;
        let (count, last) = (data.len() as u64, file.left == 0);
        let op = match place.take() {
            Some((path, meta)) => Op::Write { path, meta, data, last },
            None => Op::Append { data, last },
        };
        if !give(packer.add(&op), count) {
            return Ok(false);
        }
        if last {
            return Ok(true);
        }
    }
}

/// What is known of a target by a look at both sides.
#[derive(Debug, PartialEq, Eq)]
pub enum Compared {
    /// The container has it.
    Same,
    /// It has not.
    Differs,
    /// A file of the same size and mode: its content, of so many bytes, tells.
    ByContent(u64),
}

/// Compares a target with what is in its place, whoever owns it.
///
/// # Errors
/// Why it cannot be synced.
pub fn compare(target: &SyncTarget, there: &Entry) -> Result<Compared, String> {
    let same = match (look(target)?, &there.kind) {
        (Item::Large { size, mode, .. }, EntryKind::File(there_size, _)) => {
            if size == *there_size && mode == there.mode {
                return Ok(Compared::ByContent(size));
            }
            false
        }
        (Item::Folder { mode }, EntryKind::Dir) => mode == there.mode,
        (Item::Link { to }, EntryKind::Link(there)) => to.as_os_str().as_bytes() == there.as_slice(),
        // It was gone when that was decided, and may be there again.
        (Item::Gone { .. }, EntryKind::Missing) => stamp(&target.source).is_none(),
        _ => false,
    };
    Ok(if same { Compared::Same } else { Compared::Differs })
}

/// Whether an entry with a digest has the content of this file.
pub fn holds(there: &Entry, file: &Path) -> bool {
    let EntryKind::File(_, Some(digest)) = &there.kind else { return false };
    digest_of(file).is_ok_and(|content| content == *digest)
}

fn digest_of(file: &Path) -> io::Result<[u8; 32]> {
    let mut file = fs::File::open(file)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().into()),
            count => hasher.update(&buffer[..count]),
        }
    }
}

/// Writes a tar archive, for the engine.
///
/// # Errors
/// A file cannot be read, or nobody takes the archive any more.
pub fn archive_to(entries: &[(String, Item)], out: impl Write) -> io::Result<()> {
    let mut builder = tar::Builder::new(out);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    for (path, item) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(now.as_secs());
        let (kind, mode) = match item {
            Item::File { mode, .. } | Item::Large { mode, .. } => (tar::EntryType::Regular, *mode),
            Item::Folder { mode } => (tar::EntryType::Directory, *mode),
            Item::Link { .. } => (tar::EntryType::Symlink, 0o777),
            Item::Gone { .. } => continue,
        };
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(item.size());
        match item {
            Item::File { content, .. } => builder.append_data(&mut header, path, content.as_slice()),
            Item::Large { from, size, .. } => builder.append_data(&mut header, path, Exactly::open(from, *size)?),
            Item::Link { to } => builder.append_link(&mut header, path, to),
            Item::Folder { .. } | Item::Gone { .. } => builder.append_data(&mut header, path, io::empty()),
        }?;
    }
    builder.into_inner()?.flush()
}

/// An archive that is written while it is sent.
pub fn parts(entries: Vec<(String, Item)>) -> BoxStream<io::Result<Bytes>> {
    #[cfg(test)]
    if crate::execute::simulated::is_on() {
        let mut out = Vec::new();
        let written = archive_to(&entries, &mut out).map(|()| Bytes::from(out));
        return Box::pin(futures_util::stream::iter([written]));
    }
    let (sender, receiver) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        let out = io::BufWriter::with_capacity(CHUNK, Sending(sender.clone()));
        if let Err(error) = archive_to(&entries, out) {
            let _ = sender.blocking_send(Err(error));
        }
    });
    Box::pin(tokio_stream::wrappers::ReceiverStream::new(receiver))
}

struct Sending(mpsc::Sender<io::Result<Bytes>>);

impl Write for Sending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
