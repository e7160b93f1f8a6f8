//! Who has a port of this machine, for the message that it is taken.
//!
//! On Linux the kernel's tables of sockets give the socket and its user, and the processes' open files give the
//! process, as far as they may be read: a plain user does not see into root's processes, and then only the user is
//! known. Elsewhere nothing is known.

use std::fmt;
use std::net::IpAddr;

/// Who has a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortHolder {
    /// The user that the socket belongs to, by name or else by number.
    pub user: String,
    /// The process, where that can be seen.
    pub process: Option<Process>,
}

/// A process, as a person would recognise it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its short name.
    pub name: String,
    /// Its command line, shortened; empty if it has none.
    pub command: String,
}

impl fmt::Display for PortHolder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = &self.user;
        match &self.process {
            None => write!(out, "a process of user {user}"),
            Some(Process { pid, name, command }) if command.is_empty() => {
                write!(out, "{name} (process {pid} of {user})")
            }
            Some(Process { pid, name, command }) => write!(out, "{name} (process {pid} of {user}: {command})"),
        }
    }
}

/// Who has `port`, as far as that can be known. `address` is the one that was to be bound; `None` and the unspecified
/// address stand for all.
#[must_use]
pub fn holder(address: Option<IpAddr>, port: u16) -> Option<PortHolder> {
    #[cfg(target_os = "linux")]
    return linux::holder(address, port);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (address, port);
        None
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use nix::unistd::{Uid, User};

    use super::{PortHolder, Process};

    /// A line of the kernel's table.
    #[derive(Debug, PartialEq, Eq)]
    pub(super) struct Socket {
        pub(super) address: IpAddr,
        pub(super) uid: u32,
        pub(super) inode: u64,
    }

    /// A command line may be a whole script.
    const COMMAND_MOST: usize = 120;

    pub(super) fn holder(address: Option<IpAddr>, port: u16) -> Option<PortHolder> {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
        let socket = tables.iter().find_map(|table| {
            let text = fs::read_to_string(table).ok()?;
            text.lines().skip(1).filter_map(|line| parse(line, port)).find(|socket| clash(address, socket))
        })?;
        let user = match User::from_uid(Uid::from_raw(socket.uid)) {
            Ok(Some(user)) => user.name,
            _ => socket.uid.to_string(),
        };
        Some(PortHolder { user, process: process_with(socket.inode) })
    }

    /// Whether a socket is in the way of one that is to be bound.
    fn clash(address: Option<IpAddr>, socket: &Socket) -> bool {
        let theirs = socket.address.to_canonical();
        address.is_none_or(|ours| {
            let ours = ours.to_canonical();
            ours.is_unspecified() || theirs.is_unspecified() || ours == theirs
        })
    }

    /// Reads a line of `/proc/net/{tcp,udp}{,6}` (proc(5)) if it is of this port and in use.
    pub(super) fn parse(line: &str, port: u16) -> Option<Socket> {
        let mut fields = line.split_ascii_whitespace();
        let (address, local_port) = fields.nth(1)?.split_once(':')?;
        if u16::from_str_radix(local_port, 16).ok()? != port {
            return None;
        }
        // 0A is listening. A UDP socket that is only bound is 07, and a connected one 01.
        if fields.nth(1)? != "0A" {
            return None;
        }
        let uid = fields.nth(3)?.parse().ok()?;
        let inode = fields.nth(1)?.parse().ok()?;
        Some(Socket { address: parse_address(address)?, uid, inode })
    }

    /// Words of 32 bits in the machine's byte order, in hexadecimal.
    fn parse_address(hex: &str) -> Option<IpAddr> {
        let mut bytes = Vec::with_capacity(16);
        for at in (0..hex.len()).step_by(8) {
            bytes.extend(u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
        }
        if let Ok(bytes) = <[u8; 4]>::try_from(bytes.as_slice()) {
            return Some(Ipv4Addr::from(bytes).into());
        }
        Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into())
    }

    /// The first process, by number, that has the socket open: the parent comes before its workers.
    fn process_with(inode: u64) -> Option<Process> {
        let link = format!("socket:[{inode}]");
        let mut pids: Vec<u32> = fs::read_dir("/proc")
            .ok()?
            .flatten()
            .filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()))
            .collect();
        pids.sort_unstable();
        pids.into_iter()
            .find(|pid| {
                fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|files| {
                    files
                        .flatten()
                        .any(|file| fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == &*link))
                })
            })
            .map(describe)
    }

    fn describe(pid: u32) -> Process {
        let read = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let name = String::from_utf8_lossy(&read("comm")).trim().to_owned();
        let command = read("cmdline");
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        let mut shown: String = command.trim().chars().take(COMMAND_MOST).collect();
        if shown.len() < command.trim().len() {
            shown.push('…');
        }
        // A line break or a control sequence of somebody's command line has no place in a message.
        let shown = shown.replace(char::is_control, " ");
        Process { pid, name, command: shown }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::linux::{Socket, parse};
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_of_the_kernel_are_read() {
        let listening = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0000000000000000 100 0 0 10 0";
        let expected = Socket { address: Ipv4Addr::LOCALHOST.into(), uid: 1000, inode: 4242 };
        assert_eq!(parse(listening, 8080), Some(expected));
        assert_eq!(parse(listening, 8081), None, "another port");
        let connected = listening.replace(" 0A ", " 01 ");
        assert_eq!(parse(&connected, 8080), None, "a connection from the same port");
        let six = "   1: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7 1 0000000000000000 100 0 0 10 0";
        assert_eq!(parse(six, 80).unwrap().address, "::1".parse::<IpAddr>().unwrap());
        for junk in ["", "a b c", "0: xyz", "  sl  local_address rem_address   st"] {
            assert_eq!(parse(junk, 80), None);
        }
    }

    #[test]
    fn our_own_sockets_are_ours() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        for wanted in [None, Some(address.ip()), Some(Ipv4Addr::UNSPECIFIED.into())] {
            let holder = holder(wanted, address.port()).unwrap();
            let process = holder.process.clone().unwrap();
            assert_eq!(process.pid, std::process::id());
            assert!(holder.to_string().contains(&format!("process {}", process.pid)), "{holder}");
        }
    }

    #[test]
    fn a_port_on_another_address_is_not_in_the_way() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        // Nobody else listens on that address of the machine's loopback.
        assert_eq!(holder(Some("127.66.66.66".parse().unwrap()), port), None);
    }
}
