//! What measuring a build gives: the digest that names its image, and what is watched for it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Digest, Effects, Parts};

/// Everything that a service's image depends on, measured at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Digest over all parts; equal digests give equal images.
    pub digest: Digest,
    /// The parts, so that a change can be named.
    pub parts: Parts,
    /// Why the whole context counts, where the Dockerfile could not be understood whole.
    pub fallback: Option<String>,
    /// Base images and images of other stages that come from outside.
    pub base_images: Vec<String>,
}

/// What is watched for a service, and what a change asks for.
#[derive(Clone)]
pub struct Watch {
    /// What a change of a path asks for.
    pub effects: Arc<dyn Effects>,
    /// Folders in which a change can matter: watched, one by one.
    pub folders: BTreeSet<PathBuf>,
    /// Something may follow a change. Else it is only told apart from services that read the same files.
    pub acts: bool,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("folders", &self.folders).finish_non_exhaustive()
    }
}

/// A program that reloads itself when a file in its container changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloader {
    /// What it was recognised by, such as `uvicorn --reload`.
    pub name: String,
    /// Names of folders whose files it reads only when it starts.
    pub except: Vec<String>,
}

impl Reloader {
    /// Whether it takes up a change of this file of the container.
    pub fn covers(&self, path: &str) -> bool {
        let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
        !folders.split('/').any(|folder| self.except.iter().any(|except| except == folder))
    }
}

impl fmt::Display for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} reloads itself", self.name)
    }
}
