//! Pulls, builds and layers: what they are asked for, and what they tell.

use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;

use crate::model::{Build, Digest, EntryKind, ImageId};

/// Called as an image is pulled.
pub type PullSink = dyn Fn(PullProgress) + Send + Sync;

/// How far a pull is: sums over its layers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullProgress {
    /// Bytes that arrived.
    pub current: u64,
    /// Bytes in all, as far as known.
    pub total: u64,
    /// The engine's words.
    pub status: String,
}

/// A build.
#[derive(Clone, Debug, Default)]
pub struct BuildSpec {
    /// Where the files come from.
    pub context: BuildContext,
    /// Path of the Dockerfile within the context.
    pub dockerfile: String,
    /// The Dockerfile's text where it is not a file of the context.
    pub dockerfile_text: Option<String>,
    /// Named contexts (`additional_contexts`) by name. A name that is missing here is taken from `build` where that
    /// gives a URL such as `docker-image://…`.
    pub contexts: IndexMap<String, BuildContext>,
    /// Target, args, labels, cache, network and so on, in canonical form.
    pub build: Build,
    /// Names that the engine gives to the image as soon as it is made.
    pub tags: Vec<String>,
    /// What the builder keeps its copy of the context under, besides what tells contexts apart: a copy of which nobody
    /// knows whether its transfer came to an end must not be the base of the next one.
    pub copy: String,
    /// Labels besides the manifest's.
    pub labels: IndexMap<String, String>,
    /// Secrets by id, with their content.
    pub secrets: Vec<BuildSecret>,
    /// Platform, such as `linux/amd64`; `None` for the engine's.
    pub platform: Option<String>,
    /// Ask the registry for newer base images.
    pub pull: bool,
    /// Never use the builder's cache.
    pub no_cache: bool,
}

impl BuildSpec {
    /// Tells contexts apart: one per Dockerfile, target and folder, because each may select other files, and a copy that
    /// is shared between two selections would be fetched anew at every turn.
    pub fn context_key(&self) -> String {
        let first = match &self.context {
            BuildContext::Files(files) => files.first().map(|file| file.source.clone()),
            BuildContext::Remote(_) => None,
        };
        let folder = self.build.context.clone().or_else(|| Some(first?.parent()?.display().to_string()));
        Digest::of_json(&(folder, &self.dockerfile, &self.build.target)).to_string()
    }
}

/// What a build made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The image.
    pub id: ImageId,
    /// Of the files that were sent, each was what [`ContextFile::was`] says.
    pub as_measured: bool,
}

/// A layer that is put on an image.
#[derive(Clone, Debug, Default)]
pub struct LayerSpec {
    /// The image, by name.
    pub base: String,
    /// The layer as an archive: parents before what is in them, and `.wh.NAME` for what it removes.
    pub tar: Vec<u8>,
    /// It removes something.
    pub removes: bool,
    /// What the image's history says of it.
    pub what: String,
    /// Names for the new image.
    pub tags: Vec<String>,
    /// Labels besides those of the image below, whose place they take.
    pub labels: IndexMap<String, String>,
}

/// A secret for `RUN --mount=type=secret`.
#[derive(Clone, Default)]
pub struct BuildSecret {
    /// Id that the Dockerfile names.
    pub id: String,
    /// Its content: never shown.
    pub content: Vec<u8>,
}

impl std::fmt::Debug for BuildSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BuildSecret({})", self.id)
    }
}

/// Where a build's files come from.
#[derive(Clone, Debug)]
pub enum BuildContext {
    /// Files of the host.
    Files(Vec<ContextFile>),
    /// A URL that the builder fetches by itself.
    Remote(String),
}

impl Default for BuildContext {
    fn default() -> Self {
        Self::Files(Vec::new())
    }
}

/// One entry of a build context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextFile {
    /// Absolute path on the host.
    pub source: PathBuf,
    /// Path within the context, with `/` and no leading one.
    pub path: String,
    /// What it was when it was measured; `None` where that does not matter.
    pub was: Option<Was>,
}

/// What an entry of a build context was when it was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Was {
    /// File, folder or link.
    pub kind: EntryKind,
    /// Permission bits.
    pub mode: u32,
    /// Of a file's content.
    pub digest: Option<Digest>,
}

/// Called as a build goes on.
pub type BuildSink = dyn Fn(BuildProgress) + Send + Sync;

/// News of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildProgress {
    /// A step began, or is known to be coming.
    Started {
        /// BuildKit's digest of the step.
        step: String,
        /// Its name, such as `[2/4] RUN make`.
        name: String,
    },
    /// Bytes or items of a step, such as a transfer of the context.
    Transferred {
        /// The step.
        step: String,
        /// What is counted, such as `transferring context`.
        what: String,
        /// How much is done.
        current: u64,
        /// How much in all; 0 where unknown.
        total: u64,
    },
    /// Output of a step.
    Output {
        /// The step.
        step: String,
        /// What it wrote, not cut at lines.
        bytes: Vec<u8>,
    },
    /// A step ended.
    Done {
        /// The step.
        step: String,
        /// It came from the cache.
        cached: bool,
        /// How long it took.
        took: Duration,
        /// Why it failed.
        error: Option<String>,
    },
    /// Each transfer of files that the builder asked for came to its end: its copy is what it was told.
    Sent,
    /// The builder warns, such as about a misspelt instruction.
    Warning(String),
}
