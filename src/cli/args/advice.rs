//! What to say of a command or an option that hob does not have where it was given: where Docker or another command of hob
//! has it, that one is named, and not the nearest spelling.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Error};

/// Commands of Docker on things that are no project's.
const OF_DOCKER: [&str; 36] = [
    "builder",
    "buildx",
    "checkpoint",
    "container",
    "context",
    "diff",
    "history",
    "image",
    "import",
    "info",
    "inspect",
    "load",
    "login",
    "logout",
    "manifest",
    "model",
    "network",
    "node",
    "rename",
    "rmi",
    "save",
    "scout",
    "search",
    "secret",
    "service",
    "stack",
    "swarm",
    "system",
    "tag",
    "trust",
    "update",
    "volume",
    "debug",
    "sbom",
    "mcp",
    "offload",
];

/// The error with what helps, where something is known. `words` is what was read.
pub(super) fn advised(mut error: Error, cli: &Command, words: &[OsString]) -> Error {
    let named = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let tip = match error.kind() {
        ErrorKind::InvalidSubcommand => named(ContextKind::InvalidSubcommand).and_then(|name| of_command(&name, words)),
        ErrorKind::UnknownArgument => named(ContextKind::InvalidArg).and_then(|option| of_option(&option, cli, words)),
        _ => None,
    };
    if let Some(tip) = tip {
        for near in [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::TrailingArg] {
            error.remove(near);
        }
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    }
    error
}

fn of_command(name: &str, words: &[OsString]) -> Option<String> {
    let rest = words.iter().skip_while(|word| *word != name).skip(1).filter_map(|word| word.to_str());
    let next = rest.clone().next().filter(|word| !word.starts_with('-'));
    Some(match name {
        "convert" => "`hob config` prints the manifest in canonical form".to_owned(),
        "bridge" | "publish" => {
            format!("`docker compose {name}` has no counterpart in hob, and reads the same `compose.yaml`")
        }
        name if OF_DOCKER.contains(&name) => match next {
            Some(next) if matches!(name, "volume" | "image" | "network" | "container" | "system") => {
                format!("this is Docker's: `docker {name} {next}`")
            }
            _ => format!("this is Docker's: `docker {name}`"),
        },
        _ => return None,
    })
}

fn of_option(option: &str, cli: &Command, words: &[OsString]) -> Option<String> {
    let spelt = option.split('=').next().unwrap_or(option);
    let has = |command: &Command| command.get_arguments().any(|arg| !arg.is_global_set() && is(arg, spelt));
    let command = words.iter().enumerate().skip(1).find_map(|(at, word)| Some((at, cli.find_subcommand(word)?)));
    if let Some((at, command)) = command {
        let name = command.get_name();
        let before = words.iter().take(at).any(|word| word.to_str().is_some_and(|word| word.starts_with(spelt)));
        if before && has(command) {
            return Some(format!("`{spelt}` stands behind the command: `hob {name} {spelt}`"));
        }
        if has(cli) {
            return Some(format!("`{spelt}` stands before the command: `hob {spelt} … {name}`"));
        }
    }
    owners(cli, spelt).map(|owners| format!("`{spelt}` is an option of {owners}"))
}

/// Commands that have an option, in words. What nearly all have says nothing, and so do letters, which mean another thing
/// with each.
fn owners(cli: &Command, spelt: &str) -> Option<String> {
    let name = spelt.strip_prefix("--")?;
    let has = |command: &&Command| {
        let mut own = command.get_arguments().filter(|arg| !arg.is_global_set() && !arg.is_hide_set());
        own.any(|arg| arg.get_long() == Some(name))
    };
    let owners: Vec<String> =
        cli.get_subcommands().filter(has).map(|command| format!("`hob {}`", command.get_name())).collect();
    match owners.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        [first, others @ .., last] => {
            let middle: String = others.iter().map(|name| format!(", {name}")).collect();
            Some(format!("{first}{middle} and {last}"))
        }
    }
}

fn is(arg: &Arg, spelt: &str) -> bool {
    match spelt.strip_prefix("--") {
        Some(name) => arg.get_long() == Some(name),
        None => arg.get_short().is_some_and(|letter| spelt == format!("-{letter}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::invocation::Name;
    use super::super::Cli;
    use super::*;

    #[test]
    fn what_belongs_elsewhere_is_told() {
        let cases = [
            ("volume ls", "tip: this is Docker's: `docker volume ls`"),
            ("image prune -f", "tip: this is Docker's: `docker image prune`"),
            ("inspect web", "tip: this is Docker's: `docker inspect`"),
            ("-f a.yaml system", "tip: this is Docker's: `docker system`"),
            ("convert", "`hob config`"),
            ("publish x", "`docker compose publish` has no counterpart"),
            ("wtach", "tip: a similar subcommand exists: 'watch'"),
            ("up -f a.yaml", "tip: `-f` stands before the command: `hob -f … up`"),
            ("down -p shop", "tip: `-p` stands before the command: `hob -p … down`"),
            ("up --project-name shop", "tip: `--project-name` stands before the command"),
            ("--follow logs", "tip: `--follow` stands behind the command: `hob logs --follow`"),
            ("restart --rmi=all", "tip: `--rmi` is an option of `hob down`"),
            ("logs --detach", "tip: `--detach` is an option of `hob up`, `hob exec` and `hob run`"),
            ("up --detahc", "tip: a similar argument exists: '--detach'"),
        ];
        for (line, want) in cases {
            let words = format!("hob {line}");
            let error = Cli::read(Name::Hob, words.split(' ').map(OsString::from)).unwrap_err().to_string();
            assert!(error.contains(want), "{line}: {error}");
            assert_eq!(error.matches("tip:").count(), 1, "{line}: {error}");
        }
    }

    #[test]
    fn no_command_of_hobs_is_taken_for_dockers() {
        use clap::CommandFactory as _;
        let cli = Cli::command();
        for name in OF_DOCKER {
            assert!(cli.find_subcommand(name).is_none(), "{name}");
        }
    }
}
