//! An engine in memory, for tests of whatever carries out plans. It keeps containers, images, networks and volumes as
//! a real one reports them, writes a journal of what it was asked to change, and does what a test's script says:
//! fails a call, holds it, lets a container exit or become unhealthy. Time is tokio's, so a paused clock moves it; it
//! never sleeps for real and starts no thread.
//!
//! Calls are named by a verb and a subject, in the journal and in scripts alike: `create web`, `start web#2` (a number
//! other than one), `stop web (run)` (a one-off), `create network p_default`, `remove volume p_data`, `pull redis:7`,
//! `build p-web` (the first tag), `exec web` and so on. `observe`, `inspect web`, `logs web` and other reads are not in
//! the journal, and can be scripted all the same.

mod changes;
mod container;
mod create;
mod engine;
mod handles;
mod run;
mod script;
mod state;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Action, Channel, EngineError, ErrorKind, Result};
use crate::model::{
    ContainerSpec, ContainerState, EngineInfo, Health, HealthProbe, ImageId, ObservedContainer, ObservedImage,
};

use changes::Changes;
pub use handles::{FakeExec, Hold};
pub use script::Script;
use state::FakeState;

/// The engine; clones are the same engine.
#[derive(Clone)]
pub struct FakeEngine {
    info: Arc<EngineInfo>,
    state: Arc<Mutex<FakeState>>,
    /// Counts changes, for those that wait for one.
    changes: Arc<Changes>,
}

impl Default for FakeEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeEngine {
    /// An empty engine of a recent version.
    pub fn new() -> Self {
        Self::with_info(EngineInfo {
            version: "28.5.1".into(),
            api: (1, 51),
            platform: "linux/amd64".into(),
            containerd_images: false,
            endpoint: "fake://engine".into(),
        })
    }

    /// An empty engine that says this about itself.
    pub fn with_info(info: EngineInfo) -> Self {
        Self { info: Arc::new(info), state: Arc::default(), changes: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, FakeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.tell();
    }

    /// Puts an image on the engine under a name.
    pub fn add_image(&self, name: &str) -> ImageId {
        self.put_image(ObservedImage { tags: vec![name.into()], ..Default::default() })
    }

    /// Puts an image on the engine as described; an empty id is made from its first tag.
    pub fn put_image(&self, image: ObservedImage) -> ImageId {
        self.state().put_image(image, &self.info)
    }

    /// Makes a name pullable; other pulls fail.
    pub fn offer_image(&self, name: &str) {
        self.state().offered.insert(name.to_owned());
    }

    /// What the containers of a service do from their next start on.
    pub fn script(&self, service: &str, script: Script) {
        self.state().scripts.insert(service.to_owned(), script);
    }

    /// Lets the next call of this name fail. Several for one name fail one after the other.
    pub fn fail_next(&self, call: &str, kind: ErrorKind) {
        self.fail_next_with(call, EngineError::new(kind, format!("{call} was told to fail")));
    }

    /// The same with a whole error.
    pub fn fail_next_with(&self, call: &str, error: EngineError) {
        self.state().failures.entry(call.to_owned()).or_default().push_back(error);
    }

    /// Holds the next call of this name until it is released.
    pub fn hold(&self, call: &str) -> Hold {
        let (hold, held) = handles::hold();
        self.state().holds.entry(call.to_owned()).or_default().push_back(held);
        hold
    }

    /// Every call so far that changed something, in order.
    pub fn journal(&self) -> Vec<String> {
        self.state().journal.clone()
    }

    /// The same, and forgets it.
    pub fn take_journal(&self) -> Vec<String> {
        std::mem::take(&mut self.state().journal)
    }

    /// Ends a container's process, as if it had exited by itself. `name` is the container's, or its call subject (`web`).
    pub fn exit(&self, name: &str, code: i64) {
        let mut state = self.state();
        if let Some(id) = state.find(name) {
            state.end(&id, code);
        }
        drop(state);
        self.changed();
    }

    /// Changes what a container's health check says.
    pub fn set_health(&self, name: &str, health: Health) {
        let mut state = self.state();
        if let Some(id) = state.find(name) {
            state.set_health(&id, health);
        }
        drop(state);
        self.changed();
    }

    /// Sets what `health_log` tells of a container.
    pub fn set_health_log(&self, name: &str, log: Vec<HealthProbe>) {
        let mut state = self.state();
        if let Some(id) = state.find(name)
            && let Some(container) = state.containers.get_mut(&id)
        {
            container.health_log = log;
        }
    }

    /// Writes to a container's log.
    pub fn log(&self, name: &str, channel: Channel, text: &str) {
        let mut state = self.state();
        if let Some(id) = state.find(name) {
            state.log(&id, channel, text);
        }
        drop(state);
        self.changed();
    }

    /// A container as it is now.
    pub fn container(&self, name: &str) -> Option<ObservedContainer> {
        let state = self.state();
        let id = state.find(name)?;
        Some(state.containers.get(&id)?.seen.clone())
    }

    /// Whether a container's process runs.
    pub fn is_running(&self, name: &str) -> bool {
        self.container(name).is_some_and(|container| container.state.is_running())
    }

    /// A container's state.
    pub fn state_of(&self, name: &str) -> Option<ContainerState> {
        Some(self.container(name)?.state)
    }

    /// A file that was injected or uploaded, by its absolute path in the container.
    pub fn file(&self, name: &str, path: &str) -> Option<Bytes> {
        let state = self.state();
        let id = state.find(name)?;
        state.containers.get(&id)?.files.get(path).cloned()
    }

    /// All containers, with what they were made by and the files that were put into them.
    pub fn containers(&self) -> Vec<(ObservedContainer, ContainerSpec, BTreeMap<String, Bytes>)> {
        let of = |c: &container::Container| {
            let files = c.files.iter().map(|(path, content)| (path.clone(), content.clone()));
            (c.seen.clone(), c.spec.clone(), files.collect())
        };
        self.state().containers.values().map(of).collect()
    }

    /// An image as it is now.
    pub fn find_image(&self, reference: &str) -> Option<ObservedImage> {
        self.state().image(reference).cloned()
    }

    /// Tells what another program does to a container, such as to send a signal.
    pub fn tell(&self, name: &str, action: Action) {
        let mut state = self.state();
        if let Some(id) = state.find(name) {
            state.tell(&id, action);
        }
    }

    /// Makes a path of a container a symbolic link.
    pub fn link(&self, name: &str, path: &str) {
        let mut state = self.state();
        if let Some(container) = state.find(name).and_then(|id| state.containers.get_mut(&id)) {
            container.links.insert(path.to_owned());
        }
    }

    /// The commands run in a service's containers from now on are handed to the test instead of the script.
    pub fn execs(&self, service: &str) -> mpsc::UnboundedReceiver<FakeExec> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.state().execs.insert(service.to_owned(), sender);
        receiver
    }

    /// The engine goes away: streams of events fail, and so does every call, until `come_back`.
    pub fn go_away(&self) {
        self.state().go_away(&self.info.endpoint);
        self.changed();
    }

    /// The engine answers again; its containers are as they were.
    pub fn come_back(&self) {
        self.state().away = false;
    }

    /// What every call does first: it is written down, held and failed as scripted.
    async fn call(&self, name: &str, changes: bool) -> Result<()> {
        let held = {
            let mut state = self.state();
            if state.away {
                let endpoint = self.info.endpoint.clone();
                let message = format!("no container engine answers at {endpoint}");
                return Err(EngineError::new(ErrorKind::Unreachable { endpoint }, message));
            }
            if changes {
                state.journal.push(name.to_owned());
            }
            state.holds.get_mut(name).and_then(VecDeque::pop_front)
        };
        if let Some(held) = held {
            let _ = held.reached.send(());
            let _ = held.released.await;
            if self.state().away {
                return Err(EngineError::new(ErrorKind::Lost, "lost the connection to the engine".to_owned()));
            }
        }
        match self.state().failures.get_mut(name).and_then(VecDeque::pop_front) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}
