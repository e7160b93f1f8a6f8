//! What BuildKit may ask us for during a build: files, secrets, registry logins, an SSH agent, and whether we are
//! still there.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use bollard_buildkit_proto::fsutil::types::Packet;
use bollard_buildkit_proto::health::health_check_response::ServingStatus;
use bollard_buildkit_proto::health::health_server::{Health, HealthServer};
use bollard_buildkit_proto::health::{HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse};
use bollard_buildkit_proto::moby::buildkit::secrets::v1::secrets_server::{Secrets, SecretsServer};
use bollard_buildkit_proto::moby::buildkit::secrets::v1::{GetSecretRequest, GetSecretResponse};
use bollard_buildkit_proto::moby::filesync::v1::auth_server::{Auth, AuthServer};
use bollard_buildkit_proto::moby::filesync::v1::file_sync_server::{FileSync, FileSyncServer};
use bollard_buildkit_proto::moby::filesync::v1::{
    CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse, GetTokenAuthorityRequest,
    GetTokenAuthorityResponse, VerifyTokenAuthorityRequest, VerifyTokenAuthorityResponse,
};
use bollard_buildkit_proto::moby::sshforward::v1::ssh_server::{Ssh, SshServer};
use bollard_buildkit_proto::moby::sshforward::v1::{BytesMessage, CheckAgentRequest, CheckAgentResponse};
use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Router;
use tonic::{Request, Response, Status, Streaming};

use super::super::Docker;
use super::super::auth::Credentials;
use super::caches::Caches;
use super::content::{self, ContentServer};
use super::files::{self, Tree};
use super::keys::Agents;
use super::sent::Sent;
use crate::engine::{BoxStream, BuildSecret, BuildSpec, Result};
use crate::model::registry_of;

/// Bytes that BuildKit may send before we have read them.
pub(super) const WINDOW: u32 = 16 << 20;

type Answer<T> = std::result::Result<Response<T>, Status>;
type Answers<T> = BoxStream<std::result::Result<T, Status>>;

/// Everything that one build may ask for.
#[derive(Clone)]
pub(super) struct Services {
    trees: Arc<HashMap<String, Tree>>,
    sent: Arc<Sent>,
    secrets: Arc<Vec<BuildSecret>>,
    credentials: Arc<Credentials>,
    agents: Arc<Agents>,
    caches: Caches,
}

impl Services {
    pub(super) async fn new(
        docker: &Docker,
        spec: &BuildSpec,
        (trees, sent): (HashMap<String, Tree>, Arc<Sent>),
        caches: Caches,
    ) -> Result<Self> {
        let agents = Agents::start(&spec.build.ssh, docker.ssh_agent.as_deref()).await?;
        Ok(Self {
            trees: Arc::new(trees),
            sent,
            secrets: Arc::new(spec.secrets.clone()),
            credentials: docker.credentials.clone(),
            agents: Arc::new(agents),
            caches,
        })
    }

    /// The methods that are told to BuildKit; it does not call others.
    pub(super) fn methods(&self) -> Vec<&'static str> {
        let mut methods = vec![
            "/grpc.health.v1.Health/Check",
            "/moby.filesync.v1.FileSync/DiffCopy",
            "/moby.filesync.v1.Auth/Credentials",
            "/moby.buildkit.secrets.v1.Secrets/GetSecret",
        ];
        if !self.agents.is_empty() {
            methods.extend(["/moby.sshforward.v1.SSH/CheckAgent", "/moby.sshforward.v1.SSH/ForwardAgent"]);
        }
        if !self.caches.is_empty() {
            methods.extend(content::METHODS);
        }
        methods
    }

    pub(super) fn router(&self) -> Router {
        tonic::transport::Server::builder()
            // h2 allows as many small frames to be unread as the window is large.
            .initial_connection_window_size(WINDOW)
            .initial_stream_window_size(WINDOW)
            .add_service(HealthServer::new(self.clone()))
            .add_service(FileSyncServer::new(self.clone()))
            .add_service(AuthServer::new(self.clone()))
            .add_service(SecretsServer::new(self.clone()))
            .add_service(SshServer::new(self.clone()))
            .add_service(ContentServer(self.caches.clone()))
    }
}

#[tonic::async_trait]
impl Health for Services {
    async fn check(&self, _: Request<HealthCheckRequest>) -> Answer<HealthCheckResponse> {
        Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() }))
    }
    async fn list(&self, _: Request<HealthListRequest>) -> Answer<HealthListResponse> {
        Err(Status::unimplemented("list"))
    }
    type WatchStream = Answers<HealthCheckResponse>;
    async fn watch(&self, _: Request<HealthCheckRequest>) -> Answer<Self::WatchStream> {
        Err(Status::unimplemented("watch"))
    }
}

#[tonic::async_trait]
impl FileSync for Services {
    type DiffCopyStream = Answers<Packet>;
    async fn diff_copy(&self, request: Request<Streaming<Packet>>) -> Answer<Self::DiffCopyStream> {
        let metadata = request.metadata();
        let name = metadata.get("dir-name").and_then(|name| name.to_str().ok()).unwrap_or_default().to_owned();
        // Values with other than printable ASCII come percent-encoded, which is not worth decoding: everything is
        // served then, and that is never wrong.
        let encoded = metadata.contains_key("followpaths-encoded") || metadata.contains_key("include-patterns-encoded");
        let patterns = metadata.get_all("followpaths").iter().chain(metadata.get_all("include-patterns").iter());
        let only: Vec<String> =
            patterns.filter(|_| !encoded).filter_map(|pattern| pattern.to_str().ok().map(str::to_owned)).collect();
        let Some(tree) = self.trees.get(&name) else {
            return Err(Status::not_found(format!("hob has no build context named {name}")));
        };
        Ok(Response::new(files::serve(tree.only(&only), Arc::clone(&self.sent), request.into_inner())))
    }
    type TarStreamStream = Answers<Packet>;
    async fn tar_stream(&self, _: Request<Streaming<Packet>>) -> Answer<Self::TarStreamStream> {
        Err(Status::unimplemented("tar stream"))
    }
}

#[tonic::async_trait]
impl Secrets for Services {
    async fn get_secret(&self, request: Request<GetSecretRequest>) -> Answer<GetSecretResponse> {
        let id = request.into_inner().id;
        // BuildKit takes "not found" for an optional secret as leave to go on.
        match self.secrets.iter().find(|secret| secret.id == id) {
            Some(secret) => Ok(Response::new(GetSecretResponse { data: secret.content.clone() })),
            None => Err(Status::not_found(format!("secret {id} is not listed in build.secrets"))),
        }
    }
}

/// Logins only: BuildKit fetches tokens by itself where a client does not offer to.
#[tonic::async_trait]
impl Auth for Services {
    async fn credentials(&self, request: Request<CredentialsRequest>) -> Answer<CredentialsResponse> {
        let host = request.into_inner().host;
        let registry = if host == "registry-1.docker.io" { "docker.io" } else { &host };
        let mut answer = CredentialsResponse::default();
        if let Some(login) = self.credentials.of(registry_of(&format!("{registry}/x"))).await {
            // BuildKit takes a secret without a name for an identity token.
            (answer.username, answer.secret) = if login.identity_token.is_empty() {
                (login.username, login.password)
            } else {
                (String::new(), login.identity_token)
            };
        }
        Ok(Response::new(answer))
    }
    async fn fetch_token(&self, _: Request<FetchTokenRequest>) -> Answer<FetchTokenResponse> {
        Err(Status::unimplemented("tokens"))
    }
    async fn get_token_authority(&self, _: Request<GetTokenAuthorityRequest>) -> Answer<GetTokenAuthorityResponse> {
        Err(Status::unimplemented("tokens"))
    }
    async fn verify_token_authority(
        &self,
        _: Request<VerifyTokenAuthorityRequest>,
    ) -> Answer<VerifyTokenAuthorityResponse> {
        Err(Status::unimplemented("tokens"))
    }
}

impl Services {
    fn agent(&self, id: &str) -> std::result::Result<&Path, Status> {
        let id = if id.is_empty() { "default" } else { id };
        self.agents.get(id).ok_or_else(|| Status::not_found(format!("SSH agent {id} is not listed in build.ssh")))
    }
}

#[tonic::async_trait]
impl Ssh for Services {
    async fn check_agent(&self, request: Request<CheckAgentRequest>) -> Answer<CheckAgentResponse> {
        self.agent(&request.into_inner().id)?;
        Ok(Response::new(CheckAgentResponse {}))
    }

    type ForwardAgentStream = Answers<BytesMessage>;
    async fn forward_agent(&self, request: Request<Streaming<BytesMessage>>) -> Answer<Self::ForwardAgentStream> {
        let id = request.metadata().get("buildkit.ssh.id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        let socket = UnixStream::connect(self.agent(id)?).await?;
        let (mut read, mut write) = socket.into_split();
        let mut questions = request.into_inner();
        tokio::spawn(async move {
            while let Some(Ok(message)) = questions.next().await {
                if write.write_all(&message.data).await.is_err() {
                    break;
                }
            }
        });
        let (answers, receiver) = mpsc::channel(4);
        tokio::spawn(async move {
            let mut buffer = vec![0; 32 * 1024];
            while let Ok(length @ 1..) = read.read(&mut buffer).await {
                if answers.send(Ok(BytesMessage { data: buffer[..length].to_vec() })).await.is_err() {
                    break;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}
