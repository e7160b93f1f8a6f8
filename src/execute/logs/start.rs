//! Attaching before a start: whoever starts a container asks for it, and no line of its is missed.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Logs;
use super::follow::{Follow, Next};
use crate::model::{ContainerId, Project, ServiceName};

/// How long a start is held up for it at most.
const PATIENCE: Duration = Duration::from_secs(2);

/// Attaches to containers that are about to be started.
pub struct AtStart {
    /// Where the output goes.
    pub logs: Logs,
    /// The project.
    pub project: Arc<Project>,
    /// Services whose output is shown.
    pub services: BTreeSet<ServiceName>,
}

impl fmt::Debug for AtStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtStart").field("services", &self.services).finish_non_exhaustive()
    }
}

/// A container that was attached to before its start.
pub struct Attached {
    logs: Logs,
    service: ServiceName,
    number: u32,
    stop: CancellationToken,
}

impl AtStart {
    /// Attaches to a container; `None` where its output is not shown. Where that fails, what it writes first is taken
    /// from its log.
    pub async fn attach(&self, service: Option<&ServiceName>, container: &str) -> Option<Attached> {
        let service = service.filter(|service| self.services.contains(*service))?;
        let number = self.number(service, container)?;
        let id = ContainerId::new(container);
        let output = tokio::time::timeout(PATIENCE, self.logs.engine.output(&id)).await.ok()?.ok()?;
        let stop = CancellationToken::new();
        let (service, name) = (service.clone(), container.to_owned());
        *self.logs.state().attached.entry((service.clone(), number)).or_default() += 1;
        let follow = Follow { container: id, name, service: service.clone(), number };
        self.logs.send(Next::Attached(follow, output, stop.clone()));
        Some(Attached { logs: self.logs.clone(), service, number, stop })
    }

    /// The number of a service's container.
    fn number(&self, service: &ServiceName, container: &str) -> Option<u32> {
        let spec = self.project.services.get(service)?;
        let number = container.rsplit_once('-').and_then(|(_, number)| number.parse().ok()).unwrap_or(1);
        [number, 1].into_iter().find(|number| spec.container_name(&self.project.name, *number) == container)
    }
}

impl Attached {
    /// It was not started.
    pub fn give_up(self) {
        self.stop.cancel();
        self.logs.was_attached(&self.service, self.number);
    }
}
