//! Files: reading, writing, folders, links, modes and owners.

use alloc::vec::Vec;

use super::raw::{nr, syscall};
use super::{Errno, Fd, Result, cstr, fd, retry};

pub const O_RDONLY: i32 = 0;
pub const O_WRONLY: i32 = 1;
pub const O_RDWR: i32 = 2;
pub const O_CREAT: i32 = 0o100;
pub const O_EXCL: i32 = 0o200;
pub const O_NONBLOCK: i32 = 0o4000;
pub const O_CLOEXEC: i32 = 0o2_000_000;
pub const O_PATH: i32 = 0o10_000_000;
pub use nr::{O_DIRECTORY, O_NOFOLLOW};

/// Paths start at the working directory.
pub const CWD: i32 = -100;
const AT_SYMLINK_NOFOLLOW: usize = 0x100;
const AT_EMPTY_PATH: usize = 0x1000;
const AT_REMOVEDIR: usize = 0x200;
const STATX_BASIC: usize = 0x7ff;

pub const S_IFMT: u32 = 0o170_000;
pub const S_IFDIR: u32 = 0o040_000;
pub const S_IFREG: u32 = 0o100_000;
pub const S_IFLNK: u32 = 0o120_000;

/// What `statx` says, as far as it is used here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Type and permission bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    pub inode: u64,
    /// Device as major and minor number.
    pub device: (u32, u32),
}

impl Stat {
    /// Type bits only.
    pub fn kind(&self) -> u32 {
        self.mode & S_IFMT
    }
}

/// Opens a path below an open folder. `mode` counts where the file is made.
pub fn openat(dir: i32, path: &[u8], flags: i32, mode: u32) -> Result<Fd> {
    let path = cstr(path)?;
    let flags = flags | O_CLOEXEC;
    // SAFETY: the path ends with a NUL and lives through the call.
    retry(|| unsafe { syscall(nr::OPENAT, [fd(dir), path.as_ptr() as usize, flags as usize, mode as usize, 0, 0]) })
        .map(Fd::own)
}

/// Reads up to the length of `buffer`; 0 is the end.
pub fn read(file: i32, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the buffer is valid for its length.
    retry(|| unsafe { syscall(nr::READ, [fd(file), buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0]) })
}

/// Writes some of `data`.
pub fn write(file: i32, data: &[u8]) -> Result<usize> {
    // SAFETY: the data is valid for its length.
    retry(|| unsafe { syscall(nr::WRITE, [fd(file), data.as_ptr() as usize, data.len(), 0, 0, 0]) })
}

/// Writes all of `data`.
pub fn write_all(file: i32, mut data: &[u8]) -> Result<()> {
    while !data.is_empty() {
        let count = write(file, data)?;
        data = data.get(count..).unwrap_or_default();
    }
    Ok(())
}

/// A whole file that is expected to be small; more than `limit` bytes is an error.
pub fn read_file(path: &[u8], limit: usize) -> Result<Vec<u8>> {
    let file = openat(CWD, path, O_RDONLY, 0)?;
    let mut content = Vec::new();
    let mut chunk = [0u8; 4096];
    loop {
        let count = read(file.raw(), &mut chunk)?;
        if count == 0 {
            return Ok(content);
        }
        content.extend_from_slice(chunk.get(..count).unwrap_or_default());
        if content.len() > limit {
            return Err(Errno(27));
        }
    }
}

fn statx(dir: i32, path: &[u8], flags: usize) -> Result<Stat> {
    let path = cstr(path)?;
    let mut buffer = [0u64; 32];
    // SAFETY: `statx` fills at most 256 bytes, which is the size of the buffer.
    unsafe {
        syscall(nr::STATX, [fd(dir), path.as_ptr() as usize, flags, STATX_BASIC, buffer.as_mut_ptr() as usize, 0])?;
    }
    // Offsets of `struct statx`, the same on every architecture: uid 20, gid 24, mode 28, ino 32, size 40, dev 136.
    let half = |word: usize, high: bool| {
        let value = buffer.get(word).copied().unwrap_or(0).to_ne_bytes();
        let [a, b, c, d, e, f, g, h] = value;
        if high { u32::from_ne_bytes([e, f, g, h]) } else { u32::from_ne_bytes([a, b, c, d]) }
    };
    let mode = half(3, true).to_ne_bytes();
    Ok(Stat {
        uid: half(2, true),
        gid: half(3, false),
        mode: u32::from(u16::from_ne_bytes([mode[0], mode[1]])),
        inode: buffer[4],
        size: buffer[5],
        device: (half(17, false), half(17, true)),
    })
}

/// What a path below an open folder is, without following a link in its last part.
pub fn lstat(dir: i32, path: &[u8]) -> Result<Stat> {
    statx(dir, path, AT_SYMLINK_NOFOLLOW)
}

/// What a path is, following links.
pub fn stat(path: &[u8]) -> Result<Stat> {
    statx(CWD, path, 0)
}

/// What an open file is.
pub fn fstat(file: i32) -> Result<Stat> {
    statx(file, b"", AT_EMPTY_PATH)
}

/// Where a link below an open folder points.
pub fn readlink(dir: i32, path: &[u8]) -> Result<Vec<u8>> {
    let path = cstr(path)?;
    let mut buffer = alloc::vec![0u8; 4096];
    // SAFETY: path and buffer are valid for their lengths.
    let count = unsafe {
        syscall(nr::READLINKAT, [fd(dir), path.as_ptr() as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0])?
    };
    buffer.truncate(count);
    Ok(buffer)
}

/// Whether the process may execute a path (`X_OK`, with its real ids, as Go's `LookPath` asks).
pub fn may_execute(path: &[u8]) -> Result<()> {
    let path = cstr(path)?;
    // SAFETY: the path ends with a NUL.
    unsafe { syscall(nr::FACCESSAT, [fd(CWD), path.as_ptr() as usize, 1, 0, 0, 0]) }.map(drop)
}

/// Makes a folder.
pub fn mkdirat(dir: i32, path: &[u8], mode: u32) -> Result<()> {
    let path = cstr(path)?;
    // SAFETY: the path ends with a NUL.
    unsafe { syscall(nr::MKDIRAT, [fd(dir), path.as_ptr() as usize, mode as usize, 0, 0, 0]) }.map(drop)
}

/// Makes a symbolic link.
pub fn symlinkat(to: &[u8], dir: i32, path: &[u8]) -> Result<()> {
    let (to, path) = (cstr(to)?, cstr(path)?);
    // SAFETY: both paths end with a NUL.
    unsafe { syscall(nr::SYMLINKAT, [to.as_ptr() as usize, fd(dir), path.as_ptr() as usize, 0, 0, 0]) }.map(drop)
}

/// Removes a file or link, or with `folder` an empty folder.
pub fn unlinkat(dir: i32, path: &[u8], folder: bool) -> Result<()> {
    let path = cstr(path)?;
    let flags = if folder { AT_REMOVEDIR } else { 0 };
    // SAFETY: the path ends with a NUL.
    unsafe { syscall(nr::UNLINKAT, [fd(dir), path.as_ptr() as usize, flags, 0, 0, 0]) }.map(drop)
}

/// Renames inside one folder, replacing what is there.
pub fn rename_in(dir: i32, from: &[u8], to: &[u8]) -> Result<()> {
    let (from, to) = (cstr(from)?, cstr(to)?);
    // SAFETY: both paths end with a NUL.
    unsafe { syscall(nr::RENAMEAT2, [fd(dir), from.as_ptr() as usize, fd(dir), to.as_ptr() as usize, 0, 0]).map(drop) }
}

/// Sets the owner of an open file.
pub fn fchown(file: i32, uid: u32, gid: u32) -> Result<()> {
    // SAFETY: no pointers.
    unsafe { syscall(nr::FCHOWN, [fd(file), uid as usize, gid as usize, 0, 0, 0]) }.map(drop)
}

/// Sets the owner of a path without following it.
pub fn lchownat(dir: i32, path: &[u8], uid: u32, gid: u32) -> Result<()> {
    let path = cstr(path)?;
    let (uid, gid) = (uid as usize, gid as usize);
    // SAFETY: the path ends with a NUL.
    unsafe { syscall(nr::FCHOWNAT, [fd(dir), path.as_ptr() as usize, uid, gid, AT_SYMLINK_NOFOLLOW, 0]) }.map(drop)
}

/// Sets the permission bits of an open file.
pub fn fchmod(file: i32, mode: u32) -> Result<()> {
    // SAFETY: no pointers.
    unsafe { syscall(nr::FCHMOD, [fd(file), mode as usize, 0, 0, 0, 0]) }.map(drop)
}

/// Sets the modification time of an open file and leaves the access time.
pub fn set_mtime(file: i32, seconds: i64, nanos: i64) -> Result<()> {
    const UTIME_OMIT: i64 = (1 << 30) - 2;
    let times: [i64; 4] = [0, UTIME_OMIT, seconds, nanos];
    // SAFETY: two `timespec` of two 64-bit numbers each; a null path means the open file itself.
    unsafe { syscall(nr::UTIMENSAT, [fd(file), 0, times.as_ptr() as usize, 0, 0, 0]) }.map(drop)
}

/// The entries of an open folder without `.` and `..`: name and inode.
pub fn entries(dir: i32) -> Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    let mut buffer = alloc::vec![0u8; 8192];
    loop {
        // SAFETY: the buffer is valid for its length.
        let count = unsafe { syscall(nr::GETDENTS64, [fd(dir), buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0])? };
        if count == 0 {
            return Ok(names);
        }
        let mut rest = buffer.get(..count).unwrap_or_default();
        // struct linux_dirent64: ino 8, off 8, reclen 2, type 1, name.
        while let (Some(&[low, high]), Some(_)) = (rest.get(16..18), rest.get(19)) {
            let length = usize::from(u16::from_ne_bytes([low, high]));
            let record = rest.get(19..length).unwrap_or_default();
            let name = record.split(|byte| *byte == 0).next().unwrap_or_default();
            if name != b"." && name != b".." {
                names.push(name.to_vec());
            }
            rest = rest.get(length.max(1)..).unwrap_or_default();
        }
    }
}

/// Makes an open pipe or socket non-blocking.
pub fn set_nonblocking(file: i32) -> Result<()> {
    const F_GETFL: usize = 3;
    const F_SETFL: usize = 4;
    // SAFETY: no pointers.
    unsafe {
        let flags = syscall(nr::FCNTL, [fd(file), F_GETFL, 0, 0, 0, 0])?;
        syscall(nr::FCNTL, [fd(file), F_SETFL, flags | O_NONBLOCK as usize, 0, 0, 0]).map(drop)
    }
}

/// A pipe, closed on exec: reading end and writing end.
pub fn pipe() -> Result<(Fd, Fd)> {
    let mut ends = [0i32; 2];
    // SAFETY: the kernel writes two numbers.
    unsafe { syscall(nr::PIPE2, [ends.as_mut_ptr() as usize, O_CLOEXEC as usize, 0, 0, 0, 0])? };
    Ok((Fd(ends[0]), Fd(ends[1])))
}

/// Makes `to` another number for the open file `from`, kept open on exec. Where they are the same number already,
/// only the flag changes.
pub fn dup_to(from: i32, to: i32) -> Result<()> {
    const F_SETFD: usize = 2;
    // SAFETY: no pointers.
    unsafe {
        if from == to {
            syscall(nr::FCNTL, [fd(from), F_SETFD, 0, 0, 0, 0]).map(drop)
        } else {
            syscall(nr::DUP3, [fd(from), fd(to), 0, 0, 0, 0]).map(drop)
        }
    }
}

/// Sets the mask of permission bits that new files do not get.
pub fn umask(mask: u32) -> u32 {
    // SAFETY: no pointers; the call cannot fail.
    unsafe { syscall(nr::UMASK, [mask as usize, 0, 0, 0, 0, 0]) }.map_or(0, |old| old as u32)
}

/// The working directory.
pub fn getcwd() -> Result<Vec<u8>> {
    let mut buffer = alloc::vec![0u8; 4096];
    // SAFETY: the buffer is valid for its length; the count includes the NUL.
    let count = unsafe { syscall(nr::GETCWD, [buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0, 0])? };
    buffer.truncate(count.saturating_sub(1));
    Ok(buffer)
}

/// Changes the working directory.
pub fn chdir(path: &[u8]) -> Result<()> {
    let path = cstr(path)?;
    // SAFETY: the path ends with a NUL.
    unsafe { syscall(nr::CHDIR, [path.as_ptr() as usize, 0, 0, 0, 0, 0]) }.map(drop)
}
