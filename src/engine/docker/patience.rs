//! An end to every wait for an engine. A socket of an engine that hangs accepts requests and says nothing.

use std::time::Duration;

use super::Docker;
use crate::engine::{EngineError, ErrorKind, Result};

/// How long the answer to a question may take, which is no work. An engine that is busy takes seconds.
const QUESTION: Duration = Duration::from_mins(1);

/// How long a change may take that has no end of its own. Some storage drivers copy a whole image for a container.
const CHANGE: Duration = Duration::from_mins(10);

/// How often an engine is asked whether it is still there while it is at something.
const BEAT: Duration = Duration::from_secs(10);

/// How long it may take to say so.
const PULSE: Duration = Duration::from_secs(20);

impl Docker {
    /// Waits for the answer to a question.
    pub(super) async fn asked<T>(&self, what: &str, answer: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let late = || {
            let seconds = QUESTION.as_secs();
            let endpoint = &self.info.endpoint;
            let text = format!("the engine at {endpoint} has not answered for {seconds} s; it was asked for {what}");
            EngineError::new(ErrorKind::Lost, text)
        };
        tokio::time::timeout(QUESTION, answer).await.unwrap_or_else(|_| Err(late()))
    }

    /// Waits for a change of something, which is `grace` and some minutes at most.
    pub(super) async fn changed<T>(
        &self,
        what: &str,
        grace: Duration,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let limit = CHANGE.saturating_add(grace);
        let late = || {
            let minutes = limit.as_secs() / 60;
            let endpoint = &self.info.endpoint;
            let text = format!("the engine at {endpoint} has not come to an end with {what} in {minutes} minutes");
            EngineError::new(ErrorKind::Other, text)
        };
        tokio::time::timeout(limit, self.while_there(what, work)).await.unwrap_or_else(|_| Err(late()))
    }

    /// Waits for what takes as long as it takes, while the engine says that it is there.
    pub(super) async fn while_there<T>(&self, what: &str, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let gone = async {
            loop {
                tokio::time::sleep(BEAT).await;
                if tokio::time::timeout(PULSE, self.api.ping()).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            done = work => done,
            () = gone => {
                let endpoint = &self.info.endpoint;
                let text = format!("the engine at {endpoint} does not answer any more; it was at {what}");
                Err(EngineError::new(ErrorKind::Lost, text))
            }
        }
    }
}
