//! A hob that goes on while the test acts.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::PATIENCE;

#[derive(Default)]
struct Said {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

/// A running hob and all that it has said so far, standard output and standard error together.
pub struct Session {
    child: Child,
    said: Arc<Said>,
    readers: Vec<JoinHandle<()>>,
}

impl Session {
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("hob can be started");
        let said = Arc::new(Said::default());
        let streams: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|out| Box::new(out) as Box<dyn Read + Send>),
            child.stderr.take().map(|err| Box::new(err) as Box<dyn Read + Send>),
        ];
        let readers = streams
            .into_iter()
            .flatten()
            .map(|stream| {
                let said = Arc::clone(&said);
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream);
                    let mut line = Vec::new();
                    while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                        let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
                        said.lines.lock().unwrap().push(text);
                        said.more.notify_all();
                        line.clear();
                    }
                })
            })
            .collect();
        Self { child, said, readers }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How many lines there are: what is waited for after this is new.
    pub fn mark(&self) -> usize {
        self.said.lines.lock().unwrap().len()
    }

    pub fn lines(&self) -> Vec<String> {
        self.said.lines.lock().unwrap().clone()
    }

    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// Waits for a line and gives it.
    #[track_caller]
    pub fn line(&self, from: usize, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.said.lines.lock().unwrap();
        let mut seen = from;
        loop {
            if let Some(found) = lines.iter().skip(seen).find(|line| wanted(line)) {
                return found.clone();
            }
            seen = lines.len().max(from);
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {what} from line {from} on, in:\n{}", lines.join("\n"));
            lines = self.said.more.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// Waits for a line that contains a text.
    #[track_caller]
    pub fn says(&self, from: usize, text: &str) -> String {
        self.line(from, &format!("{text:?}"), |line| line.contains(text))
    }

    /// Waits for an event of a `--progress json` session.
    #[track_caller]
    pub fn event(&self, from: usize, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let parse = |line: &str| serde_json::from_str::<Value>(line).unwrap_or(Value::Null);
        let line = self.line(from, &format!("event {kind}"), |line| {
            let event = parse(line);
            event["type"] == kind && wanted(&event)
        });
        parse(&line)
    }

    /// Waits for a line of a service's log.
    #[track_caller]
    pub fn log(&self, from: usize, service: &str, text: &str) {
        self.event(from, "log", |event| {
            event["service"] == service && event["line"].as_str().is_some_and(|line| line.contains(text))
        });
    }

    /// Waits until a save was answered in a service.
    #[track_caller]
    pub fn reloaded(&self, from: usize, service: &str) -> Value {
        self.event(from, "reloaded", |event| event["service"] == service)
    }

    /// Events so far.
    pub fn events(&self) -> Vec<Value> {
        self.lines().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap());
        kill(pid, signal).expect("hob runs");
    }

    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it has ended, and gives its exit code; -1 where a signal ended it.
    #[track_caller]
    pub fn end(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                for reader in self.readers.drain(..) {
                    let _ = reader.join();
                }
                super::stream::check(&self.lines());
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < deadline, "hob does not end; it said:\n{}", self.text());
            std::thread::sleep(super::POLL);
        }
    }

    /// Ctrl-C and its end.
    #[track_caller]
    pub fn interrupt(mut self) {
        self.signal(Signal::SIGINT);
        let code = self.end();
        assert_eq!(code, 130, "{}", self.text());
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
