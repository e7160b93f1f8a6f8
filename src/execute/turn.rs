//! Whose turn it is to change a project. Two plans at one moment would undo each other's work, so the second waits, and
//! says for whom. Nothing else is kept out: while a session has no plan under way, other commands change the project as
//! they like, and it takes note of that.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{Cause, Failure};
use crate::event::{Event, Message, Sink};
use crate::host::lock::{Held, Holder, Key, Lock, LockError};
use crate::model::ServiceName;

/// Between two tries.
const TRY: Duration = Duration::from_millis(50);
/// What is over sooner is not worth a word.
const WORTH_SAYING: Duration = Duration::from_millis(250);
/// What the engine tells so shortly after a plan was still its doing.
const ECHO: Duration = Duration::from_secs(1);

/// The turns of this process on one project.
#[derive(Debug, Default)]
pub struct Turns {
    place: Option<LockScope>,
    state: Mutex<TurnState>,
}

/// Where the locks are, and what this process is to others.
#[derive(Debug)]
pub struct LockScope {
    /// The folder of the locks.
    pub folder: PathBuf,
    /// The engine's address.
    pub engine: String,
    /// The project's name.
    pub project: String,
    /// What a person would recognise, for example `hob up`.
    pub command: String,
}

#[derive(Debug, Default)]
struct TurnState {
    /// Plans of this process that are under way; they share the lock.
    plans: usize,
    lock: Option<Lock>,
    /// When the last one ended.
    ended: Option<Instant>,
    /// How often another process had the turn in between.
    others: u64,
    /// That it is waited for was said.
    said: bool,
}

/// A plan's turn, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    turns: Arc<Turns>,
    /// The plan only waits: others may change the project.
    resting: Mutex<bool>,
    /// How often others had the turn, when this one last had it.
    others: AtomicU64,
}

/// Who changed the project, as far as this process can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doer {
    /// This process.
    Us,
    /// Another hob.
    Hob(Holder),
    /// Something else: `docker`, Docker Compose, a restart policy, the program itself.
    Unknown,
}

impl Turns {
    /// Turns that are shared with other processes.
    pub fn new(place: LockScope) -> Self {
        Self { place: Some(place), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, TurnState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn, however long the other takes. `None` where the wait was cancelled.
    ///
    /// # Errors
    /// The lock cannot be made.
    pub async fn take(
        self: &Arc<Self>,
        sink: &dyn Sink,
        cancel: &CancellationToken,
    ) -> Result<Option<Arc<Turn>>, Failure> {
        let others = self.enter(sink, cancel).await?;
        Ok(others.map(|others| {
            let (turns, resting, others) = (Arc::clone(self), Mutex::new(false), AtomicU64::new(others));
            Arc::new(Turn { turns, resting, others })
        }))
    }

    /// The turn, if nobody has it: for what waits for no other command, so that others know who did it.
    pub fn try_take(self: &Arc<Self>) -> Option<Arc<Turn>> {
        let others = self.try_enter().ok()?.ok()?;
        let (turns, resting, others) = (Arc::clone(self), Mutex::new(false), AtomicU64::new(others));
        Some(Arc::new(Turn { turns, resting, others }))
    }

    /// Waits and enters; how often another process had the turn until now.
    async fn enter(&self, sink: &dyn Sink, cancel: &CancellationToken) -> Result<Option<u64>, Failure> {
        let began = tokio::time::Instant::now();
        loop {
            let held = match self.try_enter()? {
                Ok(others) => return Ok(Some(others)),
                Err(held) => held,
            };
            if began.elapsed() >= WORTH_SAYING && !std::mem::replace(&mut self.state().said, true) {
                sink.emit(Event::Notice { text: waiting_for(&held) });
            }
            tokio::select! {
                biased;
                () = tokio::time::sleep(TRY) => {}
                () = cancel.cancelled() => return Ok(None),
            }
        }
    }

    fn try_enter(&self) -> Result<Result<u64, Held>, Failure> {
        let mut state = self.state();
        if let (Some(place), None) = (&self.place, &state.lock) {
            match Lock::acquire(&place.folder, place.key(None), &place.command) {
                Ok(lock) => {
                    state.others += u64::from(lock.before().is_some_and(|before| !before.is_this_process()));
                    state.lock = Some(lock);
                }
                Err(LockError::Held(held)) => return Ok(Err(held)),
                Err(error) => {
                    return Err(Failure { cause: Cause::Engine, message: Message::new(error.to_string()) });
                }
            }
        }
        state.plans += 1;
        state.said = false;
        Ok(Ok(state.others))
    }

    fn leave(&self) {
        let mut state = self.state();
        state.plans = state.plans.saturating_sub(1);
        if state.plans == 0 {
            state.lock = None;
            state.ended = Some(now());
        }
    }

    /// Who has just changed something.
    pub fn doer(&self) -> Doer {
        let (plans, ended) = {
            let state = self.state();
            (state.plans, state.ended)
        };
        if plans > 0 {
            return Doer::Us;
        }
        let last = self.place.as_ref().and_then(|place| Lock::last(&place.folder, place.key(None)));
        let other = last.filter(|holder| !holder.is_this_process() && holder.is_at_work(ECHO));
        let has_ended = ended.is_some_and(|ended| now().duration_since(ended) < ECHO);
        match other {
            // Whoever has the lock is the one who does something.
            Some(holder) if holder.until.is_none() || !has_ended => Doer::Hob(holder),
            _ if has_ended => Doer::Us,
            _ => Doer::Unknown,
        }
    }

    /// The right to put saves into a service, or who has it.
    ///
    /// # Errors
    /// Another session watches the service.
    pub fn watch(&self, service: &ServiceName) -> Result<Option<Lock>, Held> {
        let Some(place) = &self.place else { return Ok(None) };
        match Lock::acquire(&place.folder, place.key(Some(service)), &place.command) {
            Ok(lock) => Ok(Some(lock)),
            Err(LockError::Held(held)) => Err(held),
            // The lock of the project is in the same folder, and has said so.
            Err(LockError::Io { .. }) => Ok(None),
        }
    }
}

impl LockScope {
    fn key<'a>(&'a self, service: Option<&'a ServiceName>) -> Key<'a> {
        Key { engine: &self.engine, project: &self.project, service: service.map(ServiceName::as_str) }
    }
}

impl Turn {
    /// Nothing but waits is under way: others may change the project until [`Self::resume`].
    pub fn rest(&self) {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut *resting, true) {
            self.turns.leave();
        }
    }

    /// Waits for the turn again after a rest; true where another process had it meanwhile, so that what the plan was
    /// made from may not hold any more. `None` where the wait was cancelled.
    ///
    /// # Errors
    /// As [`Turns::take`].
    pub async fn resume(&self, sink: &dyn Sink, cancel: &CancellationToken) -> Result<Option<bool>, Failure> {
        if !*self.resting.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(Some(false));
        }
        let Some(others) = self.turns.enter(sink, cancel).await? else { return Ok(None) };
        *self.resting.lock().unwrap_or_else(PoisonError::into_inner) = false;
        Ok(Some(self.others.swap(others, Ordering::Relaxed) != others))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.rest();
    }
}

fn waiting_for(held: &Held) -> String {
    match &held.holder {
        Some(holder) => format!("waiting for {holder}, which is changing project {}", held.project),
        None => format!("waiting for another hob, which is changing project {}", held.project),
    }
}

/// The time by tokio's clock, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execute::testing::Events;

    fn turns(folder: &std::path::Path, command: &str) -> Arc<Turns> {
        Arc::new(Turns::new(LockScope {
            folder: folder.to_owned(),
            engine: "unix:///run/docker.sock".into(),
            project: "shop".into(),
            command: command.into(),
        }))
    }

    async fn take(turns: &Arc<Turns>) -> Arc<Turn> {
        turns.take(&Events::default(), &CancellationToken::new()).await.unwrap().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_waits_and_says_for_whom() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (turns(folder.path(), "hob up -d"), turns(folder.path(), "hob down"));
        let own = take(&first).await;
        let also = take(&first).await;
        let events = Arc::new(Events::default());
        let (sink, waits) = (Arc::clone(&events), Arc::clone(&second));
        let waiting = tokio::spawn(async move { waits.take(&*sink, &CancellationToken::new()).await });
        events.wait(0, "a word", |event| matches!(event, Event::Notice { .. })).await;
        let want = format!("waiting for `hob up -d` (process {}), which is changing project shop", std::process::id());
        drop(own);
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(!waiting.is_finished(), "the other plan of the first is under way");
        drop(also);
        let turn = waiting.await.unwrap().unwrap().unwrap();
        assert_eq!(events.texts(), [want], "once");
        assert_eq!(second.doer(), Doer::Us);
        drop(turn);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_nobody_has_the_turn_if_it_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (turns(folder.path(), "hob up"), turns(folder.path(), "hob kill"));
        let own = take(&first).await;
        assert!(second.try_take().is_none());
        drop(own);
        assert!(second.try_take().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_when_it_is_cancelled() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (turns(folder.path(), "hob up"), turns(folder.path(), "hob down"));
        let _own = take(&first).await;
        let cancel = CancellationToken::new();
        cancel.cancel();
        assert!(second.take(&Events::default(), &cancel).await.unwrap().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_plan_that_only_waits_lets_others_in() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (turns(folder.path(), "hob up"), turns(folder.path(), "hob restart"));
        let (sink, cancel) = (Events::default(), CancellationToken::new());
        let own = take(&first).await;
        own.rest();
        own.rest();
        drop(take(&second).await);
        assert!(own.resume(&sink, &cancel).await.unwrap().is_some());
        assert_eq!(own.resume(&sink, &cancel).await.unwrap(), Some(false), "it has it");
        cancel.cancel();
        assert!(second.take(&sink, &cancel).await.unwrap().is_none());
        drop(own);
        take(&second).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_is_watched_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (turns(folder.path(), "hob up"), turns(folder.path(), "hob watch"));
        let api = first.watch(&"api".into()).unwrap();
        assert!(api.is_some());
        assert_eq!(second.watch(&"api".into()).unwrap_err().holder.unwrap().command, "hob up");
        assert!(second.watch(&"web".into()).unwrap().is_some());
        let _both = take(&second).await;
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_place_nobody_waits() {
        let turns = Arc::new(Turns::default());
        assert_eq!(turns.doer(), Doer::Unknown);
        let one = take(&turns).await;
        assert_eq!(turns.doer(), Doer::Us);
        drop(one);
        tokio::time::sleep(ECHO).await;
        assert_eq!(turns.doer(), Doer::Unknown);
    }
}
