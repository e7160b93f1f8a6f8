//! What `docs/architecture.md` says of the code, held by reading it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a test")]

mod circles;
mod layers;
mod source;
