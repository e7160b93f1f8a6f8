//! What programs in containers write and read, and commands that are run there.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use tokio::io::AsyncWrite;

use super::Result;

/// A stream that can be kept in a struct.
pub type BoxStream<T> = Pin<Box<dyn Stream<Item = T> + Send>>;
/// The exit code of a container, once it has ended.
pub type Exit = Pin<Box<dyn Future<Output = Result<i64>> + Send>>;

/// Which part of a log, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Go on as new lines come.
    pub follow: bool,
    /// Only the last lines; `None` for all.
    pub tail: Option<u64>,
    /// Only since this Unix time in seconds.
    pub since: Option<i64>,
    /// Only until this Unix time in seconds.
    pub until: Option<i64>,
    /// Put the engine's RFC 3339 timestamp and a space before each line.
    pub timestamps: bool,
}

/// Which stream a chunk came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Standard output, or a terminal.
    Out,
    /// Standard error.
    Err,
}

/// Bytes of a container's output, not cut at lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Which stream.
    pub channel: Channel,
    /// What was written.
    pub bytes: Bytes,
}

/// A command to run in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecSpec {
    /// Command and arguments.
    pub command: Vec<String>,
    /// User; `None` for the container's.
    pub user: Option<String>,
    /// Working directory; `None` for the container's.
    pub working_dir: Option<String>,
    /// More environment as `NAME=value`.
    pub env: Vec<String>,
    /// A terminal for it.
    pub tty: bool,
    /// Attach standard input.
    pub stdin: bool,
    /// All capabilities.
    pub privileged: bool,
    /// Start it and do not wait.
    pub detach: bool,
}

/// The streams of a running command or of an attached container.
pub struct Session {
    /// The exec's id, or the container's.
    pub id: String,
    /// Its standard input.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
    /// What it writes.
    pub output: BoxStream<Result<Chunk>>,
}
