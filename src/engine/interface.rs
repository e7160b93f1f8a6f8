//! What an engine can be asked.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use indexmap::IndexMap;

use super::reach;
use super::{
    BoxStream, BuildSink, BuildSpec, Built, Chunk, CommitSpec, EngineError, EngineEvent, ErrorKind, ExecSpec, Exit,
    Happening, LayerSpec, LogQuery, PathStat, PullSink, Result, Session, Usage,
};
use crate::model::{
    ContainerId, ContainerSpec, EngineInfo, HealthProbe, ImageId, Look, NetworkId, NetworkSpec, Observed,
    ObservedContainer, ObservedImage, ObservedVolume, Processes, Published, VolumeSpec,
};

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

    /// Containers that were made for a project, or for any, in the engine's order; without `all` only those that run. Nothing
    /// else is looked at.
    async fn containers(&self, project: Option<&str>, all: bool) -> Result<Vec<ObservedContainer>> {
        let Some(project) = project else {
            return Err(EngineError::new(ErrorKind::Refused, "this engine lists no projects".to_owned()));
        };
        let query = Query { project: project.to_owned(), ..Query::default() };
        let mut containers = self.observe(&query).await?.containers;
        containers.retain(|container| all || container.state.is_running());
        Ok(containers)
    }

    /// An image by reference or id; `None` where the engine does not have it.
    async fn image(&self, reference: &str) -> Result<Option<ObservedImage>>;
    /// Images by reference; those that the engine does not have are not among them.
    async fn images_by_reference(&self, references: &[String]) -> Result<IndexMap<String, ObservedImage>> {
        let look = async |reference: String| Ok(self.image(&reference).await?.map(|image| (reference, image)));
        let found = stream::iter(references.to_vec()).map(look).buffered(AT_ONCE).try_collect::<Vec<_>>().await?;
        Ok(found.into_iter().flatten().collect())
    }
    /// The digest that an image's registry has for its name at this moment.
    async fn registry_digest(&self, _reference: &str) -> Result<String> {
        Err(EngineError::new(ErrorKind::Refused, "this engine asks no registries".to_owned()))
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
    /// Freezes what runs in a container. An error where it does not run, or is frozen.
    async fn pause(&self, _id: &ContainerId) -> Result<()> {
        Err(EngineError::new(ErrorKind::Refused, "this engine freezes nothing".to_owned()))
    }
    /// Lets what is frozen in a container go on. An error where it is not.
    async fn unpause(&self, _id: &ContainerId) -> Result<()> {
        Err(EngineError::new(ErrorKind::Refused, "this engine freezes nothing".to_owned()))
    }
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
    /// What is at a path in a container, running or not; `None` where it is not there.
    async fn stat(&self, _id: &ContainerId, _path: &str) -> Result<Option<PathStat>> {
        Err(no_files())
    }
    /// What is at a path in a container, as a tar archive whose names begin with the path's last part.
    async fn download(&self, _id: &ContainerId, _path: &str) -> Result<BoxStream<Result<Bytes>>> {
        Err(no_files())
    }
    /// Puts a tar archive's content into a folder of a container. Neither does a file take a folder's place nor the other
    /// way round. With `copy_owner` all belongs to the container's user.
    async fn extract(
        &self,
        _id: &ContainerId,
        _folder: &str,
        _tar: BoxStream<std::io::Result<Bytes>>,
        _copy_owner: bool,
    ) -> Result<()> {
        Err(no_files())
    }
    /// All files of a container as a tar archive.
    async fn export(&self, _id: &ContainerId) -> Result<BoxStream<Result<Bytes>>> {
        Err(no_files())
    }
    /// Makes an image of a container.
    async fn commit(&self, _id: &ContainerId, _spec: &CommitSpec) -> Result<ImageId> {
        Err(no_files())
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
        let tables = reach::tables();
        reach::listeners(self.exec(id, &tables)).await
    }

    /// The volumes of a project, and nothing else.
    async fn volumes(&self, project: &str) -> Result<Vec<ObservedVolume>> {
        let query = Query { project: project.to_owned(), ..Query::default() };
        Ok(self.observe(&query).await?.volumes.into_values().collect())
    }
    /// The processes of a container that runs; `None` where it does not any more.
    async fn processes(&self, _id: &ContainerId) -> Result<Option<Processes>> {
        Err(EngineError::new(ErrorKind::Refused, "this engine lists no processes".to_owned()))
    }

    /// What happens to the project's containers from now on. The stream fails when the engine goes away.
    async fn events(&self, project: &str) -> Result<BoxStream<Result<EngineEvent>>>;
    /// The same in the engine's own words, from a Unix time in seconds on (`None`: from now), to another one, where it ends.
    async fn happenings(
        &self,
        _project: &str,
        _since: Option<i64>,
        _until: Option<i64>,
    ) -> Result<BoxStream<Result<Happening>>> {
        Err(EngineError::new(ErrorKind::Refused, "this engine tells nothing in its own words".to_owned()))
    }
    /// What a container uses, about once in a second. The stream ends when the container does.
    async fn usage(&self, _id: &ContainerId) -> Result<BoxStream<Result<Usage>>> {
        Err(EngineError::new(ErrorKind::Refused, "this engine tells nothing of what containers use".to_owned()))
    }
    /// Whether the engine answers.
    async fn ping(&self) -> Result<()>;
    /// The container that publishes a port of the host, of whatever project, as `name (project)`.
    async fn port_holder(&self, port: u16, protocol: &str) -> Result<Option<String>>;
    /// Names of projects on the engine with their containers' states, for `doctor` and messages.
    async fn projects(&self) -> Result<Vec<(String, usize)>>;
}

fn no_files() -> EngineError {
    EngineError::new(ErrorKind::Refused, "this engine does not hand files out".to_owned())
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
