//! The trait, on the state in memory.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::FakeEngine;
use super::container::{no_such, subject_of};
use crate::engine::{
    Action, BoxStream, BuildProgress, BuildSink, BuildSpec, Built, Chunk, Engine, EngineError, EngineEvent, ErrorKind,
    ExecSpec, Exit, LogQuery, PullProgress, PullSink, Query, Result, Session,
};
use crate::model::labels::{INHERITED, INPUTS, PROJECT};
use crate::model::{
    ContainerId, ContainerSpec, ContainerState, Digest, EngineInfo, HealthProbe, ImageId, NetworkId, NetworkSpec,
    Observed, ObservedContainer, ObservedImage, ObservedNetwork, ObservedVolume, Published, VolumeSpec,
};

#[async_trait]
impl Engine for FakeEngine {
    async fn verify_info(&self) -> Result<()> {
        Ok(())
    }

    fn info(&self) -> &EngineInfo {
        &self.info
    }

    async fn observe(&self, query: &Query) -> Result<Observed> {
        self.call("observe", false).await?;
        let state = self.state();
        let own = |labels: &indexmap::IndexMap<String, String>| labels.get(PROJECT) == Some(&query.project);
        let containers = state.containers.values().filter(|c| own(&c.seen.labels)).map(|c| c.seen.clone()).collect();
        let mut observed = Observed { containers, ..Observed::default() };
        observed.containers.sort_by(|a, b| (&a.service, a.oneoff, a.number).cmp(&(&b.service, b.oneoff, b.number)));
        for (name, network) in &state.networks {
            if own(&network.labels) || query.networks.contains(name) {
                observed.networks.insert(name.clone(), network.clone());
            }
        }
        for (name, volume) in &state.volumes {
            if own(&volume.labels) || query.volumes.contains(name) {
                observed.volumes.insert(name.clone(), volume.clone());
            }
        }
        for reference in &query.images {
            if let Some(image) = state.image(reference) {
                observed.images.insert(reference.clone(), image.clone());
            }
        }
        Ok(observed)
    }

    async fn image(&self, reference: &str) -> Result<Option<ObservedImage>> {
        self.call(&format!("image {reference}"), false).await?;
        Ok(self.state().image(reference).cloned())
    }

    async fn pull(&self, reference: &str, _platform: Option<&str>, progress: &PullSink) -> Result<()> {
        self.call(&format!("pull {reference}"), true).await?;
        if !self.state().offered.contains(reference) {
            let kind = ErrorKind::Pull { image: reference.to_owned() };
            let message = format!("image {reference} is not on this engine and cannot be pulled");
            return Err(EngineError::new(kind, message));
        }
        progress(PullProgress { current: 1, total: 1, status: "Pull complete".to_owned() });
        self.add_image(reference);
        Ok(())
    }

    async fn build(&self, spec: &BuildSpec, progress: &BuildSink) -> Result<Built> {
        // By the name that the image gets, or will get from whoever asks for it.
        let by_digest = || format!("hob-build:{}", spec.labels.get(INPUTS).map_or("", |digest| &digest[..40]));
        let name = spec.tags.first().cloned().unwrap_or_else(by_digest);
        let step = name.clone();
        progress(BuildProgress::Started { step: step.clone(), name: format!("build {name}") });
        let answer = self.call(&format!("build {name}"), true).await;
        let error = answer.as_ref().err().map(ToString::to_string);
        progress(BuildProgress::Done { step, cached: false, took: Duration::ZERO, error });
        answer?;
        let mut labels = spec.build.labels.clone();
        labels.extend(spec.labels.clone());
        let digest = Digest::of(format!("{spec:?}").as_bytes());
        let id = ImageId::new(format!("sha256:{digest}"));
        let id = self.put_image(ObservedImage { id, tags: spec.tags.clone(), labels, ..Default::default() });
        Ok(Built { id, as_measured: true })
    }

    async fn tag(&self, image: &str, name: &str) -> Result<()> {
        self.call(&format!("tag {image} {name}"), true).await?;
        let mut state = self.state();
        let Some(found) = state.image(image).cloned() else {
            return Err(EngineError::new(ErrorKind::NotFound, format!("No such image: {image}")));
        };
        state.put_image(ObservedImage { tags: vec![name.to_owned()], ..found }, &self.info);
        Ok(())
    }

    async fn remove_image(&self, reference: &str) -> Result<()> {
        self.call(&format!("remove image {reference}"), true).await?;
        let mut state = self.state();
        let Some(image) = state.image(reference).cloned() else { return Ok(()) };
        if state.containers.values().any(|container| container.seen.image == image.id) && image.tags.len() <= 1 {
            let message =
                format!("conflict: unable to remove repository reference \"{reference}\": a container uses it");
            return Err(EngineError::new(ErrorKind::Conflict, message));
        }
        state.untag(reference);
        state.images.retain(|other| other.id != image.id || !other.tags.is_empty());
        Ok(())
    }

    async fn clear_left(&self, _project: Option<&str>) -> Result<()> {
        Ok(())
    }

    async fn used_images(&self) -> Result<BTreeSet<ImageId>> {
        self.call("used images", false).await?;
        Ok(self.state().containers.values().map(|container| container.seen.image.clone()).collect())
    }

    async fn images(&self, labels: &[String]) -> Result<Vec<ObservedImage>> {
        self.call("images", false).await?;
        let carries = |image: &ObservedImage| {
            labels.iter().all(|label| match label.split_once('=') {
                Some((key, value)) => image.labels.get(key).is_some_and(|found| found == value),
                None => image.labels.contains_key(label),
            })
        };
        Ok(self.state().images.iter().filter(|image| carries(image)).cloned().collect())
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<NetworkId> {
        self.call(&format!("create network {}", spec.name), true).await?;
        let mut state = self.state();
        if state.networks.contains_key(&spec.name) {
            let message = format!("network with name {} already exists", spec.name);
            return Err(EngineError::new(ErrorKind::Conflict, message));
        }
        let id = NetworkId::new(state.new_id());
        let network = ObservedNetwork { id: id.clone(), name: spec.name.clone(), labels: spec.labels.clone() };
        state.networks.insert(spec.name.clone(), network);
        Ok(id)
    }

    async fn remove_network(&self, name: &str) -> Result<()> {
        self.call(&format!("remove network {name}"), true).await?;
        let mut state = self.state();
        let known = state.networks.values().find(|network| network.id.as_str() == name || network.name == name);
        let Some(name) = known.map(|network| network.name.clone()) else { return Ok(()) };
        let used = |c: &super::container::Container| c.seen.state.is_running() && c.seen.networks.contains_key(&name);
        if state.containers.values().any(used) {
            let message = format!("error while removing network: network {name} has active endpoints");
            return Err(EngineError::new(ErrorKind::Conflict, message));
        }
        state.networks.shift_remove(&name);
        Ok(())
    }

    async fn create_volume(&self, spec: &VolumeSpec) -> Result<()> {
        self.call(&format!("create volume {}", spec.name), true).await?;
        let volume = ObservedVolume {
            name: spec.name.clone(),
            driver: spec.driver.clone().unwrap_or_else(|| "local".to_owned()),
            labels: spec.labels.clone(),
            ..ObservedVolume::default()
        };
        self.state().volumes.entry(spec.name.clone()).or_insert(volume);
        Ok(())
    }

    async fn remove_volume(&self, name: &str) -> Result<()> {
        self.call(&format!("remove volume {name}"), true).await?;
        let mut state = self.state();
        if state.containers.values().any(|container| container.seen.volumes.values().any(|volume| volume == name)) {
            let message = format!("remove {name}: volume is in use");
            return Err(EngineError::new(ErrorKind::Conflict, message));
        }
        state.volumes.shift_remove(name);
        Ok(())
    }

    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId> {
        self.call(&format!("create {}", subject_of(spec)), true).await?;
        let id = self.state().create(spec)?;
        self.changed();
        Ok(id)
    }

    async fn start(&self, id: &ContainerId) -> Result<()> {
        self.call(&format!("start {}", self.subject(id)), true).await?;
        self.launch(&self.id(id)?)
    }

    async fn stop(&self, id: &ContainerId, grace: Option<Duration>) -> Result<()> {
        self.call(&format!("stop {}", self.subject(id)), true).await?;
        if let Ok(id) = self.id(id) {
            self.halt(&id, grace).await;
        }
        Ok(())
    }

    async fn kill(&self, id: &ContainerId, signal: &str) -> Result<()> {
        self.call(&format!("kill {} {signal}", self.subject(id)), true).await?;
        if matches!(signal, "SIGKILL" | "KILL" | "9") {
            if let Ok(id) = self.id(id) {
                self.state().end(&id, 137);
            }
            self.changed();
        }
        Ok(())
    }

    async fn pause(&self, id: &ContainerId) -> Result<()> {
        self.call(&format!("pause {}", self.subject(id)), true).await?;
        self.freeze(id, true)
    }

    async fn unpause(&self, id: &ContainerId) -> Result<()> {
        self.call(&format!("unpause {}", self.subject(id)), true).await?;
        self.freeze(id, false)
    }

    async fn restart(&self, id: &ContainerId, grace: Option<Duration>) -> Result<()> {
        self.call(&format!("restart {}", self.subject(id)), true).await?;
        let id = self.id(id)?;
        self.halt(&id, grace).await;
        self.launch(&id)
    }

    async fn remove_container(&self, id: &ContainerId, volumes: bool) -> Result<()> {
        self.call(&format!("remove {}", self.subject(id)), true).await?;
        let Ok(id) = self.id(id) else { return Ok(()) };
        let mut state = self.state();
        state.end(&id, 137);
        state.tell(&id, Action::Destroy);
        let removed = state.containers.shift_remove(&id);
        if let Some(container) = removed.filter(|_| volumes) {
            let anonymous = container.spec.mounts.iter().filter(|mount| mount.source.is_none());
            for mount in anonymous {
                if let Some(name) = container.seen.volumes.get(&mount.target) {
                    state.volumes.shift_remove(name);
                }
            }
            let inherited = container.seen.labels.get(INHERITED).cloned().unwrap_or_default();
            for name in inherited.split(',') {
                state.volumes.shift_remove(name);
            }
        }
        drop(state);
        self.changed();
        Ok(())
    }

    async fn rename(&self, id: &ContainerId, name: &str) -> Result<()> {
        self.call(&format!("rename {} {name}", self.subject(id)), true).await?;
        let id = self.id(id)?;
        let mut state = self.state();
        if state.containers.values().any(|container| container.seen.name == name) {
            let message = format!("Conflict. The container name \"/{name}\" is already in use.");
            return Err(EngineError::new(ErrorKind::Conflict, message));
        }
        let container = state.containers.get_mut(&id).ok_or_else(|| no_such(&id))?;
        name.clone_into(&mut container.seen.name);
        Ok(())
    }

    async fn inspect(&self, id: &ContainerId) -> Result<Option<ObservedContainer>> {
        self.call(&format!("inspect {}", self.subject(id)), false).await?;
        Ok(self.container(id))
    }

    async fn health_log(&self, id: &ContainerId) -> Result<Vec<HealthProbe>> {
        self.call(&format!("health_log {}", self.subject(id)), false).await?;
        let id = self.id(id)?;
        Ok(self.state().containers.get(&id).map(|container| container.health_log.clone()).unwrap_or_default())
    }

    async fn wait(&self, id: &ContainerId) -> Result<i64> {
        self.call(&format!("wait {}", self.subject(id)), false).await?;
        let id = self.id(id)?;
        let mut changes = self.changes.subscribe();
        loop {
            changes.update();
            {
                let state = self.state();
                if state.away {
                    return Err(EngineError::new(ErrorKind::Lost, "lost the connection to the engine".to_owned()));
                }
                match state.containers.get(&id).map(|container| container.seen.state) {
                    Some(ContainerState::Exited(code)) => return Ok(code),
                    Some(state) if state.is_running() => {}
                    Some(_) => return Ok(0),
                    None => return Ok(137),
                }
            }
            changes.changed().await;
        }
    }

    async fn exit(&self, id: &ContainerId) -> Result<Exit> {
        let (engine, id) = (self.clone(), id.clone());
        Ok(Box::pin(async move { engine.wait(&id).await }))
    }

    async fn logs(&self, id: &ContainerId, query: &LogQuery) -> Result<BoxStream<Result<Chunk>>> {
        self.call(&format!("logs {}", self.subject(id)), false).await?;
        let id = self.id(id)?;
        let count = self.state().containers.get(&id).map(|container| container.lines.len()).unwrap_or_default();
        let tail = query.tail.and_then(|tail| usize::try_from(tail).ok()).unwrap_or(count);
        Ok(self.lines(id, query.clone(), count.saturating_sub(tail)))
    }

    async fn upload(&self, id: &ContainerId, folder: &str, tar: Bytes) -> Result<()> {
        self.call(&format!("upload {} {folder}", self.subject(id)), true).await?;
        let id = self.id(id)?;
        let broken = |error: std::io::Error| EngineError::new(ErrorKind::Refused, error.to_string());
        let mut files = Vec::new();
        for entry in tar::Archive::new(tar.as_ref()).entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            let path = format!("{}/{}", folder.trim_end_matches('/'), entry.path().map_err(broken)?.display());
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut content).map_err(broken)?;
            if entry.header().entry_type().is_file() {
                files.push((path, Bytes::from(content)));
            }
        }
        if let Some(container) = self.state().containers.get_mut(&id) {
            container.files.extend(files);
        }
        Ok(())
    }

    async fn lacks_program(&self, id: &ContainerId, _wrapper: &[&str]) -> Result<Option<String>> {
        let id = self.id(id)?;
        let state = self.state();
        let service = state.containers.get(&id).map(|container| container.seen.service.to_string());
        Ok(service.and_then(|service| state.scripts.get(&service)).and_then(|script| script.lacks.clone()))
    }

    async fn is_link(&self, id: &ContainerId, path: &str) -> Result<bool> {
        let id = self.id(id)?;
        Ok(self.state().containers.get(&id).is_some_and(|container| container.links.contains(path)))
    }

    async fn attach(&self, id: &ContainerId) -> Result<Session> {
        self.call(&format!("attach {}", self.subject(id)), true).await?;
        let id = self.id(id)?;
        let mut changes = self.changes.subscribe();
        let engine = self.clone();
        let query = LogQuery { follow: true, ..Default::default() };
        let output = stream::once({
            let id = id.clone();
            async move {
                // Attached before the start: the output begins with it.
                loop {
                    changes.update();
                    let created = engine.state_of(&id) == Some(ContainerState::Created);
                    if !created {
                        return engine.lines(id, query, 0);
                    }
                    changes.changed().await;
                }
            }
        });
        Ok(Session { id: id.to_string(), input: Box::pin(tokio::io::sink()), output: Box::pin(output.flatten()) })
    }

    async fn output(&self, id: &ContainerId) -> Result<BoxStream<Result<Chunk>>> {
        self.call(&format!("output {}", self.subject(id)), false).await?;
        let id = self.id(id)?;
        let Some((from, running)) =
            self.state().containers.get(&id).map(|c| (c.lines.len(), c.seen.state.is_running()))
        else {
            return Err(no_such(&id));
        };
        let (mut changes, engine) = (self.changes.subscribe(), self.clone());
        let query = LogQuery { follow: true, ..Default::default() };
        let output = stream::once(async move {
            loop {
                changes.update();
                let started = {
                    let state = engine.state();
                    let container = state.containers.get(&id);
                    container.is_none_or(|c| running || c.seen.state.is_running() || c.lines.len() > from)
                };
                if started {
                    return engine.lines(id, query, from);
                }
                changes.changed().await;
            }
        });
        Ok(Box::pin(output.flatten()))
    }

    async fn resize(&self, id: &ContainerId, columns: u16, rows: u16) -> Result<()> {
        self.call(&format!("resize {} {columns}x{rows}", self.subject(id)), true).await
    }

    /// Nothing of this machine is asked.
    async fn answers(&self, _port: &Published) -> bool {
        true
    }

    async fn exec(&self, id: &ContainerId, _spec: &ExecSpec) -> Result<Session> {
        let subject = self.subject(id);
        self.call(&format!("exec {subject}"), true).await?;
        let id = self.id(id)?;
        let Some(container) = self.container(&id) else { return Err(no_such(&id)) };
        if !container.state.is_running() {
            return Err(EngineError::new(ErrorKind::Conflict, format!("Container {id} is not running")));
        }
        Ok(self.run_exec(&container))
    }

    async fn exec_exit_code(&self, exec: &str) -> Result<Option<i64>> {
        self.call("exec_exit_code", false).await?;
        let missing = || EngineError::new(ErrorKind::NotFound, format!("No such exec instance: {exec}"));
        self.state().exec_codes.get(exec).copied().ok_or_else(missing)
    }

    async fn exec_resize(&self, _exec: &str, columns: u16, rows: u16) -> Result<()> {
        self.call(&format!("exec_resize {columns}x{rows}"), true).await
    }

    async fn events(&self, project: &str) -> Result<BoxStream<Result<EngineEvent>>> {
        self.call("events", false).await?;
        let (sender, receiver) = mpsc::unbounded_channel();
        self.state().subscribers.push((project.to_owned(), sender));
        Ok(Box::pin(UnboundedReceiverStream::new(receiver)))
    }

    async fn ping(&self) -> Result<()> {
        self.call("ping", false).await
    }

    async fn port_holder(&self, port: u16, protocol: &str) -> Result<Option<String>> {
        self.call("port_holder", false).await?;
        let state = self.state();
        Ok(state.holder(port, protocol, None).map(|container| match container.seen.labels.get(PROJECT) {
            Some(project) => format!("{} ({project})", container.seen.name),
            None => container.seen.name.clone(),
        }))
    }

    async fn projects(&self) -> Result<Vec<(String, usize)>> {
        self.call("projects", false).await?;
        let mut counts = std::collections::BTreeMap::new();
        for container in self.state().containers.values() {
            if let Some(project) = container.seen.labels.get(PROJECT) {
                *counts.entry(project.clone()).or_default() += 1;
            }
        }
        Ok(counts.into_iter().collect())
    }
}
