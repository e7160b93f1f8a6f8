//! hob's side of the protocol: requests go out, answers come back to whoever asked.
//!
//! Invariants: requests may be in flight together, each has its own id; the frames of a batch are those of no other one;
//! dropping a future gives up the answer, not the request, but for a batch that is not all sent: that ends the stream.
//! When the stream ends every open request ends with [`AgentError::Ended`], and so does every later one. Nothing is
//! waited for without an end ([`SILENCE`]), and nothing that the agent sends is kept without a bound.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Mutex as Turn, mpsc};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::BUILD_ID;
use super::protocol::{
    Answer, DecodeError, Entry, FrameError, FrameReader, Op, PathError, Request, StatusReport, VERSION, encode_apply,
    encode_frame, refusal,
};

/// How long an agent may take to answer once it has all that it needs for it. Its process may be stopped, its container
/// paused, its engine hang.
pub const SILENCE: Duration = Duration::from_secs(10);

/// Bytes that an agent reads and digests in a second at least.
const DIGESTED: u64 = 10 << 20;

/// Answers to one request that nobody has taken yet; then nothing more is read.
const WAITING: usize = 8;

/// Frames that have not been written yet.
const QUEUED: usize = 2;

/// What is handed to the stream at once.
const PIECE: usize = 64 << 10;

/// The most entries of a list.
const MOST_ENTRIES: usize = 1_000_000;

/// The messages of a batch, as [`super::Packer`] makes them, one after another; or why one cannot be had.
pub type Messages = mpsc::Receiver<Result<Vec<u8>, String>>;

/// Why the agent refused to speak with this hob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is of another version or build.
    OtherVersion {
        /// Its protocol version.
        version: u16,
        /// Its build id.
        build: String,
    },
    /// The container's first process is not a supervisor, or does not answer.
    NoSupervisor,
    /// Anything else, which is a defect.
    Other,
}

/// What went wrong between hob and the agent.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The agent refused to speak with this hob: it has to be replaced, with its container.
    #[error("the agent refused: {message}")]
    Refused {
        /// Why.
        reason: Refusal,
        /// In the agent's words.
        message: String,
    },
    /// The stream ended: the container or the engine is gone, or the agent was never there.
    #[error("the stream to the agent ended{}", .0.as_deref().map(|why| format!(": {why}")).unwrap_or_default())]
    Ended(Option<String>),
    /// It does not answer.
    #[error("the agent has not answered for {} s", .0.as_secs())]
    Silent(Duration),
    /// What is to be sent cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// The agent could not do it.
    #[error("{message}")]
    Failed {
        /// Error number of Linux, or 0.
        errno: u32,
        /// In the agent's words.
        message: String,
    },
    /// The agent answered something that does not answer the request.
    #[error("the agent gave an answer that does not fit the request")]
    Unexpected,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Steps done.
    pub done: u32,
    /// How long the agent took.
    pub took: Duration,
    /// Steps not done; a path that the caller knows from the batch.
    pub errors: Vec<PathError>,
}

/// A restart in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restarted {
    /// The process before, where there was one.
    pub old: Option<u32>,
    /// The process now.
    pub new: u32,
    /// From the agent's receipt of the request to the end of the old process.
    pub stopped: Duration,
    /// From the agent's receipt of the request to the start of the new process.
    pub started: Duration,
    /// The grace was over and it was killed.
    pub killed: bool,
}

/// A command to run in the container, as its user and in its environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Variables besides the container's.
    pub environment: Vec<(String, String)>,
    /// Working directory; `None` for the container's.
    pub workdir: Option<String>,
}

/// Where a command wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A command that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Exit code; 128 and the number for a signal.
    pub code: u8,
    /// How long it took.
    pub took: Duration,
}

/// What follows a batch that had no errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Restart the command in place.
    Restart {
        /// The stop signal's number on Linux.
        signal: u8,
        /// Time before SIGKILL.
        grace: Duration,
    },
    /// Send the command a signal.
    Signal(u8),
}

/// What became of a [`Then`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThenOutcome {
    /// The batch had errors, so it was not done.
    Skipped,
    /// Restarted.
    Restarted(Restarted),
    /// The signal was sent.
    Signalled,
}

type Routes = Mutex<Option<HashMap<u32, mpsc::Sender<Answer>>>>;

struct Shared {
    routes: Routes,
    /// Why the stream ended, once it has.
    ended: Mutex<Option<String>>,
    closed: CancellationToken,
    began: Instant,
    /// Milliseconds from then to the last moment at which the stream took something.
    moved: AtomicU64,
}

/// The agent of one container. Clones speak over the same stream; when the last is dropped, the stream is closed, and
/// the container's command runs on.
#[derive(Clone)]
pub struct AgentClient {
    outgoing: mpsc::Sender<Vec<u8>>,
    /// One batch is sent at a time.
    turn: Arc<Turn<()>>,
    shared: Arc<Shared>,
    next_id: Arc<AtomicU32>,
    supervisor: u32,
    _reading: Arc<DropGuard>,
}

impl AgentClient {
    /// Says hello over a stream (standard input and output of the exec of [`super::SERVE`]).
    pub async fn connect<R, W>(reader: R, writer: W) -> Result<Self, AgentError>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        Self::connect_as(reader, writer, VERSION, BUILD_ID).await
    }

    async fn connect_as<R, W>(reader: R, writer: W, version: u16, build: &str) -> Result<Self, AgentError>
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
        let mut client = Self {
            outgoing,
            turn: Arc::default(),
            shared,
            next_id: Arc::new(AtomicU32::new(1)),
            supervisor: 0,
            _reading: Arc::new(stop.drop_guard()),
        };
        let hello = Request::Hello { version, build: build.as_bytes().to_vec() };
        match client.ask(&hello).await? {
            Answer::Welcome { agent } => {
                client.supervisor = agent;
                Ok(client)
            }
            Answer::Refused { reason, version, build, message } => Err(AgentError::Refused {
                reason: match reason {
                    refusal::VERSION => Refusal::OtherVersion { version, build: text(&build) },
                    refusal::NO_SUPERVISOR => Refusal::NoSupervisor,
                    _ => Refusal::Other,
                },
                message: text(&message),
            }),
            other => Err(unexpected(other)),
        }
    }

    /// The supervisor's process in the container: 1 unless the container has an init or shares its process ids.
    pub fn supervisor(&self) -> u32 {
        self.supervisor
    }

    /// Waits until the stream has ended.
    pub async fn closed(&self) {
        self.shared.closed.cancelled().await;
    }

    /// Whether the stream has ended.
    pub fn is_closed(&self) -> bool {
        self.shared.closed.is_cancelled()
    }

    /// Applies a batch of changed files.
    pub async fn apply(&self, ops: Vec<Op>) -> Result<Applied, AgentError> {
        Ok(self.whole(ops, None).await?.0)
    }

    /// Applies a batch and, if it had no errors, does what follows, in one round trip.
    pub async fn apply_then(&self, ops: Vec<Op>, then: Then) -> Result<(Applied, ThenOutcome), AgentError> {
        let (applied, outcome) = self.whole(ops, Some(then)).await?;
        Ok((applied, outcome.unwrap_or(ThenOutcome::Skipped)))
    }

    async fn whole(&self, ops: Vec<Op>, then: Option<Then>) -> Result<(Applied, Option<ThenOutcome>), AgentError> {
        let id = self.id();
        let mut firsts = self.register(id)?;
        let mut bytes = apply_frames(id, ops);
        let seconds = self.follow(then, id, &mut bytes)?;
        let turn = self.turn.lock().await;
        self.put(bytes).await?;
        drop(turn);
        self.outcome(&mut firsts, seconds).await
    }

    /// The same with a batch that is not there as a whole. Where a message cannot be had, what was complete before it
    /// is applied, and nothing follows.
    pub async fn apply_parts(
        &self,
        mut messages: Messages,
        then: Option<Then>,
    ) -> Result<(Applied, Option<ThenOutcome>), AgentError> {
        let id = self.id();
        let mut firsts = self.register(id)?;
        let _turn = self.turn.lock().await;
        let mut open = Unfinished { shared: &self.shared, done: false };
        let mut unreadable = None;
        loop {
            let last = || "what is read for it ended too early".to_owned();
            let message = messages.recv().await.unwrap_or_else(|| Err(last()));
            let message = message.unwrap_or_else(|why| {
                unreadable = Some(why);
                // No step, and no more of them.
                vec![0]
            });
            let is_last = message.first() == Some(&0);
            let mut bytes = framed(&message, id);
            if is_last {
                let seconds = match then.filter(|_| unreadable.is_none()) {
                    Some(then) => self.follow(Some(then), id, &mut bytes)?,
                    None => None,
                };
                self.put(bytes).await?;
                open.done = true;
                let outcome = self.outcome(&mut firsts, seconds).await?;
                return unreadable.map_or(Ok(outcome), |why| Err(AgentError::Unreadable(why)));
            }
            self.put(bytes).await?;
        }
    }

    /// Appends the request for what follows a batch.
    fn follow(
        &self,
        then: Option<Then>,
        after: u32,
        bytes: &mut Vec<u8>,
    ) -> Result<Option<(Answers<'_>, Duration)>, AgentError> {
        let Some(then) = then else { return Ok(None) };
        let (request, grace) = match then {
            Then::Restart { signal, grace } => (Request::Restart { signal, grace_ms: millis(grace), after }, grace),
            Then::Signal(signal) => (Request::Signal { signal, after }, Duration::ZERO),
        };
        let id = self.id();
        bytes.extend(frame(&request, id));
        Ok(Some((self.register(id)?, SILENCE.saturating_add(grace))))
    }

    async fn outcome(
        &self,
        firsts: &mut Answers<'_>,
        seconds: Option<(Answers<'_>, Duration)>,
    ) -> Result<(Applied, Option<ThenOutcome>), AgentError> {
        let applied = applied(self.next(firsts, SILENCE).await?)?;
        let Some((mut seconds, limit)) = seconds else { return Ok((applied, None)) };
        let outcome = match self.next(&mut seconds, limit).await? {
            Answer::Failed { .. } if !applied.errors.is_empty() => ThenOutcome::Skipped,
            Answer::Done => ThenOutcome::Signalled,
            answer => ThenOutcome::Restarted(restarted(answer)?),
        };
        Ok((applied, Some(outcome)))
    }

    /// Restarts the command in place: the signal, SIGKILL after the grace, and then a new start.
    pub async fn restart(&self, signal: u8, grace: Duration) -> Result<Restarted, AgentError> {
        let request = Request::Restart { signal, grace_ms: millis(grace), after: 0 };
        let mut answers = self.send(&request).await?;
        restarted(self.next(&mut answers, SILENCE.saturating_add(grace)).await?)
    }

    /// Sends the command a signal.
    pub async fn signal(&self, signal: u8) -> Result<(), AgentError> {
        match self.ask(&Request::Signal { signal, after: 0 }).await? {
            Answer::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    /// Runs a command as the container's user. A command that cannot be started is [`AgentError::Failed`].
    pub async fn start(&self, command: Command) -> Result<Running<'_>, AgentError> {
        let bytes = |text: String| text.into_bytes();
        let request = Request::Exec {
            argv: command.argv.into_iter().map(bytes).collect(),
            env: command.environment.iter().map(|(name, value)| format!("{name}={value}").into_bytes()).collect(),
            workdir: command.workdir.unwrap_or_default().into_bytes(),
            after: 0,
        };
        Ok(Running { answers: self.send(&request).await? })
    }

    /// Runs a command and gives its output as it comes.
    pub async fn exec(
        &self,
        command: Command,
        mut output: impl FnMut(OutputStream, &[u8]),
    ) -> Result<Executed, AgentError> {
        let mut running = self.start(command).await?;
        loop {
            match running.next().await? {
                Told::Output(stream, data) => output(stream, &data),
                Told::Ended(executed) => return Ok(executed),
            }
        }
    }

    /// How the command is.
    pub async fn status(&self) -> Result<StatusReport, AgentError> {
        match self.ask(&Request::Status).await? {
            Answer::Status(status) => Ok(status),
            other => Err(unexpected(other)),
        }
    }

    /// What is at these paths below an absolute target (an empty path is the target itself), with all in them and with
    /// the SHA-256 of every file where that is asked for.
    pub async fn list(
        &self,
        target: &str,
        paths: Vec<Vec<u8>>,
        recursive: bool,
        digest: bool,
    ) -> Result<Vec<Entry>, AgentError> {
        let most = if recursive { MOST_ENTRIES } else { paths.len() };
        let request = Request::List { target: target.as_bytes().to_vec(), paths, recursive, digest };
        self.entries(&request, SILENCE, most).await
    }

    /// What is at these paths, with the digests of files, which are about so many bytes.
    pub async fn digests(&self, target: &str, paths: Vec<Vec<u8>>, bytes: u64) -> Result<Vec<Entry>, AgentError> {
        let (limit, most) = (SILENCE + Duration::from_secs(bytes / DIGESTED), paths.len());
        let request = Request::List { target: target.as_bytes().to_vec(), paths, recursive: false, digest: true };
        self.entries(&request, limit, most).await
    }

    async fn entries(&self, request: &Request, limit: Duration, most: usize) -> Result<Vec<Entry>, AgentError> {
        let mut answers = self.send(request).await?;
        let mut all = Vec::new();
        loop {
            match self.next(&mut answers, limit).await? {
                // What has no end is no list.
                Answer::Entries { more, entries } if more && entries.is_empty() || all.len() + entries.len() > most => {
                    return Err(AgentError::Unexpected);
                }
                Answer::Entries { more, entries } => {
                    all.extend(entries);
                    if !more {
                        return Ok(all);
                    }
                }
                other => return Err(unexpected(other)),
            }
        }
    }

    /// User and group of `user[:group]`, by the container's own files and as `COPY --chown` reads it.
    pub async fn owner(&self, name: &str) -> Result<(u32, u32), AgentError> {
        match self.ask(&Request::Owner { name: name.as_bytes().to_vec() }).await? {
            Answer::Owner { uid, gid } => Ok((uid, gid)),
            other => Err(unexpected(other)),
        }
    }

    fn id(&self) -> u32 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    fn register(&self, id: u32) -> Result<Answers<'_>, AgentError> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let mut routes = lock(&self.shared.routes);
        if let Some(routes) = routes.as_mut() {
            routes.insert(id, sender);
            return Ok(Answers { id, receiver, shared: &self.shared });
        }
        drop(routes);
        Err(self.shared.error())
    }

    async fn send(&self, request: &Request) -> Result<Answers<'_>, AgentError> {
        let id = self.id();
        let answers = self.register(id)?;
        self.put(frame(request, id)).await?;
        Ok(answers)
    }

    /// Hands frames to the stream.
    async fn put(&self, bytes: Vec<u8>) -> Result<(), AgentError> {
        self.in_time(SILENCE, self.outgoing.send(bytes)).await?.map_err(|_| self.shared.error())
    }

    async fn next(&self, answers: &mut Answers<'_>, limit: Duration) -> Result<Answer, AgentError> {
        self.in_time(limit, answers.receiver.recv()).await?.ok_or_else(|| self.shared.error())
    }

    async fn ask(&self, request: &Request) -> Result<Answer, AgentError> {
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

/// A batch of which not everything was sent: the agent waits for the rest of it and takes no other one.
struct Unfinished<'a> {
    shared: &'a Shared,
    done: bool,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.shared.end(Some("a batch was given up".to_owned()));
        }
    }
}

/// A command that an agent runs. It waits for whoever takes its output.
pub struct Running<'a> {
    answers: Answers<'a>,
}

/// What is told of a command.
#[derive(Debug)]
pub enum Told {
    /// It wrote something.
    Output(OutputStream, Vec<u8>),
    /// It has ended.
    Ended(Executed),
}

impl Running<'_> {
    /// What comes next. How long that takes is the command's affair.
    pub async fn next(&mut self) -> Result<Told, AgentError> {
        match self.answers.receiver.recv().await.ok_or_else(|| self.answers.shared.error())? {
            Answer::Output { stream: 1, data } => Ok(Told::Output(OutputStream::Stdout, data)),
            Answer::Output { data, .. } => Ok(Told::Output(OutputStream::Stderr, data)),
            Answer::Exited { code, micros } => Ok(Told::Ended(Executed { code, took: Duration::from_micros(micros) })),
            other => Err(unexpected(other)),
        }
    }
}

/// The answers to one request; forgets the route when it is dropped.
struct Answers<'a> {
    id: u32,
    receiver: mpsc::Receiver<Answer>,
    shared: &'a Shared,
}

impl Drop for Answers<'_> {
    fn drop(&mut self) {
        if let Some(routes) = lock(&self.shared.routes).as_mut() {
            routes.remove(&self.id);
        }
    }
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

fn frame(request: &Request, id: u32) -> Vec<u8> {
    let mut out = Vec::new();
    encode_frame(&mut out, request.kind(), id, &request.encode());
    out
}

/// A message of a batch as a frame.
fn framed(message: &[u8], id: u32) -> Vec<u8> {
    let kind = Request::Apply { more: false, ops: Vec::new() }.kind();
    let mut out = Vec::with_capacity(message.len() + 9);
    encode_frame(&mut out, kind, id, message);
    out
}

fn apply_frames(id: u32, ops: Vec<Op>) -> Vec<u8> {
    let mut frames = encode_apply(ops).into_iter().map(|message| framed(&message, id));
    let first = frames.next().unwrap_or_default();
    frames.fold(first, |mut all, frame| {
        all.extend(frame);
        all
    })
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn applied(answer: Answer) -> Result<Applied, AgentError> {
    match answer {
        Answer::Applied { done, micros, errors } => Ok(Applied { done, took: Duration::from_micros(micros), errors }),
        other => Err(unexpected(other)),
    }
}

fn restarted(answer: Answer) -> Result<Restarted, AgentError> {
    match answer {
        Answer::Restarted { old, new, stopped, started, killed } => Ok(Restarted {
            old: (old != 0).then_some(old),
            new,
            stopped: Duration::from_micros(stopped),
            started: Duration::from_micros(started),
            killed,
        }),
        other => Err(unexpected(other)),
    }
}

fn unexpected(answer: Answer) -> AgentError {
    match answer {
        Answer::Failed { errno, message } => AgentError::Failed { errno, message: text(&message) },
        _ => AgentError::Unexpected,
    }
}
