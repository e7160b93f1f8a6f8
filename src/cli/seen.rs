//! A project and its containers, for commands that only look: one request, and no more of the manifest than its names.

use std::sync::Arc;

use super::context::Context;
use crate::engine::Engine;
use crate::host::zone::Zone;
use crate::model::{Observed, ObservedContainer, Project, ServiceName};
use crate::plan;

/// What a look found.
pub struct Seen {
    /// The project.
    pub project: Project,
    /// The engine.
    pub engine: Arc<dyn Engine>,
    /// Its containers, also those that `run` made, in the engine's order.
    pub containers: Vec<ObservedContainer>,
}

impl Context {
    /// Looks at the project's containers; without `all` at those that run. `targets` are services that have to be known.
    pub async fn seen(&self, targets: &[String], all: bool) -> anyhow::Result<Seen> {
        let seen = match self.by_name() {
            None => {
                let project = self.project(targets)?;
                let engine = self.engine().await?;
                let containers = engine.containers(Some(&project.name), all).await?;
                Seen { project, engine, containers }
            }
            Some(name) => {
                let engine = self.engine().await?;
                // What does not run tells of services too.
                let mut containers = engine.containers(Some(name), true).await?;
                let observed = Observed { containers: containers.clone(), ..Observed::default() };
                let project = super::by_name::project(name, &observed);
                super::context::named(&project, targets)?;
                containers.retain(|container| all || container.state.is_running());
                Seen { project, engine, containers }
            }
        };
        Ok(seen)
    }

    /// The project's name and the engine; `targets` are services that have to be known.
    pub async fn project_and_engine(&self, targets: &[String]) -> anyhow::Result<(String, Arc<dyn Engine>)> {
        match self.by_name() {
            None => Ok((self.project(targets)?.name.to_string(), self.engine().await?)),
            Some(_) if !targets.is_empty() => {
                let seen = self.seen(targets, true).await?;
                Ok((seen.project.name.to_string(), seen.engine))
            }
            Some(name) => Ok((name.clone(), self.engine().await?)),
        }
    }

    /// The zone that times are shown in.
    pub fn zone(&self) -> Zone {
        Zone::of(self.environment.get("TZ").map(String::as_str))
    }
}

impl Seen {
    /// Whether the manifest has a service, enabled or not.
    pub fn knows(&self, service: &ServiceName) -> bool {
        self.project.services.contains_key(service) || self.project.disabled.contains_key(service)
    }

    /// The name of a container's image that people know, where hob made it by a digest.
    pub fn image_name(&self, container: &ObservedContainer) -> String {
        let name = &container.image_name;
        let is_digest = name.starts_with("sha256:") || name.starts_with(plan::BY_DIGEST);
        if !is_digest && !container.image.as_str().contains(name) {
            return name.clone();
        }
        let Project { name: project, services, disabled, .. } = &self.project;
        match services.get(&container.service).or_else(|| disabled.get(&container.service)) {
            Some(service) => self.project.image_name(service),
            None => format!("{project}-{}", container.service),
        }
    }
}

/// The containers of these services, all where none are named.
pub fn of<'a>(
    containers: &'a [ObservedContainer],
    services: &'a [String],
) -> impl Iterator<Item = &'a ObservedContainer> {
    let chosen = |container: &&ObservedContainer| {
        services.is_empty() || services.iter().any(|service| *service == *container.service)
    };
    containers.iter().filter(chosen)
}
