//! Builds. BuildKit is spoken to as buildx does it: a `Solve` call on the engine's `/grpc`, its `Status` stream for
//! progress, and a `/session` over which BuildKit asks *us* for files, secrets, logins and SSH keys. All three are
//! HTTP/2 on an upgraded connection to the engine's own socket. So BuildKit fetches only files that changed since
//! the last build, and whatever buildx can ask for can be asked for; the REST call `/build?version=2` would take the
//! whole context as one archive each time and knows no named contexts. Dropping the future resets the `Solve` call
//! and closes the session: BuildKit cancels the build then.
//!
//! Where the engine has no `/session` (Podman), the classic `/build` with an archive is used.

mod caches;
mod classic;
mod content;
mod content_messages;
mod files;
mod ids;
mod keys;
mod progress;
mod request;
mod sent;
mod services;
mod session;

use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use bollard_buildkit_proto::moby::buildkit::v1::{SolveResponse, StatusRequest};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tonic::transport::Channel;

use super::{Docker, Endpoint, errors};
use crate::engine::{
    BuildContext, BuildProgress, BuildSink, BuildSpec, Built, EngineError, ErrorKind, LayerSpec, Result,
};
use crate::model::ImageId;
use progress::Tracker;

/// gRPC's own limit of 4 MiB is too small for a status with much output.
const MESSAGE: usize = 64 << 20;
/// What a layer's archive is called while it is sent.
const LAYER: &str = "layer.tar";
/// How long the last news may come after the answer.
const LAST_NEWS: Duration = Duration::from_secs(3);

impl Docker {
    pub(super) async fn build(&self, spec: &BuildSpec, progress: &BuildSink) -> Result<Built> {
        for warning in request::warnings(spec, self.info.api) {
            progress(BuildProgress::Warning(warning));
        }
        let id = ids::new_id();
        let mut solve = request::solve_request(spec, &id, self.info.api, self.info.containerd_images)?;
        for (name, value) in self.proxies.variables().await {
            solve.frontend_attrs.entry(format!("build-arg:{name}")).or_insert(value);
        }
        let (caches, warnings) = caches::Caches::of(solve.cache.get_or_insert_default()).await?;
        for warning in warnings {
            progress(BuildProgress::Warning(warning));
        }
        request::set_imports(&mut solve);
        let sent = Arc::new(sent::Sent::default());
        let trees = trees_of(spec, &sent).await?;
        let services = services::Services::new(self, spec, (trees, Arc::clone(&sent)), caches.clone()).await?;
        let session = session::BuildSession::open(self, &id, &request::shared_key(spec), services)
            .await
            .map_err(|error| errors::connection(&error, &self.info.endpoint))?;
        let Some(session) = session else { return classic::build(self, spec, progress).await };
        let watch = sent::Watch { sent: &sent, progress };
        let answer = self.solve(solve, progress, &session, &spec.dockerfile).await;
        drop(watch);
        // A step that fails ends the transfers that still go on.
        if sent.is_whole() {
            progress(BuildProgress::Sent);
        }
        let answer = answer?;
        if let Some(written) = answer.exporter_response.get("cache.manifest")
            && let Err(error) = caches.written(written).await
        {
            progress(BuildProgress::Warning(format!("the build's cache was written and cannot be named: {error}")));
        }
        let id = self.built_image(spec, &answer).await?;
        Ok(Built { id, as_measured: sent.is_as_measured() })
    }

    /// An image with one layer more, which BuildKit unpacks onto it.
    pub(super) async fn build_layer(&self, layer: &LayerSpec, progress: &BuildSink) -> Result<ImageId> {
        let refuse = |why: &str| Err(EngineError::new(ErrorKind::Refused, why.to_owned()));
        if self.image(&layer.base).await?.is_none_or(|image| !image.on_build.is_empty()) {
            return refuse("an image with ONBUILD instructions takes no layer");
        }
        let spec = BuildSpec {
            dockerfile: "Dockerfile".to_owned(),
            dockerfile_text: Some(format!("FROM {}\nADD [\"{LAYER}\", \"/\"]\n", layer.base)),
            tags: layer.tags.clone(),
            labels: layer.labels.clone(),
            ..BuildSpec::default()
        };
        let id = ids::new_id();
        let solve = request::solve_request(&spec, &id, self.info.api, self.info.containerd_images)?;
        let sent = Arc::new(sent::Sent::default());
        let mut trees = trees_of(&spec, &sent).await?;
        trees.insert(request::CONTEXT.to_owned(), files::Tree::of_text(LAYER, layer.tar.clone()));
        let services = services::Services::new(self, &spec, (trees, sent), caches::Caches::default()).await?;
        // It is one file, and never the same: there is no copy to begin from.
        let session = session::BuildSession::open(self, &id, &format!("layer {id}"), services)
            .await
            .map_err(|error| errors::connection(&error, &self.info.endpoint))?;
        let Some(session) = session else { return refuse("this engine has no BuildKit") };
        let answer = self.solve(solve, progress, &session, &spec.dockerfile).await?;
        self.built_image(&spec, &answer).await
    }

    async fn solve(
        &self,
        request: bollard_buildkit_proto::moby::buildkit::v1::SolveRequest,
        progress: &BuildSink,
        session: &session::BuildSession,
        dockerfile: &str,
    ) -> Result<SolveResponse> {
        let channel = self.control_channel().await?;
        let mut control = ControlClient::new(channel.clone()).max_decoding_message_size(MESSAGE);
        let mut watcher = ControlClient::new(channel).max_decoding_message_size(MESSAGE);
        let status_request = StatusRequest { r#ref: request.r#ref.clone() };
        let mut tracker = Tracker::default();
        let solve = control.solve(request);
        let mut status = Box::pin(async {
            // BuildKit waits a few seconds for a build that it does not know yet; an error here is never the reason
            // why a build failed.
            if let Ok(stream) = watcher.status(status_request).await {
                let mut stream = stream.into_inner();
                while let Ok(Some(news)) = stream.message().await {
                    tracker.feed(news, progress);
                }
            }
        });
        let mut news_ended = false;
        tokio::pin!(solve);
        let answer = loop {
            tokio::select! {
                answer = &mut solve => break answer,
                () = &mut status, if !news_ended => news_ended = true,
                () = session.ended() => {
                    return Err(EngineError::new(
                        ErrorKind::Lost,
                        format!("the engine at {} closed the build's session", self.info.endpoint),
                    ));
                }
            }
        };
        if !news_ended {
            let _ = tokio::time::timeout(LAST_NEWS, &mut status).await;
        }
        drop(status);
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| progress::failure(&status, tracker, dockerfile, &self.info.endpoint))
    }

    async fn control_channel(&self) -> Result<Channel> {
        let endpoint = self.endpoint.clone();
        let path = format!("{}/grpc", self.prefix());
        let connector = tower::service_fn(move |_: tonic::transport::Uri| {
            let (endpoint, path): (Endpoint, String) = (endpoint.clone(), path.clone());
            async move {
                let stream = endpoint.upgrade(&path, &[]).await?;
                let refused = || std::io::Error::other("the engine does not offer BuildKit's control interface");
                stream.map(TokioIo::new).ok_or_else(refused)
            }
        });
        tonic::transport::Endpoint::from_static("http://engine")
            .initial_connection_window_size(services::WINDOW)
            .initial_stream_window_size(services::WINDOW)
            .connect_with_connector(connector)
            .await
            .map_err(|error| errors::connection(&error, &self.info.endpoint))
    }

    /// The id of what was built. BuildKit answers with a config digest and a manifest digest; which of them is the
    /// image's id depends on the store, and the engine's inspect knows both as references.
    async fn built_image(&self, spec: &BuildSpec, answer: &SolveResponse) -> Result<ImageId> {
        let get = |key: &str| answer.exporter_response.get(key).map(String::as_str);
        let digests = if self.info.containerd_images {
            [get("containerimage.digest"), get("containerimage.config.digest")]
        } else {
            [get("containerimage.config.digest"), get("containerimage.digest")]
        };
        for reference in digests.into_iter().flatten().chain(spec.tags.first().map(String::as_str)) {
            if let Some(image) = self.image(reference).await? {
                return Ok(image.id);
            }
        }
        Err(EngineError::new(
            ErrorKind::Other,
            "the build ended well and the engine does not know its image".to_owned(),
        ))
    }
}

/// The files of every context, by the name under which BuildKit asks for them.
async fn trees_of(spec: &BuildSpec, sent: &Arc<sent::Sent>) -> Result<HashMap<String, files::Tree>> {
    let mut trees = HashMap::new();
    let mut named = vec![(request::CONTEXT.to_owned(), &spec.context)];
    named.extend(spec.contexts.iter().map(|(name, context)| (request::local_name(name), context)));
    for (name, context) in named {
        if let BuildContext::Files(list) = context {
            let (list, sent) = (list.clone(), Arc::clone(sent));
            let tree = tokio::task::spawn_blocking(move || files::Tree::of_disk(&list, &sent)).await;
            let tree = tree.map_err(|error| EngineError::new(ErrorKind::Other, error.to_string()))?;
            trees.insert(name, tree?);
        }
    }
    if let Some((name, text)) = dockerfile_of(spec).await? {
        trees.insert(request::DOCKERFILE.to_owned(), files::Tree::of_text(&name, text));
    }
    Ok(trees)
}

/// The Dockerfile's name and text; `None` where it comes with a remote context.
async fn dockerfile_of(spec: &BuildSpec) -> Result<Option<(String, Vec<u8>)>> {
    let name = request::dockerfile_name(spec);
    if let Some(text) = &spec.dockerfile_text {
        return Ok(Some((name, text.clone().into_bytes())));
    }
    let BuildContext::Files(list) = &spec.context else { return Ok(None) };
    let listed = list.iter().find(|file| file.path == spec.dockerfile).map(|file| file.source.clone());
    let folder = spec.build.context.as_ref().map(|folder| std::path::Path::new(folder).join(&spec.dockerfile));
    let Some(source) = listed.or(folder) else {
        return Err(EngineError::new(
            ErrorKind::Refused,
            format!("the Dockerfile {} is not in the build context", spec.dockerfile),
        ));
    };
    let text = tokio::fs::read(&source).await.map_err(|error| {
        EngineError::new(ErrorKind::Refused, format!("the Dockerfile {} cannot be read: {error}", source.display()))
    })?;
    Ok(Some((name, text)))
}
