//! The signals that end a session, as a stream.
//!
//! The second Ctrl-C is another item like the first: what it means is for the session to say.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt};
use tokio::signal::unix::{Signal as Source, SignalKind, signal};

/// A request to end, by its signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: a service manager, `kill`, a CI job that is cancelled.
    Terminate,
    /// SIGHUP: the terminal was closed.
    Hangup,
}

impl Signal {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hangup => "SIGHUP",
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }

    /// The exit code by which a shell says that a program ended with this signal.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Hangup => 129,
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// A stream of [`Signal`]s that never ends. From the moment that it is made, the signals no longer end the process.
#[derive(Debug)]
pub struct Signals {
    sources: [(Signal, Source); 3],
}

impl Signals {
    /// Listens from now on. Must be called inside a tokio runtime with I/O.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            sources: [
                (Signal::Interrupt, signal(SignalKind::interrupt())?),
                (Signal::Terminate, signal(SignalKind::terminate())?),
                (Signal::Hangup, signal(SignalKind::hangup())?),
            ],
        })
    }

    /// The next signal. May be dropped while waiting without losing one.
    pub async fn recv(&mut self) -> Signal {
        match self.next().await {
            Some(signal) => signal,
            // The stream ends only with the runtime, and then nobody waits any more.
            None => std::future::pending().await,
        }
    }
}

impl Stream for Signals {
    type Item = Signal;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Signal>> {
        for (signal, source) in &mut self.sources {
            if let Poll::Ready(Some(())) = source.poll_recv(context) {
                return Poll::Ready(Some(*signal));
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::{Signal as Os, raise};

    use super::*;

    #[tokio::test]
    async fn every_signal_is_an_item_and_a_second_one_another() {
        // One test for all, since a signal goes to everyone in the process who listens.
        let mut signals = Signals::new().unwrap();
        for (os, signal) in [
            (Os::SIGINT, Signal::Interrupt),
            (Os::SIGINT, Signal::Interrupt),
            (Os::SIGTERM, Signal::Terminate),
            (Os::SIGHUP, Signal::Hangup),
        ] {
            raise(os).unwrap();
            assert_eq!(signals.recv().await, signal);
            assert_eq!(i32::from(signal.exit_code()), 128 + os as i32);
        }
    }
}
