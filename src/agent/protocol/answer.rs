//! What the agent answers.

use alloc::vec::Vec;

use super::code::{DecodeError, Decoder, Encoder};

/// A step of a batch that could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathError {
    /// Its path, absolute.
    pub path: Vec<u8>,
    /// Error number of the kernel.
    pub errno: u32,
    /// What could not be done, in words.
    pub message: Vec<u8>,
}

/// What a path is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// Nothing is there.
    Missing,
    /// A file: size, and the SHA-256 of its content where it was asked for.
    File(u64, Option<[u8; 32]>),
    /// A folder.
    Dir,
    /// A symbolic link and what it says.
    Link(Vec<u8>),
    /// Something else.
    Other,
    /// It could not be read; error number of the kernel.
    Failed(u32),
}

/// One entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the target that was asked for.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits.
    pub mode: u32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// What the command is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Running.
    Running,
    /// Asked to stop, or being started again.
    Restarting,
    /// Over: the agent is about to end.
    Ended,
}

/// How the command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusReport {
    /// What it is doing.
    pub phase: Phase,
    /// Its process; 0 where there is none.
    pub pid: u32,
    /// The supervisor's process.
    pub agent: u32,
    /// How often it was restarted in place.
    pub restarts: u32,
    /// Microseconds since its last start.
    pub uptime: u64,
    /// The user that it was started as.
    pub uid: u32,
    /// The group that it was started as.
    pub gid: u32,
}

/// Why a hello was refused.
pub mod refusal {
    /// Other version or build.
    pub const VERSION: u8 = 1;
    /// There is no supervisor in this container, or it does not answer.
    pub const NO_SUPERVISOR: u8 = 2;
    /// The first frame was no hello.
    pub const NO_HELLO: u8 = 3;
}

/// An answer. All but [`Answer::Output`] and a list that goes on end the request with their id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The hello was accepted.
    Welcome {
        /// The supervisor's process.
        agent: u32,
    },
    /// The hello was refused; the stream ends.
    Refused {
        /// One of [`refusal`].
        reason: u8,
        /// The agent's protocol version.
        version: u16,
        /// The agent's build id.
        build: Vec<u8>,
        /// In words.
        message: Vec<u8>,
    },
    /// The batch was applied, as far as there are no errors.
    Applied {
        /// Steps done.
        done: u32,
        /// Microseconds that it took.
        micros: u64,
        /// Steps not done.
        errors: Vec<PathError>,
    },
    /// The command was started again.
    Restarted {
        /// Its process before; 0 where it was not running.
        old: u32,
        /// Its process now.
        new: u32,
        /// Microseconds from the request to the end of the old process.
        stopped: u64,
        /// Microseconds from the request to the start of the new one.
        started: u64,
        /// Whether the grace was over and it was killed.
        killed: bool,
    },
    /// Done, with nothing to tell.
    Done,
    /// Output of a command.
    Output {
        /// 1 for standard output, 2 for standard error.
        stream: u8,
        /// What it wrote.
        data: Vec<u8>,
    },
    /// A command ended.
    Exited {
        /// Its exit code; 128 and the number for a signal.
        code: u8,
        /// Microseconds that it took.
        micros: u64,
    },
    /// How the command is.
    Status(StatusReport),
    /// What is at the paths.
    Entries {
        /// Another frame with the same id goes on.
        more: bool,
        /// The entries.
        entries: Vec<Entry>,
    },
    /// The numbers of an owner.
    Owner {
        /// User.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// With id 0 and unasked: the container's command ended, and with it the container. Nothing follows.
    Over {
        /// Exit code; 128 and the number for a signal.
        code: u8,
    },
    /// The request could not be done.
    Failed {
        /// Error number of the kernel, or 0.
        errno: u32,
        /// In words.
        message: Vec<u8>,
    },
}

impl Answer {
    /// The kind of [`Answer::Over`].
    pub const OVER: u8 = 76;

    /// A failure in words.
    pub fn failed(errno: i32, message: &str) -> Self {
        Self::Failed { errno: errno.unsigned_abs(), message: message.as_bytes().to_vec() }
    }

    /// The number of its kind in a frame.
    pub fn kind(&self) -> u8 {
        match self {
            Self::Welcome { .. } => 65,
            Self::Refused { .. } => 66,
            Self::Applied { .. } => 67,
            Self::Restarted { .. } => 68,
            Self::Done => 69,
            Self::Output { .. } => 70,
            Self::Exited { .. } => 71,
            Self::Status(_) => 72,
            Self::Entries { .. } => 73,
            Self::Owner { .. } => 74,
            Self::Failed { .. } => 75,
            Self::Over { .. } => Self::OVER,
        }
    }

    /// The message of its frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        match self {
            Self::Welcome { agent } => {
                out.u32(*agent);
            }
            Self::Refused { reason, version, build, message } => {
                out.u8(*reason).u16(*version).bytes(build).bytes(message);
            }
            Self::Applied { done, micros, errors } => {
                out.u32(*done).u64(*micros).count(errors.len());
                for error in errors {
                    out.bytes(&error.path).u32(error.errno).bytes(&error.message);
                }
            }
            Self::Restarted { old, new, stopped, started, killed } => {
                out.u32(*old).u32(*new).u64(*stopped).u64(*started).flag(*killed);
            }
            Self::Done => {}
            Self::Output { stream, data } => {
                out.u8(*stream).bytes(data);
            }
            Self::Exited { code, micros } => {
                out.u8(*code).u64(*micros);
            }
            Self::Status(status) => {
                let phase = match status.phase {
                    Phase::Running => 1,
                    Phase::Restarting => 2,
                    Phase::Ended => 3,
                };
                out.u8(phase).u32(status.pid).u32(status.agent).u32(status.restarts).u64(status.uptime);
                out.u32(status.uid).u32(status.gid);
            }
            Self::Entries { more, entries } => {
                out.flag(*more).count(entries.len());
                for entry in entries {
                    entry.encode(&mut out);
                }
            }
            Self::Owner { uid, gid } => {
                out.u32(*uid).u32(*gid);
            }
            Self::Over { code } => {
                out.u8(*code);
            }
            Self::Failed { errno, message } => {
                out.u32(*errno).bytes(message);
            }
        }
        out.0
    }

    /// Reads the message of a frame. What follows the known fields of a refusal is left unread, so that any later
    /// agent can be understood when it refuses.
    pub fn decode(kind: u8, message: &[u8]) -> Result<Self, DecodeError> {
        let mut read = Decoder(message);
        let answer = match kind {
            65 => Self::Welcome { agent: read.u32()? },
            66 => {
                return Ok(Self::Refused {
                    reason: read.u8()?,
                    version: read.u16()?,
                    build: read.bytes()?.to_vec(),
                    message: read.bytes()?.to_vec(),
                });
            }
            67 => {
                let (done, micros, count) = (read.u32()?, read.u64()?, read.count(12)?);
                let error = |read: &mut Decoder<'_>| {
                    Ok(PathError { path: read.bytes()?.to_vec(), errno: read.u32()?, message: read.bytes()?.to_vec() })
                };
                Self::Applied { done, micros, errors: (0..count).map(|_| error(&mut read)).collect::<Result<_, _>>()? }
            }
            68 => Self::Restarted {
                old: read.u32()?,
                new: read.u32()?,
                stopped: read.u64()?,
                started: read.u64()?,
                killed: read.flag()?,
            },
            69 => Self::Done,
            70 => Self::Output { stream: read.u8()?, data: read.bytes()?.to_vec() },
            71 => Self::Exited { code: read.u8()?, micros: read.u64()? },
            72 => Self::Status(StatusReport {
                phase: match read.u8()? {
                    1 => Phase::Running,
                    2 => Phase::Restarting,
                    3 => Phase::Ended,
                    _ => return Err(DecodeError),
                },
                pid: read.u32()?,
                agent: read.u32()?,
                restarts: read.u32()?,
                uptime: read.u64()?,
                uid: read.u32()?,
                gid: read.u32()?,
            }),
            73 => {
                let (more, count) = (read.flag()?, read.count(17)?);
                let entries = (0..count).map(|_| Entry::decode(&mut read)).collect::<Result<_, _>>()?;
                Self::Entries { more, entries }
            }
            74 => Self::Owner { uid: read.u32()?, gid: read.u32()? },
            Self::OVER => Self::Over { code: read.u8()? },
            75 => Self::Failed { errno: read.u32()?, message: read.bytes()?.to_vec() },
            _ => return Err(DecodeError),
        };
        read.end()?;
        Ok(answer)
    }
}

impl Entry {
    /// Appends the entry to a message.
    pub fn encode(&self, out: &mut Encoder) {
        out.bytes(&self.path).u32(self.mode).u32(self.uid).u32(self.gid);
        match &self.kind {
            EntryKind::Missing => out.u8(0),
            EntryKind::File(size, None) => out.u8(1).u64(*size),
            EntryKind::File(size, Some(digest)) => {
                out.u8(2).u64(*size);
                out.0.extend_from_slice(digest);
                out
            }
            EntryKind::Dir => out.u8(3),
            EntryKind::Link(to) => out.u8(4).bytes(to),
            EntryKind::Other => out.u8(5),
            EntryKind::Failed(errno) => out.u8(6).u32(*errno),
        };
    }

    fn decode(read: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (path, mode, uid, gid) = (read.bytes()?.to_vec(), read.u32()?, read.u32()?, read.u32()?);
        let kind = match read.u8()? {
            0 => EntryKind::Missing,
            1 => EntryKind::File(read.u64()?, None),
            2 => {
                let size = read.u64()?;
                let mut digest = [0; 32];
                for byte in &mut digest {
                    *byte = read.u8()?;
                }
                EntryKind::File(size, Some(digest))
            }
            3 => EntryKind::Dir,
            4 => EntryKind::Link(read.bytes()?.to_vec()),
            5 => EntryKind::Other,
            6 => EntryKind::Failed(read.u32()?),
            _ => return Err(DecodeError),
        };
        Ok(Self { path, kind, mode, uid, gid })
    }
}
