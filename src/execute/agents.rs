//! The agents in hot containers: how the program gets there, which containers carry it, and the streams to them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use indexmap::IndexMap;
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::io::StreamReader;

use super::Failure;
use super::sync_files::{self, Item};
use crate::agent::{self, AgentClient};
use crate::engine::{Channel, Engine, EngineError, ErrorKind, ExecSpec};
use crate::event::{Event, Message, Sink};
use crate::model::{
    ContainerId, ContainerSpec, ContainerState, Mount, MountType, Observed, ObservedContainer, ObservedImage, Owned,
    Service, ServiceName, VolumeSpec,
};
use crate::plan::labels;

type Slot = Arc<OnceCell<AgentClient>>;

/// The agents of a project's containers.
pub struct Agents {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) sink: Arc<dyn Sink>,
    filled: OnceCell<()>,
    /// A container that carries the agent and does not run, and its image: the hob that made it may have been killed before
    /// it filled the volume.
    unsure: Mutex<Option<(ContainerId, String)>>,
    clients: Mutex<HashMap<ContainerId, Slot>>,
    pub(super) images: Mutex<IndexMap<String, ObservedImage>>,
    /// Whether a service's newest container carries the agent.
    carried: Mutex<HashMap<ServiceName, bool>>,
    /// Turns to send what does not fit into memory: each has some megabytes of it there at a time.
    pub(super) large: Semaphore,
    /// What was said of files that can be neither synced nor built.
    pub(super) refused: Mutex<HashSet<(ServiceName, String)>>,
}

/// How many of these are sent side by side.
const AT_ONCE: usize = 8;

impl Agents {
    /// No stream is open yet.
    pub fn new(engine: Arc<dyn Engine>, sink: Arc<dyn Sink>) -> Self {
        Self {
            engine,
            sink,
            filled: OnceCell::new(),
            unsure: Mutex::default(),
            clients: Mutex::default(),
            images: Mutex::default(),
            carried: Mutex::default(),
            large: Semaphore::new(AT_ONCE),
            refused: Mutex::default(),
        }
    }

    /// Keeps what plans and measures between two observations need of one.
    pub fn remember(&self, observed: &Observed) {
        self.remember_images(&observed.images);
        // What runs the agent has it from its volume, which nobody can remove meanwhile.
        let runs = |one: &ObservedContainer| one.state == ContainerState::Running && has_this_agent(one);
        if observed.containers.iter().any(runs) {
            // It may be known already.
            let _ = self.filled.set(());
        } else if let Some(container) = observed.containers.iter().find(|one| has_this_agent(one)) {
            let found = (container.id.clone(), container.image.to_string());
            *self.unsure.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        }
    }

    /// Makes sure that the agent is in its volume before containers that were there already are started.
    pub async fn provide_again(&self) -> Result<(), EngineError> {
        let unsure = self.unsure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (Some((container, image)), Some(binary)) = (unsure, self.binary()) else { return Ok(()) };
        let fill = async {
            // The container may have been replaced meanwhile, and then what replaced it has seen to it.
            match self.engine.file_size(&container, agent::PATH).await {
                Ok(size) if size == u64::try_from(binary.len()).ok() => Ok(()),
                _ => self.fill(&image).await,
            }
        };
        self.filled.get_or_try_init(|| fill).await.map(drop)
    }

    /// The agent for this engine.
    fn binary(&self) -> Option<&'static [u8]> {
        agent::binary(&self.engine.info().platform)
    }

    fn remember_images(&self, images: &IndexMap<String, ObservedImage>) {
        let mut known = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(images.iter().map(|(name, image)| (name.clone(), image.clone())));
    }

    /// What the engine last said about images.
    pub fn images(&self) -> IndexMap<String, ObservedImage> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes whether the containers of a service carry the agent: what should be and what could be are not the same.
    pub fn note(&self, service: &ServiceName, carries: bool) {
        self.carried.lock().unwrap_or_else(PoisonError::into_inner).insert(service.clone(), carries);
    }

    /// Notes it of a container that is there.
    pub fn saw(&self, container: &ObservedContainer) {
        self.note(&container.service, has_this_agent(container));
    }

    /// Whether the containers of a service carry the agent.
    pub fn carries(&self, service: &ServiceName) -> bool {
        self.carried.lock().unwrap_or_else(PoisonError::into_inner).get(service).is_some_and(|carries| *carries)
    }

    /// Puts the agent in front of a container's command. Where that cannot be, the container is made without, its
    /// label says so, and so does a warning.
    pub async fn wrap(&self, spec: &ContainerSpec, image: Option<ObservedImage>) -> Result<ContainerSpec, EngineError> {
        let mut spec = spec.clone();
        let Some(image) = image else { return Ok(spec) };
        self.remember_images(&IndexMap::from([(spec.image.clone(), image.clone())]));
        let wrapped = match agent::can_run(&image, &spec.service, self.engine.info()) {
            Ok(()) => agent::wrap(&image, &spec.service),
            Err(why) => {
                let text = format!("saves restart its container instead of its command, because {why}");
                self.sink.emit(Event::Warning(Message::new(text).service(&spec.service.name)));
                None
            }
        };
        self.note(&spec.service.name, wrapped.is_some());
        let Some(wrapped) = wrapped else {
            spec.labels.insert(labels::AGENT.to_owned(), labels::NO_AGENT.to_owned());
            return Ok(spec);
        };
        if !self.filled.initialized() {
            let name = agent::volume_name();
            let marks = IndexMap::from([(labels::AGENT.to_owned(), agent::BUILD_ID.to_owned())]);
            self.engine.create_volume(&VolumeSpec { name, labels: marks, ..VolumeSpec::default() }).await?;
        }
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
        let Some(binary) = self.binary() else { return Ok(()) };
        let name = agent::volume_name();
        let spec = ContainerSpec {
            name: format!("{name}-fill"),
            image: image.to_owned(),
            entrypoint: Some(vec![agent::PATH.to_owned()]),
            command: Some(Vec::new()),
            mounts: vec![mount(false)],
            service: Service { network_mode: Some("none".to_owned()), ..Service::default() },
            owned: Some(Owned::Moment),
            ..ContainerSpec::default()
        };
        let id = self.filler(&spec).await?;
        let filled = self.upload(&id, binary).await;
        // With it goes what the image says is a volume, and not the agent's, which has a name.
        self.engine.remove_container(&id, true).await?;
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
                    if tries == 1 {
                        self.engine.clear_left(None).await?;
                        continue;
                    }
                    if tries == 50 {
                        self.engine.remove_container(&ContainerId::new(&spec.name), true).await?;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                other => return other,
            }
        }
    }

    /// Opens the stream to a container's agent, so that it is there when the first save comes.
    pub fn connect(self: &Arc<Self>, service: &Service, container: &ContainerId) {
        let (agents, service, container) = (Arc::clone(self), service.clone(), container.clone());
        tokio::spawn(async move { drop(agents.client(&service, &container).await) });
    }

    /// The container has ended or started again: its stream is of no use any more.
    pub fn forget(&self, container: &ContainerId) {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).remove(container);
    }

    pub(super) async fn client(&self, service: &Service, container: &ContainerId) -> Result<AgentClient, Failure> {
        let dropped = drops_rights(service);
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
}

/// The capabilities that a process of root needs to write for everybody are among those that it gives up.
fn drops_rights(service: &Service) -> bool {
    let needed = ["ALL", "CHOWN", "FOWNER", "DAC_OVERRIDE"];
    service.cap_drop.iter().any(|cap| needed.contains(&cap.to_ascii_uppercase().trim_start_matches("CAP_")))
}

fn has_this_agent(container: &ObservedContainer) -> bool {
    container.labels.get(labels::AGENT).is_some_and(|build| build == agent::BUILD_ID)
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
