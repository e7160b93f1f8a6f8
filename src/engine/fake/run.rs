//! What goes on in containers: scripts, logs, commands.

use std::future::ready;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, split};
use tokio::sync::oneshot;
use tokio_util::io::ReaderStream;

use super::container::no_such;
use super::{FakeEngine, FakeExec};
use crate::engine::{Action, BoxStream, Channel, Chunk, EngineError, ErrorKind, LogQuery, Result, Session};
use crate::model::{ContainerId, ContainerState, ObservedContainer};

impl FakeEngine {
    /// What calls name a container by; its id where it is gone.
    pub(super) fn subject(&self, id: &str) -> String {
        let state = self.state();
        let container = state.find(id).and_then(|id| state.containers.get(&id));
        container.map_or_else(|| id.to_owned(), super::container::Container::subject)
    }

    pub(super) fn id(&self, id: &str) -> Result<ContainerId> {
        self.state().find(id).ok_or_else(|| no_such(id))
    }

    /// Freezes what runs in a container, or ends that.
    pub(super) fn freeze(&self, id: &ContainerId, frozen: bool) -> Result<()> {
        let id = self.id(id)?;
        let mut state = self.state();
        let container = state.containers.get_mut(&id).ok_or_else(|| no_such(&id))?;
        let (from, to) = (ContainerState::Running, ContainerState::Paused);
        let (from, to) = if frozen { (from, to) } else { (to, from) };
        if container.seen.state != from {
            let message = format!("Container {id} is {}", container.seen.state.word());
            return Err(EngineError::new(ErrorKind::Conflict, message));
        }
        container.seen.state = to;
        let word = if frozen { "pause" } else { "unpause" };
        state.tell(&id, Action::Other(word.to_owned()));
        drop(state);
        self.changed();
        Ok(())
    }

    /// Starts a container, and lets its script go on by itself.
    pub(super) fn launch(&self, id: &ContainerId) -> Result<()> {
        let (script, starts, has_check) = {
            let mut state = self.state();
            if state.containers.get(id).is_some_and(|container| container.seen.state.is_running()) {
                return Ok(());
            }
            state.begin(id)?;
            let Some(container) = state.containers.get(id) else { return Err(no_such(id)) };
            let script = state.scripts.get(container.seen.service.as_str()).cloned().unwrap_or_default();
            (script, container.starts, container.has_check)
        };
        self.changed();
        if let Some((after, health)) = script.health.filter(|_| has_check) {
            self.later(id, starts, after, move |engine, id| engine.state().set_health(id, health));
        }
        if let Some((after, code)) = script.exits {
            self.later(id, starts, after, move |engine, id| engine.state().end(id, code));
        }
        Ok(())
    }

    /// Does something to a container after a time, if it was not started anew in between. At once where there is no
    /// time to wait, so that a test without a paused clock sees it too.
    fn later(
        &self,
        id: &ContainerId,
        starts: u64,
        after: Duration,
        act: impl FnOnce(&Self, &ContainerId) + Send + 'static,
    ) {
        if after.is_zero() {
            act(self, id);
            self.changed();
            return;
        }
        let (engine, id) = (self.clone(), id.clone());
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            if engine.state().containers.get(&id).is_some_and(|container| container.starts == starts) {
                act(&engine, &id);
                engine.changed();
            }
        });
    }

    /// Ends a container's process as a stop signal does.
    pub(super) async fn halt(&self, id: &ContainerId, grace: Option<Duration>) {
        let script = {
            let state = self.state();
            let Some(container) = state.containers.get(id).filter(|c| c.seen.state.is_running()) else { return };
            let own = container.spec.service.stop_grace_period.map(|grace| grace.0);
            let grace = grace.or(own).unwrap_or(Duration::from_secs(10));
            let script = state.scripts.get(container.seen.service.as_str()).cloned().unwrap_or_default();
            if script.stops_in > grace { (grace, 137) } else { (script.stops_in, script.stop_code) }
        };
        if !script.0.is_zero() {
            tokio::time::sleep(script.0).await;
        }
        self.state().end(id, script.1);
        self.changed();
    }

    /// The log from a line on; the stream waits for more while it follows and the container runs.
    pub(super) fn lines(&self, id: ContainerId, query: LogQuery, from: usize) -> BoxStream<Result<Chunk>> {
        let changes = self.changes.subscribe();
        let start = (self.clone(), changes, from);
        Box::pin(stream::unfold(start, move |(engine, mut changes, mut next)| {
            let (id, query) = (id.clone(), query.clone());
            async move {
                loop {
                    changes.update();
                    let ended = {
                        let state = engine.state();
                        let container = state.containers.get(&id)?;
                        while let Some(line) = container.lines.get(next) {
                            next += 1;
                            if let Some(chunk) = line.chunk(&query) {
                                drop(state);
                                return Some((Ok(chunk), (engine, changes, next)));
                            }
                        }
                        !query.follow || !container.seen.state.is_running() || state.away
                    };
                    if ended {
                        return None;
                    }
                    changes.changed().await;
                }
            }
        }))
    }

    /// Runs a command: by the script, or with the test as the command.
    pub(super) fn run_exec(&self, container: &ObservedContainer) -> Session {
        let (exec, script, test) = {
            let mut state = self.state();
            let exec = state.new_id();
            let script = state.scripts.get(container.service.as_str()).cloned().unwrap_or_default();
            state.exec_codes.insert(exec.clone(), None);
            (exec, script, state.execs.get(container.service.as_str()).cloned())
        };
        if let Some(test) = test {
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            let (exit, code) = oneshot::channel();
            let run = FakeExec { io: theirs, exit };
            if test.send(run).is_ok() {
                let (engine, id) = (self.clone(), exec.clone());
                tokio::spawn(async move {
                    let code = code.await.unwrap_or_default();
                    engine.state().exec_codes.insert(id, Some(code));
                    engine.changed();
                });
                let (read, input) = split(ours);
                let output = ReaderStream::new(read.take(u64::MAX)).map(|bytes| match bytes {
                    Ok(bytes) => Ok(Chunk { channel: Channel::Out, bytes }),
                    Err(error) => Err(EngineError::new(ErrorKind::Lost, error.to_string())),
                });
                return Session { id: exec, input: Box::pin(input), output: Box::pin(output) };
            }
        }
        self.state().exec_codes.insert(exec.clone(), Some(script.exec.1));
        let chunk = Chunk { channel: Channel::Out, bytes: Bytes::from(script.exec.0) };
        let output =
            stream::once(ready(Ok(chunk))).filter(|chunk| ready(chunk.as_ref().is_ok_and(|c| !c.bytes.is_empty())));
        Session { id: exec, input: Box::pin(tokio::io::sink()), output: Box::pin(output) }
    }
}
