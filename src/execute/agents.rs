//! The agents in hot containers: how the program gets there, the streams to them, and what is asked of them. Where a
//! container has none, files go through the engine's archive API and the container restarts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt};
use indexmap::IndexMap;
use tokio::sync::OnceCell;
use tokio_util::io::StreamReader;

use super::Failure;
use super::sync_files::{self, Item};
use crate::agent::{self, AgentClient, Command, Op, Then};
use crate::engine::{Channel, Engine, EngineError, ErrorKind, ExecSpec};
use crate::event::{Event, Message, Sink};
use crate::model::{
    ContainerId, ContainerSpec, Mount, MountType, ObservedImage, Reload, Service, SyncTarget, VolumeSpec,
};
use crate::plan::labels;
use crate::supervise::linux_signal;

/// A container that is to be synced.
pub struct Hot<'a> {
    /// Its service.
    pub service: &'a Service,
    /// The container.
    pub container: &'a ContainerId,
    /// It runs its command under the agent.
    pub agent: bool,
    /// Its image's name.
    pub image: String,
}

/// Why a sync was not done.
#[derive(Debug)]
pub enum SyncError {
    /// It cannot be: a rebuild gives the same result.
    Rebuild(String),
    /// It could be and failed.
    Failed(Failure),
}

/// What was done.
#[derive(Clone, Debug, Default)]
pub struct Synced {
    /// `synced`, `synced + restarted`, …
    pub action: String,
    /// Until the files were in place, microseconds.
    pub synced_us: u64,
    /// From then until the reload was done, microseconds.
    pub reloaded_us: u64,
}

type Slot = Arc<OnceCell<AgentClient>>;

/// The agents of a project's containers.
pub struct Agents {
    engine: Arc<dyn Engine>,
    sink: Arc<dyn Sink>,
    filled: OnceCell<()>,
    clients: Mutex<HashMap<ContainerId, Slot>>,
    images: Mutex<IndexMap<String, ObservedImage>>,
}

impl Agents {
    /// No stream is open yet.
    pub fn new(engine: Arc<dyn Engine>, sink: Arc<dyn Sink>) -> Self {
        Self { engine, sink, filled: OnceCell::new(), clients: Mutex::default(), images: Mutex::default() }
    }

    /// Keeps what the engine said about images, for measures between two observations.
    pub fn remember_images(&self, images: &IndexMap<String, ObservedImage>) {
        let mut known = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(images.iter().map(|(name, image)| (name.clone(), image.clone())));
    }

    /// What the engine last said about images.
    pub fn images(&self) -> IndexMap<String, ObservedImage> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts the agent in front of a container's command. Where that cannot be, the container is made without, its
    /// label says so, and so does a warning.
    pub async fn wrap(&self, spec: &ContainerSpec) -> Result<ContainerSpec, EngineError> {
        let mut spec = spec.clone();
        let Some(image) = self.engine.image(&spec.image).await? else { return Ok(spec) };
        self.remember_images(&IndexMap::from([(spec.image.clone(), image.clone())]));
        let wrapped = match agent::can_run(&image, &spec.service, self.engine.info()) {
            Ok(()) => agent::wrap(&image, &spec.service),
            Err(why) => {
                let text = format!("saves restart its container instead of its command, because {why}");
                self.sink.emit(Event::Warning(Message::new(text).service(&spec.service.name)));
                None
            }
        };
        let Some(wrapped) = wrapped else {
            spec.labels.insert(labels::AGENT.to_owned(), labels::NO_AGENT.to_owned());
            return Ok(spec);
        };
        let name = agent::volume_name();
        let marks = IndexMap::from([(labels::AGENT.to_owned(), agent::BUILD_ID.to_owned())]);
        self.engine.create_volume(&VolumeSpec { name, labels: marks, ..VolumeSpec::default() }).await?;
        spec.entrypoint = Some(wrapped.entrypoint);
        spec.command = Some(wrapped.cmd);
        spec.mounts.push(mount(true));
        Ok(spec)
    }

    /// Makes sure that the agent is in its volume, once a container that was made by a wrapped spec is there. Not
    /// before: while no container has the volume, `down -v` of another project may remove it.
    pub async fn provide(&self, spec: &ContainerSpec) -> Result<(), EngineError> {
        if spec.entrypoint.as_ref().and_then(|words| words.first()).is_none_or(|word| word != agent::PATH) {
            return Ok(());
        }
        self.filled.get_or_try_init(|| self.fill(&spec.image)).await.map(drop)
    }

    /// Fills the volume that carries the agent, through a container that is never started. The image does not
    /// matter; that of the service is there. A volume that is full stays as it is: containers of other projects may
    /// run the program, or start it at this very moment.
    async fn fill(&self, image: &str) -> Result<(), EngineError> {
        let Some(binary) = agent::binary() else { return Ok(()) };
        let name = agent::volume_name();
        let spec = ContainerSpec {
            name: format!("{name}-fill"),
            image: image.to_owned(),
            entrypoint: Some(vec![agent::PATH.to_owned()]),
            command: Some(Vec::new()),
            mounts: vec![mount(false)],
            service: Service { network_mode: Some("none".to_owned()), ..Service::default() },
            ..ContainerSpec::default()
        };
        let id = self.filler(&spec).await?;
        let filled = self.upload(&id, binary).await;
        self.engine.remove_container(&id, false).await?;
        filled
    }

    async fn upload(&self, filler: &ContainerId, binary: &[u8]) -> Result<(), EngineError> {
        if self.engine.file_size(filler, agent::PATH).await? == u64::try_from(binary.len()).ok() {
            return Ok(());
        }
        let tar = sync_files::archive(&[("agent".to_owned(), Item::File { content: binary.to_vec(), mode: 0o755 })]);
        self.engine.upload(filler, agent::MOUNT, tar.into()).await
    }

    /// Another hob may fill the same volume at this moment, or have been killed while it did.
    async fn filler(&self, spec: &ContainerSpec) -> Result<ContainerId, EngineError> {
        let mut tries = 0;
        loop {
            match self.engine.create_container(spec).await {
                Err(error) if error.kind == ErrorKind::Conflict && tries < 50 => {
                    tries += 1;
                    if tries == 50 {
                        self.engine.remove_container(&ContainerId::new(&spec.name), false).await?;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                other => return other,
            }
        }
    }

    /// Opens the stream to a container's agent, so that it is there when the first save comes.
    pub fn connect(self: &Arc<Self>, service: &Service, container: &ContainerId) {
        let (agents, container, dropped) = (Arc::clone(self), container.clone(), drops_rights(service));
        tokio::spawn(async move { drop(agents.client(&container, dropped).await) });
    }

    /// The container has ended or started again: its stream is of no use any more.
    pub fn forget(&self, container: &ContainerId) {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).remove(container);
    }

    async fn client(&self, container: &ContainerId, dropped: bool) -> Result<AgentClient, Failure> {
        for _ in 0..2 {
            let slot = {
                let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
                Arc::clone(clients.entry(container.clone()).or_default())
            };
            let client = slot.get_or_try_init(|| self.open(container, dropped)).await?.clone();
            if !client.is_closed() {
                return Ok(client);
            }
            self.forget(container);
        }
        Err(failed("the stream to the agent keeps ending".to_owned()))
    }

    /// Opens a stream. Where the container has given up the rights to write for everybody, the stream's own process
    /// asks for them; an engine in a container of its own cannot give them, and then only files fail.
    async fn open(&self, container: &ContainerId, dropped: bool) -> Result<AgentClient, Failure> {
        if dropped && let Ok(client) = self.open_as(container, true).await {
            return Ok(client);
        }
        self.open_as(container, false).await
    }

    async fn open_as(&self, container: &ContainerId, privileged: bool) -> Result<AgentClient, Failure> {
        let spec = ExecSpec {
            command: agent::SERVE.map(str::to_owned).to_vec(),
            user: Some("0".to_owned()),
            working_dir: Some("/".to_owned()),
            stdin: true,
            privileged,
            ..ExecSpec::default()
        };
        let session = self.engine.exec(container, &spec).await.map_err(|error| Failure::of_engine(None, error))?;
        let bytes = session
            .output
            .try_filter_map(|chunk| async move { Ok((chunk.channel == Channel::Out).then_some(chunk.bytes)) })
            .map(|chunk| chunk.map_err(std::io::Error::other));
        AgentClient::connect(StreamReader::new(bytes.boxed()), session.input).await.map_err(|e| failed(e.to_string()))
    }

    /// Puts files into a container and does what follows.
    pub async fn sync(
        &self,
        hot: &Hot<'_>,
        targets: &[SyncTarget],
        then: &Reload,
        grace: Option<Duration>,
    ) -> Result<Synced, SyncError> {
        let items = sync_files::read(targets).map_err(SyncError::Rebuild)?;
        if hot.agent {
            match self.client(hot.container, drops_rights(hot.service)).await {
                Ok(client) => return self.sync_by_agent(hot, &client, items, then, grace).await,
                Err(failure) => {
                    let text = format!("the agent cannot be reached ({failure}); its container is rebuilt instead");
                    self.sink.emit(Event::Warning(Message::new(text).service(&hot.service.name)));
                    return Err(SyncError::Rebuild("the agent cannot be reached".to_owned()));
                }
            }
        }
        self.sync_by_engine(hot, &items, then, grace).await
    }

    async fn sync_by_agent(
        &self,
        hot: &Hot<'_>,
        client: &AgentClient,
        items: Vec<(SyncTarget, Item)>,
        then: &Reload,
        grace: Option<Duration>,
    ) -> Result<Synced, SyncError> {
        let began = Instant::now();
        let mut owners = HashMap::new();
        for (target, _) in &items {
            if let Some(owner) = &target.owner
                && !owners.contains_key(owner)
            {
                let found = client.owner(owner).await.map_err(|e| SyncError::Rebuild(e.to_string()))?;
                owners.insert(owner.clone(), found);
            }
        }
        let moved = !items.is_empty();
        let ops = sync_files::ops(items, &owners);
        let follow = self.follow(hot, then, grace)?;
        let (applied, restarted) = match follow {
            Some(then) => {
                let (applied, outcome) = client.apply_then(ops, then).await.map_err(agent_failed)?;
                let restarted = match outcome {
                    agent::ThenOutcome::Restarted(restarted) => Some(restarted.started),
                    _ => None,
                };
                (applied, restarted)
            }
            None if ops.is_empty() => (agent::Applied { done: 0, took: Duration::ZERO, errors: Vec::new() }, None),
            None => (client.apply(ops).await.map_err(agent_failed)?, None),
        };
        if let Some(error) = applied.errors.first() {
            let path = String::from_utf8_lossy(&error.path).into_owned();
            let why = String::from_utf8_lossy(&error.message).into_owned();
            return Err(SyncError::Rebuild(format!("{path}: {why}")));
        }
        let total = micros(began.elapsed());
        let restarted_us = restarted.map_or(0, micros).min(total);
        let mut synced = Synced { action: String::new(), synced_us: total - restarted_us, reloaded_us: restarted_us };
        let after = Instant::now();
        match then {
            Reload::Exec(argv) => {
                let command = Command { argv: argv.clone(), ..Command::default() };
                let mut output = Vec::new();
                let done = client.exec(command, |_, bytes| output.extend_from_slice(bytes)).await;
                let code = done.map_err(agent_failed)?.code;
                if code != 0 {
                    let text = format!("`{}` exited with {code}", argv.join(" "));
                    let lines = String::from_utf8_lossy(&output).lines().map(str::to_owned).collect::<Vec<_>>();
                    let message = Message::new(text).service(&hot.service.name).detail(lines);
                    return Err(SyncError::Failed(Failure { cause: super::Cause::Engine, message }));
                }
                synced.reloaded_us = micros(after.elapsed());
            }
            Reload::Container => {
                self.engine.restart(hot.container, grace).await.map_err(|e| engine_failed(hot.service, e))?;
                synced.reloaded_us = micros(after.elapsed());
            }
            _ => {}
        }
        synced.action = action(moved, then);
        Ok(synced)
    }

    /// What the agent does right after the files are in place.
    fn follow(&self, hot: &Hot<'_>, then: &Reload, grace: Option<Duration>) -> Result<Option<Then>, SyncError> {
        let signal = |text: &str| {
            linux_signal(text).ok_or_else(|| {
                let text = format!("{text:?} is not a signal; a name such as SIGHUP was expected");
                SyncError::Failed(Failure { cause: super::Cause::Manifest, message: Message::new(text) })
            })
        };
        Ok(match then {
            Reload::Restart => {
                let own = hot.service.stop_grace_period.map(|grace| grace.0);
                let grace = grace.or(own).unwrap_or(Duration::from_secs(10));
                Some(Then::Restart { signal: signal(&self.stop_signal(hot))?, grace })
            }
            Reload::Signal(name) => Some(Then::Signal(signal(name)?)),
            _ => None,
        })
    }

    /// The manifest's stop signal, else the image's, else SIGTERM.
    fn stop_signal(&self, hot: &Hot<'_>) -> String {
        let of_image = || {
            let images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
            images.get(&hot.image).and_then(|image| image.stop_signal.clone())
        };
        hot.service.stop_signal.clone().or_else(of_image).unwrap_or_else(|| "SIGTERM".to_owned())
    }

    async fn sync_by_engine(
        &self,
        hot: &Hot<'_>,
        items: &[(SyncTarget, Item)],
        then: &Reload,
        grace: Option<Duration>,
    ) -> Result<Synced, SyncError> {
        let began = Instant::now();
        if items.iter().any(|(target, item)| matches!(item, Item::Gone { .. }) || target.owner.is_some()) {
            return Err(SyncError::Rebuild("only the agent can delete files or give them an owner".to_owned()));
        }
        if !items.is_empty() {
            let entries: Vec<(String, Item)> =
                items.iter().map(|(t, item)| (t.path.trim_start_matches('/').to_owned(), item.clone())).collect();
            let tar = sync_files::archive(&entries);
            self.engine.upload(hot.container, "/", tar.into()).await.map_err(|e| engine_failed(hot.service, e))?;
        }
        let synced_us = micros(began.elapsed());
        let done = match then {
            Reload::None => Ok(()),
            Reload::Signal(name) => self.engine.kill(hot.container, name).await,
            Reload::Exec(argv) => {
                let spec = ExecSpec { command: argv.clone(), detach: true, ..ExecSpec::default() };
                self.engine.exec(hot.container, &spec).await.map(drop)
            }
            Reload::Restart | Reload::Container | Reload::Rebuild => self.engine.restart(hot.container, grace).await,
        };
        done.map_err(|e| engine_failed(hot.service, e))?;
        let then = if *then == Reload::Restart { &Reload::Container } else { then };
        let reloaded_us = micros(began.elapsed()) - synced_us;
        Ok(Synced { action: action(!items.is_empty(), then), synced_us, reloaded_us })
    }
}

fn action(moved: bool, then: &Reload) -> String {
    let then = match then {
        Reload::None | Reload::Rebuild => "",
        Reload::Restart => "restarted",
        Reload::Container => "container restarted",
        Reload::Signal(_) => "signalled",
        Reload::Exec(_) => "command run",
    };
    match (moved, then) {
        (true, "") => "synced".to_owned(),
        (true, then) => format!("synced + {then}"),
        (false, then) => then.to_owned(),
    }
}

/// The capabilities that a process of root needs to write for everybody are among those that it gives up.
fn drops_rights(service: &Service) -> bool {
    let needed = ["ALL", "CHOWN", "FOWNER", "DAC_OVERRIDE"];
    service.cap_drop.iter().any(|cap| needed.contains(&cap.to_ascii_uppercase().trim_start_matches("CAP_")))
}

fn mount(read_only: bool) -> Mount {
    Mount {
        r#type: MountType::Volume,
        source: Some(agent::volume_name()),
        target: agent::MOUNT.to_owned(),
        read_only,
        ..Mount::default()
    }
}

fn failed(text: String) -> Failure {
    Failure { cause: super::Cause::Engine, message: Message::new(text) }
}

fn agent_failed(error: agent::AgentError) -> SyncError {
    SyncError::Rebuild(error.to_string())
}

fn engine_failed(service: &Service, error: EngineError) -> SyncError {
    SyncError::Failed(Failure::of_engine(Some(&service.name), error))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Keeps `Op` in one place of this room: what a batch consists of.
pub(super) type Batch = Vec<Op>;
