//! Frames: `u32` length of what follows, `u8` kind, `u32` id, and the message.

use alloc::vec::Vec;

use super::MAX_FRAME;

const HEAD: usize = 5;

/// A stream that is not made of frames; nothing after it can be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// A frame is longer than [`MAX_FRAME`] or has no room for kind and id.
    Length(u32),
}

impl core::fmt::Display for FrameError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self::Length(length) = self;
        write!(f, "a frame of {length} bytes, expected {HEAD} to {MAX_FRAME}")
    }
}

impl core::error::Error for FrameError {}

/// Appends a frame to `out`.
pub fn encode_frame(out: &mut Vec<u8>, kind: u8, id: u32, message: &[u8]) {
    let length = u32::try_from(HEAD + message.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.push(kind);
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(message);
}

/// A whole frame: kind, id and message.
pub type Frame<'a> = (u8, u32, &'a [u8]);

/// Puts frames together from whatever pieces a stream comes in.
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: Vec<u8>,
    /// Start of what was not given out yet.
    start: usize,
}

impl FrameReader {
    /// Takes in what was read.
    pub fn push(&mut self, data: &[u8]) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start > MAX_FRAME {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(data);
    }

    /// The next whole frame: kind, id and message.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let Some((head, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let said = u32::from_le_bytes(*head);
        let length = usize::try_from(said).map_err(|_| FrameError::Length(said))?;
        if !(HEAD..=MAX_FRAME).contains(&length) {
            return Err(FrameError::Length(said));
        }
        let Some(frame) = rest.get(..length) else { return Ok(None) };
        self.start += 4 + length;
        match frame {
            [kind, a, b, c, d, message @ ..] => Ok(Some((*kind, u32::from_le_bytes([*a, *b, *c, *d]), message))),
            _ => Err(FrameError::Length(said)),
        }
    }

    /// Whether the stream ended in the middle of a frame.
    pub fn is_partial(&self) -> bool {
        self.start < self.buffer.len()
    }

    /// Gives memory back when nothing is waiting.
    pub fn shrink(&mut self) {
        if self.start == self.buffer.len() && self.buffer.capacity() > 64 << 10 {
            *self = Self::default();
        }
    }
}
