//! What hob's client says and is told, apart from how it travels.

use std::time::Duration;

use crate::agent::protocol::{Answer, PathError};

/// Why the agent refused to speak with this hob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is of another version or build.
    OtherVersion {
        /// Its protocol version.
        version: u16,
        /// Its build id.
        build: String,
    },
    /// The container's first process is not a supervisor, or does not answer.
    NoSupervisor,
    /// Anything else, which is a defect.
    Other,
}

/// What went wrong between hob and the agent.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The agent refused to speak with this hob: it has to be replaced, with its container.
    #[error("the agent refused: {message}")]
    Refused {
        /// Why.
        reason: Refusal,
        /// In the agent's words.
        message: String,
    },
    /// The stream ended: the container or the engine is gone, or the agent was never there.
    #[error("the stream to the agent ended{}", .0.as_deref().map(|why| format!(": {why}")).unwrap_or_default())]
    Ended(Option<String>),
    /// It does not answer.
    #[error("the agent has not answered for {} s", .0.as_secs())]
    Silent(Duration),
    /// What is to be sent cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// The agent could not do it.
    #[error("{message}")]
    Failed {
        /// Error number of Linux, or 0.
        errno: u32,
        /// In the agent's words.
        message: String,
    },
    /// The agent answered something that does not answer the request.
    #[error("the agent gave an answer that does not fit the request")]
    Unexpected,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Steps done.
    pub done: u32,
    /// How long the agent took.
    pub took: Duration,
    /// Steps not done; a path that the caller knows from the batch.
    pub errors: Vec<PathError>,
}

/// A restart in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restarted {
    /// The process before, where there was one.
    pub old: Option<u32>,
    /// The process now.
    pub new: u32,
    /// From the agent's receipt of the request to the end of the old process.
    pub stopped: Duration,
    /// From the agent's receipt of the request to the start of the new process.
    pub started: Duration,
    /// The grace was over and it was killed.
    pub killed: bool,
}

/// A command to run in the container, as its user and in its environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Variables besides the container's.
    pub environment: Vec<(String, String)>,
    /// Working directory; `None` for the container's.
    pub workdir: Option<String>,
}

/// Where a command wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A command that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Exit code; 128 and the number for a signal.
    pub code: u8,
    /// How long it took.
    pub took: Duration,
}

/// What follows a batch that had no errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Restart the command in place.
    Restart {
        /// The stop signal's number on Linux.
        signal: u8,
        /// Time before SIGKILL.
        grace: Duration,
    },
    /// Send the command a signal.
    Signal(u8),
}

/// What became of a [`Then`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThenOutcome {
    /// The batch had errors, so it was not done.
    Skipped,
    /// Restarted.
    Restarted(Restarted),
    /// The signal was sent.
    Signalled,
}

/// What is told of a command.
#[derive(Debug)]
pub enum Told {
    /// It wrote something.
    Output(OutputStream, Vec<u8>),
    /// It has ended.
    Ended(Executed),
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(super) fn applied(answer: Answer) -> Result<Applied, AgentError> {
    match answer {
        Answer::Applied { done, micros, errors } => Ok(Applied { done, took: Duration::from_micros(micros), errors }),
        other => Err(unexpected(other)),
    }
}

pub(super) fn restarted(answer: Answer) -> Result<Restarted, AgentError> {
    match answer {
        Answer::Restarted { old, new, stopped, started, killed } => Ok(Restarted {
            old: (old != 0).then_some(old),
            new,
            stopped: Duration::from_micros(stopped),
            started: Duration::from_micros(started),
            killed,
        }),
        other => Err(unexpected(other)),
    }
}

pub(super) fn unexpected(answer: Answer) -> AgentError {
    match answer {
        Answer::Failed { errno, message } => AgentError::Failed { errno, message: text(&message) },
        _ => AgentError::Unexpected,
    }
}

/// Milliseconds as the protocol has them.
pub(super) fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}
