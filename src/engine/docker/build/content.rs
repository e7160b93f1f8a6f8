//! containerd's content service (`containerd.services.content.v1`, content.proto of its API), over which BuildKit reads
//! and writes caches in folders. Times and labels are left out of the messages: nobody who calls asks for them.

use std::convert::Infallible;
use std::task::{Context, Poll};

use prost::{Enumeration, Message};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::caches::Caches;

#[derive(Clone, PartialEq, Message)]
pub(super) struct Info {
    #[prost(string, tag = "1")]
    pub digest: String,
    #[prost(int64, tag = "2")]
    pub size: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct InfoRequest {
    #[prost(string, tag = "1")]
    pub digest: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct InfoResponse {
    #[prost(message, optional, tag = "1")]
    pub info: Option<Info>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ReadRequest {
    #[prost(string, tag = "1")]
    pub digest: String,
    #[prost(int64, tag = "2")]
    pub offset: i64,
    /// 0 is all that follows.
    #[prost(int64, tag = "3")]
    pub size: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ReadResponse {
    #[prost(int64, tag = "1")]
    pub offset: i64,
    #[prost(bytes = "vec", tag = "2")]
    pub data: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(super) enum WriteAction {
    Stat = 0,
    Write = 1,
    Commit = 2,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WriteRequest {
    #[prost(enumeration = "WriteAction", tag = "1")]
    pub action: i32,
    #[prost(string, tag = "2")]
    pub r#ref: String,
    #[prost(int64, tag = "3")]
    pub total: i64,
    #[prost(string, tag = "4")]
    pub expected: String,
    #[prost(int64, tag = "5")]
    pub offset: i64,
    #[prost(bytes = "vec", tag = "6")]
    pub data: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WriteResponse {
    #[prost(enumeration = "WriteAction", tag = "1")]
    pub action: i32,
    #[prost(int64, tag = "4")]
    pub offset: i64,
    #[prost(int64, tag = "5")]
    pub total: i64,
    #[prost(string, tag = "6")]
    pub digest: String,
}

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
