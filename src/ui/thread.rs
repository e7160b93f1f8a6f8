//! The thread that renders. It owns the renderer, so there is one writer and no lock.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::event::{Event, Sink};

use super::Render;

/// Events that may wait. Beyond that whoever emits waits, or a terminal that was stopped with Ctrl-S would fill the
/// memory.
const WAITING: usize = 16 * 1024;

enum Letter {
    Event(Box<Event>),
    Flush(SyncSender<()>),
}

/// Hands events to the thread, which starts with the first one: a command that says nothing has no use for it.
pub(super) struct Thread {
    waiting: Mutex<Option<Box<dyn Render>>>,
    running: OnceLock<Running>,
}

struct Running {
    letters: Option<SyncSender<Letter>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(renderer: Box<dyn Render>) -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        let thread = std::thread::Builder::new().name("ui".to_owned()).spawn(move || run(renderer, &receiver));
        // Without a thread (the machine has no room for one) nothing can be shown; events are dropped.
        Self { letters: Some(sender), thread: thread.ok() }
    }
}

impl Thread {
    pub fn new(renderer: Box<dyn Render>) -> Self {
        Self { waiting: Mutex::new(Some(renderer)), running: OnceLock::new() }
    }

    fn running(&self) -> &Running {
        self.running.get_or_init(|| match self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(renderer) => Running::start(renderer),
            None => Running { letters: None, thread: None },
        })
    }

    fn send(&self, letter: Letter) {
        let Some(letters) = &self.running().letters else { return };
        if let Err(TrySendError::Full(letter)) = letters.try_send(letter) {
            // The terminal is far behind. Other tasks of the runtime must go on, Ctrl-C above all.
            let send = || drop(letters.send(letter));
            match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
                Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(send),
                _ => send(),
            }
        }
    }
}

impl Sink for Thread {
    fn emit(&self, event: Event) {
        self.send(Letter::Event(Box::new(event)));
    }

    fn flush(&self) {
        if self.running.get().is_none() {
            return;
        }
        let (sender, done) = sync_channel(1);
        self.send(Letter::Flush(sender));
        // An error means that the thread has ended, and with it what it had to show.
        let _ = done.recv();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.letters = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "the clock of this room; renderers are handed the time")]
fn run(mut renderer: Box<dyn Render>, letters: &Receiver<Letter>) {
    let start = Instant::now();
    loop {
        let letter = match letters.try_recv() {
            Ok(letter) => letter,
            Err(TryRecvError::Disconnected) => break,
            Err(TryRecvError::Empty) => {
                renderer.flush(start.elapsed());
                match renderer.next_tick(start.elapsed()) {
                    None => match letters.recv() {
                        Ok(letter) => letter,
                        Err(_) => break,
                    },
                    Some(wait) => match letters.recv_timeout(wait) {
                        Ok(letter) => letter,
                        Err(RecvTimeoutError::Disconnected) => break,
                        Err(RecvTimeoutError::Timeout) => {
                            renderer.tick(start.elapsed());
                            continue;
                        }
                    },
                }
            }
        };
        match letter {
            Letter::Event(event) => renderer.event(*event, start.elapsed()),
            Letter::Flush(done) => {
                renderer.release(start.elapsed());
                let _ = done.send(());
            }
        }
    }
    renderer.release(start.elapsed());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[derive(Clone, Default)]
    struct Recorder(Arc<Mutex<Vec<String>>>);

    impl Recorder {
        fn add(&self, what: String) {
            self.0.lock().unwrap().push(what);
        }
    }

    impl Render for Recorder {
        fn event(&mut self, event: Event, _: Duration) {
            if let Event::Notice { text } = event {
                self.add(text);
            }
        }
        fn flush(&mut self, _: Duration) {}
        fn next_tick(&self, _: Duration) -> Option<Duration> {
            None
        }
        fn tick(&mut self, _: Duration) {}
        fn release(&mut self, _: Duration) {
            self.add("release".to_owned());
        }
    }

    #[test]
    fn flush_and_drop_wait_for_what_was_emitted_in_order() {
        let recorder = Recorder::default();
        let thread = Thread::new(Box::new(recorder.clone()));
        thread.flush();
        assert!(recorder.0.lock().unwrap().is_empty(), "nothing was emitted, so nothing has started");
        let count = WAITING * 2;
        for number in 0..count {
            thread.emit(Event::Notice { text: number.to_string() });
        }
        thread.flush();
        assert_eq!(recorder.0.lock().unwrap().len(), count + 1, "all events, and the release of the flush");
        thread.emit(Event::Notice { text: count.to_string() });
        drop(thread);
        let seen = recorder.0.lock().unwrap().clone();
        let notices: Vec<usize> = seen.iter().filter_map(|text| text.parse().ok()).collect();
        assert_eq!(notices, (0..=count).collect::<Vec<_>>());
        assert_eq!(seen.last().map(String::as_str), Some("release"));
    }
}
