//! `hob completions`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::event::{Event, Sink};

use super::args::{Cli, CompletionsArgs};

/// Prints a completion script.
pub fn run(args: &CompletionsArgs, sink: &dyn Sink) {
    sink.emit(Event::Output { text: script(args.shell) });
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hob", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_completes_commands_and_options() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for word in ["watch", "remove-orphans", "project-name"] {
                assert!(script.contains(word), "{shell} does not complete {word}");
            }
        }
    }
}
