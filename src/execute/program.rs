//! A command that the image does not have.

use std::time::Duration;

use tokio::time::Instant;

use super::tail::tail;
use super::{Cause, Failure};
use crate::agent;
use crate::engine::Engine;
use crate::event::Message;
use crate::model::{ContainerId, ContainerState, ServiceName};

/// How long an agent may take to find that it has nothing to run, and how often that is looked at.
const FOUND_OUT: (Duration, Duration) = (Duration::from_secs(5), Duration::from_millis(10));

/// Programs that images commonly start with.
const COMMON: [&str; 48] = [
    "apache2",
    "ash",
    "bash",
    "bundle",
    "cargo",
    "cat",
    "celery",
    "composer",
    "curl",
    "dart",
    "deno",
    "dotnet",
    "echo",
    "elixir",
    "flask",
    "go",
    "gradle",
    "gunicorn",
    "httpd",
    "java",
    "make",
    "mix",
    "mvn",
    "mysqld",
    "nginx",
    "node",
    "npm",
    "npx",
    "php",
    "pnpm",
    "poetry",
    "postgres",
    "python",
    "python3",
    "rails",
    "rake",
    "redis-server",
    "ruby",
    "sh",
    "sleep",
    "tail",
    "tini",
    "true",
    "uv",
    "uvicorn",
    "watchmedo",
    "wget",
    "yarn",
];

/// Makes of a failure to start one of the service, whose image does not have the program of its command.
pub(super) fn explain(failure: &mut Failure, program: &str) {
    failure.cause = Cause::Unhealthy;
    failure.message.text = format!("the image has no program {program}: {}", failure.message.text);
    let name = program.rsplit('/').next().unwrap_or_default();
    failure.message.hints.push(if name == "bash" {
        "many small images have `sh` only".to_owned()
    } else if program.contains(' ') {
        "a list takes the program and each argument as an item of its own: `[\"program\", \"argument\"]`".to_owned()
    } else {
        match COMMON.iter().find(|known| **known != name && strsim::osa_distance(known, name) == 1) {
            Some(known) => format!("did you mean `{known}`?"),
            None => "mend `command` or `entrypoint`, or install it in the image".to_owned(),
        }
    });
}

/// What keeps a container from running that was just started: an engine starts the agent, which finds that there is no
/// such program only then, and ends. Without an agent the start itself fails.
pub(super) async fn missing(engine: &dyn Engine, service: Option<&ServiceName>, container: &str) -> Option<Failure> {
    let id = ContainerId::new(container);
    // It is only looked for: what the engine cannot say is left to the container itself.
    let program = engine.lacks_program(&id, &agent::RUN).await.ok().flatten()?;
    let began = Instant::now();
    loop {
        match engine.inspect(&id).await.ok().flatten()?.state {
            ContainerState::Exited(126 | 127) => break,
            ContainerState::Restarting => {
                // The same again and again: without an agent it would not be started either.
                let _ = engine.stop(&id, Some(Duration::ZERO)).await;
                break;
            }
            ContainerState::Running if began.elapsed() < FOUND_OUT.0 => tokio::time::sleep(FOUND_OUT.1).await,
            _ => return None,
        }
    }
    let said = tail(engine, container, 1).await.pop().map(|line| line.trim().to_owned());
    let said = said.filter(|line| line.starts_with("exec: "));
    let said = said.unwrap_or_else(|| format!("exec: \"{program}\": executable file not found in $PATH"));
    let mut failure = Failure { cause: Cause::Unhealthy, message: Message::new(said) };
    failure.message.service = service.cloned();
    explain(&mut failure, &program);
    Some(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_is_not_there_is_told() {
        for (program, hint) in [
            ("slep", "did you mean `sleep`?"),
            ("/bin/bash", "`sh` only"),
            ("sleep 5", "each argument"),
            ("mine", "install it"),
        ] {
            let mut failure = Failure { cause: Cause::Engine, message: Message::new("not found") };
            explain(&mut failure, program);
            assert_eq!(failure.cause, Cause::Unhealthy, "{program}");
            assert!(failure.message.hints.concat().contains(hint), "{program}: {:?}", failure.message.hints);
        }
    }
}
