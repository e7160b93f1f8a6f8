//! hob's side of the protocol: requests go out, answers come back to whoever asked.

mod batch;
mod messages;
mod multiplexer;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::BUILD_ID;
use super::protocol::{Answer, Entry, Op, Request, StatusReport, VERSION, refusal};
use messages::{millis, restarted, text, unexpected};
use multiplexer::{Answers, Multiplexer};

pub use batch::Messages;
pub use messages::{AgentError, Applied, Command, Executed, OutputStream, Refusal, Restarted, Then, ThenOutcome, Told};
pub use multiplexer::SILENCE;

/// Bytes that an agent reads and digests in a second at least.
const DIGESTED: u64 = 10 << 20;

/// The most entries of a list.
const MOST_ENTRIES: usize = 1_000_000;

/// The agent of one container. Clones speak over the same stream; when the last is dropped, the stream is closed, and
/// the container's command runs on.
#[derive(Clone)]
pub struct AgentClient {
    multiplexer: Multiplexer,
    supervisor: u32,
}

impl AgentClient {
    /// Says hello over a stream (standard input and output of the exec of [`super::SERVE`]).
    pub async fn connect<R, W>(reader: R, writer: W) -> Result<Self, AgentError>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        Self::connect_as(reader, writer, VERSION, BUILD_ID).await
    }

    async fn connect_as<R, W>(reader: R, writer: W, version: u16, build: &str) -> Result<Self, AgentError>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let multiplexer = Multiplexer::new(reader, writer);
        let hello = Request::Hello { version, build: build.as_bytes().to_vec() };
        match multiplexer.ask(&hello).await? {
            Answer::Welcome { agent } => Ok(Self { multiplexer, supervisor: agent }),
            Answer::Refused { reason, version, build, message } => Err(AgentError::Refused {
                reason: match reason {
                    refusal::VERSION => Refusal::OtherVersion { version, build: text(&build) },
                    refusal::NO_SUPERVISOR => Refusal::NoSupervisor,
                    _ => Refusal::Other,
                },
                message: text(&message),
            }),
            other => Err(unexpected(other)),
        }
    }

    /// The supervisor's process in the container: 1 unless the container has an init or shares its process ids.
    pub fn supervisor(&self) -> u32 {
        self.supervisor
    }

    /// Waits until the stream has ended.
    pub async fn closed(&self) {
        self.multiplexer.closed().await;
    }

    /// Whether the stream has ended.
    pub fn is_closed(&self) -> bool {
        self.multiplexer.is_closed()
    }

    /// Applies a batch of changed files.
    pub async fn apply(&self, ops: Vec<Op>) -> Result<Applied, AgentError> {
        Ok(self.multiplexer.apply(ops, None).await?.0)
    }

    /// Applies a batch and, if it had no errors, does what follows, in one round trip.
    pub async fn apply_then(&self, ops: Vec<Op>, then: Then) -> Result<(Applied, ThenOutcome), AgentError> {
        let (applied, outcome) = self.multiplexer.apply(ops, Some(then)).await?;
        Ok((applied, outcome.unwrap_or(ThenOutcome::Skipped)))
    }

    /// The same with a batch that is not there as a whole. Where a message cannot be had, what was complete before it
    /// is applied, and nothing follows.
    pub async fn apply_parts(
        &self,
        messages: Messages,
        then: Option<Then>,
    ) -> Result<(Applied, Option<ThenOutcome>), AgentError> {
        self.multiplexer.apply_parts(messages, then).await
    }

    /// Restarts the command in place: the signal, SIGKILL after the grace, and then a new start.
    pub async fn restart(&self, signal: u8, grace: Duration) -> Result<Restarted, AgentError> {
        let request = Request::Restart { signal, grace_ms: millis(grace), after: 0 };
        let mut answers = self.multiplexer.send(&request).await?;
        restarted(self.multiplexer.next(&mut answers, SILENCE.saturating_add(grace)).await?)
    }

    /// Sends the command a signal.
    pub async fn signal(&self, signal: u8) -> Result<(), AgentError> {
        match self.multiplexer.ask(&Request::Signal { signal, after: 0 }).await? {
            Answer::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    /// Runs a command as the container's user. A command that cannot be started is [`AgentError::Failed`].
    pub async fn start(&self, command: Command) -> Result<Running<'_>, AgentError> {
        let bytes = |text: String| text.into_bytes();
        let request = Request::Exec {
            argv: command.argv.into_iter().map(bytes).collect(),
            env: command.environment.iter().map(|(name, value)| format!("{name}={value}").into_bytes()).collect(),
            workdir: command.workdir.unwrap_or_default().into_bytes(),
            after: 0,
        };
        Ok(Running { answers: self.multiplexer.send(&request).await? })
    }

    /// Runs a command and gives its output as it comes.
    pub async fn exec(
        &self,
        command: Command,
        mut output: impl FnMut(OutputStream, &[u8]),
    ) -> Result<Executed, AgentError> {
        let mut running = self.start(command).await?;
        loop {
            match running.next().await? {
                Told::Output(stream, data) => output(stream, &data),
                Told::Ended(executed) => return Ok(executed),
            }
        }
    }

    /// How the command is.
    pub async fn status(&self) -> Result<StatusReport, AgentError> {
        match self.multiplexer.ask(&Request::Status).await? {
            Answer::Status(status) => Ok(status),
            other => Err(unexpected(other)),
        }
    }

    /// What is at these paths below an absolute target (an empty path is the target itself), with all in them and with
    /// the SHA-256 of every file where that is asked for.
    pub async fn list(
        &self,
        target: &str,
        paths: Vec<Vec<u8>>,
        recursive: bool,
        digest: bool,
    ) -> Result<Vec<Entry>, AgentError> {
        let most = if recursive { MOST_ENTRIES } else { paths.len() };
        let request = Request::List { target: target.as_bytes().to_vec(), paths, recursive, digest };
        self.entries(&request, SILENCE, most).await
    }

    /// What is at these paths, with the digests of files, which are about so many bytes.
    pub async fn digests(&self, target: &str, paths: Vec<Vec<u8>>, bytes: u64) -> Result<Vec<Entry>, AgentError> {
        let (limit, most) = (SILENCE + Duration::from_secs(bytes / DIGESTED), paths.len());
        let request = Request::List { target: target.as_bytes().to_vec(), paths, recursive: false, digest: true };
        self.entries(&request, limit, most).await
    }

    async fn entries(&self, request: &Request, limit: Duration, most: usize) -> Result<Vec<Entry>, AgentError> {
        let mut answers = self.multiplexer.send(request).await?;
        let mut all = Vec::new();
        loop {
            match self.multiplexer.next(&mut answers, limit).await? {
                // What has no end is no list.
                Answer::Entries { more, entries } if more && entries.is_empty() || all.len() + entries.len() > most => {
                    return Err(AgentError::Unexpected);
                }
                Answer::Entries { more, entries } => {
                    all.extend(entries);
                    if !more {
                        return Ok(all);
                    }
                }
                other => return Err(unexpected(other)),
            }
        }
    }

    /// User and group of `user[:group]`, by the container's own files and as `COPY --chown` reads it.
    pub async fn owner(&self, name: &str) -> Result<(u32, u32), AgentError> {
        match self.multiplexer.ask(&Request::Owner { name: name.as_bytes().to_vec() }).await? {
            Answer::Owner { uid, gid } => Ok((uid, gid)),
            other => Err(unexpected(other)),
        }
    }
}

/// A command that an agent runs. It waits for whoever takes its output.
pub struct Running<'a> {
    answers: Answers<'a>,
}

impl Running<'_> {
    /// What comes next. How long that takes is the command's affair.
    pub async fn next(&mut self) -> Result<Told, AgentError> {
        match self.answers.next().await? {
            Answer::Output { stream: 1, data } => Ok(Told::Output(OutputStream::Stdout, data)),
            Answer::Output { data, .. } => Ok(Told::Output(OutputStream::Stderr, data)),
            Answer::Exited { code, micros } => Ok(Told::Ended(Executed { code, took: Duration::from_micros(micros) })),
            other => Err(unexpected(other)),
        }
    }
}
