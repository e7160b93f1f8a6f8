//! What a test holds while a call waits for it or a command runs in its place.

use tokio::io::DuplexStream;
use tokio::sync::oneshot;

/// A call that waits for the test. Dropping it releases the call.
pub struct Hold {
    reached: Option<oneshot::Receiver<()>>,
    release: Option<oneshot::Sender<()>>,
}

impl Hold {
    /// Returns when the call has come to the hold.
    pub async fn reached(&mut self) {
        if let Some(reached) = self.reached.take() {
            let _ = reached.await;
        }
    }

    /// Lets the call go on.
    pub fn release(mut self) {
        drop(self.release.take());
    }
}

/// A call that is held.
pub(super) struct Held {
    pub(super) reached: oneshot::Sender<()>,
    pub(super) released: oneshot::Receiver<()>,
}

/// A call that is going to be held, for the test and for the engine.
pub(super) fn hold() -> (Hold, Held) {
    let (reached, has_reached) = oneshot::channel();
    let (release, released) = oneshot::channel();
    (Hold { reached: Some(has_reached), release: Some(release) }, Held { reached, released })
}

/// A command that runs in a container, with the test as the command.
pub struct FakeExec {
    /// Its standard input to read from, and its standard output to write to. Dropping it ends the output.
    pub io: DuplexStream,
    /// Gives the exit code; without one it is 0.
    pub exit: oneshot::Sender<i64>,
}
