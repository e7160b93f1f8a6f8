//! What `tty` and `plain` have in common: everything that is said once and stays, from logs to the final summary.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use indexmap::IndexMap;

use crate::event::{
    EndCause, Event, Layout, LogStream, Message, PlannedContainer, PlannedStep, ReloadAction, Reloaded,
};
use crate::model::ServiceName;

use super::fields::millis;
use super::groups::{End, Groups, Line, Said};
use super::message::{self, Severity};
use super::options::{Kind, Settings};
use super::palette::{DIM, ERROR, Palette, paint};
use super::prefix::Prefixes;
use super::sanitize::{sanitize, sanitize_text};
use super::streams::Streams;
use super::summary;
use super::table;

/// State that lives as long as the renderer, and the streams.
pub(super) struct Common {
    pub settings: Settings,
    pub streams: Streams,
    palette: Palette,
    prefixes: Prefixes,
    width: usize,
    urls: IndexMap<ServiceName, Vec<String>>,
    urls_shown: bool,
    /// The last plan had nothing to do, which was said.
    idle: bool,
    running: BTreeSet<usize>,
    /// Messages of failed steps. They are shown when the other steps have come to their end, so that a build's whole
    /// output stands last and not in the middle of what others say.
    failures: Vec<Message>,
    groups: Groups,
    /// Why the last reload of a service failed, which is not said again while it goes on.
    failing: HashMap<ServiceName, Message>,
    /// Messages of failed steps that were shown: the same as an error of the command is not shown again.
    told: Vec<Message>,
    /// A table that is drawn anew was drawn.
    framed: bool,
}

impl Common {
    pub fn new(settings: &Settings, streams: Streams) -> Self {
        Self {
            settings: settings.clone(),
            streams,
            palette: Palette::default(),
            prefixes: Prefixes::default(),
            width: 0,
            urls: IndexMap::new(),
            urls_shown: false,
            idle: false,
            running: BTreeSet::new(),
            failures: Vec::new(),
            groups: Groups::default(),
            failing: HashMap::new(),
            told: Vec::new(),
            framed: false,
        }
    }

    /// What an event says, in place of its own words. With `--verbose` it is those.
    pub fn said(&mut self, event: &Event, now: Duration) -> Said {
        if self.settings.verbose { Said::Itself } else { self.groups.event(event, now) }
    }

    /// What is said of a group of steps, behind the service's column.
    pub fn line(&self, line: &Line) -> String {
        let color = self.settings.status_color;
        let what = match line.end {
            End::Failed => paint(&line.what, ERROR, color),
            End::Done => line.what.clone(),
        };
        let took = line.took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        let took = took.map(|took| paint(&format!(" in {}", millis(took)), DIM, color)).unwrap_or_default();
        format!("{what}{}{took}", message::aside(&line.reason, color))
    }

    /// Shows an event that both renderers show alike. Others are left to them.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Log { service, container, number, stream, line } => {
                self.log(service, container, *number, *stream, line);
            }
            Event::Table { head, rows, layout } => self.table(head, rows, *layout),
            Event::Output { text } => self.output(text),
            Event::Notice { text } => {
                let text = sanitize_text(text, false).into_owned();
                self.streams.status(&text);
            }
            Event::Warning(message) => self.message(Severity::Warning, message),
            Event::Error(message) => self.error(message),
            Event::Plan { steps, unchanged, dry_run, .. } => {
                self.idle = steps.is_empty();
                self.plan(steps, unchanged, *dry_run);
            }
            Event::Url { service, url, answers: true } => self.url(service, url),
            Event::Url { service, url, answers: false } => self.url(service, &format!("{url} (nothing answers yet)")),
            Event::Ready { services, of, took_ms, waited } => self.ready((*services, *of), *took_ms, *waited),
            Event::Watching { services, folders } => {
                let folders = summary::counted(*folders, "folder");
                let text = format!("watching {} in {folders}", summary::names(services));
                self.dim(&text);
            }
            Event::Reloaded(reloaded) => self.reloaded(reloaded),
            Event::CaughtUp { service, took_ms } => {
                let text = format!("image caught up in {}", millis(*took_ms));
                let text = paint(&text, DIM, self.settings.status_color);
                self.say(Some(service), &text);
            }
            Event::Elsewhere(elsewhere) => {
                let text = summary::elsewhere(elsewhere);
                self.streams.status(&text);
            }
            Event::Stopping { cause, services: false, .. } => {
                self.show_failures();
                self.streams.status(&format!("ending ({cause}); the services run on"));
            }
            Event::Stopping { cause, services: true, forced } => {
                self.show_failures();
                let text = match (forced, cause) {
                    (true, EndCause::Interrupt) => "killing what is left (Ctrl-C again)".to_owned(),
                    (true, cause) => format!("killing what is left ({cause})"),
                    (false, EndCause::Interrupt) => "stopping (Ctrl-C); press it again to kill".to_owned(),
                    (false, cause) => format!("stopping ({})", sanitize(&cause.to_string(), false)),
                };
                self.streams.status(&text);
            }
            Event::StepStarted { step, .. } => {
                self.running.insert(*step);
            }
            Event::StepDone { step, .. } => self.step_over(*step),
            Event::StepFailed { step, message, .. } => {
                self.failures.push(message.clone());
                self.step_over(*step);
            }
            Event::Incomplete { failed, left } => {
                self.show_failures();
                if !left.is_empty() {
                    let text = summary::incomplete(failed, left, self.settings.status_color);
                    self.streams.status(&text);
                }
            }
            Event::Hello { .. }
            | Event::Attaching { .. }
            | Event::StepHeld { .. }
            | Event::StepSkipped { .. }
            | Event::Pulling { .. }
            | Event::BuildStep { .. }
            | Event::BuildTransfer { .. }
            | Event::Syncing { .. }
            | Event::BuildOutput { .. }
            | Event::BuildStepDone { .. }
            | Event::Changed { .. }
            | Event::State { .. } => {}
        }
    }

    /// A service's name in its colour, as wide as every other.
    pub fn column(&mut self, service: Option<&ServiceName>) -> String {
        let Some(service) = service else { return " ".repeat(self.width) };
        let name = sanitize(service, false);
        let own = console::measure_text_width(&name);
        self.width = self.width.max(own);
        let pad = self.width - own;
        format!("{}{:pad$}", paint(&name, self.palette.color(service), self.settings.status_color), "")
    }

    /// A line about a service.
    pub fn say(&mut self, service: Option<&ServiceName>, text: &str) {
        let column = self.column(service);
        let gap = if column.is_empty() { "" } else { "  " };
        self.streams.status(&format!("{column}{gap}{text}"));
    }

    /// Text that is not important.
    pub fn dim(&mut self, text: &str) {
        let text = paint(text, DIM, self.settings.status_color);
        self.streams.status(&text);
    }

    /// A message on standard error.
    pub fn message(&mut self, severity: Severity, message: &Message) {
        let relative_to = self.settings.relative_to.as_deref();
        for line in message::lines(severity, message, relative_to, self.settings.err_color) {
            self.streams.err(&line);
        }
    }

    /// Shows what is held back until the end.
    pub fn show_failures(&mut self) {
        for message in std::mem::take(&mut self.failures) {
            self.message(Severity::Error, &message);
            self.told.push(message);
        }
    }

    fn step_over(&mut self, step: usize) {
        self.running.remove(&step);
        if self.running.is_empty() {
            self.show_failures();
        }
    }

    fn error(&mut self, message: &Message) {
        if self.told.contains(message) {
            return;
        }
        let held = self.failures.contains(message);
        self.show_failures();
        if !held {
            self.message(Severity::Error, message);
        }
    }

    fn log(&mut self, service: &ServiceName, container: &str, number: u32, stream: LogStream, line: &str) {
        let color = match stream {
            LogStream::Stdout => self.settings.out_color,
            LogStream::Stderr => self.settings.err_color,
        };
        let line = sanitize(line, color);
        if !self.settings.log_prefix {
            self.streams.log(stream, &line);
            return;
        }
        let prefix = self.prefixes.of(service, container, number);
        let color = color && self.settings.log_color;
        let prefix = paint(&sanitize(&prefix, false), self.palette.color(service), color);
        self.streams.log(stream, &format!("{prefix}{line}"));
    }

    fn table(&mut self, head: &[String], rows: &[Vec<String>], layout: Layout) {
        let lines = table::lines(head, rows, layout, self.settings.out_color);
        if !(layout.redraw && self.settings.kind == Kind::Tty) {
            for line in lines {
                self.streams.out(&line);
            }
            return;
        }
        // The screen is cleared once; from then on each line is written over the one before, so that nothing flickers.
        let mut frame =
            String::from(if std::mem::replace(&mut self.framed, true) { "\x1b[H" } else { "\x1b[2J\x1b[H" });
        for line in lines {
            frame.push_str(&line);
            frame.push_str("\x1b[K\n");
        }
        frame.push_str("\x1b[J");
        self.streams.out_piece(&frame);
    }

    fn output(&mut self, text: &str) {
        // Into a file or a program goes exactly what the command gave; a terminal is not driven by it.
        if self.settings.out_tty {
            let text = sanitize_text(text, self.settings.out_color).into_owned();
            self.streams.out_text(&text);
        } else {
            self.streams.out_text(text);
        }
    }

    fn plan(&mut self, steps: &[PlannedStep], unchanged: &[ServiceName], dry_run: bool) {
        self.show_failures();
        self.told.clear();
        self.running.clear();
        let services: BTreeSet<&ServiceName> =
            steps.iter().filter_map(|step| step.service.as_ref()).chain(unchanged).collect();
        self.palette.assign(services.iter().map(|service| service.as_str()));
        self.prefixes.expect(services.iter().copied());
        let widest = services.iter().map(|service| console::measure_text_width(service)).max();
        self.width = self.width.max(widest.unwrap_or_default());
        if dry_run {
            for line in summary::dry_run(steps, unchanged) {
                self.streams.out(&line);
            }
        } else if steps.is_empty() {
            self.dim(&summary::nothing_to_do(unchanged));
        } else if !unchanged.is_empty() {
            self.dim(&format!("unchanged: {}", summary::names(unchanged)));
        }
    }

    /// Colours and widths for the services of a plan, of which nothing else is said.
    pub fn name_services(&mut self, steps: &[PlannedStep], containers: &[PlannedContainer]) {
        let of_steps = steps.iter().filter_map(|step| step.service.as_ref());
        let services: BTreeSet<&ServiceName> = of_steps.chain(containers.iter().map(|c| &c.service)).collect();
        self.palette.assign(services.iter().map(|service| service.as_str()));
        self.prefixes.expect(services.iter().copied());
    }

    fn url(&mut self, service: &ServiceName, url: &str) {
        // After the summary a new address would not be seen otherwise.
        if self.urls_shown {
            let text = sanitize(url, false).into_owned();
            self.say(Some(service), &text);
            return;
        }
        let urls = self.urls.entry(service.clone()).or_default();
        if !urls.iter().any(|known| known == url) {
            urls.push(url.to_owned());
        }
    }

    fn ready(&mut self, services: (usize, usize), took_ms: u64, waited: bool) {
        self.show_failures();
        let urls = if self.urls_shown { IndexMap::new() } else { self.urls.clone() };
        self.urls_shown = true;
        let color = self.settings.status_color;
        let mut lines = summary::ready(services, took_ms, waited, &urls, |service| self.column(Some(service)), color);
        let (ready, of) = services;
        if self.idle && !waited && ready >= of {
            // "nothing to do" says it already.
            lines.pop();
        }
        for line in lines {
            self.streams.status(&line);
        }
    }

    fn reloaded(&mut self, reloaded: &Reloaded) {
        if let Some(error) = &reloaded.error {
            let files = summary::files(reloaded);
            let failed = paint("failed", ERROR, self.settings.status_color);
            let text = match reloaded.action {
                ReloadAction::Failed => format!("{files}  {failed}"),
                action => format!("{files}  {action} {failed}"),
            };
            if self.failing.get(&reloaded.service) == Some(error) {
                self.say(Some(&reloaded.service), &format!("{} as before", text.trim_start()));
                return;
            }
            self.say(Some(&reloaded.service), text.trim_start());
            // A step that failed has said it.
            self.error(error);
            self.failing.insert(reloaded.service.clone(), error.clone());
        } else {
            self.failing.remove(&reloaded.service);
            let text = summary::reloaded(reloaded, self.settings.timings, self.settings.status_color);
            self.say(Some(&reloaded.service), &text);
        }
    }
}
