//! Processes, the terminal and the clock.

use alloc::vec::Vec;

use super::raw::{nr, syscall};
use super::{Errno, Result, fd, retry};

const SIGCHLD: usize = 17;

/// How a child ended, as `wait4` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Code(u8),
    Signal(u8),
}

/// Makes a copy of this process. `Ok(None)` in the child.
///
/// The agent has one thread, so the copy is whole: nothing can be held locked by a thread that is not in it.
pub fn fork() -> Result<Option<i32>> {
    // SAFETY: no flags but the signal at the end: the child gets a copy of the memory and goes on with this stack.
    let pid = unsafe { syscall(nr::CLONE, [SIGCHLD, 0, 0, 0, 0, 0])? };
    Ok(if pid == 0 { None } else { i32::try_from(pid).ok() })
}

/// Becomes another program; returns only where that failed. The strings must end with NUL.
pub fn execve(path: &[u8], arguments: &[Vec<u8>], environment: &[Vec<u8>]) -> Errno {
    let pointers = |strings: &[Vec<u8>]| {
        strings.iter().map(|text| text.as_ptr() as usize).chain(core::iter::once(0)).collect::<Vec<usize>>()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: both lists end with a null pointer, every string with a NUL.
    let result = unsafe {
        syscall(
            nr::EXECVE,
            [path.as_ptr() as usize, arguments.as_ptr() as usize, environment.as_ptr() as usize, 0, 0, 0],
        )
    };
    result.err().unwrap_or(Errno::INVAL)
}

/// Ends this process.
pub fn exit(code: u8) -> ! {
    loop {
        // SAFETY: no pointers; it does not return.
        let _ = unsafe { syscall(nr::EXIT_GROUP, [usize::from(code), 0, 0, 0, 0, 0]) };
    }
}

/// The next child that has ended, if any has.
pub fn reap() -> Option<(i32, Ended)> {
    const WNOHANG: usize = 1;
    let mut status = 0i32;
    // SAFETY: the kernel writes one number.
    let pid = retry(|| unsafe { syscall(nr::WAIT4, [fd(-1), (&raw mut status) as usize, WNOHANG, 0, 0, 0]) });
    match pid {
        Ok(pid) if pid > 0 => {
            let ended = if status & 0x7f == 0 {
                Ended::Code(((status >> 8) & 0xff) as u8)
            } else {
                Ended::Signal((status & 0x7f) as u8)
            };
            Some((i32::try_from(pid).ok()?, ended))
        }
        _ => None,
    }
}

/// Sends a signal to a process, or with a negative number to a group.
pub fn kill(pid: i32, signal: u8) -> Result<()> {
    // SAFETY: no pointers.
    unsafe { syscall(nr::KILL, [fd(pid), usize::from(signal), 0, 0, 0, 0]) }.map(drop)
}

fn number(call: usize) -> u32 {
    // SAFETY: calls without arguments that cannot fail.
    unsafe { syscall(call, [0; 6]) }.map_or(0, |value| value as u32)
}

/// This process.
pub fn getpid() -> i32 {
    number(nr::GETPID).cast_signed()
}

/// Its user.
pub fn getuid() -> u32 {
    number(nr::GETUID)
}

/// Its group.
pub fn getgid() -> u32 {
    number(nr::GETGID)
}

/// Its session.
pub fn getsid() -> i32 {
    number(nr::GETSID).cast_signed()
}

/// Starts a session and a process group, both named after this process.
pub fn setsid() -> Result<()> {
    // SAFETY: no pointers.
    unsafe { syscall(nr::SETSID, [0; 6]) }.map(drop)
}

/// Starts a process group named after this process.
pub fn own_group() -> Result<()> {
    // SAFETY: no pointers.
    unsafe { syscall(nr::SETPGID, [0; 6]) }.map(drop)
}

/// Makes this process the one that orphans below it are given to.
pub fn become_subreaper() -> Result<()> {
    const PR_SET_CHILD_SUBREAPER: usize = 36;
    // SAFETY: no pointers.
    unsafe { syscall(nr::PRCTL, [PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0, 0]) }.map(drop)
}

/// Microseconds on a clock that never goes back.
pub fn now() -> u64 {
    const CLOCK_MONOTONIC: usize = 1;
    let mut time = [0i64; 2];
    // SAFETY: the kernel writes a `timespec` of two 64-bit numbers.
    let _ = unsafe { syscall(nr::CLOCK_GETTIME, [CLOCK_MONOTONIC, time.as_mut_ptr() as usize, 0, 0, 0, 0]) };
    time[0].cast_unsigned().wrapping_mul(1_000_000).wrapping_add(time[1].cast_unsigned() / 1_000)
}

/// The settings of a terminal, kept only to be put back. `struct termios` of the kernel has at most 60 bytes.
#[derive(Clone, Debug)]
pub struct Termios([u64; 8]);

const TCGETS: usize = 0x5401;
const TCSETS: usize = 0x5402;
const TIOCSCTTY: usize = 0x540e;
const TIOCSPGRP: usize = 0x5410;
const TIOCNOTTY: usize = 0x5422;

unsafe fn ioctl(file: i32, request: usize, argument: usize) -> Result<()> {
    // SAFETY: the caller passes what the request expects.
    unsafe { syscall(nr::IOCTL, [fd(file), request, argument, 0, 0, 0]) }.map(drop)
}

/// The settings of the terminal; fails where the file is none.
pub fn terminal(file: i32) -> Result<Termios> {
    let mut settings = Termios([0; 8]);
    // SAFETY: the kernel writes at most 60 bytes of the 64.
    unsafe { ioctl(file, TCGETS, settings.0.as_mut_ptr() as usize)? };
    Ok(settings)
}

/// Puts settings back.
pub fn set_terminal(file: i32, settings: &Termios) -> Result<()> {
    // SAFETY: the kernel reads what it wrote before.
    unsafe { ioctl(file, TCSETS, settings.0.as_ptr() as usize) }
}

/// Gives up the controlling terminal, so that another session can have it.
pub fn release_terminal(file: i32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { ioctl(file, TIOCNOTTY, 0) }
}

/// Makes the terminal the controlling one of this session.
pub fn take_terminal(file: i32) -> Result<()> {
    // SAFETY: no pointer; 0 means not to steal it from another session.
    unsafe { ioctl(file, TIOCSCTTY, 0) }
}

/// Makes the group of this process the one in the foreground of the terminal.
pub fn take_foreground(file: i32) -> Result<()> {
    let group = getpid();
    // SAFETY: the kernel reads one number.
    unsafe { ioctl(file, TIOCSPGRP, (&raw const group) as usize) }
}
