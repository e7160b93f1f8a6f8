//! What a plan needs to know besides the manifest: images by digest, and what may be hot synced.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::model::{Digest, InjectedFile, Measured, Reloader, ServiceName, Watch};

/// What the names of images by digest begin with.
pub const BY_DIGEST: &str = "hob-build:";

/// What measuring found for each service.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The image of each service.
    pub images: IndexMap<ServiceName, WantedImage>,
    /// What is watched, by service.
    pub watch: IndexMap<ServiceName, Watch>,
    /// Services whose containers a save may be synced into.
    pub hot: BTreeSet<ServiceName>,
    /// Services whose program reloads itself, with what it is.
    pub reloaders: IndexMap<ServiceName, Reloader>,
    /// What builds start from and the engine does not have yet; empty once it has.
    pub bases: Vec<Base>,
    /// Secrets and configs that are put into the container, by service.
    pub files: IndexMap<ServiceName, Vec<InjectedFile>>,
    /// Mixed into the digest of injected files, so that a label does not give a secret away. Kept by the user's
    /// machine, not by the engine.
    pub salt: String,
    /// Arguments of builds that an earlier `build --build-arg` gave, by service.
    pub given: IndexMap<ServiceName, IndexMap<String, String>>,
    /// Build id of the agent; `None` where hob was built without one.
    pub agent: Option<String>,
}

/// Something that a build starts from and that must be there before the build can be measured: its environment, its
/// working folder and its `ONBUILD` instructions are part of what the build reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// An image that is pulled.
    Image {
        /// Its reference.
        name: String,
        /// Platform, where the Dockerfile or the service names one.
        platform: Option<String>,
        /// The first service that needs it.
        service: ServiceName,
    },
    /// The image of another service, which is built.
    Service {
        /// The service that is built.
        base: ServiceName,
        /// The first service that needs it.
        service: ServiceName,
    },
}

impl Wanted {
    /// Whether a service's container runs its command under the agent.
    pub fn has_agent(&self, service: &ServiceName) -> bool {
        self.agent.is_some() && self.hot.contains(service)
    }
}

/// The image that a service should run.
#[derive(Clone, Debug)]
pub enum WantedImage {
    /// Built from these inputs.
    Built(Measured),
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
            Self::Built(inputs) => Some(&inputs.digest),
            Self::Remote { digest } => Some(digest),
            Self::Named(_) => None,
        }
    }

    /// The name of a built image by its digest: the same for every project and branch that needs it.
    pub fn by_digest(&self) -> Option<String> {
        self.digest().map(by_digest)
    }
}

/// The name by digest of an image.
pub fn by_digest(digest: &Digest) -> String {
    format!("{BY_DIGEST}{}", &digest.as_str()[..40])
}
