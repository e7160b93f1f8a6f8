//! A build's progress as BuildKit's plain form has it, in which Docker Compose shows it.

use std::collections::HashMap;
use std::time::Duration;

use crate::event::Event;
use crate::model::ServiceName;

/// The numbers of the steps, in the order in which they were first told of.
#[derive(Debug, Default)]
pub(super) struct BuildLog {
    steps: HashMap<(Vec<ServiceName>, String), Step>,
    /// The last step that was written of: another one begins a paragraph.
    last: Option<usize>,
    /// Why the last step failed that did.
    error: Option<String>,
}

#[derive(Clone, Debug)]
struct Step {
    number: usize,
    began: Duration,
    /// Its name stands there.
    named: bool,
}

impl BuildLog {
    /// The lines of an event; none where it is not about a build.
    pub fn event(&mut self, event: &Event, now: Duration) -> Vec<String> {
        match event {
            Event::BuildStep { services, step, name } => self.head(services, step, name, now),
            Event::BuildOutput { services, step, line } => {
                let Some(found) = self.steps.get(&(services.clone(), step.clone())).cloned() else { return Vec::new() };
                let since = now.saturating_sub(found.began).as_secs_f64();
                let mut lines = self.paragraph(found.number);
                lines.push(format!("#{} {since:.3} {line}", found.number));
                lines
            }
            Event::BuildStepDone { services, step, name, cached, took_ms, error } => {
                let mut lines = self.head(services, step, name, now);
                let number = self.number(services, step, now).number;
                let end = match error {
                    Some(error) => format!("ERROR: {error}"),
                    None if *cached => "CACHED".to_owned(),
                    None => format!("DONE {:.1}s", Duration::from_millis(*took_ms).as_secs_f64()),
                };
                lines.extend(self.paragraph(number));
                lines.push(format!("#{number} {end}"));
                if error.is_some() {
                    self.error.clone_from(error);
                    lines.extend([
                        "------".to_owned(),
                        format!(" > {}:", labelled(services, name)),
                        "------".to_owned(),
                    ]);
                }
                lines
            }
            _ => Vec::new(),
        }
    }

    /// Why a build failed, in the builder's words.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    fn number(&mut self, services: &[ServiceName], step: &str, now: Duration) -> &mut Step {
        let next = self.steps.len() + 1;
        self.steps.entry((services.to_vec(), step.to_owned())).or_insert(Step {
            number: next,
            began: now,
            named: false,
        })
    }

    fn head(&mut self, services: &[ServiceName], step: &str, name: &str, now: Duration) -> Vec<String> {
        let step = self.number(services, step, now);
        if std::mem::replace(&mut step.named, true) {
            return Vec::new();
        }
        let number = step.number;
        let mut lines = self.paragraph(number);
        lines.push(format!("#{number} {}", labelled(services, name)));
        lines
    }

    /// An empty line where the step is another one than that of the last line.
    fn paragraph(&mut self, number: usize) -> Vec<String> {
        let last = self.last.replace(number);
        if last.is_some_and(|last| last != number) { vec![String::new()] } else { Vec::new() }
    }
}

/// `[2/4] RUN make` as `[api 2/4] RUN make`.
fn labelled(services: &[ServiceName], name: &str) -> String {
    match (services.first(), name.strip_prefix('[')) {
        (Some(service), Some(rest)) => format!("[{service} {rest}"),
        (Some(service), None) => format!("[{service}] {name}"),
        (None, _) => name.to_owned(),
    }
}
