//! The agent's own source, seen by hob only in tests: so that clippy reads it and its pure parts have unit tests.
//! The program itself is made from `main.rs` by `build.rs`. It uses `core` and `alloc` only, and names its own modules
//! by `super`, so that both ways of compiling it work.
#![allow(dead_code, unused_imports, reason = "in a test build nobody calls the program's entry points")]
#![allow(unsafe_code, reason = "system calls")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "registers and structures of the kernel have the widths that they have"
)]
#![allow(clippy::verbose_bit_mask, reason = "masks are written as the kernel's documentation has them")]
#![allow(clippy::many_single_char_names, reason = "bytes of a number, and the letters of the standard")]

mod batch;
mod control;
mod list;
mod lookup;
mod owner;
mod processes;
use super::protocol;
mod run;
mod serve;
mod sha256;
mod spawn;
use crate::supervise::machine as supervise;
mod sys;
mod walk;
