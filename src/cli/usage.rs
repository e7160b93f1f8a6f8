//! What is said of a command line that cannot be read, under hob's name as clap has it, under Docker Compose's as that has it.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::command;
use super::exit::Exit;
use super::invocation::{COMPOSE_VERSION, Name};
use crate::event::{Event, Message};

/// What there is to show, and how hob ends.
pub enum Told {
    /// As clap shows it.
    ByClap(Exit),
    /// Help or a version that was asked for, or a line that cannot be read.
    Events(Vec<Event>, Exit),
}

/// What is wrong, or the help or the version that was asked for.
pub fn tell(name: Name, error: &clap::Error) -> Told {
    if name == Name::Hob {
        return Told::ByClap(if error.use_stderr() { Exit::Usage } else { Exit::Ok });
    }
    let output = |text: String| Event::Output { text };
    match error.kind() {
        ErrorKind::DisplayVersion => Told::Events(vec![output(version())], Exit::Ok),
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Told::Events(vec![output(error.render().to_string())], Exit::Ok)
        }
        kind => {
            let help = (kind == ErrorKind::InvalidSubcommand).then(|| output(command(name).render_help().to_string()));
            let error = Event::Error(Message::new(compose_sentence(error)));
            Told::Events(help.into_iter().chain([error]).collect(), Exit::Failed)
        }
    }
}

/// The version as Docker Compose says it, which others look for in it, and whose it is.
pub fn version() -> String {
    format!("Docker Compose version v{COMPOSE_VERSION}, hob {}", env!("CARGO_PKG_VERSION"))
}

/// What Docker Compose's own reader says.
fn compose_sentence(error: &clap::Error) -> String {
    let argument = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let flag = argument.split('=').next().unwrap_or(argument);
            match (flag.strip_prefix("--"), flag.strip_prefix('-').and_then(|letters| letters.chars().next())) {
                (Some(_), _) => format!("unknown flag: {flag}"),
                (None, Some(letter)) => format!("unknown shorthand flag: '{letter}' in {flag}"),
                (None, None) => format!("accepts no argument(s), received {flag}"),
            }
        }
        ErrorKind::InvalidSubcommand => {
            let word = match error.get(ContextKind::InvalidSubcommand) {
                Some(ContextValue::String(text)) => text.as_str(),
                _ => "",
            };
            format!("unknown docker command: \"compose {word}\"")
        }
        _ => {
            let text = error.render().to_string();
            let first = text.lines().next().unwrap_or_default();
            first.strip_prefix("error: ").unwrap_or(first).to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::args::Cli;
    use super::*;

    #[test]
    fn compose_says_it_in_its_words() {
        let cases = [
            ("up --nope", "unknown flag: --nope"),
            ("up --nope=1", "unknown flag: --nope"),
            ("up -Z", "unknown shorthand flag: 'Z' in -Z"),
            ("nope", "unknown docker command: \"compose nope\""),
        ];
        for (line, want) in cases {
            let words = std::iter::once("docker-compose").chain(line.split(' '));
            let error = Cli::read(Name::Compose, words.map(Into::into)).unwrap_err();
            assert_eq!(compose_sentence(&error), want, "{line}");
        }
    }

    #[test]
    fn help_names_the_command_that_was_called() {
        assert!(command(Name::Compose).render_help().to_string().contains("Usage: docker compose "));
        assert!(command(Name::Hob).render_help().to_string().contains("Usage: hob "));
        let of_up = Cli::read(Name::Compose, ["docker-compose", "up", "--help"].map(Into::into)).unwrap_err();
        assert!(of_up.render().to_string().contains("Usage: docker compose up "), "{of_up}");
    }
}
