//! A sink that remembers.

use std::sync::Mutex;

use tokio::sync::watch;

use crate::event::{Event, Sink};

/// A sink that remembers, and that can be waited on.
pub struct Events {
    all: Mutex<Vec<Event>>,
    count: watch::Sender<usize>,
}

impl Default for Events {
    fn default() -> Self {
        Self { all: Mutex::default(), count: watch::channel(0).0 }
    }
}

impl Sink for Events {
    fn emit(&self, event: Event) {
        self.all.lock().unwrap().push(event);
        self.count.send_modify(|count| *count += 1);
    }
}

impl Events {
    pub fn all(&self) -> Vec<Event> {
        self.all.lock().unwrap().clone()
    }

    pub fn count(&self, matches: impl Fn(&Event) -> bool) -> usize {
        self.all().iter().filter(|event| matches(event)).count()
    }

    /// Waits for the first event at or after `from` that matches, and gives the place after it.
    pub async fn wait(&self, from: usize, what: &str, matches: impl Fn(&Event) -> bool) -> usize {
        let mut count = self.count.subscribe();
        let look = async {
            loop {
                count.borrow_and_update();
                if let Some(at) = self.all().iter().skip(from).position(&matches) {
                    return from + at + 1;
                }
                let _ = count.changed().await;
            }
        };
        // Virtual time: it passes when nothing else can happen.
        let found = tokio::time::timeout(std::time::Duration::from_hours(1), look).await;
        found.unwrap_or_else(|_| panic!("{what} never came; there was {:#?}", self.all()))
    }

    /// Lines of logs, as `service: line`.
    pub fn logs(&self) -> Vec<String> {
        let line = |event: Event| match event {
            Event::Log { service, line, .. } => Some(format!("{service}: {line}")),
            _ => None,
        };
        self.all().into_iter().filter_map(line).collect()
    }

    /// What saves did, as `service: action`, with the error's text.
    pub fn reloads(&self) -> Vec<String> {
        let line = |event: Event| match event {
            Event::Reloaded(r) => Some(match r.error {
                Some(error) => format!("{}: {} ({})", r.service, r.action, error.text),
                None => format!("{}: {}", r.service, r.action),
            }),
            _ => None,
        };
        self.all().into_iter().filter_map(line).collect()
    }

    /// Texts of errors, warnings and notices.
    pub fn texts(&self) -> Vec<String> {
        let text = |event: Event| match event {
            Event::Error(message) | Event::Warning(message) => Some(message.text),
            Event::Notice { text } => Some(text),
            _ => None,
        };
        self.all().into_iter().filter_map(text).collect()
    }
}
