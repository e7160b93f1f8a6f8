//! Safe wrappers over the system calls that the agent makes. No libc: the agent is the same program in every image.

mod errno;
mod file;
mod memory;
mod process;
mod raw;
mod signal;
mod socket;

pub use errno::*;
pub use file::*;
pub use memory::*;
pub use process::*;
pub use signal::*;
pub use socket::*;

use alloc::vec::Vec;

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
