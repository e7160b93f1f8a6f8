//! How a batch of changed files is sent, and what follows it in the same round trip.

use std::time::Duration;

use tokio::sync::mpsc;

use super::messages::{AgentError, Applied, Then, ThenOutcome, applied, millis, restarted};
use super::multiplexer::{Answers, Multiplexer, SILENCE, frame};
use crate::agent::protocol::{Answer, Op, Request, encode_apply, encode_frame};

/// The messages of a batch, as [`super::Packer`] makes them, one after another; or why one cannot be had.
pub type Messages = mpsc::Receiver<Result<Vec<u8>, String>>;

/// What became of a batch and of what followed it.
pub(super) type Outcome = Result<(Applied, Option<ThenOutcome>), AgentError>;

impl Multiplexer {
    /// Sends a batch that is there as a whole.
    pub(super) async fn apply(&self, ops: Vec<Op>, then: Option<Then>) -> Outcome {
        let id = self.id();
        let mut firsts = self.register(id)?;
        let mut bytes = apply_frames(id, ops);
        let seconds = self.follow(then, id, &mut bytes)?;
        let turn = self.batch_turn().await;
        self.put(bytes).await?;
        drop(turn);
        self.outcome(&mut firsts, seconds).await
    }

    /// Sends a batch that is not there as a whole. Where a message cannot be had, what was complete before it
    /// is applied, and nothing follows.
    pub(super) async fn apply_parts(&self, mut messages: Messages, then: Option<Then>) -> Outcome {
        let id = self.id();
        let mut firsts = self.register(id)?;
        let _turn = self.batch_turn().await;
        let mut open = Unfinished { multiplexer: self, done: false };
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

    async fn outcome(&self, firsts: &mut Answers<'_>, seconds: Option<(Answers<'_>, Duration)>) -> Outcome {
        let applied = applied(self.next(firsts, SILENCE).await?)?;
        let Some((mut seconds, limit)) = seconds else { return Ok((applied, None)) };
        let outcome = match self.next(&mut seconds, limit).await? {
            Answer::Failed { .. } if !applied.errors.is_empty() => ThenOutcome::Skipped,
            Answer::Done => ThenOutcome::Signalled,
            answer => ThenOutcome::Restarted(restarted(answer)?),
        };
        Ok((applied, Some(outcome)))
    }
}

/// A batch of which not everything was sent: the agent waits for the rest of it and takes no other one.
struct Unfinished<'a> {
    multiplexer: &'a Multiplexer,
    done: bool,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.multiplexer.end("a batch was given up");
        }
    }
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
