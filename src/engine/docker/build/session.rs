//! The session: a connection on which the roles are turned round, and BuildKit calls us.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::transport::server::Connected;

use super::super::Docker;
use super::super::endpoint::Stream;
use super::services::Services;
use crate::model::Digest;

/// An open session; dropping it closes the connection.
pub(super) struct Session {
    server: JoinHandle<()>,
    ended: watch::Receiver<bool>,
}

impl Session {
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
        let (closing, ended) = watch::channel(false);
        let server = tokio::spawn(async move {
            let connection = futures_util::stream::iter([Ok::<_, io::Error>(Served(stream))]);
            // A broken connection shows as a failed build.
            let _ = services.router().serve_with_incoming(connection).await;
            let _ = closing.send(true);
        });
        Ok(Some(Self { server, ended }))
    }

    /// Returns when the engine has closed the session.
    pub(super) async fn ended(&self) {
        let mut ended = self.ended.clone();
        // The sender is dropped without a word only when the task was aborted, which only our own drop does.
        if ended.wait_for(|ended| *ended).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An id that no other session has.
pub(super) fn new_id() -> String {
    let mut text = String::new();
    for part in 0..4_u8 {
        use std::fmt::Write as _;
        // Each `RandomState` is seeded by the operating system's randomness and a counter.
        let _ = write!(text, "{:x}", RandomState::new().hash_one((part, std::process::id())));
    }
    Digest::of(text.as_bytes()).as_str()[..25].to_owned()
}

struct Served(Stream);

impl Connected for Served {
    type ConnectInfo = ();
    fn connect_info(&self) {}
}

impl AsyncRead for Served {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Served {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ() {
        assert_ne!(new_id(), new_id());
        assert_eq!(new_id().len(), 25);
    }
}
