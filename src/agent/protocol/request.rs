//! What hob asks of the agent.

use alloc::vec::Vec;

use super::code::{DecodeError, Decoder, Encoder};
use super::{CHUNK, MAX_FRAME};

/// Owner, mode and time of something that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Permission bits (`0o7777`).
    pub mode: u32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time in nanoseconds since 1970; `None` leaves it at the time of writing.
    pub mtime: Option<i64>,
}

/// One step of a batch. Paths are relative to the last [`Op::Target`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// The absolute folder that the following paths are relative to.
    Target(Vec<u8>),
    /// Writes a file: the first part of its content; `last` where it is all of it.
    Write {
        /// Where.
        path: Vec<u8>,
        /// Owner, mode, time.
        meta: Meta,
        /// First part of the content.
        data: Vec<u8>,
        /// No more parts follow.
        last: bool,
    },
    /// The next part of the file that the last [`Op::Write`] began.
    Append {
        /// The part.
        data: Vec<u8>,
        /// No more parts follow.
        last: bool,
    },
    /// Makes a folder, or gives the one that is there owner and mode.
    Dir {
        /// Where.
        path: Vec<u8>,
        /// Owner, mode, time.
        meta: Meta,
    },
    /// Makes a symbolic link, in place of a file or link that is there.
    Link {
        /// Where.
        path: Vec<u8>,
        /// What it says.
        to: Vec<u8>,
        /// User.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// Removes a file, a link or an empty folder; with `recursive` a folder and all in it. Nothing there is fine.
    Delete {
        /// What.
        path: Vec<u8>,
        /// With all in it.
        recursive: bool,
    },
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// First of all: who speaks.
    Hello {
        /// [`super::VERSION`].
        version: u16,
        /// Build id of the agent that hob carries.
        build: Vec<u8>,
    },
    /// A batch of changed files, or a part of one.
    Apply {
        /// Another frame with the same id goes on with the batch.
        more: bool,
        /// The steps.
        ops: Vec<Op>,
    },
    /// Stop the command, start it again.
    Restart {
        /// Signal that asks it to stop.
        signal: u8,
        /// Milliseconds before SIGKILL.
        grace_ms: u32,
        /// Only if the batch with this id had no errors; 0 always.
        after: u32,
    },
    /// Send a signal to the command.
    Signal {
        /// The signal.
        signal: u8,
        /// Only if the batch with this id had no errors; 0 always.
        after: u32,
    },
    /// Run a command as the container's user, in its environment.
    Exec {
        /// Program and arguments.
        argv: Vec<Vec<u8>>,
        /// Variables set besides the container's, as `NAME=value`.
        env: Vec<Vec<u8>>,
        /// Working directory; empty for the container's.
        workdir: Vec<u8>,
        /// Only if the batch with this id had no errors; 0 always.
        after: u32,
    },
    /// How the command is.
    Status,
    /// What is at these paths.
    List {
        /// The absolute folder that the paths are relative to.
        target: Vec<u8>,
        /// The paths; an empty one is the target itself.
        paths: Vec<Vec<u8>>,
        /// With all in them.
        recursive: bool,
        /// With the SHA-256 of every file's content.
        digest: bool,
    },
    /// The numbers of `user[:group]`, by the container's own `/etc/passwd` and `/etc/group`.
    Owner {
        /// Names or numbers, as `COPY --chown` takes them.
        name: Vec<u8>,
    },
}

impl Request {
    /// The number of its kind in a frame.
    pub fn kind(&self) -> u8 {
        match self {
            Self::Hello { .. } => 1,
            Self::Apply { .. } => 2,
            Self::Restart { .. } => 3,
            Self::Signal { .. } => 4,
            Self::Exec { .. } => 5,
            Self::Status => 6,
            Self::List { .. } => 7,
            Self::Owner { .. } => 8,
        }
    }

    /// The message of its frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        match self {
            Self::Hello { version, build } => {
                out.u16(*version).bytes(build);
            }
            Self::Apply { more, ops } => {
                out.flag(*more);
                for op in ops {
                    op.encode(&mut out);
                }
            }
            Self::Restart { signal, grace_ms, after } => {
                out.u8(*signal).u32(*grace_ms).u32(*after);
            }
            Self::Signal { signal, after } => {
                out.u8(*signal).u32(*after);
            }
            Self::Exec { argv, env, workdir, after } => {
                out.list(argv).list(env).bytes(workdir).u32(*after);
            }
            Self::Status => {}
            Self::List { target, paths, recursive, digest } => {
                out.bytes(target).list(paths).flag(*recursive).flag(*digest);
            }
            Self::Owner { name } => {
                out.bytes(name);
            }
        }
        out.0
    }

    /// Reads the message of a frame. What follows the known fields of a hello is left unread, so that later versions
    /// can say more and still be refused with a clear answer.
    pub fn decode(kind: u8, message: &[u8]) -> Result<Self, DecodeError> {
        let mut read = Decoder(message);
        let request = match kind {
            1 => return Ok(Self::Hello { version: read.u16()?, build: read.bytes()?.to_vec() }),
            2 => {
                let more = read.flag()?;
                let mut ops = Vec::new();
                while !read.is_empty() {
                    ops.push(Op::decode(&mut read)?);
                }
                Self::Apply { more, ops }
            }
            3 => Self::Restart { signal: read.u8()?, grace_ms: read.u32()?, after: read.u32()? },
            4 => Self::Signal { signal: read.u8()?, after: read.u32()? },
            5 => Self::Exec {
                argv: read.list()?,
                env: read.list()?,
                workdir: read.bytes()?.to_vec(),
                after: read.u32()?,
            },
            6 => Self::Status,
            7 => Self::List {
                target: read.bytes()?.to_vec(),
                paths: read.list()?,
                recursive: read.flag()?,
                digest: read.flag()?,
            },
            8 => Self::Owner { name: read.bytes()?.to_vec() },
            _ => return Err(DecodeError),
        };
        read.end()?;
        Ok(request)
    }
}

impl Meta {
    fn encode(&self, out: &mut Encoder) {
        out.u32(self.mode).u32(self.uid).u32(self.gid).i64(self.mtime.unwrap_or(i64::MIN));
    }

    fn decode(read: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (mode, uid, gid, mtime) = (read.u32()?, read.u32()?, read.u32()?, read.i64()?);
        if mode > 0o7777 {
            return Err(DecodeError);
        }
        Ok(Self { mode, uid, gid, mtime: (mtime != i64::MIN).then_some(mtime) })
    }
}

impl Op {
    /// Appends the step to a message.
    pub fn encode(&self, out: &mut Encoder) {
        match self {
            Self::Target(path) => {
                out.u8(1).bytes(path);
            }
            Self::Write { path, meta, data, last } => {
                out.u8(2).bytes(path);
                meta.encode(out);
                out.bytes(data).flag(*last);
            }
            Self::Append { data, last } => {
                out.u8(3).bytes(data).flag(*last);
            }
            Self::Dir { path, meta } => {
                out.u8(4).bytes(path);
                meta.encode(out);
            }
            Self::Link { path, to, uid, gid } => {
                out.u8(5).bytes(path).bytes(to).u32(*uid).u32(*gid);
            }
            Self::Delete { path, recursive } => {
                out.u8(6).bytes(path).flag(*recursive);
            }
        }
    }

    fn decode(read: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(match read.u8()? {
            1 => Self::Target(read.bytes()?.to_vec()),
            2 => Self::Write {
                path: read.bytes()?.to_vec(),
                meta: Meta::decode(read)?,
                data: read.bytes()?.to_vec(),
                last: read.flag()?,
            },
            3 => Self::Append { data: read.bytes()?.to_vec(), last: read.flag()? },
            4 => Self::Dir { path: read.bytes()?.to_vec(), meta: Meta::decode(read)? },
            5 => Self::Link {
                path: read.bytes()?.to_vec(),
                to: read.bytes()?.to_vec(),
                uid: read.u32()?,
                gid: read.u32()?,
            },
            6 => Self::Delete { path: read.bytes()?.to_vec(), recursive: read.flag()? },
            _ => return Err(DecodeError),
        })
    }
}

/// Puts the steps of a batch, one after another, into the messages of its frames. A new one begins before one would
/// become too long, and only the last says that nothing more follows.
#[derive(Debug)]
pub struct Packer(Encoder);

impl Default for Packer {
    fn default() -> Self {
        let mut out = Encoder::default();
        out.flag(true);
        Self(out)
    }
}

impl Packer {
    /// Adds a step, with no more than [`CHUNK`] bytes of content. Gives the message that is full by now.
    pub fn add(&mut self, op: &Op) -> Option<Vec<u8>> {
        let mut one = Encoder::default();
        op.encode(&mut one);
        // Room for length, kind and id.
        let full = self.0.0.len() > 1 && self.0.0.len() + one.0.len() + 16 > MAX_FRAME;
        let message = full.then(|| core::mem::take(self).0.0);
        self.0.0.extend_from_slice(&one.0);
        message
    }

    /// Adds a step with any amount of content, cut into parts; gives the messages that are full by now.
    pub fn put(&mut self, op: Op) -> Vec<Vec<u8>> {
        match op {
            Op::Write { path, meta, data, last } if data.len() > CHUNK => {
                let (first, rest) = data.split_at(CHUNK);
                let first = Op::Write { path, meta, data: first.to_vec(), last: false };
                let mut full: Vec<Vec<u8>> = self.add(&first).into_iter().collect();
                let count = rest.chunks(CHUNK).len();
                for (index, part) in rest.chunks(CHUNK).enumerate() {
                    full.extend(self.add(&Op::Append { data: part.to_vec(), last: last && index + 1 == count }));
                }
                full
            }
            op => self.add(&op).into_iter().collect(),
        }
    }

    /// The last message.
    pub fn finish(mut self) -> Vec<u8> {
        if let Some(more) = self.0.0.first_mut() {
            *more = 0;
        }
        self.0.0
    }
}

/// The messages of a batch that is there as a whole: its content is cut into parts of [`CHUNK`] bytes.
pub fn encode_apply(ops: impl IntoIterator<Item = Op>) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut packer = Packer::default();
    for op in ops {
        frames.extend(packer.put(op));
    }
    frames.push(packer.finish());
    frames
}
