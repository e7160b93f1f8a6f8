//! Safe wrappers over the system calls that the agent makes. No libc: the agent is the same program in every image.

mod file;
mod memory;
mod process;
mod raw;
mod signal;
mod socket;

pub use file::*;
pub use memory::*;
pub use process::*;
pub use signal::*;
pub use socket::*;

use alloc::vec::Vec;

/// An error number of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

/// What a system call gives.
pub type Result<T> = core::result::Result<T, Errno>;

impl Errno {
    pub const PERM: Self = Self(1);
    pub const NOENT: Self = Self(2);
    pub const INTR: Self = Self(4);
    pub const TOOBIG: Self = Self(7);
    pub const AGAIN: Self = Self(11);
    pub const ACCES: Self = Self(13);
    pub const EXIST: Self = Self(17);
    pub const NOTDIR: Self = Self(20);
    pub const ISDIR: Self = Self(21);
    pub const INVAL: Self = Self(22);
    pub const PIPE: Self = Self(32);
    pub const NAMETOOLONG: Self = Self(36);
    pub const NOTEMPTY: Self = Self(39);
    pub const LOOP: Self = Self(40);
    pub const PROTO: Self = Self(71);

    /// The words that Go (and so Docker) uses for it.
    pub fn text(self) -> &'static str {
        match self.0 {
            1 => "operation not permitted",
            2 => "no such file or directory",
            5 => "input/output error",
            7 => "argument list too long",
            8 => "exec format error",
            11 => "resource temporarily unavailable",
            12 => "cannot allocate memory",
            13 => "permission denied",
            16 => "device or resource busy",
            17 => "file exists",
            18 => "invalid cross-device link",
            20 => "not a directory",
            21 => "is a directory",
            22 => "invalid argument",
            23 | 24 => "too many open files",
            26 => "text file busy",
            27 => "file too large",
            28 => "no space left on device",
            30 => "read-only file system",
            36 => "file name too long",
            39 => "directory not empty",
            40 => "is reached through a symbolic link, which is never followed",
            98 => "address already in use",
            111 => "connection refused",
            122 => "disk quota exceeded",
            _ => "system call failed",
        }
    }
}

/// An open file that is closed when it is dropped.
#[derive(Debug, PartialEq, Eq)]
pub struct Fd(i32);

impl Fd {
    /// Takes ownership of a number that the kernel gave.
    pub(super) fn own(number: usize) -> Self {
        Self(i32::try_from(number).unwrap_or(-1))
    }

    /// The number, for as long as the file is open.
    pub fn raw(&self) -> i32 {
        self.0
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: closing a number that this value owns.
        let _ = unsafe { raw::syscall(raw::nr::CLOSE, [fd(self.0), 0, 0, 0, 0, 0]) };
    }
}

/// A file number as a register: the kernel reads it as a signed 32-bit number.
fn fd(number: i32) -> usize {
    (number as isize).cast_unsigned()
}

/// The bytes with the NUL that the kernel wants; text with a NUL of its own is no path.
pub fn cstr(bytes: &[u8]) -> Result<Vec<u8>> {
    if bytes.contains(&0) {
        return Err(Errno::INVAL);
    }
    let mut text = Vec::with_capacity(bytes.len() + 1);
    text.extend_from_slice(bytes);
    text.push(0);
    Ok(text)
}

/// Repeats a call that a signal interrupted.
pub fn retry<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}
