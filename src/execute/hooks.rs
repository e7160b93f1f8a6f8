//! `post_start` and `pre_stop`: commands that a service's manifest has run in its container, after it was started and
//! before it is stopped. They belong to the start and the stop of a container, whoever asks for it.

use std::time::Duration;

use futures_util::StreamExt as _;

use super::{Cause, Failure, lines};
use crate::engine::{Engine, EngineError, ErrorKind, ExecSpec};
use crate::event::{Hold, Message};
use crate::model::{ContainerId, ContainerSpec, Hook, Project, Service};

/// How many lines of a hook's output are kept for its failure, and shown while it runs.
const LINES: (usize, usize) = (20, 100);
/// How long a command before a stop may take: the stop is held back by it, and Ctrl-C with it.
const BEFORE_STOP: Duration = Duration::from_mins(1);

/// Where what hooks print goes, line by line.
pub(super) type Told<'a> = &'a (dyn Fn(Hold) + Send + Sync);

/// The container of a service, of which the manifest may know hooks.
#[derive(Clone, Copy)]
pub(super) struct Of<'a> {
    /// The engine.
    pub engine: &'a dyn Engine,
    /// The manifest.
    pub project: Option<&'a Project>,
    /// The service; `None` for a container of none.
    pub service: Option<&'a Service>,
    /// Its container.
    pub container: &'a ContainerId,
}

impl Of<'_> {
    /// Runs `post_start`, one command after the other.
    pub(super) async fn after_start(self, told: Told<'_>) -> Result<(), Failure> {
        let hooks = self.service.map(|service| service.post_start.as_slice()).unwrap_or_default();
        for (at, hook) in hooks.iter().enumerate() {
            self.run(hook, ("post_start", at), Cause::Unhealthy, told).await?;
        }
        Ok(())
    }

    /// Runs `pre_stop` in a container that runs. As in Docker Compose one that fails keeps it from being stopped.
    pub(super) async fn before_stop(self, told: Told<'_>) -> Result<(), Failure> {
        let hooks = self.service.map(|service| service.pre_stop.as_slice()).unwrap_or_default();
        if hooks.is_empty() {
            return Ok(());
        }
        let run = async {
            for (at, hook) in hooks.iter().enumerate() {
                self.run(hook, ("pre_stop", at), Cause::Engine, told).await?;
            }
            Ok(())
        };
        let Ok(result) = tokio::time::timeout(BEFORE_STOP, run).await else {
            let text = format!("did not end within {} s", BEFORE_STOP.as_secs());
            return Err(self.failure("pre_stop", 0, Cause::Engine, &text, Vec::new()));
        };
        result
    }

    /// The restart of a container, with both.
    pub(super) async fn restart(self, grace: Option<Duration>, told: Told<'_>) -> Result<(), Failure> {
        self.before_stop(told).await?;
        let result = self.engine.restart(self.container, grace).await;
        result.map_err(|error| Failure::of_engine(self.service.map(|service| &service.name), error))?;
        self.after_start(told).await
    }

    async fn run(self, hook: &Hook, (key, at): (&str, usize), cause: Cause, told: Told<'_>) -> Result<(), Failure> {
        let Some(command) = hook.command.clone().filter(|command| !command.is_empty()) else { return Ok(()) };
        let variable = |(name, value): (&String, &Option<String>)| Some(format!("{name}={}", value.as_ref()?));
        let spec = ExecSpec {
            command,
            user: hook.user.clone(),
            working_dir: hook.working_dir.clone(),
            env: hook.environment.iter().filter_map(variable).collect(),
            privileged: hook.privileged,
            ..ExecSpec::default()
        };
        match self.exec(&spec, key, told).await {
            Ok((0, _)) => Ok(()),
            Ok((code, lines)) => Err(self.failure(key, at, cause, &format!("exited with {code}"), lines)),
            // It does not run any more, and needs no command before its stop.
            Err(error) if key == "pre_stop" && matches!(error.kind, ErrorKind::NotFound | ErrorKind::Conflict) => {
                Ok(())
            }
            Err(error) => Err(self.failure(key, at, cause, &format!("cannot be run: {}", error.message), Vec::new())),
        }
    }

    async fn exec(self, spec: &ExecSpec, key: &str, told: Told<'_>) -> Result<(i64, Vec<String>), EngineError> {
        let mut session = self.engine.exec(self.container, spec).await?;
        let (mut splitter, mut last, mut shown) = (lines::Splitter::default(), Vec::new(), 0);
        let mut line = |text: String| {
            shown += 1;
            if shown <= LINES.1 {
                told(Hold::Hook { key: key.to_owned(), line: text.clone() });
            }
            last.push(text);
            if last.len() > LINES.0 {
                last.remove(0);
            }
        };
        while let Some(chunk) = session.output.next().await {
            splitter.push(&chunk?.bytes).into_iter().for_each(|found| line(found.text));
        }
        if let Some(found) = splitter.finish() {
            line(found.text);
        }
        let code = self.engine.exec_exit_code(&session.id).await?.unwrap_or(0);
        Ok((code, last))
    }

    fn failure(self, key: &str, at: usize, cause: Cause, what: &str, lines: Vec<String>) -> Failure {
        let name = self.service.map(|service| service.name.clone()).unwrap_or_default();
        let path = format!("services.{name}.{key}.{at}");
        let place = self.project.and_then(|project| project.locate(&path));
        let mut message = Message::new(format!("command {} of {name}'s {key} {what}", at + 1)).service(&name);
        message = message.at(place.as_ref());
        message.detail.extend(lines.into_iter().map(|line| format!("  {line}")));
        if key == "pre_stop" {
            message.hints.push(format!("it was not stopped; `hob kill {name}` ends it without its `pre_stop`"));
        }
        Failure { cause, message }
    }
}

/// Runs a command of `pre_start` in a container of its own to its end, and removes it.
pub(super) async fn before_start(engine: &dyn Engine, run: &ContainerSpec, told: Told<'_>) -> Result<(), Failure> {
    let service = &run.service.name;
    let of_engine = |error| Failure::of_engine(Some(service), error);
    let id = ContainerId::new(&run.name);
    // A hob that was killed may have left one.
    let left = engine.inspect(&id).await.map_err(of_engine)?;
    if let Some(left) = left.filter(|left| left.oneoff && left.service == *service) {
        engine.remove_container(&left.id, true).await.map_err(of_engine)?;
    }
    if engine.image(&run.image).await.map_err(of_engine)?.is_none() {
        told(Hold::HookImage { key: "pre_start".to_owned(), image: run.image.clone() });
        engine.pull(&run.image, run.service.platform.as_deref(), &|_| ()).await.map_err(of_engine)?;
    }
    let id = engine.create_container(run).await.map_err(of_engine)?;
    let code = async {
        engine.start(&id).await?;
        engine.wait(&id).await
    };
    let code = code.await;
    let log = super::tail::tail(engine, &run.name, 20).await;
    let removed = engine.remove_container(&id, true).await;
    match code.map_err(of_engine)? {
        0 => removed.map_err(of_engine),
        code => {
            let text = format!("{service}'s pre_start exited with {code}: {}", run.name);
            Err(Failure { cause: Cause::Unhealthy, message: Message::new(text).service(service).detail(log) })
        }
    }
}
