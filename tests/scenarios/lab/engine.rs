//! What the engine itself says, asked over its socket and not through hob: the judge of what hob did.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// Where the engine of these tests listens, as `DOCKER_HOST` says it.
pub fn host() -> String {
    std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()).unwrap_or("unix:///var/run/docker.sock".into())
}

fn connect() -> std::io::Result<Box<dyn Stream>> {
    let host = host();
    match host.split_once("://") {
        Some(("unix", path)) => Ok(Box::new(UnixStream::connect(path)?)),
        Some(("tcp", address)) => Ok(Box::new(TcpStream::connect(address)?)),
        _ => Err(std::io::Error::other(format!("DOCKER_HOST={host}: only unix:// and tcp:// here"))),
    }
}

/// One request. HTTP/1.0, so that the answer ends with the connection.
pub fn request(method: &str, path: &str, body: &str) -> std::io::Result<(u16, Vec<u8>)> {
    let mut stream = connect()?;
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: engine\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(answer.len());
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Ok((status, answer.get(end + 4..).unwrap_or_default().to_vec()))
}

/// Hands over the lines of an answer as they come, for as long as it is told to go on.
pub fn lines(path: &str, mut more: impl FnMut(&str) -> bool) -> std::io::Result<()> {
    let mut stream = connect()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: engine\r\n\r\n")?;
    for line in BufReader::new(stream).lines() {
        if !more(&line?) {
            break;
        }
    }
    Ok(())
}

/// The answer to a question, as JSON; `Null` where there is no such thing.
///
/// An engine fails a list in which something goes while it makes it, and other tests remove things all the time:
/// such a question is asked again.
pub fn get(path: &str) -> Value {
    let mut tries = 0;
    loop {
        let (status, body) = request("GET", path, "").expect("the engine answers");
        if status < 500 {
            return serde_json::from_slice(&body).unwrap_or(Value::Null);
        }
        tries += 1;
        assert!(tries < 20, "GET {path}: {status} {}", String::from_utf8_lossy(&body));
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The same, of all that has the labels.
pub fn labelled(kind: &str, labels: &[&str]) -> Value {
    let filters = escaped(&serde_json::json!({ "label": labels }).to_string());
    get(&format!("/{kind}?all=1&filters={filters}"))
}

pub fn delete(path: &str) {
    // What is gone already is what was wanted.
    let _ = request("DELETE", path, "");
}

pub fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
