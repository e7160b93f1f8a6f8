//! The session: a connection on which the roles are turned round, and BuildKit calls us.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Mutex, oneshot};
use tonic::transport::server::Connected;

use super::super::Docker;
use super::super::endpoint::Stream;
use super::services::Services;

/// An open session; dropping it closes the connection.
pub(super) struct BuildSession {
    _close: oneshot::Sender<()>,
    ended: Mutex<oneshot::Receiver<()>>,
}

impl BuildSession {
    /// Opens a session. `None` where the engine has none.
    pub(super) async fn open(docker: &Docker, id: &str, key: &str, services: Services) -> io::Result<Option<Self>> {
        let mut headers = vec![
            ("X-Docker-Expose-Session-Uuid", id.to_owned()),
            ("X-Docker-Expose-Session-Name", "hob".to_owned()),
            ("X-Docker-Expose-Session-Sharedkey", key.to_owned()),
        ];
        let methods = services.methods();
        headers.extend(methods.into_iter().map(|method| ("X-Docker-Expose-Session-Grpc-Method", method.to_owned())));
        let path = format!("{}/session", docker.prefix());
        let Some(stream) = docker.endpoint.upgrade(&path, &headers).await? else { return Ok(None) };
        let (close, closed) = oneshot::channel();
        let (alive, ended) = oneshot::channel();
        let connection = futures_util::stream::iter([Ok::<_, io::Error>(Served { stream, closed, _alive: alive })]);
        // tonic serves the connection in a task of its own, and this call returns at once.
        services.router().serve_with_incoming(connection).await.map_err(io::Error::other)?;
        Ok(Some(Self { _close: close, ended: Mutex::new(ended) }))
    }

    /// Returns when the connection is closed from the other side.
    pub(super) async fn ended(&self) {
        // The sender lives in the connection and never sends: its end is the news.
        let _ = (&mut *self.ended.lock().await).await;
    }
}

/// The connection as tonic serves it: it ends when the session is dropped, and tells when it has ended.
struct Served {
    stream: Stream,
    closed: oneshot::Receiver<()>,
    _alive: oneshot::Sender<()>,
}

impl Connected for Served {
    type ConnectInfo = ();
    fn connect_info(&self) {}
}

impl AsyncRead for Served {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if Pin::new(&mut self.closed).poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Served {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
