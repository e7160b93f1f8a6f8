//! What a build reads, in one value.

use std::path::PathBuf;
use std::sync::Arc;

use crate::inputs::effect::map::InputsMap;
use crate::inputs::reading::files::{ContextFiles, DockerfileSource};
use crate::inputs::recipe::ImageUse;
use crate::model::{Digest, Fallback, Parts};

/// What a build reads.
#[derive(Clone, Debug)]
pub struct BuildInputs {
    /// Names the image: builds with this digest give the same image.
    pub digest: Digest,
    /// What the digest is made of.
    pub parts: Parts,
    /// The context and what is read of it; none where the builder fetches it.
    pub context: Option<ContextFiles>,
    /// Additional contexts that are folders, as far as the target uses them.
    pub additional: Vec<ContextFiles>,
    /// The Dockerfile; none where the builder fetches it.
    pub dockerfile: Option<DockerfileSource>,
    /// The ignore file in force.
    pub ignore_file: Option<PathBuf>,
    /// Why the whole filtered context counts as read.
    pub fallback: Option<Fallback>,
    /// What only the builder can fetch and what may change without the digest changing: `ADD` of URLs without a
    /// checksum, images whose id is not known, contexts that are URLs.
    pub unpinned: Vec<String>,
    /// The images that it uses. Those with `base` must be in the request for an exact answer.
    pub images: Vec<ImageUse>,
    /// Services whose images it uses, through `additional_contexts`.
    pub services: Vec<crate::model::ServiceName>,
    /// What a change of a path asks for.
    pub map: Arc<InputsMap>,
    /// Digest of all but the files: what is done with them, and how they are found.
    pub(crate) shape: Digest,
}
