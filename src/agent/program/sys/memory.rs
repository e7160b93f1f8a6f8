//! Memory from the kernel.

use super::fd;
use super::raw::{nr, syscall};

/// Pages of zeros.
pub fn map(size: usize) -> Option<*mut u8> {
    const READ_WRITE: usize = 3;
    const PRIVATE_ANONYMOUS: usize = 0x22;
    // SAFETY: a new mapping touches nothing that exists.
    let address = unsafe { syscall(nr::MMAP, [0, size, READ_WRITE, PRIVATE_ANONYMOUS, fd(-1), 0]) };
    address.ok().map(core::ptr::with_exposed_provenance_mut)
}

/// Gives pages back.
pub fn unmap(start: *mut u8, size: usize) {
    // SAFETY: the allocator calls it with what `map` gave and nobody uses any more.
    let _ = unsafe { syscall(nr::MUNMAP, [start.expose_provenance(), size, 0, 0, 0, 0]) };
}
