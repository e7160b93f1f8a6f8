//! `docs/cli.md` is made of the command line itself, and a test holds the two together. To write it anew:
//! `HOB_WRITE_DOCS=1 cargo test --lib cli::reference`.

#![allow(clippy::disallowed_methods, reason = "a test that reads the page")]

use std::fmt::Write;
use std::path::Path;

use clap::{Arg, Command, CommandFactory};

use super::args::Cli;

const HEAD: &str = "\
# Commands

`hob [GLOBAL OPTIONS] COMMAND [OPTIONS]`

Names, short forms and defaults are those of Docker Compose 2.40; what is hob's own says so. `-f` and `-p` stand before
the command, because several commands use those letters themselves; the other global options may stand on either side.
Exit codes are in [exit-codes.md](exit-codes.md).

This page is made of `hob --help`: see `src/cli/reference.rs`.

";

fn page() -> String {
    let mut cli = Cli::command();
    cli.build();
    let mut page = HEAD.to_owned();
    page.push_str("## Global options\n\n");
    options(&mut page, cli.get_arguments());
    for command in cli.get_subcommands_mut().filter(|command| command.get_name() != "help") {
        section(&mut page, command);
    }
    page
}

fn section(page: &mut String, command: &mut Command) {
    // Writing into a string does not fail.
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let about = about.trim_end_matches('.');
    let _ = write!(page, "\n## hob {}\n\n{about}.\n\n`{usage}`\n\n", command.get_name());
    options(page, command.get_arguments().filter(|arg| !arg.is_global_set()));
}

fn options<'a>(page: &mut String, args: impl Iterator<Item = &'a Arg>) {
    let rows: Vec<String> = args.filter(|arg| !arg.is_hide_set() && arg.get_id() != "help").map(row).collect();
    if !rows.is_empty() {
        let _ = writeln!(page, "| option | meaning |\n|---|---|\n{}", rows.join("\n"));
    }
}

fn row(arg: &Arg) -> String {
    let mut names = Vec::new();
    names.extend(arg.get_short().map(|short| format!("-{short}")));
    names.extend(arg.get_long().map(|long| format!("--{long}")));
    let values = arg.get_value_names().unwrap_or_default().iter().map(|name| format!("<{name}>"));
    let switch = arg.is_require_equals_set() && arg.get_default_values().is_empty();
    let values =
        if arg.get_action().takes_values() && !switch { values.collect::<Vec<_>>().join(" ") } else { String::new() };
    let name = [names.join(", "), values].join(" ");
    let mut meaning = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let possible: Vec<String> =
        arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    if arg.get_action().takes_values()
        && !possible.is_empty()
        && possible.len() < 10
        && !switch
        && arg.get_long() != Some("orphans")
    {
        let _ = write!(meaning, "; one of {}", possible.join(", "));
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if !defaults.is_empty() && arg.get_action().takes_values() {
        let _ = write!(meaning, " [default: {}]", defaults.join(", "));
    }
    format!("| `{}` | {} |", name.trim(), meaning.replace('|', "\\|"))
}

#[test]
fn the_reference_is_the_command_line() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
    let page = page();
    if std::env::var_os("HOB_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written == page, "docs/cli.md is not the command line's: write it anew with HOB_WRITE_DOCS=1");
}
