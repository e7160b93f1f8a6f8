//! Requests past bollard, for what it does not give: the headers of an answer, JSON as it came, and an archive of which
//! the beginning is enough.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use super::Endpoint;
use super::endpoint::Stream;
use crate::engine::{EngineError, ErrorKind, Result};

/// The longest head of an answer.
const HEAD: usize = 16 * 1024;

/// The longest answer to a request that makes something.
const ANSWER: u64 = 1024 * 1024;

/// What an engine answered.
pub(super) struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Endpoint {
    /// A `GET`. At most `most` bytes of the answer's body are read.
    pub(super) async fn get(&self, path: &str, most: u64) -> io::Result<Answer> {
        self.ask(format!("GET {path} HTTP/1.0\r\nHost: engine\r\n\r\n").as_bytes(), most).await
    }

    /// A `POST` of JSON.
    pub(super) async fn post(&self, path: &str, body: &Value) -> io::Result<Answer> {
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.0\r\nHost: engine\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.ask(&[head.as_bytes(), body.as_bytes()].concat(), ANSWER).await
    }

    /// A `POST` whose answer begins before it is known: that it has begun says that the engine is at it.
    pub(super) async fn post_early(&self, path: &str) -> io::Result<(u16, BufReader<Stream>)> {
        let request = format!("POST {path} HTTP/1.0\r\nHost: engine\r\nContent-Length: 0\r\n\r\n");
        let (head, reader) = self.begin(request.as_bytes()).await?;
        Ok((Answer::new(head, Vec::new()).status, reader))
    }

    async fn ask(&self, request: &[u8], most: u64) -> io::Result<Answer> {
        let (head, reader) = self.begin(request).await?;
        let mut body = Vec::new();
        reader.take(most).read_to_end(&mut body).await?;
        Ok(Answer::new(head, body))
    }

    /// Sends a request and reads the head of its answer. HTTP/1.0, so that the answer comes in one piece and ends with the
    /// connection.
    async fn begin(&self, request: &[u8]) -> io::Result<(String, BufReader<Stream>)> {
        let mut stream = self.dial().await?;
        stream.write_all(request).await?;
        let mut reader = BufReader::new(stream);
        let mut head = Vec::with_capacity(512);
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() > HEAD {
                return Err(io::Error::other("the engine's answer has no end of headers"));
            }
            head.push(reader.read_u8().await?);
        }
        Ok((String::from_utf8_lossy(&head).into_owned(), reader))
    }
}

impl Answer {
    pub(super) fn new(head: String, body: Vec<u8>) -> Self {
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        Self { status, head, body }
    }

    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// Refuses an answer that is an error.
    pub(super) fn is_good(&self) -> Result<()> {
        if (200..300).contains(&self.status) {
            return Ok(());
        }
        let said: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let text = said["message"].as_str().unwrap_or("no reason was given").to_owned();
        let kind = if self.status == 404 { ErrorKind::NotFound } else { ErrorKind::Other };
        Err(EngineError::new(kind, format!("the engine answered {}: {text}", self.status)))
    }
}
