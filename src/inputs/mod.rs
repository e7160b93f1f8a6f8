//! What a build reads.
//!
//! A request (one service's `build`) and a file tree go in; out come the digest that names the image, the files of
//! the contexts that the builder needs, and a map from paths of the host to what a change of them asks for. The room
//! does no I/O of its own: files come through [`crate::model::FileTree`].
//!
//! Two invariants hold it together:
//!
//! - *Never less than the build reads.* What is not understood (an unknown frontend, a variable whose value cannot be
//!   told, a base image that nobody has looked at) makes the whole filtered context count as read, with the reason.
//! - *A hot sync leaves the container as a rebuild would.* Where that is not sure, a rebuild is asked for.
//!
//! The ignore file itself is no part of the digest: what it decides, the selection of files, is. Neither are times
//! and owners, which the builder does not take from the context, nor extended attributes and hard links.

mod context;
mod decide;
mod delta;
pub mod dockerfile;
mod effect;
mod error;
mod finder;
pub mod glob;
mod housekeeping;
pub mod ignore;
mod image;
mod linear;
mod map;
mod mounts;
mod parts;
mod pattern;
mod place;
mod read;
mod recipe;
mod reloader;
mod request;
mod resolve;
mod rules;
mod scope;
mod select;
mod steps;
#[cfg(test)]
mod tests;

pub use delta::{NoDelta, Reading};
pub use effect::{Effect, RebuildReason, SyncAction, SyncTarget, Untouched};
pub use error::{DockerfileError, InputsError, MissingSource, Place};
pub use housekeeping::Housekeeping;
pub use ignore::Ignore;
pub use map::{InputsMap, ReadingInstruction};
pub use mounts::Mounts;
pub use place::place_of;
pub use read::{BuildInputs, ContextFile, ContextFiles, DockerfileSource, base_images, read};
pub use recipe::{Fallback, ImageUse};
pub use reloader::reloader;
pub use request::{BaseImage, BuildRequest, Images};
pub use rules::Rules;
