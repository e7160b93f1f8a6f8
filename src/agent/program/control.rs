//! The socket between the supervisor and the processes that serve hob's streams.
//!
//! Its name is abstract, so that it needs no file system (`read_only`, no `/tmp`), and is made of the mount namespace,
//! which no two containers share even where they share network or process ids. Abstract names belong to a network
//! namespace, which others may be in (`network_mode: host`), so both ends ask the kernel who the other is.

use alloc::vec::Vec;

use super::protocol::{Answer, Encoder};
use super::sys::{self, Errno, Fd, Result};

/// The build id that `build.rs` gives this program.
pub const BUILD: &str = match option_env!("HOB_AGENT_BUILD_ID") {
    Some(build) => build,
    None => "test",
};

/// The name of the socket in this container.
fn name() -> Result<Vec<u8>> {
    let mut name = b"hob-agent/".to_vec();
    name.extend_from_slice(&sys::readlink(sys::CWD, b"/proc/self/ns/mnt")?);
    Ok(name)
}

/// The supervisor's end.
pub fn listen() -> Result<Fd> {
    sys::listen(&name()?)
}

/// The serving end, and the supervisor's process. Refuses a listener that is not this container's supervisor.
pub fn connect() -> Result<(Fd, u32)> {
    let socket = sys::connect(&name()?)?;
    let pid = sys::peer(&socket)?.pid;
    if pid <= 0 || (pid != 1 && !is_same_program(pid)) {
        return Err(Errno::PERM);
    }
    Ok((socket, pid.unsigned_abs()))
}

/// Whether a process runs the file that this process runs: only then may it be a supervisor that is not PID 1.
///
/// A supervisor of another user (`user:` with `init: true` or a shared `pid`) may not be looked at so closely without
/// `CAP_SYS_PTRACE`. Then its command line must be ours. A process could give itself that, but not the socket's name:
/// the supervisor takes it before it starts anything, and holds it for as long as the container lives.
fn is_same_program(pid: i32) -> bool {
    let theirs = sys::stat(alloc::format!("/proc/{pid}/exe").as_bytes());
    match (theirs, sys::stat(b"/proc/self/exe")) {
        (Ok(a), Ok(b)) => a.inode == b.inode && a.device == b.device,
        (Err(Errno::ACCES | Errno::PERM), _) => {
            let line = sys::read_file(alloc::format!("/proc/{pid}/cmdline").as_bytes(), 4096);
            line.is_ok_and(|line| line.starts_with(b"/.hob/agent\0run\0"))
        }
        _ => false,
    }
}

/// The next connection of root in this container; everybody else's is closed.
pub fn accept(listener: &Fd) -> Option<Fd> {
    loop {
        let socket = sys::accept(listener).ok()?;
        // A process outside of our process ids has pid 0 here.
        if matches!(sys::peer(&socket), Ok(peer) if peer.uid == 0 && peer.pid > 0) {
            return Some(socket);
        }
    }
}

/// A packet: kind, id and message, without a length as packets have borders of their own.
pub fn packet(kind: u8, id: u32, message: &[u8]) -> Vec<u8> {
    let mut out = Encoder::default();
    out.u8(kind).u32(id);
    out.0.extend_from_slice(message);
    out.0
}

/// An answer as a packet.
pub fn answer(id: u32, answer: &Answer) -> Vec<u8> {
    packet(answer.kind(), id, &answer.encode())
}

/// Kind, id and message of a packet.
pub fn parse(packet: &[u8]) -> Option<(u8, u32, &[u8])> {
    match packet {
        [kind, a, b, c, d, message @ ..] => Some((*kind, u32::from_le_bytes([*a, *b, *c, *d]), message)),
        _ => None,
    }
}
