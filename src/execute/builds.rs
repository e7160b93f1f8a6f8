//! Whose turn it is to build, to pull and to name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::Semaphore;

/// Builds that run: as many at once as the machine has cores, unless there is another limit, and one for each image.
#[derive(Default)]
pub struct Builds {
    limit: Option<usize>,
    cores: OnceLock<Semaphore>,
    pulls: OnceLock<Semaphore>,
    by_image: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// Names by digest for which an image was built last that was not confirmed, and that image's id.
    unconfirmed: Mutex<HashMap<String, String>>,
    /// Whoever gives names to images.
    pub(super) naming: tokio::sync::Mutex<()>,
}

impl Builds {
    /// At most so many builds and pulls side by side.
    pub fn at_most(limit: usize) -> Self {
        Self { limit: Some(limit), ..Self::default() }
    }

    /// The turns of builds.
    pub(super) fn cores(&self) -> &Semaphore {
        let cores = || std::thread::available_parallelism().map_or(2, usize::from).max(2);
        self.cores.get_or_init(|| Semaphore::new(self.limit.unwrap_or_else(cores)))
    }

    /// The turn of a pull, of which there may be any number without a limit.
    pub async fn pull(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        let pulls = self.pulls.get_or_init(|| Semaphore::new(self.limit.unwrap_or(Semaphore::MAX_PERMITS)));
        pulls.acquire().await.ok()
    }

    /// The image `id` was built for a name by digest, and that it is what that says was `confirmed` or not.
    pub(super) fn built(&self, name: &str, id: &str, confirmed: bool) {
        let mut unconfirmed = self.unconfirmed.lock().unwrap_or_else(PoisonError::into_inner);
        if confirmed {
            unconfirmed.remove(name);
        } else {
            unconfirmed.insert(name.to_owned(), id.to_owned());
        }
    }

    /// The image that was built last for a name by digest, where it was not confirmed.
    pub(super) fn unconfirmed(&self, name: &str) -> Option<String> {
        self.unconfirmed.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The turn of one image.
    pub(super) fn of(&self, image: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut map = self.by_image.lock().unwrap_or_else(PoisonError::into_inner);
        map.retain(|name, lock| name == image || Arc::strong_count(lock) > 1);
        Arc::clone(map.entry(image.to_owned()).or_default())
    }
}
