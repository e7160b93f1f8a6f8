//! What can go wrong on an engine, sorted by what a person can do about it.

/// What an engine answers.
pub type Result<T> = std::result::Result<T, EngineError>;

/// A failed action on the engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EngineError {
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// What happened, in one sentence, without the advice.
    pub message: String,
}

/// Kinds of failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Nothing answers at the endpoint.
    Unreachable {
        /// Where hob tried, such as `unix:///var/run/docker.sock`.
        endpoint: String,
    },
    /// It answers, and this user may not speak to it.
    Forbidden,
    /// The connection broke in the middle of something.
    Lost,
    /// The thing named is not there.
    NotFound,
    /// The name is taken, or something else is in the way.
    Conflict,
    /// A port of the host is taken.
    PortTaken {
        /// Which, where the engine says it.
        port: u16,
    },
    /// An image is not there and cannot be pulled.
    Pull {
        /// The reference.
        image: String,
    },
    /// A build step failed.
    Build {
        /// The failing step's name; empty where the failure is not in a step.
        step: String,
        /// Everything that the failing step wrote.
        output: String,
    },
    /// The engine's disk is full.
    DiskFull,
    /// The engine is too old.
    Unsupported {
        /// The API version that can.
        needs: (u32, u32),
    },
    /// What a key of `build` asks for is not to be had here.
    BuildKey {
        /// The key below `build`, such as `ssh.0`.
        key: String,
        /// What to write instead.
        instead: String,
    },
    /// A command cannot be run, because something that it needs is not in the container.
    NoProgram {
        /// Its program; `None` where that is there and, for example, its working directory is not.
        program: Option<String>,
    },
    /// A program may not be run.
    NotExecutable,
    /// The engine refused what was asked.
    Refused,
    /// Anything else.
    Other,
}

impl ErrorKind {
    /// Why a command cannot be run, by what runc says: `exec: "slep": executable file not found in $PATH`. `None` where
    /// it says something else.
    pub fn of_refused_command(text: &str) -> Option<Self> {
        let program = text.split_once("exec: \"").and_then(|(_, rest)| rest.split_once('"'));
        if program.is_none() && !text.contains("chdir to cwd") {
            return None;
        }
        let why = program.map_or(text, |(_, why)| why);
        if why.contains("executable file not found") || why.contains("no such file or directory") {
            return Some(Self::NoProgram { program: program.map(|(program, _)| program.to_owned()) });
        }
        why.contains("permission denied").then_some(Self::NotExecutable)
    }
}

impl EngineError {
    /// An error of a kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What a key of `build` asks for is not to be had here.
    pub fn build_key(key: impl Into<String>, message: impl Into<String>, instead: impl Into<String>) -> Self {
        Self::new(ErrorKind::BuildKey { key: key.into(), instead: instead.into() }, message)
    }
}
