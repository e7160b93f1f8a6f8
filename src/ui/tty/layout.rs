//! What the live area shows: steps with their builds and pulls beneath, as many as there is room for.

use std::time::Duration;

use console::truncate_str;

use crate::model::ServiceName;
use crate::ui::clean::clean;
use crate::ui::common::Common;
use crate::ui::fields::{tenths, transfer};
use crate::ui::live::{Build, Live, Pull};
use crate::ui::palette::{DIM, WARNING, paint};
use crate::ui::summary::{counted, names};

use super::area::Size;

const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const ASCII_SPINNER: [&str; 4] = ["|", "/", "-", "\\"];

/// The area's lines, none as wide as the terminal, and fewer than it has rows.
pub(super) fn lines(live: &Live, common: &mut Common, now: Duration, size: Size) -> Vec<String> {
    let (rows, columns) = size;
    let mut lines = full(live, common, now, true);
    // The last lines that builds wrote are the first to go.
    if lines.len() + 1 > rows {
        lines = full(live, common, now, false);
    }
    let room = rows.saturating_sub(1).max(1);
    if lines.len() > room {
        let more = lines.len() - (room - 1);
        lines.truncate(room - 1);
        lines.push(format!("  and {more} more"));
    }
    let tail = if common.settings.utf8 { "…" } else { "" };
    let width = columns.saturating_sub(1).max(1);
    lines.iter().map(|line| truncate_str(&line.replace('\t', " "), width, tail).into_owned()).collect()
}

fn full(live: &Live, common: &mut Common, now: Duration, output: bool) -> Vec<String> {
    let color = common.settings.err_color;
    let spinner = spinner(now, common.settings.utf8);
    let mut lines = Vec::new();
    for step in live.steps.values() {
        let column = common.column(step.service.as_ref());
        let time = since(step.since, now, color);
        let build = live.build_of(step);
        let text = match &step.held {
            Some(why) => format!("{} {}", paint("waits:", WARNING, color), clean(why, false)),
            None => clean(&step.what, false).into_owned(),
        };
        let more = match (build, live.pull_of(step)) {
            (Some(build), _) => counts(build),
            (None, Some(pull)) => bytes(pull),
            (None, None) => String::new(),
        };
        lines.push(format!("{spinner} {column}  {text}{more}{time}"));
        if let Some(build) = build {
            steps(&mut lines, build, now, output, color);
        }
    }
    for (services, build) in live.other_builds() {
        lines.push(heading(common, spinner, services, build));
        steps(&mut lines, build, now, output, color);
    }
    for (image, pull) in live.other_pulls() {
        let time = since(pull.since, now, color);
        lines.push(format!("{spinner} pull {}{}{time}", clean(image, false), bytes(pull)));
    }
    lines
}

fn heading(common: &mut Common, spinner: &str, services: &[ServiceName], build: &Build) -> String {
    match services {
        [service] => format!("{spinner} {}  build{}", common.column(Some(service)), counts(build)),
        _ => format!("{spinner} build for {}{}", names(services), counts(build)),
    }
}

fn steps(lines: &mut Vec<String>, build: &Build, now: Duration, output: bool, color: bool) {
    for step in build.running.values() {
        let transfer = step
            .transfer
            .as_ref()
            .map(|(what, current, total)| format!("  {} {}", clean(what, false), transfer(*current, *total)));
        let name = clean(&step.name, false);
        lines.push(format!("    {name}{}{}", transfer.unwrap_or_default(), since(step.since, now, color)));
        if output && !step.last.is_empty() {
            lines.push(format!("      {}", paint(&clean(&step.last, false), DIM, color)));
        }
    }
}

/// What of a build is done.
fn counts(build: &Build) -> String {
    if build.done == 0 {
        return String::new();
    }
    format!("  {} done, {} cached", counted(build.done, "step"), build.cached)
}

fn bytes(pull: &Pull) -> String {
    if pull.current == 0 && pull.total == 0 {
        String::new()
    } else {
        format!("  {}", transfer(pull.current, pull.total))
    }
}

/// How long something has taken until now; nothing while it is too short to matter.
fn since(since: Duration, now: Duration, color: bool) -> String {
    let took = now.saturating_sub(since);
    if took < Duration::from_millis(500) { String::new() } else { paint(&format!("  {}", tenths(took)), DIM, color) }
}

fn spinner(now: Duration, utf8: bool) -> &'static str {
    let frame = usize::try_from(now.as_millis() / 100).unwrap_or_default();
    if utf8 { SPINNER[frame % SPINNER.len()] } else { ASCII_SPINNER[frame % ASCII_SPINNER.len()] }
}
