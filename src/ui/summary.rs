//! Sentences about several services: the plan, what is up, what a save did.

use std::fmt::Display;

use indexmap::IndexMap;

use crate::event::{Did, Elsewhere, Message, PlannedStep, ReloadAction, Reloaded, State};
use crate::model::ServiceName;

use super::fields::{micros, millis};
use super::message::aside;
use super::palette::{BOLD, DIM, DONE, ERROR, paint};
use super::sanitize::sanitize;
use super::table;

/// More names than these are counted.
const NAMED: usize = 8;

/// `api, db and web`, or `12 services`.
pub(super) fn names(services: &[ServiceName]) -> String {
    match services {
        [] => "no service".to_owned(),
        [one] => sanitize(one, false).into_owned(),
        [first @ .., last] if services.len() <= NAMED => {
            let first: Vec<_> = first.iter().map(|name| sanitize(name, false)).collect();
            format!("{} and {}", first.join(", "), sanitize(last, false))
        }
        _ => counted(services.len(), "service"),
    }
}

/// `1 service`, `2 services`.
pub(super) fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// What a plan without steps says.
pub(super) fn nothing_to_do(unchanged: &[ServiceName]) -> String {
    match unchanged {
        [] => "nothing to do".to_owned(),
        [_] => format!("nothing to do: {} is as it should be", names(unchanged)),
        _ => format!("nothing to do: {} are as they should be", names(unchanged)),
    }
}

/// What became of a plan that was not carried out as a whole.
pub(super) fn incomplete(failed: &[ServiceName], left: &[ServiceName], color: bool) -> String {
    let failed = match failed {
        [] => paint("failed", ERROR, color),
        _ => format!("{} {}", paint("failed:", ERROR, color), names(failed)),
    };
    format!("{failed}; left as {}: {}", if left.len() == 1 { "it is" } else { "they are" }, names(left))
}

/// A state, with the container where it is not the first of its service.
pub(super) fn state_of(container: &str, number: u32, state: State) -> String {
    if number > 1 { format!("{state} ({container})") } else { state.to_string() }
}

/// The failure for which a step was skipped.
pub(super) fn cause(failure: &Message) -> String {
    match &failure.service {
        Some(service) => format!("{service}: {}", failure.text),
        None => failure.text.clone(),
    }
}

/// A plan that is printed and not carried out.
pub(super) fn dry_run(steps: &[PlannedStep], unchanged: &[ServiceName]) -> Vec<String> {
    if steps.is_empty() {
        return vec![nothing_to_do(unchanged)];
    }
    let head = ["STEP", "SERVICE", "WHAT", "WHY", "AFTER"].map(String::from);
    let rows: Vec<Vec<String>> = steps
        .iter()
        .map(|step| {
            let after: Vec<String> = step.after.iter().map(ToString::to_string).collect();
            let service = step.service.as_deref().unwrap_or("-").to_owned();
            vec![step.step.to_string(), service, step.op.to_string(), step.reason.to_string(), after.join(", ")]
        })
        .collect();
    let mut lines = table::lines(&head, &rows, crate::event::Layout::OWN, false);
    if !unchanged.is_empty() {
        lines.push(format!("unchanged: {}", names(unchanged)));
    }
    lines
}

/// The last lines of `up`: how many services run of those that should. `column` lays out a service's name.
pub(super) fn ready(
    (services, of): (usize, usize),
    took_ms: u64,
    waited: bool,
    urls: &IndexMap<ServiceName, Vec<String>>,
    mut column: impl FnMut(&ServiceName) -> String,
    color: bool,
) -> Vec<String> {
    let mut lines = Vec::new();
    for (service, urls) in urls {
        for url in urls {
            lines.push(format!("{}  {}", column(service), paint(&sanitize(url, false), BOLD, color)));
        }
    }
    let ready = paint(if waited { "ready:" } else { "up:" }, DONE, color);
    let count = if services < of { format!("{services} of ") } else { String::new() };
    let of = counted(of.max(services), "service");
    lines.push(format!("{ready} {count}{of} in {}", millis(took_ms)));
    lines
}

/// One line for a reload that went well, behind the service's column.
pub(super) fn reloaded(reloaded: &Reloaded, timings: bool, color: bool) -> String {
    let split = reloaded.timings;
    let mut line = files(reloaded);
    if !line.is_empty() {
        line.push_str("  ");
    }
    line.push_str(&reloaded.action.to_string());
    if split.total_us() > 0 {
        line.push_str(" in ");
        line.push_str(&paint(&total(split.total_us()), BOLD, color));
    }
    if timings {
        let part = |name: &dyn Display, us: u64| format!("{name} {}", micros(us));
        let parts = [
            part(&"noticed", split.noticed_us),
            part(&"decided", split.decided_us),
            part(&"synced", split.synced_us),
            part(&"restarted", split.restarted_us),
        ];
        line.push_str(&paint(&format!(" ({})", parts.join(", ")), DIM, color));
    }
    // That a save was synced is what one expects; anything else comes with its reason.
    let expected = matches!(reloaded.action, ReloadAction::Synced { .. } | ReloadAction::Deleted { .. });
    if let Some(reason) = reloaded.reason.as_ref().filter(|_| timings || !expected) {
        line.push_str(&aside(&reason.to_string(), color));
    }
    line
}

/// What another command did: `` `hob restart api` (process 12) restarted api and web ``.
pub(super) fn elsewhere(elsewhere: &Elsewhere) -> String {
    let mut by_kind: IndexMap<Did, Vec<ServiceName>> = IndexMap::new();
    for (service, did) in &elsewhere.changes {
        by_kind.entry(*did).or_default().push(service.clone());
    }
    let parts: Vec<String> =
        by_kind.iter().map(|(did, services)| format!("{} {}", did.word(), names(services))).collect();
    let who = match (&elsewhere.command, elsewhere.process) {
        (Some(command), Some(process)) => format!("`{}` (process {process})", sanitize(command, false)),
        _ => "another program".to_owned(),
    };
    let end = if elsewhere.everything { "; nothing is left, and the session ends" } else { "" };
    format!("{who} {}{end}", parts.join(", "))
}

/// The time from a save to the running program, in whole milliseconds above the first.
fn total(us: u64) -> String {
    if us < 1_000 { micros(us) } else { millis((us + 500) / 1_000) }
}

/// `src/app.py`, or `src/app.py and 3 more`.
pub(super) fn files(reloaded: &Reloaded) -> String {
    let Some(first) = reloaded.files.first() else { return String::new() };
    let first = sanitize(&first.display().to_string(), false).into_owned();
    match reloaded.files.len() - 1 {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
