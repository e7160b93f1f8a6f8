//! Many requests over one stream: each has its id, and its answers come back to whoever asked.
//!
//! Invariants: requests may be in flight together; dropping a future gives up the answer, not the request. When the
//! stream ends every open request ends with [`AgentError::Ended`], and so does every later one. Nothing is waited for
//! without an end ([`SILENCE`]), and nothing that the agent sends is kept without a bound.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Mutex as Turn, MutexGuard, mpsc};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::messages::AgentError;
use crate::agent::protocol::{Answer, DecodeError, FrameError, FrameReader, Request, encode_frame};

/// How long an agent may take to answer once it has all that it needs for it. Its process may be stopped, its container
/// paused, its engine hang.
pub const SILENCE: Duration = Duration::from_secs(10);

/// Answers to one request that nobody has taken yet; then nothing more is read.
pub(super) const WAITING: usize = 8;

/// Frames that have not been written yet.
const QUEUED: usize = 2;

/// What is handed to the stream at once.
const PIECE: usize = 64 << 10;

type Routes = Mutex<Option<HashMap<u32, mpsc::Sender<Answer>>>>;

/// One stream to an agent. Clones speak over the same one; when the last is dropped, the stream is closed.
#[derive(Clone)]
pub(super) struct Multiplexer {
    outgoing: mpsc::Sender<Vec<u8>>,
    /// One batch is sent at a time.
    batch_turn: Arc<Turn<()>>,
    shared: Arc<Shared>,
    next_id: Arc<AtomicU32>,
    _reading: Arc<DropGuard>,
}

impl Multiplexer {
    /// Begins to read and to write.
    pub(super) fn new<R, W>(reader: R, writer: W) -> Self
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let (outgoing, frames) = mpsc::channel(QUEUED);
        let closed = CancellationToken::new();
        let shared = Arc::new(Shared {
            routes: Mutex::new(Some(HashMap::new())),
            ended: Mutex::new(None),
            closed,
            began: Instant::now(),
            moved: AtomicU64::new(0),
        });
        let stop = CancellationToken::new();
        tokio::spawn(write_frames(writer, frames, Arc::clone(&shared)));
        tokio::spawn({
            let (shared, stop) = (Arc::clone(&shared), stop.clone());
            async move {
                let why = tokio::select! {
                    why = read_answers(reader, &shared) => why,
                    () = stop.cancelled() => None,
                    // It was ended for another reason.
                    () = shared.closed.cancelled() => return,
                };
                shared.end(why);
            }
        });
        Self {
            outgoing,
            batch_turn: Arc::default(),
            shared,
            next_id: Arc::new(AtomicU32::new(1)),
            _reading: Arc::new(stop.drop_guard()),
        }
    }

    /// Waits until the stream has ended.
    pub(super) async fn closed(&self) {
        self.shared.closed.cancelled().await;
    }

    /// Whether the stream has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.shared.closed.is_cancelled()
    }

    /// Whoever holds it may send a batch: its frames are those of no other one.
    pub(super) async fn batch_turn(&self) -> MutexGuard<'_, ()> {
        self.batch_turn.lock().await
    }

    /// Ends the stream, and with it all that is waited for.
    pub(super) fn end(&self, why: &str) {
        self.shared.end(Some(why.to_owned()));
    }

    /// An id for a request.
    pub(super) fn id(&self) -> u32 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn register(&self, id: u32) -> Result<Answers<'_>, AgentError> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let mut routes = lock(&self.shared.routes);
        if let Some(routes) = routes.as_mut() {
            routes.insert(id, sender);
            return Ok(Answers { id, receiver, shared: &self.shared });
        }
        drop(routes);
        Err(self.shared.error())
    }

    pub(super) async fn send(&self, request: &Request) -> Result<Answers<'_>, AgentError> {
        let id = self.id();
        let answers = self.register(id)?;
        self.put(frame(request, id)).await?;
        Ok(answers)
    }

    /// Hands frames to the stream.
    pub(super) async fn put(&self, bytes: Vec<u8>) -> Result<(), AgentError> {
        self.in_time(SILENCE, self.outgoing.send(bytes)).await?.map_err(|_| self.shared.error())
    }

    pub(super) async fn next(&self, answers: &mut Answers<'_>, limit: Duration) -> Result<Answer, AgentError> {
        self.in_time(limit, answers.receiver.recv()).await?.ok_or_else(|| self.shared.error())
    }

    pub(super) async fn ask(&self, request: &Request) -> Result<Answer, AgentError> {
        let mut answers = self.send(request).await?;
        self.next(&mut answers, SILENCE).await
    }

    /// Waits until the stream has taken nothing for so long. One that does not answer is ended: what it says later
    /// would be about something else.
    async fn in_time<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Result<T, AgentError> {
        let began = Instant::now();
        let mut work = std::pin::pin!(work);
        loop {
            let deadline = began.max(self.shared.moved()).checked_add(limit);
            // No clock reaches further.
            let Some(deadline) = deadline else { return Ok(work.await) };
            tokio::select! {
                done = &mut work => return Ok(done),
                () = tokio::time::sleep_until(deadline) => {}
            }
            if self.shared.moved().checked_add(limit).is_none_or(|until| until <= Instant::now()) {
                let error = AgentError::Silent(limit);
                self.shared.end(Some(error.to_string()));
                return Err(error);
            }
        }
    }
}

/// The answers to one request; forgets the route when it is dropped.
pub(super) struct Answers<'a> {
    id: u32,
    receiver: mpsc::Receiver<Answer>,
    shared: &'a Shared,
}

impl Answers<'_> {
    /// The next one, however long it takes.
    pub(super) async fn next(&mut self) -> Result<Answer, AgentError> {
        self.receiver.recv().await.ok_or_else(|| self.shared.error())
    }
}

impl Drop for Answers<'_> {
    fn drop(&mut self) {
        if let Some(routes) = lock(&self.shared.routes).as_mut() {
            routes.remove(&self.id);
        }
    }
}

struct Shared {
    routes: Routes,
    /// Why the stream ended, once it has.
    ended: Mutex<Option<String>>,
    closed: CancellationToken,
    began: Instant,
    /// Milliseconds from then to the last moment at which the stream took something.
    moved: AtomicU64,
}

impl Shared {
    /// The first reason counts.
    fn end(&self, why: Option<String>) {
        let mut ended = lock(&self.ended);
        if self.closed.is_cancelled() {
            return;
        }
        *ended = why;
        drop(ended);
        // Dropping the senders ends every request that waits.
        lock(&self.routes).take();
        self.closed.cancel();
    }

    /// When the stream last took something.
    fn moved(&self) -> Instant {
        self.began + Duration::from_millis(self.moved.load(Ordering::Relaxed))
    }

    fn has_moved(&self) {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(millis, Ordering::Relaxed);
    }

    fn error(&self) -> AgentError {
        AgentError::Ended(lock(&self.ended).clone())
    }
}

/// Nothing panics while it holds one of these locks, so a poisoned one is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn write_frames(mut writer: impl AsyncWrite + Unpin, mut frames: mpsc::Receiver<Vec<u8>>, shared: Arc<Shared>) {
    let write = async {
        while let Some(bytes) = frames.recv().await {
            for piece in bytes.chunks(PIECE) {
                writer.write_all(piece).await?;
                shared.has_moved();
            }
            if frames.is_empty() {
                writer.flush().await?;
            }
        }
        io::Result::Ok(())
    };
    tokio::select! {
        // A stream that takes nothing more is seen by the reader as its end.
        _ = write => {}
        () = shared.closed.cancelled() => {}
    }
    // Nor may the end of the stream take for ever.
    let _ = tokio::time::timeout(SILENCE, writer.shutdown()).await;
}

/// Reads until the stream ends, and says why if not because it was closed.
async fn read_answers(mut reader: impl AsyncRead + Unpin, shared: &Shared) -> Option<String> {
    let mut frames = FrameReader::default();
    // There is one for each service that runs, and answers are short.
    let mut buffer = vec![0; 4 << 10];
    loop {
        match reader.read(&mut buffer).await {
            Ok(0) if frames.is_partial() => return Some("in the middle of an answer".to_owned()),
            Ok(0) => return None,
            Ok(count) => frames.push(&buffer[..count]),
            Err(error) => return Some(error.to_string()),
        }
        if let Err(error) = route(&mut frames, shared).await {
            return Some(error);
        }
        frames.shrink();
    }
}

async fn route(frames: &mut FrameReader, shared: &Shared) -> Result<(), String> {
    let words = |error: FrameError| format!("it sent {error}");
    while let Some((kind, id, message)) = frames.next_frame().map_err(words)? {
        let answer = Answer::decode(kind, message).map_err(|error: DecodeError| format!("it sent {error}"))?;
        if let Answer::Over { code } = answer {
            // Said outright, as not every engine ends the stream when the container ends.
            return Err(format!("the container's command ended with code {code}"));
        }
        let route = lock(&shared.routes).as_ref().and_then(|routes| routes.get(&id).cloned());
        if let Some(route) = route {
            // Whoever asked may have gone; then nobody wants the answer.
            let _ = route.send(answer).await;
        }
    }
    Ok(())
}

pub(super) fn frame(request: &Request, id: u32) -> Vec<u8> {
    let mut out = Vec::new();
    encode_frame(&mut out, request.kind(), id, &request.encode());
    out
}
