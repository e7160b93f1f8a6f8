//! What containers write, shown across restarts and recreations, in order and without a line lost or shown twice.
//!
//! Each container number of a service has a lane: a task that takes one container after another. hob attaches to
//! containers, before their start where it starts them itself, and takes up the engine's log only for what was written
//! before it was attached: engines drop log files as they are rotated, and with them what nobody has read yet.

mod follow;
mod lane;
pub mod lines;
mod seam;
mod splitter;
mod start;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::engine::Engine;
use crate::event::{Event, Sink};
use crate::model::ServiceName;

use follow::Next;
pub use follow::{Follow, From, LogOptions, clock};
use lane::Lane;
pub use start::AtStart;

type Key = (ServiceName, u32);

/// The output of a project's containers. Clones are the same.
#[derive(Clone)]
pub struct Logs {
    engine: Arc<dyn Engine>,
    sink: Arc<dyn Sink>,
    options: LogOptions,
    state: Arc<Mutex<Lanes>>,
}

/// A lane that takes containers.
struct Open {
    next: mpsc::UnboundedSender<Next>,
    behind: Arc<AtomicBool>,
}

#[derive(Default)]
struct Lanes {
    lanes: HashMap<Key, Open>,
    tasks: JoinSet<()>,
    /// Starts that were attached to and have not been told of.
    attached: HashMap<Key, usize>,
}

impl Logs {
    /// Follows nothing yet.
    pub fn new(engine: Arc<dyn Engine>, sink: Arc<dyn Sink>, options: LogOptions) -> Self {
        Self { engine, sink, options, state: Arc::default() }
    }

    /// Shows a container's output, after all that its lane was given before.
    pub fn follow(&self, follow: Follow, from: From) {
        self.send(Next::Follow(follow, from));
    }

    /// A start was told of: whether it was attached to before.
    pub fn was_attached(&self, service: &ServiceName, number: u32) -> bool {
        let mut state = self.state();
        let key = (service.clone(), number);
        let Some(count) = state.attached.get_mut(&key) else { return false };
        *count -= 1;
        if *count == 0 {
            state.attached.remove(&key);
        }
        true
    }

    /// Whether a start was attached to and not told of yet.
    pub fn is_attached(&self, service: &ServiceName, number: u32) -> bool {
        self.state().attached.contains_key(&(service.clone(), number))
    }

    /// Whether output of this number of a service was shown before.
    pub fn has_followed(&self, service: &ServiceName, number: u32) -> bool {
        self.state().lanes.contains_key(&(service.clone(), number))
    }

    /// The engine has gone: no start will be told of.
    pub fn forget_starts(&self) {
        self.state().attached.clear();
    }

    /// Shows what is left of what has ended; what goes on is given up after `patience`. A flood may be any number of lines
    /// behind: whose it was is said, unless nothing was to be waited for.
    pub async fn finish(&self, patience: Duration) {
        let flags = |(key, open): (&Key, &Open)| (key.0.clone(), Arc::clone(&open.behind));
        let lanes: Vec<_> = self.state().lanes.iter().map(flags).collect();
        if tokio::time::timeout(patience, self.drain()).await.is_ok() || patience.is_zero() {
            return;
        }
        let behind = lanes.into_iter().filter(|(_, behind)| behind.load(Ordering::Relaxed));
        let names: BTreeSet<ServiceName> = behind.map(|(service, _)| service).collect();
        if !names.is_empty() {
            let names: Vec<&str> = names.iter().map(ServiceName::as_str).collect();
            let (list, args) = (names.join(", "), names.join(" "));
            let text =
                format!("the last output of {list} is not shown, there is too much of it: `hob logs {args}` has it");
            self.sink.emit(Event::Notice { text });
        }
    }

    /// Waits until all output has ended by itself.
    pub async fn drain(&self) {
        let mut tasks = {
            let mut state = self.state();
            state.lanes.clear();
            std::mem::take(&mut state.tasks)
        };
        while tasks.join_next().await.is_some() {}
    }

    fn state(&self) -> MutexGuard<'_, Lanes> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, next: Next) {
        let (Next::Follow(follow, _) | Next::Attached(follow, ..)) = &next;
        let key = (follow.service.clone(), follow.number);
        let mut state = self.state();
        let Lanes { lanes, tasks, .. } = &mut *state;
        let lane = lanes.entry(key).or_insert_with(|| {
            let (sender, receiver) = mpsc::unbounded_channel();
            let behind = Arc::<AtomicBool>::default();
            let (engine, sink) = (Arc::clone(&self.engine), Arc::clone(&self.sink));
            tasks.spawn(Lane::new(engine, sink, self.options, Arc::clone(&behind)).run(receiver));
            Open { next: sender, behind }
        });
        // A lane only ends when its sender is dropped.
        let _ = lane.next.send(next);
    }
}
