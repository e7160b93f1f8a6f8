//! The thread that renders. It owns the renderer, so there is one writer and no lock.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use futures_util::future::BoxFuture;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;

use crate::event::{Event, Sink};

use super::render::Render;

/// Events of hob's own that may wait. Beyond that whoever emits waits, or a terminal that was stopped with Ctrl-S would
/// fill the memory.
const WAITING: usize = 16 * 1024;

/// Memory that lines of programs may take while they wait. All of hob's own events wait behind them, so it is little:
/// some hundred lines, which the slowest terminal shows in no time. Beyond that whoever reads the program waits.
const LINES: u32 = 128 * 1024;

/// What a line takes besides its text.
const LINE: u32 = 128;

enum RenderCommand {
    Event(Box<Event>),
    /// A line of a program, and what it takes of the room for lines.
    Line(Box<Event>, u32),
    Flush(SyncSender<()>),
}

/// Hands events to the thread, which starts with the first one: a command that says nothing has no use for it.
pub(super) struct Thread {
    waiting: Mutex<Option<Box<dyn Render>>>,
    running: OnceLock<Running>,
}

struct Running {
    commands: Option<SyncSender<RenderCommand>>,
    thread: Option<JoinHandle<()>>,
    /// Room for lines. First come, first served: who brings one line does not wait for all of a flood.
    room: Arc<Semaphore>,
}

impl Running {
    fn start(renderer: Box<dyn Render>) -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        let room = Room { semaphore: Arc::new(Semaphore::new(LINES as usize)), used: 0 };
        let semaphore = Arc::clone(&room.semaphore);
        let thread = std::thread::Builder::new().name("ui".to_owned()).spawn(move || run(renderer, &receiver, room));
        // Without a thread (the machine has no room for one) nothing can be shown; events are dropped.
        Self { commands: Some(sender), thread: thread.ok(), room: semaphore }
    }
}

/// The thread's end of the room for lines. Nobody waits for it when the thread has ended.
struct Room {
    semaphore: Arc<Semaphore>,
    used: u32,
}

impl Room {
    /// A line was taken. Half of the room is given back at once, or a flood would wake its reader for each line.
    fn taken(&mut self, size: u32) {
        self.used += size;
        if self.used >= LINES / 2 {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        self.semaphore.add_permits(std::mem::take(&mut self.used) as usize);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.semaphore.close();
    }
}

/// What a line takes of the room.
fn size(line: &Event) -> u32 {
    let text = match line {
        Event::Log { line: text, .. } | Event::Output { text } => text.len(),
        _ => 0,
    };
    u32::try_from(text).unwrap_or(LINES).saturating_add(LINE).min(LINES)
}

impl Thread {
    pub fn new(renderer: Box<dyn Render>) -> Self {
        Self { waiting: Mutex::new(Some(renderer)), running: OnceLock::new() }
    }

    fn running(&self) -> &Running {
        self.running.get_or_init(|| match self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(renderer) => Running::start(renderer),
            None => Running { commands: None, thread: None, room: Arc::new(Semaphore::new(LINES as usize)) },
        })
    }

    fn send(&self, letter: RenderCommand) {
        let Some(commands) = &self.running().commands else { return };
        if let Err(TrySendError::Full(letter)) = commands.try_send(letter) {
            // The terminal is far behind. Other tasks of the runtime must go on, Ctrl-C above all.
            let send = || drop(commands.send(letter));
            match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
                Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(send),
                _ => send(),
            }
        }
    }
}

impl Sink for Thread {
    fn emit(&self, event: Event) {
        self.send(RenderCommand::Event(Box::new(event)));
    }

    fn line(&self, line: Event) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let size = size(&line);
            // An error means that the thread has ended.
            if let Ok(permit) = self.running().room.acquire_many(size).await {
                permit.forget();
                self.send(RenderCommand::Line(Box::new(line), size));
            }
        })
    }

    fn flush(&self) {
        if self.running.get().is_none() {
            return;
        }
        let (sender, done) = sync_channel(1);
        self.send(RenderCommand::Flush(sender));
        // An error means that the thread has ended, and with it what it had to show.
        let _ = done.recv();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "the clock of this layer; renderers are handed the time")]
fn run(mut renderer: Box<dyn Render>, commands: &Receiver<RenderCommand>, mut room: Room) {
    let start = Instant::now();
    loop {
        let letter = match commands.try_recv() {
            Ok(letter) => letter,
            Err(TryRecvError::Disconnected) => break,
            Err(TryRecvError::Empty) => {
                renderer.flush(start.elapsed());
                room.give_back();
                match renderer.next_tick(start.elapsed()) {
                    None => match commands.recv() {
                        Ok(letter) => letter,
                        Err(_) => break,
                    },
                    Some(wait) => match commands.recv_timeout(wait) {
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
            RenderCommand::Event(event) => renderer.event(*event, start.elapsed()),
            RenderCommand::Line(line, size) => {
                renderer.event(*line, start.elapsed());
                room.taken(size);
            }
            RenderCommand::Flush(done) => {
                renderer.release(start.elapsed());
                let _ = done.send(());
            }
        }
    }
    renderer.release(start.elapsed());
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::event::LogStream;

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

    /// Shows nothing as long as the test holds the lock.
    #[derive(Clone, Default)]
    struct Slow(Arc<Mutex<Vec<String>>>);

    impl Render for Slow {
        fn event(&mut self, event: Event, _: Duration) {
            let text = match event {
                Event::Notice { text } if text == "panic" => std::panic::resume_unwind(Box::new(())),
                Event::Notice { text } => text,
                Event::Log { service, line, .. } => format!("{service} {}", line.trim_end()),
                _ => String::new(),
            };
            self.0.lock().unwrap().push(text);
        }
        fn flush(&mut self, _: Duration) {}
        fn next_tick(&self, _: Duration) -> Option<Duration> {
            None
        }
        fn tick(&mut self, _: Duration) {}
        fn release(&mut self, _: Duration) {}
    }

    fn log(service: &str, line: String) -> Event {
        let (service, container) = (service.into(), format!("{service}-1"));
        Event::Log { service, container, number: 1, stream: LogStream::Stdout, line }
    }

    #[tokio::test]
    #[allow(clippy::await_holding_lock, reason = "the lock is the terminal's")]
    async fn a_flood_waits_for_the_terminal_and_nobody_waits_for_the_flood() {
        const COUNT: usize = 10_000;
        let slow = Slow::default();
        let thread = Arc::new(Thread::new(Box::new(slow.clone())));
        let terminal = slow.0.lock().unwrap();
        let sent = Arc::new(AtomicUsize::new(0));
        let flood = tokio::spawn({
            let (thread, sent) = (Arc::clone(&thread), Arc::clone(&sent));
            async move {
                for number in 0..COUNT {
                    thread.line(log("flood", number.to_string())).await;
                    sent.fetch_add(1, Ordering::Relaxed);
                }
                // More than there is room for.
                thread.line(log("flood", " ".repeat(LINES as usize * 2))).await;
            }
        });
        for _ in 0..COUNT {
            tokio::task::yield_now().await;
        }
        let waiting = sent.load(Ordering::Relaxed);
        assert!((100..=(LINES / LINE) as usize).contains(&waiting), "{waiting} lines wait");
        thread.emit(Event::Notice { text: "hob".into() });
        let other = tokio::spawn({
            let thread = Arc::clone(&thread);
            async move { thread.line(log("other", "line".into())).await }
        });
        tokio::task::yield_now().await;
        drop(terminal);
        flood.await.unwrap();
        other.await.unwrap();
        thread.flush();
        let seen = slow.0.lock().unwrap().clone();
        let at = |text: &str| seen.iter().position(|seen| seen == text).unwrap();
        assert_eq!(at("hob"), waiting, "hob's own line has its place");
        assert!(at("other line") < 2 * waiting, "one line of another program does not wait for all of a flood");
        let lines: Vec<_> = seen.iter().filter(|text| text.starts_with("flood")).cloned().collect();
        let all = (0..COUNT).map(|number| format!("flood {number}")).chain(["flood ".to_owned()]);
        assert_eq!(lines, all.collect::<Vec<_>>(), "nothing is lost or out of order");
    }

    #[tokio::test]
    async fn nobody_waits_for_a_thread_that_has_ended() {
        let thread = Thread::new(Box::new(Slow::default()));
        thread.emit(Event::Notice { text: "panic".into() });
        for number in 0..2 * LINES / LINE {
            thread.line(log("flood", number.to_string())).await;
        }
    }
}
