//! What tests of this room share: the rig, which is an executor on the fake engine, with a project in memory and a sink
//! that remembers.

mod events;
mod sources;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Depth, Executor, Outcome, Pass, RunOptions, Snapshot, Sources};
use crate::engine::Engine;
use crate::engine::fake::FakeEngine;
use crate::event::Sink;
use crate::model::{Project, ServiceName};
use crate::plan::{self, Plan, UpOptions};

pub use events::Events;
pub use sources::{FakeSources, Hook};
/// A project from its canonical form.
#[allow(clippy::needless_pass_by_value, reason = "for `json!` at the call")]
pub fn project(services: Value) -> Project {
    let services = json!({ "name": "p", "services": services });
    let mut project: Project = serde_json::from_value(services).unwrap();
    for (name, service) in &mut project.services {
        service.name = name.clone();
    }
    project
}

/// A fake engine with an executor on it.
pub struct Rig {
    pub engine: FakeEngine,
    pub events: Arc<Events>,
    pub sources: Arc<FakeSources>,
    pub executor: Executor,
    pub project: Arc<Project>,
}

impl Rig {
    pub fn new(project: Project) -> Self {
        let engine = FakeEngine::new();
        for service in project.services.values() {
            if let Some(image) = service.image.as_ref().filter(|_| service.build.is_none()) {
                engine.add_image(image);
            }
        }
        let (events, sources) = (Arc::new(Events::default()), Arc::new(FakeSources::default()));
        for service in project.services.values().filter(|s| s.build.is_some()) {
            sources.write(&format!("/src/{}/Dockerfile", service.name), "FROM scratch");
        }
        *sources.project.lock().unwrap() = Some(project.clone());
        let dyn_engine: Arc<dyn Engine> = Arc::new(engine.clone());
        let (sink, source): (Arc<dyn Sink>, Arc<dyn Sources>) = (events.clone(), sources.clone());
        let executor = Executor::new(dyn_engine, sink, source);
        Self { engine, events, sources, executor, project: Arc::new(project) }
    }

    pub async fn view(&self) -> Snapshot {
        let services: Vec<ServiceName> = self.project.services.keys().cloned().collect();
        let (options, run) = (UpOptions::default(), RunOptions::default());
        let (executor, project) = (&self.executor, &self.project);
        let pass = Pass { executor, project, services: &services, options: &options, run: &run };
        pass.prepared(Depth::Whole).await.unwrap()
    }

    /// The plan of `up`.
    pub async fn plan(&self) -> Plan {
        plan::up(self.view().await.input(&HashMap::new()), &UpOptions::default()).unwrap()
    }

    /// Plans `up` and carries it out.
    pub async fn up(&self, options: &RunOptions) -> Outcome {
        let plan = self.plan().await;
        self.executor.run(&self.project, &plan, options).await
    }
}
