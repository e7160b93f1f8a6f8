//! Removes the images of services that newer ones have superseded, once the plan that built them is done: the engine is
//! slow at removing, and whoever waits for a container must not wait for that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::{JoinHandle, JoinSet};

use crate::engine::{Engine, Result};
use crate::model::{ObservedImage, ProjectName, ServiceName};
use crate::plan::{KEPT_IMAGES, PRUNED_ABOVE, labels, superseded};

/// Services whose images are to be pruned, and prunes that run.
#[derive(Default)]
pub struct Prunes {
    built: Mutex<BTreeMap<(ProjectName, ServiceName), Listed>>,
    running: tokio::sync::Mutex<JoinSet<()>>,
}

/// The images of a service; they are listed beside the steps that follow its build.
type Listed = JoinHandle<Result<Vec<ObservedImage>>>;

impl Prunes {
    /// An image of a service was built.
    pub(super) fn note(&self, engine: &Arc<dyn Engine>, project: &ProjectName, service: &ServiceName) {
        let of_service = [
            labels::INPUTS.to_owned(),
            format!("{}={project}", labels::PROJECT),
            format!("{}={service}", labels::SERVICE),
        ];
        let engine = Arc::clone(engine);
        let listed = tokio::spawn(async move { engine.images(&of_service).await });
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.insert((project.clone(), service.clone()), listed);
    }

    /// Begins to prune what was noted.
    pub(super) async fn start(&self, engine: &Arc<dyn Engine>) {
        let built = std::mem::take(&mut *self.built.lock().unwrap_or_else(PoisonError::into_inner));
        if built.is_empty() {
            return;
        }
        let engine = Arc::clone(engine);
        let mut running = self.running.lock().await;
        while running.try_join_next().is_some() {}
        running.spawn(async move {
            for listed in built.into_values() {
                // What cannot be removed now is tried again after a later build, and `hob prune` says why.
                if let Ok(Ok(images)) = listed.await {
                    let _ = prune(&*engine, &images).await;
                }
            }
        });
    }

    /// Waits until all have ended.
    pub(super) async fn settle(&self) {
        let mut running = self.running.lock().await;
        while running.join_next().await.is_some() {}
    }
}

async fn prune(engine: &dyn Engine, images: &[ObservedImage]) -> Result<()> {
    if images.len() <= PRUNED_ABOVE {
        return Ok(());
    }
    engine.clear_left(None).await?;
    let used = engine.used_images().await?;
    for image in superseded(images, &used, KEPT_IMAGES) {
        let names = if image.tags.is_empty() { vec![image.id.to_string()] } else { image.tags.clone() };
        for name in names {
            engine.remove_image(&name).await?;
        }
    }
    Ok(())
}
