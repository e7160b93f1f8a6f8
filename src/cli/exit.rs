//! How hob ends: one exit code for each kind of failure, as `docs/exit-codes.md` lists them.
//!
//! Codes are a public interface: a script may rely on them. Docker Compose 2.40 exits with 1 for nearly everything,
//! so a script that asks for "not 0" keeps working. The others are hob's own; 125 and above are Docker's and the shells'.

use super::invocation::Name;
use crate::engine::EngineError;
use crate::event::Message;
use crate::execute::Cause;
use crate::host::signals::Signal;

/// How hob ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything was done.
    Ok,
    /// A failure that has no code of its own.
    Failed,
    /// The command line is wrong.
    Usage,
    /// There is no manifest, or a file or folder that it names is not there.
    NoManifest,
    /// The manifest is wrong.
    Manifest,
    /// A build failed, or what it reads cannot be built from.
    Build,
    /// An image cannot be pulled.
    Pull,
    /// The engine does not answer, or not to this user, or is too old.
    Engine,
    /// Another session watches the services.
    Locked,
    /// A service did not start, ended, or did not become healthy.
    Unhealthy,
    /// `run` or `exec`: the engine refused the container or the command.
    Refused,
    /// `run` or `exec`: the command is there and cannot be run.
    NotExecutable,
    /// `run` or `exec`: the command is not there.
    NotFound,
    /// Ctrl-C; everything was stopped gracefully.
    Interrupted,
    /// A second Ctrl-C; what was left was killed.
    Killed,
    /// Whoever read the output has gone; what runs is left to run.
    ReaderGone,
    /// SIGTERM or a closed terminal; everything was stopped gracefully.
    Terminated,
    /// `run`, `exec`, `up --exit-code-from`: the code of the command or of the container.
    Command(u8),
}

/// How a command ends that a signal ends.
impl From<Signal> for Exit {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Interrupt => Self::Interrupted,
            Signal::Terminate | Signal::Hangup => Self::Terminated,
        }
    }
}

impl Exit {
    /// Those with a code of their own, in the order of the documented table.
    pub const ALL: [Self; 17] = [
        Self::Ok,
        Self::Failed,
        Self::Usage,
        Self::NoManifest,
        Self::Manifest,
        Self::Build,
        Self::Pull,
        Self::Engine,
        Self::Locked,
        Self::Unhealthy,
        Self::Refused,
        Self::NotExecutable,
        Self::NotFound,
        Self::Interrupted,
        Self::Killed,
        Self::ReaderGone,
        Self::Terminated,
    ];

    /// The code that the process exits with.
    pub fn code(self) -> u8 {
        self.row().0
    }

    /// The same under a name: Docker Compose has one code for whatever fails.
    pub fn code_under(self, name: Name) -> u8 {
        match (name, self) {
            (Name::Hob, _) => self.code(),
            (
                Name::Compose,
                Self::Ok
                | Self::NotExecutable
                | Self::NotFound
                | Self::Interrupted
                | Self::Killed
                | Self::ReaderGone
                | Self::Command(_),
            ) => self.code(),
            (Name::Compose, Self::Terminated) => Self::Interrupted.code(),
            (Name::Compose, _) => Self::Failed.code(),
        }
    }

    /// The code and what the documented table says of it.
    fn row(self) -> (u8, &'static str) {
        match self {
            Self::Ok => (0, "Everything was done."),
            Self::Failed => (1, "A failure that has no code of its own."),
            Self::Usage => (2, "The command line is wrong: an unknown command or option, a missing argument."),
            Self::NoManifest => (14, "No manifest was found, or a file or folder that it names is not there."),
            Self::Manifest => (15, "The manifest is wrong, or names a service that does not exist."),
            Self::Build => (17, "A build failed, or what it reads cannot be built from."),
            Self::Pull => (18, "An image is not there and cannot be pulled."),
            Self::Engine => {
                (20, "The engine does not answer, refuses this user, closed the connection, or is too old.")
            }
            Self::Locked => (21, "Another session watches the same services."),
            Self::Unhealthy => (22, "A service did not start, ended when it should run, or did not become healthy."),
            Self::Refused => (125, "`run`, `exec`: the engine refused the container or the command."),
            Self::NotExecutable => (126, "`run`, `exec`: the command was found and cannot be run."),
            Self::NotFound => (127, "`run`, `exec`: the command was not found."),
            Self::Interrupted => (130, "Ctrl-C (SIGINT): everything was stopped gracefully."),
            Self::Killed => (137, "A second Ctrl-C: what was left was killed."),
            Self::ReaderGone => (141, "Whoever read the output, such as `head`, has gone; services run on."),
            Self::Terminated => (143, "SIGTERM or SIGHUP: everything was stopped gracefully."),
            Self::Command(code) => (code, "`run`, `exec`, `wait`, `up --exit-code-from`: the command's own code."),
        }
    }

    /// How hob ends when a command or a container ended with this code.
    pub fn command(code: i64) -> Self {
        // Codes are bytes; an engine may report a Windows container's larger one, which must not become a success.
        match u8::try_from(code) {
            Ok(0) => Self::Ok,
            Ok(code) => Self::Command(code),
            Err(_) => Self::Failed,
        }
    }
}

impl From<Cause> for Exit {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Manifest => Self::Manifest,
            Cause::Missing => Self::NoManifest,
            Cause::Unreachable => Self::Engine,
            Cause::Build => Self::Build,
            Cause::Pull => Self::Pull,
            Cause::Unhealthy => Self::Unhealthy,
            Cause::Engine => Self::Failed,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// A failure of a command with all that is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", message.text)]
pub struct Failure {
    /// How hob ends.
    pub exit: Exit,
    /// What to say.
    pub message: Box<Message>,
}

impl Failure {
    /// A failure with a message of one sentence.
    pub fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, message: Box::new(Message::new(text)) }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.message.hints.push(hint.into());
        self
    }
}

/// How hob ends on an error, and what it says. A [`Failure`] anywhere in the chain decides, then an engine's error;
/// what stands above it in the chain is context and comes first in the sentence.
pub fn report(error: &anyhow::Error) -> (Exit, Message) {
    let mut context = Vec::new();
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            let mut message = Message::clone(&failure.message);
            context.push(message.text);
            message.text = context.join(": ");
            return (failure.exit, message);
        }
        if let Some(error) = cause.downcast_ref::<EngineError>() {
            let failure = crate::execute::Failure::of_engine(None, error.clone());
            context.push(failure.message.text.clone());
            return (Exit::from(failure.cause), Message { text: context.join(": "), ..failure.message });
        }
        context.push(cause.to_string());
    }
    (Exit::Failed, Message::new(context.join(": ")))
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;
    use crate::engine::ErrorKind;

    #[test]
    fn signals_have_the_documented_codes() {
        let codes = [Signal::Interrupt, Signal::Terminate, Signal::Hangup].map(|signal| Exit::from(signal).code());
        assert_eq!(codes, [130, 143, 143]);
    }

    #[test]
    fn the_documented_table_is_this_one() {
        let documented = include_str!("../../docs/exit-codes.md");
        let rows: Vec<&str> = documented.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
        let want: Vec<String> = Exit::ALL
            .into_iter()
            .map(|exit| (exit.code().to_string(), exit.row().1))
            .chain([("other".to_owned(), Exit::Command(9).row().1)])
            .map(|(code, text)| format!("| {code} | {text} |"))
            .collect();
        assert_eq!(rows, want, "docs/exit-codes.md has another table");
    }

    #[test]
    fn codes_are_distinct() {
        let mut codes: Vec<u8> = Exit::ALL.into_iter().map(Exit::code).collect();
        codes.dedup();
        assert_eq!(codes.len(), Exit::ALL.len());
        assert!(codes.is_sorted());
    }

    #[test]
    fn docker_compose_fails_with_one_code() {
        for exit in Exit::ALL {
            let code = exit.code_under(Name::Compose);
            match exit {
                Exit::Ok
                | Exit::NotExecutable
                | Exit::NotFound
                | Exit::Interrupted
                | Exit::Killed
                | Exit::ReaderGone => {
                    assert_eq!(code, exit.code());
                }
                Exit::Terminated => assert_eq!(code, 130),
                _ => assert_eq!(code, 1, "{exit:?}"),
            }
            assert_eq!(exit.code_under(Name::Hob), exit.code());
        }
        assert_eq!(Exit::Command(7).code_under(Name::Compose), 7);
    }

    #[test]
    fn a_commands_code_is_handed_on() {
        let cases =
            [(0, Exit::Ok), (3, Exit::Command(3)), (137, Exit::Command(137)), (256, Exit::Failed), (-1, Exit::Failed)];
        for (code, want) in cases {
            assert_eq!(Exit::command(code), want, "{code}");
        }
    }

    #[test]
    fn the_cause_decides_and_the_context_explains() {
        let locked = anyhow::Error::new(Failure::new(Exit::Locked, "another hob works on it").hint("stop it first"));
        let (exit, message) = report(&locked.context("project shop"));
        assert_eq!(exit, Exit::Locked);
        assert_eq!(message.text, "project shop: another hob works on it");
        assert_eq!(message.hints, ["stop it first"]);

        let kind = ErrorKind::Build { step: "RUN make".into(), output: "cc: no\nmake: 2\n".into() };
        let built: Result<(), _> = Err(EngineError::new(kind, "RUN make failed"));
        let (exit, message) = report(&built.context("api").unwrap_err());
        assert_eq!(exit, Exit::Build);
        assert_eq!(message.text, "api: RUN make failed");
        assert_eq!(message.detail, ["cc: no", "make: 2"]);

        let (exit, message) = report(&anyhow::anyhow!("disk").context("cannot write"));
        assert_eq!((exit, message.text.as_str()), (Exit::Failed, "cannot write: disk"));
    }
}
