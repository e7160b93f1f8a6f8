//! Whether a program answers behind a published port, and where it listens inside its container.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{ExecSpec, Result, Session};
use crate::model::Published;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_millis(250);
/// How soon an engine's proxy closes a connection behind which nothing listens.
const CLOSED: Duration = Duration::from_millis(100);
/// How long a look into a container may take, and how much of its answer is read.
const LOOK: (Duration, usize) = (Duration::from_secs(2), 1 << 20);
/// The engine's own name server, inside every container with a network.
const NAME_SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11));

/// Whether something answers on a published TCP port. Engines take every connection themselves and close it where
/// nothing listens in the container, so that one must stay open for a moment, or something must be said on it.
pub(super) async fn answers(port: &Published) -> bool {
    let host = match port.host_ip.as_str() {
        "" | "0.0.0.0" => "127.0.0.1",
        "::" => "::1",
        other => other,
    };
    let Ok(Ok(mut stream)) = timeout(CONNECT, TcpStream::connect((host, port.host_port))).await else { return false };
    match timeout(CLOSED, stream.read(&mut [0])).await {
        Ok(read) => read.is_ok_and(|read| read > 0),
        Err(_) => true,
    }
}

/// The command that shows the kernel's tables of a container.
pub(super) fn tables() -> ExecSpec {
    let files = ["cat", "/proc/net/tcp", "/proc/net/tcp6"];
    ExecSpec { command: files.map(str::to_owned).to_vec(), ..ExecSpec::default() }
}

/// Where programs in a container listen, by what [`tables`] writes there; `None` where that cannot be found out, as
/// without `cat` in its image.
pub(super) async fn listeners(run: impl Future<Output = Result<Session>>) -> Option<Vec<SocketAddr>> {
    let look = async {
        let mut output = run.await.ok()?.output;
        let mut bytes = Vec::new();
        while let Some(Ok(chunk)) = output.next().await {
            bytes.extend_from_slice(&chunk.bytes);
            if bytes.len() > LOOK.1 {
                return None;
            }
        }
        parse(&String::from_utf8_lossy(&bytes))
    };
    timeout(LOOK.0, look).await.ok().flatten()
}

/// The listening sockets of the kernel's tables; `None` where the text is none of them.
fn parse(text: &str) -> Option<Vec<SocketAddr>> {
    if !text.contains("local_address") {
        return None;
    }
    let mut found: Vec<SocketAddr> = text.lines().filter_map(listener).filter(|at| at.ip() != NAME_SERVER).collect();
    found.sort();
    found.dedup();
    Some(found)
}

/// `0: 0100007F:1388 00000000:0000 0A …`: addresses are numbers of the machine's byte order, `0A` is listening.
fn listener(line: &str) -> Option<SocketAddr> {
    let mut fields = line.split_ascii_whitespace();
    let (local, state) = (fields.nth(1)?, fields.nth(1)?);
    let (address, port) = local.split_once(':').filter(|_| state == "0A")?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for part in 0..4 {
                bytes[part * 4..part * 4 + 4].copy_from_slice(&word(part * 8)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn the_kernels_tables_are_read() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0B00007F:9C41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   2: 020012AC:1388 010012AC:CAFE 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:1F40 00000000000000000000000000000000:0000 0A 00000000:00000000
   1: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000
";
        let found = parse(text).unwrap();
        assert_eq!(
            found.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["127.0.0.1:5000", "[::]:8000", "[::1]:80"]
        );
        assert_eq!(parse("OCI runtime exec failed: exec: cat: not found"), None);
    }

    #[tokio::test]
    async fn only_what_stays_open_or_speaks_answers() {
        let open = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closes = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = |listener: &tokio::net::TcpListener| Published {
            host_port: listener.local_addr().unwrap().port(),
            ..Published::default()
        };
        let (open_port, closed_port) = (port(&open), port(&closes));
        let proxy = tokio::spawn(async move {
            while let Ok((stream, _)) = closes.accept().await {
                drop(stream);
            }
        });
        assert!(answers(&open_port).await);
        assert!(!answers(&closed_port).await);
        drop(open);
        assert!(!answers(&open_port).await);
        proxy.abort();
    }
}
