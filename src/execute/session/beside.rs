//! What goes on beside a plan that is being carried out: saves of services that it has no step left for. A plan that
//! waits for a service that does not become healthy may wait for ever; nobody else waits with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Session, now};
use crate::execute::beside::{Beside, Change, Working};
use crate::model::ServiceName;

/// How long a plan must have done nothing but wait before it is said that saves are seen.
const WAITED: Duration = Duration::from_secs(1);

/// The plan that is being carried out, as seen from beside it.
#[derive(Default)]
pub struct Running {
    /// Handed to the plan; `None` while there is none that is carried out.
    pub beside: Option<Arc<Beside>>,
    /// Ends what the plan can be ended in.
    pub cancel: CancellationToken,
    news: Option<watch::Receiver<Option<Working>>>,
    /// When what it is made from was looked at.
    planned: Option<Instant>,
    /// Since when it only waits.
    waits: Option<Instant>,
}

impl Running {
    /// No plan; the next one ends with the session.
    pub fn within(session: &CancellationToken) -> Self {
        Self { cancel: session.child_token(), ..Self::default() }
    }

    /// A plan is carried out from now on.
    pub fn begin(&mut self, planned: Instant) {
        let beside = Arc::new(Beside::default());
        self.news = Some(beside.subscribe());
        self.beside = Some(beside);
        self.planned = Some(planned);
    }

    /// It is over; the next one can be cancelled by the session's token. When what it was made from was looked at.
    pub fn end(&mut self, session: &CancellationToken) -> Option<Instant> {
        let planned = self.planned;
        *self = Self::within(session);
        planned
    }

    /// Waits until the plan leaves more free than before.
    pub async fn news(&mut self) {
        if let Some(news) = &mut self.news
            && news.changed().await.is_ok()
        {
            let waits = news.borrow_and_update().as_ref().is_some_and(|working| working.waits);
            self.waits = waits.then(|| self.waits.unwrap_or_else(now));
            return;
        }
        std::future::pending::<()>().await;
    }

    /// The plan has no step left for the service, or none but waits.
    fn frees(&self, service: &ServiceName) -> bool {
        let known = self.news.as_ref().map(watch::Receiver::borrow);
        known.is_some_and(|known| known.as_ref().is_some_and(|working| !working.services.contains(service)))
    }

    /// Ends the plan if it only waits.
    pub fn end_waits(&self) {
        if self.waits.is_some() {
            self.cancel.cancel();
        }
    }

    /// A job changes the containers of these services: the plan's waits for them look again.
    pub fn change(&self, services: Vec<ServiceName>) -> Option<Change> {
        Some(self.beside.as_ref()?.change(services))
    }
}

impl Session {
    /// Whether a job may work on the service.
    pub(super) fn is_free(&self, service: &ServiceName) -> bool {
        if self.applying { self.beside.frees(service) } else { self.up }
    }

    /// When it is said that saves are seen although the plan goes on.
    pub(super) fn say_at(&self) -> Option<Instant> {
        let waits = self.beside.waits.filter(|_| self.applying && self.options.watch && self.said_watching.is_empty());
        waits.map(|since| since + WAITED)
    }

    /// Says it when the time has come and somebody runs.
    pub(super) fn say_watching_beside(&mut self) {
        if self.say_at().is_some_and(|at| at <= now()) {
            self.beside.waits = Some(now());
            if self.containers.any_running(&self.scope()) {
                self.say_watching();
            }
        }
    }
}
