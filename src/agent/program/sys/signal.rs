//! Signals as events: all are blocked and read from a file, so there are no handlers and nothing is async-unsafe.

use super::raw::{nr, syscall};
use super::{Errno, Fd, Result, fd};

pub const SIGHUP: u8 = 1;
pub const SIGINT: u8 = 2;
pub const SIGQUIT: u8 = 3;
pub const SIGKILL: u8 = 9;
pub const SIGPIPE: u8 = 13;
pub const SIGTERM: u8 = 15;
pub const SIGCHLD: u8 = 17;
pub const SIGCONT: u8 = 18;

/// Signals that no program can block and that come from its own faults: left as they are, so that a fault ends the
/// agent instead of being swallowed.
const FAULTS: [u8; 6] = [4, 5, 7, 8, 11, 31];

const SIG_BLOCK: usize = 0;
const SIG_SETMASK: usize = 2;

/// A set of blocked signals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mask(u64);

/// A signal that came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incoming {
    pub signal: u8,
    /// The process that sent it; 0 for the kernel, and for processes that are not in this pid namespace.
    pub sender: i32,
}

/// Blocks every signal but faults, and gives the file to read them from, and the mask that was there before.
pub fn signals() -> Result<(Fd, Mask)> {
    let mut set = !0u64;
    for fault in FAULTS {
        set &= !(1 << (fault - 1));
    }
    let mut before = 0u64;
    // SAFETY: both sets are 64 bits, as the size says.
    unsafe {
        let (new, old) = ((&raw const set) as usize, (&raw mut before) as usize);
        syscall(nr::RT_SIGPROCMASK, [SIG_BLOCK, new, old, 8, 0, 0])?;
        let flags = 0o2_004_000; // SFD_CLOEXEC | SFD_NONBLOCK
        let file = syscall(nr::SIGNALFD4, [fd(-1), new, 8, flags, 0, 0])?;
        Ok((Fd::own(file), Mask(before)))
    }
}

/// Puts a mask back.
pub fn set_mask(mask: Mask) -> Result<()> {
    // SAFETY: the set is 64 bits, as the size says.
    unsafe { syscall(nr::RT_SIGPROCMASK, [SIG_SETMASK, (&raw const mask.0) as usize, 0, 8, 0, 0]) }.map(drop)
}

/// The next signal, if there is one.
pub fn next_signal(file: &Fd) -> Option<Incoming> {
    let mut info = [0u8; 128];
    match super::read(file.raw(), &mut info) {
        Ok(128) => {
            let [a, b, c, d, _, _, _, _, _, _, _, _, e, f, g, h, ..] = info;
            let signal = u32::from_ne_bytes([a, b, c, d]);
            Some(Incoming { signal: u8::try_from(signal).ok()?, sender: i32::from_ne_bytes([e, f, g, h]) })
        }
        _ => None,
    }
}

pub const POLLIN: i16 = 1;
pub const POLLOUT: i16 = 4;
pub const POLLERR: i16 = 8;
pub const POLLHUP: i16 = 16;

/// One file to wait for.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct PollFd {
    pub fd: i32,
    pub events: i16,
    pub revents: i16,
}

impl PollFd {
    pub fn new(fd: i32, events: i16) -> Self {
        Self { fd, events, revents: 0 }
    }

    /// Whether there is something to do: what was asked for, an error or the end.
    pub fn ready(self) -> bool {
        self.revents != 0
    }
}

/// Waits until a file is ready or the time (microseconds) is over.
pub fn poll(files: &mut [PollFd], timeout: Option<u64>) -> Result<()> {
    let micros = timeout.unwrap_or(0);
    // The kernel writes the time that is left into it.
    let mut time = [(micros / 1_000_000).cast_signed(), (micros % 1_000_000 * 1_000).cast_signed()];
    let pointer = if timeout.is_some() { time.as_mut_ptr() as usize } else { 0 };
    // SAFETY: the list is valid for its length, the time is a `timespec` or null.
    match unsafe { syscall(nr::PPOLL, [files.as_mut_ptr() as usize, files.len(), pointer, 0, 8, 0]) } {
        Ok(_) => Ok(()),
        Err(Errno::INTR) => {
            for file in files {
                file.revents = 0;
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
}
