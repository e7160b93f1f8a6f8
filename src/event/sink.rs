//! Where events go.

use futures_util::future::BoxFuture;

use super::Event;

/// Where events go. Called from any task; must not block for long.
pub trait Sink: Send + Sync {
    /// Takes one event.
    fn emit(&self, event: Event);

    /// Takes a line that a program wrote, when most of what programs wrote before is shown. Whoever reads a program waits
    /// here, and with it the program; nobody else's events wait behind a flood. Must be awaited; a sink that hands events
    /// on hands these on too.
    fn line(&self, line: Event) -> BoxFuture<'_, ()> {
        self.emit(line);
        Box::pin(std::future::ready(()))
    }

    /// Waits until everything that was emitted is shown, and leaves the terminal to others until the next event:
    /// for the end of the process, and before an interactive command takes over.
    fn flush(&self) {}
}
