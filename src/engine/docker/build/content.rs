//! containerd's content service (`containerd.services.content.v1`, content.proto of its API), over which BuildKit reads
//! and writes caches in folders.

use std::convert::Infallible;
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::caches::Caches;
use super::content_messages::{InfoRequest, InfoResponse, ReadRequest, WriteRequest};

/// The methods that are served.
pub(super) const METHODS: [&str; 3] = [
    "/containerd.services.content.v1.Content/Info",
    "/containerd.services.content.v1.Content/Read",
    "/containerd.services.content.v1.Content/Write",
];

/// The service, on the folders of one build.
#[derive(Clone)]
pub(super) struct ContentServer(pub Caches);

impl NamedService for ContentServer {
    const NAME: &'static str = "containerd.services.content.v1.Content";
}

impl Service<http::Request<Body>> for ContentServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let caches = self.0.clone();
        Box::pin(async move {
            let answer = match request.uri().path().rsplit('/').next() {
                Some("Info") => {
                    let method = tower::service_fn(move |asked: Request<InfoRequest>| {
                        let caches = caches.clone();
                        async move {
                            let info = caches.info(asked.map(|asked| asked.digest)).await?;
                            Ok(Response::new(InfoResponse { info: Some(info) }))
                        }
                    });
                    Grpc::new(ProstCodec::default()).unary(method, request).await
                }
                Some("Read") => {
                    let method = tower::service_fn(move |asked: Request<ReadRequest>| {
                        let caches = caches.clone();
                        async move { caches.read(asked).await.map(Response::new) }
                    });
                    Grpc::new(ProstCodec::default()).server_streaming(method, request).await
                }
                Some("Write") => {
                    let method = tower::service_fn(move |parts: Request<Streaming<WriteRequest>>| {
                        let caches = caches.clone();
                        async move { caches.write(parts).map(Response::new) }
                    });
                    Grpc::new(ProstCodec::default()).streaming(method, request).await
                }
                _ => Status::unimplemented("not needed for a cache").into_http(),
            };
            Ok(answer)
        })
    }
}
