//! The container engine behind a trait: `docker` is the real one (the only place that names bollard), `fake` is an
//! engine in memory for tests. An engine carries out; it decides nothing.

#![allow(clippy::disallowed_methods, reason = "an effectful layer: it talks to the engine, reads its credentials")]

pub mod docker;
mod error;
#[cfg(test)]
pub mod fake;
mod reach;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use indexmap::IndexMap;
use tokio::io::AsyncWrite;

use crate::model::{
    Build, ContainerId, ContainerSpec, Digest, EngineInfo, EntryKind, HealthProbe, ImageId, Look, NetworkId,
    NetworkSpec, Observed, ObservedContainer, ObservedImage, Published, ServiceName, VolumeSpec,
};

pub use error::{EngineError, ErrorKind};

/// A stream that can be kept in a struct.
pub type BoxStream<T> = Pin<Box<dyn Stream<Item = T> + Send>>;
/// The exit code of a container, once it has ended.
pub type Exit = Pin<Box<dyn Future<Output = Result<i64>> + Send>>;
/// What an engine answers.
pub type Result<T> = std::result::Result<T, EngineError>;

/// Requests in flight for one kind of thing.
const AT_ONCE: usize = 16;

/// A container engine. Every method is one action on it; all are safe to cancel by dropping the future.
#[async_trait]
pub trait Engine: Send + Sync {
    /// What the engine said about itself when the connection was made.
    fn info(&self) -> &EngineInfo;
    /// Makes sure that this is so: it may be what an earlier run was told. To be asked before anything is changed.
    async fn verify_info(&self) -> Result<()>;

    /// The engine's state, as far as a project is concerned.
    async fn observe(&self, query: &Query) -> Result<Observed>;

    /// An image by reference or id; `None` where the engine does not have it.
    async fn image(&self, reference: &str) -> Result<Option<ObservedImage>>;
    /// Images by reference; those that the engine does not have are not among them.
    async fn images_by_reference(&self, references: &[String]) -> Result<IndexMap<String, ObservedImage>> {
        let look = async |reference: String| Ok(self.image(&reference).await?.map(|image| (reference, image)));
        let found = stream::iter(references.to_vec()).map(look).buffered(AT_ONCE).try_collect::<Vec<_>>().await?;
        Ok(found.into_iter().flatten().collect())
    }
    /// Pulls an image; `progress` is called as layers arrive.
    async fn pull(&self, reference: &str, platform: Option<&str>, progress: &PullSink) -> Result<()>;
    /// Builds an image through BuildKit. Dropping the future cancels the build on the engine, which may make the image
    /// and name it none the less, at any later moment: so whoever drops builds lets them name nothing.
    async fn build(&self, spec: &BuildSpec, progress: &BuildSink) -> Result<Built>;
    /// Makes an image of one that is there and one layer more.
    async fn layer(&self, _spec: &LayerSpec, _progress: &BuildSink) -> Result<ImageId> {
        Err(EngineError::new(ErrorKind::Refused, "this engine makes no layers".to_owned()))
    }
    /// What an image has at absolute paths, in their order; without what its last `without` `COPY` and `ADD`
    /// instructions made.
    async fn stat_in_image(&self, _image: &str, _without: usize, _paths: &[String]) -> Result<Vec<Option<Look>>> {
        Err(EngineError::new(ErrorKind::Refused, "this engine shows no images' files".to_owned()))
    }
    /// Gives an image one more name, taking the name from any other image.
    async fn tag(&self, image: &str, name: &str) -> Result<()>;
    /// Removes a name of an image, or the image with its last name. Not an error where it is not there.
    async fn remove_image(&self, reference: &str) -> Result<()>;
    /// Images that carry all of these labels (`key` or `key=value`).
    async fn images(&self, labels: &[String]) -> Result<Vec<ObservedImage>>;
    /// Removes what hobs that were killed left: containers that were there for a moment only, and, of a project, those
    /// of `run` that belonged to them.
    async fn clear_left(&self, project: Option<&str>) -> Result<()>;
    /// Waits until the engine has done what hobs that were killed had asked for; `tell` says what takes long.
    async fn settle(&self, _tell: &(dyn Fn(String) + Sync)) -> Result<()> {
        Ok(())
    }
    /// The images that containers use, of any project, running or not.
    async fn used_images(&self) -> Result<BTreeSet<ImageId>>;

    /// Creates a network; one of the same name and with the same labels is taken as it is.
    async fn create_network(&self, spec: &NetworkSpec) -> Result<NetworkId>;
    /// Removes a network, by its id or its name. Not an error where it is not there.
    async fn remove_network(&self, id: &str) -> Result<()>;
    /// Creates a volume; one that is there with the same driver is left as it is.
    async fn create_volume(&self, spec: &VolumeSpec) -> Result<()>;
    /// Removes a volume. Not an error where it is not there.
    async fn remove_volume(&self, name: &str) -> Result<()>;

    /// Creates a container with its networks and injected files; it is not started.
    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId>;
    /// Starts a container. Not an error where it runs already.
    async fn start(&self, id: &ContainerId) -> Result<()>;
    /// Stops a container by its stop signal, and SIGKILL after `grace` (`None`: the container's own). Not an error
    /// where it does not run or is gone.
    async fn stop(&self, id: &ContainerId, grace: Option<Duration>) -> Result<()>;
    /// Sends a signal, such as `SIGKILL`. Not an error where the container does not run or is gone.
    async fn kill(&self, id: &ContainerId, signal: &str) -> Result<()>;
    /// Stops and starts a container.
    async fn restart(&self, id: &ContainerId, grace: Option<Duration>) -> Result<()>;
    /// Removes a container by force, with its anonymous volumes if asked. Not an error where it is gone.
    async fn remove_container(&self, id: &ContainerId, volumes: bool) -> Result<()>;
    /// Renames a container.
    async fn rename(&self, id: &ContainerId, name: &str) -> Result<()>;
    /// A container as it is now; `None` where it is gone. The id may also be a name.
    async fn inspect(&self, id: &ContainerId) -> Result<Option<ObservedContainer>>;
    /// The last probes of a container's health check, oldest first.
    async fn health_log(&self, id: &ContainerId) -> Result<Vec<HealthProbe>>;
    /// Waits until a container does not run, and gives its exit code.
    async fn wait(&self, id: &ContainerId) -> Result<i64>;
    /// The exit code of a container that is about to be started, which may be gone as soon as it has ended. The engine
    /// has been asked when this returns.
    async fn exit(&self, id: &ContainerId) -> Result<Exit>;
    /// A container's log. With `follow` it ends when the container does.
    async fn logs(&self, id: &ContainerId, query: &LogQuery) -> Result<BoxStream<Result<Chunk>>>;
    /// Puts a tar archive's content into a folder of a container, running or not.
    async fn upload(&self, id: &ContainerId, folder: &str, tar: Bytes) -> Result<()>;
    /// The same with an archive that comes piece by piece.
    async fn upload_parts(&self, id: &ContainerId, folder: &str, tar: BoxStream<std::io::Result<Bytes>>) -> Result<()> {
        let parts: Vec<Bytes> = tar
            .try_collect()
            .await
            .map_err(|error| EngineError::new(ErrorKind::Refused, format!("what is sent cannot be read: {error}")))?;
        self.upload(id, folder, parts.concat().into()).await
    }
    /// The size of a file in a container, running or not; `None` where it is not there, or the engine cannot say.
    async fn file_size(&self, _id: &ContainerId, _path: &str) -> Result<Option<u64>> {
        Ok(None)
    }
    /// The program of a container's command, which comes after the words `wrapper`, where the container has no such
    /// program; `None` where it has, where the command does not begin with these words, or the engine cannot say.
    async fn lacks_program(&self, _id: &ContainerId, _wrapper: &[&str]) -> Result<Option<String>> {
        Ok(None)
    }
    /// Whether a path in a container is a symbolic link itself; what is not there is none.
    async fn is_link(&self, id: &ContainerId, path: &str) -> Result<bool>;
    /// Attaches to a container's standard streams before it is started.
    async fn attach(&self, id: &ContainerId) -> Result<Session>;
    /// What a container writes from now on, or from its next start. It ends when the container does.
    async fn output(&self, id: &ContainerId) -> Result<BoxStream<Result<Chunk>>> {
        Ok(self.attach(id).await?.output)
    }
    /// Sets the size of a container's terminal in character cells.
    async fn resize(&self, id: &ContainerId, columns: u16, rows: u16) -> Result<()>;

    /// Runs a command in a container.
    async fn exec(&self, id: &ContainerId, spec: &ExecSpec) -> Result<Session>;
    /// The exit code of a command that `exec` started; `None` while it runs.
    async fn exec_exit_code(&self, exec: &str) -> Result<Option<i64>>;
    /// Sets the size of a command's terminal in character cells.
    async fn exec_resize(&self, exec: &str, columns: u16, rows: u16) -> Result<()>;

    /// Whether something answers on a published TCP port.
    async fn answers(&self, port: &Published) -> bool {
        reach::answers(port).await
    }
    /// Where programs in a container listen; `None` where that cannot be found out.
    async fn listeners(&self, id: &ContainerId) -> Option<Vec<std::net::SocketAddr>> {
        reach::listeners(self, id).await
    }

    /// What happens to the project's containers from now on. The stream fails when the engine goes away.
    async fn events(&self, project: &str) -> Result<BoxStream<Result<EngineEvent>>>;
    /// Whether the engine answers.
    async fn ping(&self) -> Result<()>;
    /// The container that publishes a port of the host, of whatever project, as `name (project)`.
    async fn port_holder(&self, port: u16, protocol: &str) -> Result<Option<String>>;
    /// Names of projects on the engine with their containers' states, for `doctor` and messages.
    async fn projects(&self) -> Result<Vec<(String, usize)>>;
}

/// What `observe` is asked for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// The project's name.
    pub project: String,
    /// Image references to look up.
    pub images: Vec<String>,
    /// Networks outside the project, by name.
    pub networks: Vec<String>,
    /// Volumes outside the project, by name.
    pub volumes: Vec<String>,
}

/// Which part of a log, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Go on as new lines come.
    pub follow: bool,
    /// Only the last lines; `None` for all.
    pub tail: Option<u64>,
    /// Only since this Unix time in seconds.
    pub since: Option<i64>,
    /// Only until this Unix time in seconds.
    pub until: Option<i64>,
    /// Put the engine's RFC 3339 timestamp and a space before each line.
    pub timestamps: bool,
}

/// Which stream a chunk came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Standard output, or a terminal.
    Out,
    /// Standard error.
    Err,
}

/// Bytes of a container's output, not cut at lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Which stream.
    pub channel: Channel,
    /// What was written.
    pub bytes: Bytes,
}

/// A command to run in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecSpec {
    /// Command and arguments.
    pub command: Vec<String>,
    /// User; `None` for the container's.
    pub user: Option<String>,
    /// Working directory; `None` for the container's.
    pub working_dir: Option<String>,
    /// More environment as `NAME=value`.
    pub env: Vec<String>,
    /// A terminal for it.
    pub tty: bool,
    /// Attach standard input.
    pub stdin: bool,
    /// All capabilities.
    pub privileged: bool,
    /// Start it and do not wait.
    pub detach: bool,
}

/// The streams of a running command or of an attached container.
pub struct Session {
    /// The exec's id, or the container's.
    pub id: String,
    /// Its standard input.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
    /// What it writes.
    pub output: BoxStream<Result<Chunk>>,
}

/// Something that happened to a container of the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineEvent {
    /// The container.
    pub container: ContainerId,
    /// Its service.
    pub service: ServiceName,
    /// Its number within the service.
    pub number: u32,
    /// Made by `run`.
    pub oneoff: bool,
    /// When, by the engine's clock, in nanoseconds since 1970.
    pub time: i64,
    /// What happened.
    pub action: Action,
}

/// What can happen to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Created.
    Create,
    /// Started.
    Start,
    /// Ended with this exit code.
    Die(i64),
    /// Removed.
    Destroy,
    /// Its health check changed its mind.
    Health(crate::model::Health),
    /// Killed because memory ran out.
    OutOfMemory,
    /// Anything else, by the engine's word.
    Other(String),
}

/// Called as an image is pulled.
pub type PullSink = dyn Fn(PullProgress) + Send + Sync;

/// How far a pull is: sums over its layers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullProgress {
    /// Bytes that arrived.
    pub current: u64,
    /// Bytes in all, as far as known.
    pub total: u64,
    /// The engine's words.
    pub status: String,
}

/// A build.
#[derive(Clone, Debug, Default)]
pub struct BuildSpec {
    /// Where the files come from.
    pub context: BuildContext,
    /// Path of the Dockerfile within the context.
    pub dockerfile: String,
    /// The Dockerfile's text where it is not a file of the context.
    pub dockerfile_text: Option<String>,
    /// Named contexts (`additional_contexts`) by name. A name that is missing here is taken from `build` where that
    /// gives a URL such as `docker-image://…`.
    pub contexts: indexmap::IndexMap<String, BuildContext>,
    /// Target, args, labels, cache, network and so on, in canonical form.
    pub build: Build,
    /// Names that the engine gives to the image as soon as it is made.
    pub tags: Vec<String>,
    /// What the builder keeps its copy of the context under, besides what tells contexts apart: a copy of which nobody
    /// knows whether its transfer came to an end must not be the base of the next one.
    pub copy: String,
    /// Labels besides the manifest's.
    pub labels: indexmap::IndexMap<String, String>,
    /// Secrets by id, with their content.
    pub secrets: Vec<BuildSecret>,
    /// Platform, such as `linux/amd64`; `None` for the engine's.
    pub platform: Option<String>,
    /// Ask the registry for newer base images.
    pub pull: bool,
    /// Never use the builder's cache.
    pub no_cache: bool,
}

impl BuildSpec {
    /// Tells contexts apart: one per Dockerfile, target and folder, because each may select other files, and a copy that
    /// is shared between two selections would be fetched anew at every turn.
    pub fn context_key(&self) -> String {
        let first = match &self.context {
            BuildContext::Files(files) => files.first().map(|file| file.source.clone()),
            BuildContext::Remote(_) => None,
        };
        let folder = self.build.context.clone().or_else(|| Some(first?.parent()?.display().to_string()));
        Digest::of_json(&(folder, &self.dockerfile, &self.build.target)).to_string()
    }
}

/// What a build made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The image.
    pub id: ImageId,
    /// Of the files that were sent, each was what [`ContextFile::was`] says.
    pub as_measured: bool,
}

/// A layer that is put on an image.
#[derive(Clone, Debug, Default)]
pub struct LayerSpec {
    /// The image, by name.
    pub base: String,
    /// The layer as an archive: parents before what is in them, and `.wh.NAME` for what it removes.
    pub tar: Vec<u8>,
    /// It removes something.
    pub removes: bool,
    /// What the image's history says of it.
    pub what: String,
    /// Names for the new image.
    pub tags: Vec<String>,
    /// Labels besides those of the image below, whose place they take.
    pub labels: indexmap::IndexMap<String, String>,
}

/// A secret for `RUN --mount=type=secret`.
#[derive(Clone, Default)]
pub struct BuildSecret {
    /// Id that the Dockerfile names.
    pub id: String,
    /// Its content: never shown.
    pub content: Vec<u8>,
}

impl std::fmt::Debug for BuildSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BuildSecret({})", self.id)
    }
}

/// Where a build's files come from.
#[derive(Clone, Debug)]
pub enum BuildContext {
    /// Files of the host.
    Files(Vec<ContextFile>),
    /// A URL that the builder fetches by itself.
    Remote(String),
}

impl Default for BuildContext {
    fn default() -> Self {
        Self::Files(Vec::new())
    }
}

/// One entry of a build context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextFile {
    /// Absolute path on the host.
    pub source: PathBuf,
    /// Path within the context, with `/` and no leading one.
    pub path: String,
    /// What it was when it was measured; `None` where that does not matter.
    pub was: Option<Was>,
}

/// What an entry of a build context was when it was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Was {
    /// File, folder or link.
    pub kind: EntryKind,
    /// Permission bits.
    pub mode: u32,
    /// Of a file's content.
    pub digest: Option<Digest>,
}

/// Called as a build goes on.
pub type BuildSink = dyn Fn(BuildProgress) + Send + Sync;

/// News of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildProgress {
    /// A step began, or is known to be coming.
    Started {
        /// BuildKit's digest of the step.
        step: String,
        /// Its name, such as `[2/4] RUN make`.
        name: String,
    },
    /// Bytes or items of a step, such as a transfer of the context.
    Transferred {
        /// The step.
        step: String,
        /// What is counted, such as `transferring context`.
        what: String,
        /// How much is done.
        current: u64,
        /// How much in all; 0 where unknown.
        total: u64,
    },
    /// Output of a step.
    Output {
        /// The step.
        step: String,
        /// What it wrote, not cut at lines.
        bytes: Vec<u8>,
    },
    /// A step ended.
    Done {
        /// The step.
        step: String,
        /// It came from the cache.
        cached: bool,
        /// How long it took.
        took: Duration,
        /// Why it failed.
        error: Option<String>,
    },
    /// Each transfer of files that the builder asked for came to its end: its copy is what it was told.
    Sent,
    /// The builder warns, such as about a misspelt instruction.
    Warning(String),
}
