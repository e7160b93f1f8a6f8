//! What a plan needs to know besides the manifest: images by digest, and what may be hot synced.

use indexmap::IndexMap;

use crate::model::{Digest, InjectedFile, Measured, ServiceName};

/// What measuring found for each service.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The image of each service.
    pub images: IndexMap<ServiceName, WantedImage>,
    /// Secrets and configs that are put into the container, by service.
    pub files: IndexMap<ServiceName, Vec<InjectedFile>>,
    /// Mixed into the digest of injected files, so that a label does not give a secret away. Kept by the user's
    /// machine, not by the engine.
    pub salt: String,
    /// Build id of the agent; `None` where hob was built without one.
    pub agent: Option<String>,
}

/// The image that a service should run.
#[derive(Clone, Debug)]
pub enum WantedImage {
    /// Built from these inputs.
    Built {
        /// What the build reads.
        inputs: Measured,
        /// A save may be synced into the container.
        hot: bool,
    },
    /// Built by the engine from something that hob cannot read, such as a git URL: the engine decides.
    Remote {
        /// Digest of the build section.
        digest: Digest,
    },
    /// Pulled, or there already.
    Named(String),
}

impl WantedImage {
    /// The digest that names a built image.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Built { inputs, .. } => Some(&inputs.digest),
            Self::Remote { digest } => Some(digest),
            Self::Named(_) => None,
        }
    }

    /// The name of a built image by its digest: the same for every project and branch that needs it.
    pub fn by_digest(&self) -> Option<String> {
        self.digest().map(|digest| format!("hob-build:{}", &digest.as_str()[..40]))
    }

    /// Whether a save may be synced into the container.
    pub fn is_hot(&self) -> bool {
        matches!(self, Self::Built { hot: true, .. })
    }
}
