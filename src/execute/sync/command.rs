//! The command that follows a sync (`reload: {exec: …}`, `sync+exec`): its output is shown as the container's, and it has
//! an end.

use std::time::Duration;

use futures_util::StreamExt;

use super::hot::{SyncContainer, SyncError, agent_failed, engine_failed};
use crate::agent::{AgentClient, AgentError, Command, OutputStream, Told};
use crate::engine::{Channel, ExecSpec};
use crate::event::{Event, LogStream, Message};
use crate::execute::agents::Agents;
use crate::execute::lines::Last;
use crate::execute::{Cause, Failure};

/// How long a command may take. What takes longer is no step between a save and the running program.
const LIMIT: Duration = Duration::from_mins(5);

/// Why a command that has not ended is not waited for any more.
enum GivenUp {
    TooLong,
    Stopped,
}

/// The output of a command, as it is shown.
struct Output<'a> {
    agents: &'a Agents,
    hot: &'a SyncContainer<'a>,
    container: String,
    number: u32,
    last: Last,
}

impl Output<'_> {
    async fn take(&mut self, channel: Channel, bytes: &[u8]) {
        for line in self.last.push(channel, bytes) {
            self.show(channel, line).await;
        }
    }

    async fn finish(mut self) -> Vec<String> {
        for (channel, line) in self.last.finish() {
            self.show(channel, line).await;
        }
        self.last.lines()
    }

    async fn show(&self, channel: Channel, line: String) {
        let line = Event::Log {
            service: self.hot.service.name.clone(),
            container: self.container.clone(),
            number: self.number,
            stream: match channel {
                Channel::Out => LogStream::Stdout,
                Channel::Err => LogStream::Stderr,
            },
            line,
        };
        self.agents.sink.line(line).await;
    }
}

impl Agents {
    /// Runs a command through the agent.
    pub(super) async fn run_by_agent(
        &self,
        hot: &SyncContainer<'_>,
        client: &AgentClient,
        argv: &[String],
    ) -> Result<(), SyncError> {
        let mut output = self.output(hot).await?;
        let command = Command { argv: argv.to_vec(), ..Command::default() };
        let run = async {
            let mut running = client.start(command).await?;
            loop {
                match running.next().await? {
                    Told::Output(OutputStream::Stdout, bytes) => output.take(Channel::Out, &bytes).await,
                    Told::Output(OutputStream::Stderr, bytes) => output.take(Channel::Err, &bytes).await,
                    Told::Ended(done) => return Ok::<_, AgentError>(done),
                }
            }
        };
        let ended = limited(hot, run).await;
        let lines = output.finish().await;
        match ended {
            Ok(done) => judge(hot, argv, i64::from(done.map_err(agent_failed)?.code), lines),
            Err(given_up) => Err(unfinished(hot, argv, &given_up)),
        }
    }

    /// The same through the engine.
    pub(super) async fn run_by_engine(&self, hot: &SyncContainer<'_>, argv: &[String]) -> Result<(), SyncError> {
        let mut output = self.output(hot).await?;
        let spec = ExecSpec { command: argv.to_vec(), ..ExecSpec::default() };
        let run = async {
            let mut session = self.engine.exec(hot.container, &spec).await?;
            while let Some(chunk) = session.output.next().await {
                let chunk = chunk?;
                output.take(chunk.channel, &chunk.bytes).await;
            }
            self.engine.exec_exit_code(&session.id).await
        };
        let ended = limited(hot, run).await;
        let lines = output.finish().await;
        match ended {
            Ok(code) => judge(hot, argv, code.map_err(|e| engine_failed(hot.service, e))?.unwrap_or(0), lines),
            Err(given_up) => Err(unfinished(hot, argv, &given_up)),
        }
    }

    async fn output<'a>(&'a self, hot: &'a SyncContainer<'_>) -> Result<Output<'a>, SyncError> {
        let container = self.engine.inspect(hot.container).await.map_err(|e| engine_failed(hot.service, e))?;
        let (container, number) = container.map(|c| (c.name, c.number)).unwrap_or_default();
        Ok(Output { agents: self, hot, container, number, last: Last::default() })
    }
}

/// Waits for a command, for as long as it may take.
async fn limited<T>(hot: &SyncContainer<'_>, run: impl Future<Output = T>) -> Result<T, GivenUp> {
    tokio::select! {
        ended = tokio::time::timeout(LIMIT, run) => ended.map_err(|_| GivenUp::TooLong),
        () = hot.stop.cancelled() => Err(GivenUp::Stopped),
    }
}

fn judge(hot: &SyncContainer<'_>, argv: &[String], code: i64, lines: Vec<String>) -> Result<(), SyncError> {
    if code == 0 {
        return Ok(());
    }
    let text = format!("`{}` exited with {code}", argv.join(" "));
    Err(failed(Message::new(text).service(&hot.service.name).detail(lines)))
}

fn unfinished(hot: &SyncContainer<'_>, argv: &[String], given_up: &GivenUp) -> SyncError {
    let command = argv.join(" ");
    let message = match given_up {
        GivenUp::TooLong => Message::new(format!("`{command}` has not ended within {} min", LIMIT.as_secs() / 60))
            .hint("what is to go on beside the program is better started by the container's own command"),
        GivenUp::Stopped => Message::new(format!("`{command}` was not waited for: the session ends")),
    };
    failed(message.service(&hot.service.name))
}

fn failed(message: Message) -> SyncError {
    SyncError::Failed(Failure { cause: Cause::Engine, message })
}
