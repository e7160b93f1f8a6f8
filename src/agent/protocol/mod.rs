//! The protocol between hob and the agent: frames, the numbers and texts in them, and the messages. One source, compiled
//! into hob and into the agent alike; `docs/agent-protocol.md` says what it means.
//!
//! Invariants: nothing read from the other side is trusted. Every length is checked against what is there, every
//! frame against [`MAX_FRAME`]; a decoder never panics and never allocates more than the frame it was given.
//! It uses `core` and `alloc` only.

mod answer;
mod code;
mod frame;
mod request;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Entry, EntryKind, PathError, Phase, StatusReport, refusal};
pub use code::{DecodeError, Decoder, Encoder};
pub use frame::{Frame, FrameError, FrameReader, encode_frame};
pub use request::{Meta, Op, Packer, Request, encode_apply};

/// Raised with every change that an older side would not understand.
pub const VERSION: u16 = 1;

/// The most that a frame may say that follows its length.
pub const MAX_FRAME: usize = 1 << 20;

/// How much content of a file goes into one frame.
pub const CHUNK: usize = 256 << 10;

/// The most that one packet between the stream's process and the supervisor may have.
pub const MAX_PACKET: usize = 128 << 10;
