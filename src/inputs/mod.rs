//! What a build reads.
//!
//! A request (one service's `build`) and a file tree go in; out come the digest that names the image, the files of
//! the contexts that the builder needs, and a map from paths of the host to what a change of them asks for. The layer
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

mod delta;
pub mod dockerfile;
mod effect;
mod error;
pub mod ignore;
mod image;
mod paths;
mod reading;
mod recipe;
mod reloader;
mod select;
#[cfg(test)]
mod tests;

pub use delta::BuildRecord;
pub use dockerfile::step::place_of;
pub use effect::housekeeping::Housekeeping;
pub use effect::map::InputsMap;
pub use effect::mounts::Mounts;
pub use effect::rules::Rules;
pub use error::InputsError;
pub use ignore::Ignore;
pub use reading::files::{ContextFile, ContextFiles};
pub use reading::inputs::BuildInputs;
pub use reading::request::{BaseImage, BuildRequest, Images};
pub use reading::{base_images, read};
pub use reloader::reloader;
