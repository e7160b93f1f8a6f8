//! What the live area shows: steps with their builds and pulls beneath, as many as there is room for.

use std::time::Duration;

use console::{measure_text_width, truncate_str};

use crate::model::ServiceName;
use crate::ui::activity::{Activity, Build};
use crate::ui::common::Common;
use crate::ui::fields::{tenths, transfer};
use crate::ui::palette::{DIM, WARNING, paint};
use crate::ui::sanitize::sanitize;
use crate::ui::summary::{counted, names};

use super::bars::{BAR, Line, SPINNER, Size};

/// The area's lines, none as wide as the terminal, and fewer than it has rows.
pub(super) fn lines(live: &Activity, common: &mut Common, now: Duration, size: Size) -> Vec<Line> {
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
        lines.push(text(format!("  and {more} more")));
    }
    let tail = if common.settings.utf8 { "…" } else { "" };
    lines.into_iter().map(|line| fitted(line, columns.saturating_sub(1), tail)).collect()
}

/// The line in no more than `width` columns. The first to go is the bar.
fn fitted(line: Line, width: usize, tail: &str) -> Line {
    let Line { spinner, text, progress, after } = line;
    let width = if spinner { width.saturating_sub(SPINNER) } else { width }.max(1);
    let (text, after) = (text.replace('\t', " "), after.replace('\t', " "));
    if progress.is_some() && measure_text_width(&text) + BAR + measure_text_width(&after) <= width {
        return Line { spinner, text, progress, after };
    }
    let text = truncate_str(&(text + &after), width, tail).into_owned();
    Line { spinner, text, ..Line::default() }
}

fn full(live: &Activity, common: &mut Common, now: Duration, output: bool) -> Vec<Line> {
    let color = common.settings.status_color;
    let mut lines = Vec::new();
    for step in live.steps.values() {
        let column = common.column(step.service.as_ref());
        let time = since(step.since, now, color);
        let build = live.build_of(step);
        let what = match &step.held {
            Some(on) => format!("{} {}", paint("waiting:", WARNING, color), sanitize(&on.to_string(), false)),
            None => sanitize(&step.op.to_string(), false).into_owned(),
        };
        let what = format!("{column}  {what}");
        lines.push(match (build, live.pull_of(step)) {
            (Some(build), _) => spinning(format!("{what}{}{time}", counts(build))),
            (None, Some(pull)) => transferring(true, &what, "", pull.current, pull.total, &time),
            (None, None) => spinning(format!("{what}{time}")),
        });
        if let Some(build) = build {
            steps(&mut lines, build, now, output, color);
        }
    }
    for (services, build) in live.other_builds() {
        lines.push(heading(common, services, build));
        steps(&mut lines, build, now, output, color);
    }
    for (image, pull) in live.other_pulls() {
        let what = format!("pull {}", sanitize(image, false));
        lines.push(transferring(true, &what, "", pull.current, pull.total, &since(pull.since, now, color)));
    }
    for (service, sync) in &live.syncs {
        let what = format!("{}  sync", common.column(Some(service)));
        lines.push(transferring(true, &what, "", sync.current, sync.total, &since(sync.since, now, color)));
    }
    lines
}

fn heading(common: &mut Common, services: &[ServiceName], build: &Build) -> Line {
    spinning(match services {
        [service] => format!("{}  build{}", common.column(Some(service)), counts(build)),
        _ => format!("build for {}{}", names(services), counts(build)),
    })
}

fn steps(lines: &mut Vec<Line>, build: &Build, now: Duration, output: bool, color: bool) {
    for step in build.running.values() {
        let name = format!("    {}", sanitize(&step.name, false));
        let time = since(step.since, now, color);
        lines.push(match &step.transfer {
            Some((what, current, total)) => {
                transferring(false, &name, &format!("{} ", sanitize(what, false)), *current, *total, &time)
            }
            None => text(name + &time),
        });
        if output && !step.last.is_empty() {
            lines.push(text(format!("      {}", paint(&sanitize(&step.last, false), DIM, color))));
        }
    }
}

fn text(text: String) -> Line {
    Line { text, ..Line::default() }
}

fn spinning(text: String) -> Line {
    Line { spinner: true, text, ..Line::default() }
}

/// Something that is on its way: with a bar, if it is known how much there is.
fn transferring(spinner: bool, name: &str, what: &str, current: u64, total: u64, time: &str) -> Line {
    if current == 0 && total == 0 {
        return Line { spinner, text: format!("{name}{time}"), ..Line::default() };
    }
    let after = format!("{what}{}{time}", transfer(current, total));
    let progress = (total > 0).then(|| (current.min(total), total));
    Line { spinner, text: format!("{name}  "), progress, after }
}

/// What of a build is done.
fn counts(build: &Build) -> String {
    if build.done == 0 {
        return String::new();
    }
    format!("  {} done, {} cached", counted(build.done, "step"), build.cached)
}

/// How long something has taken until now; nothing while it is too short to matter.
fn since(since: Duration, now: Duration, color: bool) -> String {
    let took = now.saturating_sub(since);
    if took < Duration::from_millis(500) { String::new() } else { paint(&format!("  {}", tenths(took)), DIM, color) }
}
