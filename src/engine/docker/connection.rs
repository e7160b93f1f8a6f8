//! The connection to an engine: found, greeted, and spoken to in the newest API that both know.

use std::sync::Arc;
use std::time::Duration;

use bollard::API_DEFAULT_VERSION;
use tokio::sync::OnceCell;

use super::endpoint::Endpoint;
use super::info_cache::{Fingerprint, InfoCache, ServerInfo, VerifiedInfo};
use super::owner::Owner;
use super::proxies::Proxies;
use super::requests::Requests;
use super::surroundings::Surroundings;
use super::{auth, errors};
use crate::engine::{EngineError, ErrorKind, Result};
use crate::model::EngineInfo;

/// The newest API that hob was written for; a newer engine is spoken to in this one.
const NEWEST_API: (u32, u32) = (1, 51);
/// The oldest API that hob speaks (Docker Engine 20.10).
const OLDEST_API: (u32, u32) = (1, 41);
/// How long an engine may take to answer the first question. A socket of a hung engine accepts and says nothing.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// bollard has one limit for all requests; `patience` has the right one for each.
const NO_LIMIT: u64 = 60 * 60 * 24 * 365;
/// A connection to an engine. Cheap to clone; connections to the socket are pooled.
#[derive(Clone)]
pub struct Docker {
    pub(super) api: bollard::Docker,
    pub(super) endpoint: Endpoint,
    pub(super) info: Arc<EngineInfo>,
    pub(super) known: Arc<VerifiedInfo>,
    pub(super) credentials: Arc<auth::Credentials>,
    /// Variables that containers and builds get.
    pub(super) proxies: Proxies,
    /// `SSH_AUTH_SOCK`, for builds that ask for an SSH agent.
    pub(super) ssh_agent: Option<String>,
    /// Requests of this process that are under way.
    pub(super) requests: Arc<Requests>,
    pub(super) owner: Owner,
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
                    let proxies = Proxies::new(surroundings.config_folder(), docker.info.endpoint.clone());
                    let folder = surroundings.requests.clone();
                    let requests = Requests::new(folder, &docker.info.endpoint, &owner.mark);
                    return Ok(Self { ssh_agent, requests: Arc::new(requests), owner, proxies, ..docker });
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

    async fn connect_to(endpoint: Endpoint, credentials: Arc<auth::Credentials>, memory: InfoCache) -> Result<Self> {
        let place = endpoint.to_string();
        // bollard refuses a socket that is missing or may not be opened with errors of its own; ask the system.
        let answer = in_time(&place, endpoint.get("/_ping", 0)).await?;
        let fingerprint = Fingerprint::of(&answer.map_err(|error| errors::connection(&error, &place))?);
        let made = match &endpoint {
            Endpoint::Unix(path) => {
                bollard::Docker::connect_with_unix(&path.to_string_lossy(), NO_LIMIT, API_DEFAULT_VERSION)
            }
            Endpoint::Tcp(address) => bollard::Docker::connect_with_http(address, NO_LIMIT, API_DEFAULT_VERSION),
        };
        let api = made.map_err(|error| errors::translate(error, &place))?;
        let remembered = fingerprint.as_ref().and_then(|fingerprint| memory.get(&place, fingerprint));
        let (server, confirmed) = match remembered {
            Some(server) => (server, OnceCell::new()),
            None => {
                let server = server_info(&api, &place).await?;
                if let Some(fingerprint) = &fingerprint {
                    memory.put(&place, fingerprint, &server);
                }
                (server, OnceCell::from(()))
            }
        };
        if server.api < OLDEST_API {
            return Err(errors::unsupported("hob", OLDEST_API, server.api));
        }
        // An engine that has dropped our newest API is spoken to in its oldest: the closest to what we know.
        let used = server.api.min(NEWEST_API).max(server.least_api);
        let info = EngineInfo {
            version: server.version.clone(),
            api: used,
            platform: server.platform.clone(),
            containerd_images: server.containerd_images,
            endpoint: place,
        };
        let known = Arc::new(VerifiedInfo { memory, fingerprint, info: server, confirmed });
        let api = with_version(api, used);
        let (requests, owner, proxies) = (Arc::default(), Owner::default(), Proxies::default());
        Ok(Self { api, endpoint, info: Arc::new(info), known, credentials, proxies, ssh_agent: None, requests, owner })
    }

    pub(super) async fn verify_info(&self) -> Result<()> {
        let place = &self.info.endpoint;
        let confirm = async || {
            if self.known.is_still(place, &server_info(&self.api, place).await?) {
                return Ok(());
            }
            let text = format!("the engine at {place} is not the one that it was; run the same command again");
            Err(EngineError::new(ErrorKind::Lost, text))
        };
        self.known.confirmed.get_or_try_init(confirm).await.copied()
    }

    pub(super) fn error(&self, error: bollard::errors::Error) -> EngineError {
        errors::translate(error, &self.info.endpoint)
    }

    /// `/v1.41` and so on, for what is sent past bollard.
    pub(super) fn prefix(&self) -> String {
        format!("/v{}.{}", self.info.api.0, self.info.api.1)
    }
}

/// What the engine says about itself.
async fn server_info(api: &bollard::Docker, place: &str) -> Result<ServerInfo> {
    let answers = in_time(place, async { tokio::try_join!(api.version(), api.info()) }).await?;
    let (version, system) = answers.map_err(|error| errors::translate(error, place))?;
    let containerd = |pair: &Vec<String>| matches!(pair.as_slice(), [key, value] if key == "driver-type" && value.contains("containerd"));
    Ok(ServerInfo {
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
