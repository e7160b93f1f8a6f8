//! Holds `docs/compose-flags.md` to the command line, and, where `HOB_COMPOSE` names a Docker Compose, to its help texts.

#![allow(clippy::disallowed_methods, reason = "a test that reads the page, and asks Docker Compose")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::{Arg, CommandFactory};

use super::args::Cli;

/// What the page says of the options of one command, by each of their names.
type Section = BTreeMap<String, String>;

/// Global options are in the section without a name.
fn page() -> BTreeMap<String, Section> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compose-flags.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut page = BTreeMap::new();
    let mut at = None;
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            at = match title {
                "Before any command" => Some(String::new()),
                title => title.strip_prefix("hob ").map(ToOwned::to_owned),
            };
            page.extend(at.clone().map(|at| (at, Section::new())));
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let (Some(at), [_, names, status, why, _]) = (&at, cells.as_slice()) else { continue };
        if names.starts_with("`-") {
            assert!(["same", "differs", "no", "hob's"].contains(status), "{line}");
            assert!(!why.is_empty() || *status == "same", "no reason: {line}");
            let section = page.get_mut(at).unwrap();
            section.extend(names.split(", ").map(|name| (name.trim_matches('`').to_owned(), (*status).to_owned())));
        }
    }
    page
}

fn names<'a>(args: impl Iterator<Item = &'a Arg>) -> BTreeSet<String> {
    let of = |arg: &Arg| {
        let long =
            arg.get_long().into_iter().chain(arg.get_all_aliases().unwrap_or_default()).map(|name| format!("--{name}"));
        long.chain(arg.get_short().map(|letter| format!("-{letter}"))).collect::<Vec<_>>()
    };
    args.filter(|arg| !["help", "version"].contains(&arg.get_id().as_str())).flat_map(of).collect()
}

fn with<'a>(section: &'a Section, statuses: &'a [&str]) -> BTreeSet<String> {
    section.iter().filter(|(_, status)| statuses.contains(&status.as_str())).map(|(name, _)| name.clone()).collect()
}

#[test]
fn the_page_has_every_option() {
    let mut cli = Cli::command();
    let page = page();
    // Spelt in another way before they are read.
    let spelt = BTreeSet::from(["--workdir", "--version"].map(String::from));
    let global: BTreeSet<String> = names(cli.get_arguments()).union(&spelt).cloned().collect();
    assert_eq!(with(&page[""], &["same", "differs", "hob's"]), global);
    cli.build();
    for (name, section) in page.iter().filter(|(name, _)| !name.is_empty()) {
        let Some(command) = cli.find_subcommand(name) else {
            assert!(section.values().all(|status| status == "no"), "there is no hob {name}");
            continue;
        };
        let own = names(command.get_arguments().filter(|arg| !arg.is_global_set()));
        assert_eq!(with(section, &["same", "differs", "hob's"]), own, "hob {name}");
    }
    let of_hob = ["why", "explain", "doctor", "init", "schema", "prune", "completions", "plugin", "help"];
    let missing: Vec<_> =
        cli.get_subcommands().map(clap::Command::get_name).filter(|name| !page.contains_key(*name)).collect();
    assert!(missing.iter().all(|name| of_hob.contains(name)), "no section for {missing:?}");
}

#[test]
fn the_page_has_every_option_of_docker_compose() {
    let Ok(compose) = std::env::var("HOB_COMPOSE") else { return };
    let help = |command: &[&str]| {
        let output = std::process::Command::new(&compose).args(command).arg("--help").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let is_name = |word: &&str| word.starts_with('-') && word.len() > 1;
    let options = |help: &str| -> BTreeSet<String> {
        let rows = help.lines().filter(|line| line.starts_with("      --") || line.starts_with("  -"));
        let words =
            rows.flat_map(|row| row.split_whitespace().take_while(|word| word.starts_with('-')).filter(is_name));
        // Beside every command, it is one of hob itself.
        words.map(|word| word.trim_end_matches(',').to_owned()).filter(|name| name != "--dry-run").collect()
    };
    let page = page();
    let all = help(&[]);
    let commands = all.lines().skip_while(|line| !line.ends_with("ommands:")).filter(|line| line.starts_with("  "));
    let commands: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 30, "{commands:?}");
    let mut wrong = Vec::new();
    for name in commands.into_iter().chain([""]) {
        let theirs = if name.is_empty() { options(&all) } else { options(&help(&[name])) };
        let Some(section) = page.get(name) else {
            wrong.push(format!("no section for {name}"));
            continue;
        };
        let missing: Vec<_> = theirs.difference(&with(section, &["same", "differs", "no"])).cloned().collect();
        let taken: Vec<_> = theirs.intersection(&with(section, &["hob's"])).cloned().collect();
        if !missing.is_empty() || !taken.is_empty() {
            wrong.push(format!("{name}: missing {missing:?}, not hob's {taken:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
