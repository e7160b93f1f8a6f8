//! The real engine: whatever answers Docker's API. The only layer that names bollard. Features are detected (an API
//! version, an answer of the engine), never a product's name.
//!
//! bollard sends its requests without a version in the path, so that an engine answers in its newest dialect; the
//! connection made here puts the negotiated version in front of every path.

mod auth;
mod build;
mod config;
mod endpoint;
mod errors;
mod events;
mod images;
mod layers;
mod left;
mod lifecycle;
mod networks;
mod observe;
mod patience;
mod program;
mod raw;
mod requests;
mod said;
mod streams;
mod time;
pub mod told;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::API_DEFAULT_VERSION;
use bytes::Bytes;
use tokio::sync::OnceCell;

use super::{
    BoxStream, BuildSink, BuildSpec, Built, Chunk, Engine, EngineError, EngineEvent, ErrorKind, ExecSpec, Exit,
    LayerSpec, LogQuery, PullSink, Query, Result, Session,
};
use crate::model::{
    ContainerId, ContainerSpec, EngineInfo, HealthProbe, ImageId, Look, NetworkId, NetworkSpec, Observed,
    ObservedContainer, ObservedImage, VolumeSpec,
};

pub use endpoint::{Endpoint, Surroundings};
pub use left::Owner;
use requests::Requests;
use said::{Acquaintance, Greeting, Memory, Said};

/// The newest API that hob was written for; a newer engine is spoken to in this one.
const NEWEST_API: (u32, u32) = (1, 51);
/// The oldest API that hob speaks (Docker Engine 20.10).
const OLDEST_API: (u32, u32) = (1, 41);
/// How long an engine may take to answer the first question. A socket of a hung engine accepts and says nothing.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// bollard has one limit for all requests; `patience` has the right one for each.
const NO_LIMIT: u64 = 60 * 60 * 24 * 365;
/// The grace of a container that has its own: longer than anybody gives.
const UNKNOWN_GRACE: Duration = Duration::from_hours(24);

/// A connection to an engine. Cheap to clone; connections to the socket are pooled.
#[derive(Clone)]
pub struct Docker {
    api: bollard::Docker,
    endpoint: Endpoint,
    info: Arc<EngineInfo>,
    known: Arc<Acquaintance>,
    credentials: Arc<auth::Credentials>,
    /// `SSH_AUTH_SOCK`, for builds that ask for an SSH agent.
    ssh_agent: Option<String>,
    /// Requests of this process that are under way.
    requests: Arc<Requests>,
    owner: Owner,
}

impl std::fmt::Debug for Docker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Docker({})", self.endpoint)
    }
}

impl Docker {
    /// Connects to the engine that the environment names, or to the first of the usual sockets that answers.
    pub async fn connect(surroundings: &Surroundings) -> Result<Self> {
        let credentials = Arc::new(auth::Credentials::new(surroundings.config_folder()));
        let ssh_agent = surroundings.env.get("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).cloned();
        let mut first_error = None;
        for endpoint in surroundings.endpoints()? {
            match Self::connect_to(endpoint, credentials.clone(), surroundings.memory()).await {
                Ok(docker) => {
                    let owner = surroundings.owner.clone();
                    let folder = surroundings.requests.clone();
                    let requests = Requests::new(folder, &docker.info.endpoint, &owner.mark);
                    return Ok(Self { ssh_agent, requests: Arc::new(requests), owner, ..docker });
                }
                // A socket that is there and refuses says more than one that is missing.
                Err(error) => match &first_error {
                    Some(EngineError { kind: ErrorKind::Unreachable { .. }, .. })
                        if !matches!(error.kind, ErrorKind::Unreachable { .. }) =>
                    {
                        first_error = Some(error);
                    }
                    Some(_) => {}
                    None => first_error = Some(error),
                },
            }
        }
        Err(first_error.unwrap_or_else(|| errors::unreachable_at("unix:///var/run/docker.sock")))
    }

    async fn connect_to(endpoint: Endpoint, credentials: Arc<auth::Credentials>, memory: Memory) -> Result<Self> {
        let place = endpoint.to_string();
        // bollard refuses a socket that is missing or may not be opened with errors of its own; ask the system.
        let answer = in_time(&place, endpoint.get("/_ping", 0)).await?;
        let greeting = Greeting::of(&answer.map_err(|error| errors::connection(&error, &place))?);
        let made = match &endpoint {
            Endpoint::Unix(path) => {
                bollard::Docker::connect_with_unix(&path.to_string_lossy(), NO_LIMIT, API_DEFAULT_VERSION)
            }
            Endpoint::Tcp(address) => bollard::Docker::connect_with_http(address, NO_LIMIT, API_DEFAULT_VERSION),
        };
        let api = made.map_err(|error| errors::translate(error, &place))?;
        let remembered = greeting.as_ref().and_then(|greeting| memory.recall(&place, greeting));
        let (said, confirmed) = match remembered {
            Some(said) => (said, OnceCell::new()),
            None => {
                let said = said_by(&api, &place).await?;
                if let Some(greeting) = &greeting {
                    memory.keep(&place, greeting, &said);
                }
                (said, OnceCell::from(()))
            }
        };
        if said.api < OLDEST_API {
            return Err(errors::unsupported("hob", OLDEST_API, said.api));
        }
        // An engine that has dropped our newest API is spoken to in its oldest: the closest to what we know.
        let used = said.api.min(NEWEST_API).max(said.least_api);
        let info = EngineInfo {
            version: said.version.clone(),
            api: used,
            platform: said.platform.clone(),
            containerd_images: said.containerd_images,
            endpoint: place,
        };
        let known = Arc::new(Acquaintance { memory, greeting, said, confirmed });
        let api = with_version(api, used);
        let (requests, owner) = (Arc::default(), Owner::default());
        Ok(Self { api, endpoint, info: Arc::new(info), known, credentials, ssh_agent: None, requests, owner })
    }

    async fn confirm(&self) -> Result<()> {
        let place = &self.info.endpoint;
        let confirm = async || {
            if self.known.is_confirmed_by(place, &said_by(&self.api, place).await?) {
                return Ok(());
            }
            let text = format!("the engine at {place} is not the one that it was; run the same command again");
            Err(EngineError::new(ErrorKind::Lost, text))
        };
        self.known.confirmed.get_or_try_init(confirm).await.copied()
    }

    fn error(&self, error: bollard::errors::Error) -> EngineError {
        errors::translate(error, &self.info.endpoint)
    }

    /// `/v1.41` and so on, for what is sent past bollard.
    fn prefix(&self) -> String {
        format!("/v{}.{}", self.info.api.0, self.info.api.1)
    }
}

/// What the engine says about itself.
async fn said_by(api: &bollard::Docker, place: &str) -> Result<Said> {
    let answers = in_time(place, async { tokio::try_join!(api.version(), api.info()) }).await?;
    let (version, system) = answers.map_err(|error| errors::translate(error, place))?;
    let containerd = |pair: &Vec<String>| matches!(pair.as_slice(), [key, value] if key == "driver-type" && value.contains("containerd"));
    Ok(Said {
        version: version.version.unwrap_or_default(),
        api: parse_api(version.api_version.as_deref()).unwrap_or(OLDEST_API),
        least_api: parse_api(version.min_api_version.as_deref()).unwrap_or(OLDEST_API),
        platform: format!("{}/{}", version.os.unwrap_or_default(), version.arch.unwrap_or_default()),
        containerd_images: system.driver_status.unwrap_or_default().iter().any(containerd),
    })
}

/// The answer to one of the first questions.
async fn in_time<T>(place: &str, answer: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(FIRST_ANSWER, answer).await.map_err(|_| {
        EngineError::new(
            ErrorKind::Unreachable { endpoint: place.to_owned() },
            format!("the engine at {place} accepts connections and does not answer; restart it"),
        )
    })
}

/// Puts the API version in front of the path of every request.
fn with_version(api: bollard::Docker, version: (u32, u32)) -> bollard::Docker {
    let prefix = format!("/v{}.{}", version.0, version.1);
    api.with_request_modifier(move |mut request| {
        let text = request.uri().to_string();
        let path = request.uri().path();
        if let Some(start) = text.find(path)
            && let Ok(uri) = format!("{}{prefix}{}", &text[..start], &text[start..]).parse()
        {
            *request.uri_mut() = uri;
        }
        request
    })
}

fn parse_api(text: Option<&str>) -> Option<(u32, u32)> {
    let (major, minor) = text?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[async_trait]
impl Engine for Docker {
    fn info(&self) -> &EngineInfo {
        &self.info
    }
    async fn confirm(&self) -> Result<()> {
        self.confirm().await
    }
    async fn observe(&self, query: &Query) -> Result<Observed> {
        self.asked("the project's containers", self.observe(query)).await
    }
    async fn image(&self, reference: &str) -> Result<Option<ObservedImage>> {
        self.asked(&format!("image {reference}"), self.image(reference)).await
    }
    async fn pull(&self, reference: &str, platform: Option<&str>, progress: &PullSink) -> Result<()> {
        self.while_there(&format!("the pull of {reference}"), self.pull(reference, platform, progress)).await
    }
    async fn build(&self, spec: &BuildSpec, progress: &BuildSink) -> Result<Built> {
        self.while_there("a build", self.build(spec, progress)).await
    }
    async fn layer(&self, spec: &LayerSpec, progress: &BuildSink) -> Result<ImageId> {
        self.while_there("a layer", self.layer(spec, progress)).await
    }
    async fn look(&self, image: &str, without: usize, paths: &[String]) -> Result<Vec<Option<Look>>> {
        self.changed(&format!("a look into image {image}"), Duration::ZERO, self.look(image, without, paths)).await
    }
    async fn tag(&self, image: &str, name: &str) -> Result<()> {
        self.asked(&format!("the name {name}"), self.tag(image, name)).await
    }
    async fn remove_image(&self, reference: &str) -> Result<()> {
        self.changed(&format!("the removal of image {reference}"), Duration::ZERO, self.remove_image(reference)).await
    }
    async fn images(&self, labels: &[String]) -> Result<Vec<ObservedImage>> {
        self.asked("images", self.images(labels)).await
    }
    async fn clear_left(&self, project: Option<&str>) -> Result<()> {
        self.clear_left(project).await
    }
    async fn settle(&self, tell: &(dyn Fn(String) + Sync)) -> Result<()> {
        self.settle(tell).await
    }
    async fn used_images(&self) -> Result<BTreeSet<ImageId>> {
        self.asked("the images of containers", self.used_images()).await
    }
    async fn create_network(&self, spec: &NetworkSpec) -> Result<NetworkId> {
        self.changed(&format!("network {}", spec.name), Duration::ZERO, self.create_network(spec)).await
    }
    async fn remove_network(&self, name: &str) -> Result<()> {
        self.changed(&format!("the removal of network {name}"), Duration::ZERO, self.remove_network(name)).await
    }
    async fn create_volume(&self, spec: &VolumeSpec) -> Result<()> {
        self.changed(&format!("volume {}", spec.name), Duration::ZERO, self.create_volume(spec)).await
    }
    async fn remove_volume(&self, name: &str) -> Result<()> {
        self.changed(&format!("the removal of volume {name}"), Duration::ZERO, self.remove_volume(name)).await
    }
    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId> {
        self.changed(&format!("the creation of container {}", spec.name), Duration::ZERO, self.create_container(spec))
            .await
    }
    async fn start(&self, id: &ContainerId) -> Result<()> {
        self.changed(&format!("the start of container {}", id.short()), Duration::ZERO, self.start(id)).await
    }
    async fn stop(&self, id: &ContainerId, grace: Option<Duration>) -> Result<()> {
        self.changed(
            &format!("the stop of container {}", id.short()),
            grace.unwrap_or(UNKNOWN_GRACE),
            self.stop(id, grace),
        )
        .await
    }
    async fn kill(&self, id: &ContainerId, signal: &str) -> Result<()> {
        self.changed(&format!("a signal to container {}", id.short()), Duration::ZERO, self.kill(id, signal)).await
    }
    async fn restart(&self, id: &ContainerId, grace: Option<Duration>) -> Result<()> {
        self.changed(
            &format!("the restart of container {}", id.short()),
            grace.unwrap_or(UNKNOWN_GRACE),
            self.restart(id, grace),
        )
        .await
    }
    async fn remove_container(&self, id: &ContainerId, volumes: bool) -> Result<()> {
        self.changed(
            &format!("the removal of container {}", id.short()),
            Duration::ZERO,
            self.remove_container(id, volumes),
        )
        .await
    }
    async fn rename(&self, id: &ContainerId, name: &str) -> Result<()> {
        self.asked(&format!("the new name {name}"), self.rename(id, name)).await
    }
    async fn inspect(&self, id: &ContainerId) -> Result<Option<ObservedContainer>> {
        self.asked(&format!("container {}", id.short()), self.inspect(id)).await
    }
    async fn health_log(&self, id: &ContainerId) -> Result<Vec<HealthProbe>> {
        self.asked(&format!("the health of container {}", id.short()), self.health_log(id)).await
    }
    async fn wait(&self, id: &ContainerId) -> Result<i64> {
        self.while_there(&format!("the wait for container {}", id.short()), self.wait(id)).await
    }
    async fn exit(&self, id: &ContainerId) -> Result<Exit> {
        self.exit(id).await
    }
    async fn logs(&self, id: &ContainerId, query: &LogQuery) -> Result<BoxStream<Result<Chunk>>> {
        Ok(self.logs(id, query))
    }
    async fn upload(&self, id: &ContainerId, folder: &str, tar: Bytes) -> Result<()> {
        self.changed(&format!("files for container {}", id.short()), Duration::ZERO, self.upload(id, folder, tar)).await
    }
    async fn upload_parts(&self, id: &ContainerId, folder: &str, tar: BoxStream<std::io::Result<Bytes>>) -> Result<()> {
        // As long as files are sent that is no wait.
        self.while_there(&format!("files for container {}", id.short()), self.upload_parts(id, folder, tar)).await
    }
    async fn file_size(&self, id: &ContainerId, path: &str) -> Result<Option<u64>> {
        self.asked(&format!("{path} of container {}", id.short()), self.file_size(id, path)).await
    }

    async fn lacks_program(&self, id: &ContainerId, wrapper: &[&str]) -> Result<Option<String>> {
        self.asked(&format!("the program of container {}", id.short()), self.lacks_program(id, wrapper)).await
    }

    async fn is_link(&self, id: &ContainerId, path: &str) -> Result<bool> {
        self.asked(&format!("{path} of container {}", id.short()), self.is_link(id, path)).await
    }
    async fn output(&self, id: &ContainerId) -> Result<BoxStream<Result<Chunk>>> {
        Ok(self.asked(&format!("the streams of container {}", id.short()), self.attach(id, false)).await?.output)
    }
    async fn attach(&self, id: &ContainerId) -> Result<Session> {
        self.asked(&format!("the streams of container {}", id.short()), self.attach(id, true)).await
    }
    async fn resize(&self, id: &ContainerId, columns: u16, rows: u16) -> Result<()> {
        self.asked(&format!("the terminal of container {}", id.short()), self.resize(id, columns, rows)).await
    }
    async fn exec(&self, id: &ContainerId, spec: &ExecSpec) -> Result<Session> {
        self.asked(&format!("a command in container {}", id.short()), self.exec(id, spec)).await
    }
    async fn exec_exit_code(&self, exec: &str) -> Result<Option<i64>> {
        self.asked("the exit code of a command", self.exec_exit_code(exec)).await
    }
    async fn exec_resize(&self, exec: &str, columns: u16, rows: u16) -> Result<()> {
        self.asked("the terminal of a command", self.exec_resize(exec, columns, rows)).await
    }
    async fn events(&self, project: &str) -> Result<BoxStream<Result<EngineEvent>>> {
        Ok(self.events(project))
    }
    async fn ping(&self) -> Result<()> {
        self.asked("whether it is there", async { self.api.ping().await.map(drop).map_err(|error| self.error(error)) })
            .await
    }
    async fn port_holder(&self, port: u16, protocol: &str) -> Result<Option<String>> {
        self.asked(&format!("who has port {port}"), self.port_holder(port, protocol)).await
    }
    async fn projects(&self) -> Result<Vec<(String, usize)>> {
        self.asked("projects", self.projects()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_versions() {
        assert_eq!(parse_api(Some("1.51")), Some((1, 51)));
        assert_eq!(parse_api(Some("x")), None);
        assert_eq!(parse_api(None), None);
    }
}
