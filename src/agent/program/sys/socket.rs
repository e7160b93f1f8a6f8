//! Sockets with an abstract name: no file system needed, packets keep their borders, files can be handed over, and
//! the kernel says who is at the other end.

use alloc::vec::Vec;

use super::raw::{nr, syscall};
use super::{Errno, Fd, Result, fd, retry};

const AF_UNIX: usize = 1;
const SOCK_SEQPACKET: usize = 5;
const SOCK_CLOEXEC: usize = 0o2_000_000;
const SOCK_NONBLOCK: usize = 0o4000;
const SOL_SOCKET: usize = 1;
const SO_PEERCRED: usize = 17;
const SCM_RIGHTS: i32 = 1;
const MSG_TRUNC: i32 = 0x20;
const MSG_CTRUNC: i32 = 0x08;
const MSG_NOSIGNAL: usize = 0x4000;
const MSG_CMSG_CLOEXEC: usize = 0x4000_0000;

/// Who is at the other end, as the kernel translates it into our namespaces; pid 0 is a process outside of them.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    pub pid: i32,
    pub uid: u32,
    pub gid: u32,
}

#[repr(C)]
struct IoVec {
    base: usize,
    length: usize,
}

#[repr(C)]
struct Message {
    name: usize,
    name_length: u32,
    iov: usize,
    iov_length: usize,
    control: usize,
    control_length: usize,
    flags: i32,
}

/// Ancillary data with room for two files: `cmsghdr` (16 bytes) and their numbers.
#[repr(C, align(8))]
#[derive(Default)]
struct Control {
    length: usize,
    level: i32,
    kind: i32,
    files: [i32; 2],
}

fn address(name: &[u8]) -> Result<Vec<u8>> {
    // sun_path has 108 bytes, the first of which is the 0 that makes the name abstract.
    if name.len() > 107 {
        return Err(Errno::NAMETOOLONG);
    }
    let mut address = Vec::with_capacity(3 + name.len());
    address.extend_from_slice(&(AF_UNIX as u16).to_ne_bytes());
    address.push(0);
    address.extend_from_slice(name);
    Ok(address)
}

fn socket(flags: usize) -> Result<Fd> {
    // SAFETY: no pointers.
    unsafe { syscall(nr::SOCKET, [AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0, 0, 0, 0]) }.map(Fd::own)
}

/// Listens at an abstract name.
pub fn listen(name: &[u8]) -> Result<Fd> {
    let (address, socket) = (address(name)?, socket(SOCK_NONBLOCK)?);
    // SAFETY: the address is valid for its length.
    unsafe {
        syscall(nr::BIND, [fd(socket.raw()), address.as_ptr() as usize, address.len(), 0, 0, 0])?;
        syscall(nr::LISTEN, [fd(socket.raw()), 8, 0, 0, 0, 0])?;
    }
    Ok(socket)
}

/// Connects to an abstract name.
pub fn connect(name: &[u8]) -> Result<Fd> {
    let (address, socket) = (address(name)?, socket(0)?);
    // SAFETY: the address is valid for its length.
    retry(|| unsafe { syscall(nr::CONNECT, [fd(socket.raw()), address.as_ptr() as usize, address.len(), 0, 0, 0]) })?;
    Ok(socket)
}

/// The next connection that waits, if one does.
pub fn accept(listener: &Fd) -> Result<Fd> {
    retry(|| {
        // SAFETY: no address is asked for.
        unsafe { syscall(nr::ACCEPT4, [fd(listener.raw()), 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK, 0, 0]) }
    })
    .map(Fd::own)
}

/// Who is at the other end.
pub fn peer(socket: &Fd) -> Result<Peer> {
    let mut peer = Peer::default();
    let mut length = size_of::<Peer>() as u32;
    // SAFETY: the kernel writes at most `length` bytes.
    unsafe {
        let (value, size) = ((&raw mut peer) as usize, (&raw mut length) as usize);
        syscall(nr::GETSOCKOPT, [fd(socket.raw()), SOL_SOCKET, SO_PEERCRED, value, size, 0])?;
    }
    Ok(peer)
}

/// Sends one packet, with two files or none.
pub fn send(socket: i32, packet: &[u8], files: Option<[i32; 2]>) -> Result<()> {
    let iov = IoVec { base: packet.as_ptr() as usize, length: packet.len() };
    let control = files.map(|files| Control { length: 24, level: SOL_SOCKET as i32, kind: SCM_RIGHTS, files });
    let message = Message {
        name: 0,
        name_length: 0,
        iov: (&raw const iov) as usize,
        iov_length: 1,
        control: control.as_ref().map_or(0, |control| core::ptr::from_ref(control) as usize),
        control_length: control.as_ref().map_or(0, size_of_val),
        flags: 0,
    };
    let sent = retry(|| {
        // SAFETY: the message points to values that live through the call.
        unsafe { syscall(nr::SENDMSG, [fd(socket), (&raw const message) as usize, MSG_NOSIGNAL, 0, 0, 0]) }
    });
    sent.map(drop)
}

/// Receives one packet into `buffer`: its length (0 is the end) and the files that came with it. A packet that does
/// not fit is an error.
pub fn receive(socket: i32, buffer: &mut [u8]) -> Result<(usize, Vec<Fd>)> {
    receive_with(socket, buffer, 0)
}

/// As [`receive`], without waiting.
pub fn receive_now(socket: i32, buffer: &mut [u8]) -> Result<(usize, Vec<Fd>)> {
    const MSG_DONTWAIT: usize = 0x40;
    receive_with(socket, buffer, MSG_DONTWAIT)
}

fn receive_with(socket: i32, buffer: &mut [u8], flags: usize) -> Result<(usize, Vec<Fd>)> {
    let iov = IoVec { base: buffer.as_mut_ptr() as usize, length: buffer.len() };
    let mut control = Control::default();
    let mut message = Message {
        name: 0,
        name_length: 0,
        iov: (&raw const iov) as usize,
        iov_length: 1,
        control: (&raw mut control) as usize,
        control_length: size_of::<Control>(),
        flags: 0,
    };
    let count = retry(|| {
        // SAFETY: the message points to values that live through the call and are valid for their lengths.
        unsafe { syscall(nr::RECVMSG, [fd(socket), (&raw mut message) as usize, MSG_CMSG_CLOEXEC | flags, 0, 0, 0]) }
    })?;
    let mut files = Vec::new();
    if message.control_length >= 16 && control.level == SOL_SOCKET as i32 && control.kind == SCM_RIGHTS {
        let given = control.length.saturating_sub(16) / 4;
        files.extend(control.files.iter().take(given).map(|file| Fd(*file)));
    }
    if message.flags & (MSG_TRUNC | MSG_CTRUNC) != 0 {
        return Err(Errno::PROTO);
    }
    Ok((count, files))
}
