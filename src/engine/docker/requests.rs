//! Requests that take the engine a while, noted on disk until it has answered: an engine carries out what it was asked
//! for even where the hob that asked was killed. The next hob reads what was left open and waits for it, so that it
//! does not take for running what is being stopped, or for missing what is being made.
//!
//! Each process has a file of its own, which is there only while a request is open. A line is a request, or the
//! number of one that was answered; a line that a kill cut off counts for nothing.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::engine::{EngineError, ErrorKind, Result};
use crate::model::Digest;

/// How long an engine may take to show what a request that was sent makes.
pub(super) const MAKING: Duration = Duration::from_secs(3);
/// How long it may take to end a container after the time that it gives it.
pub(super) const ENDING: Duration = Duration::from_secs(5);
/// A request that goes on in the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Request {
    /// A container is made, with all that belongs to it.
    Create { name: String },
    /// A container is stopped; after so many seconds it is killed.
    Stop { container: String, grace: Option<u64> },
    /// A container is stopped and started.
    Restart { container: String, grace: Option<u64> },
    /// A container is removed.
    Remove { container: String, volumes: bool, inherited: Vec<String> },
    /// A network is made.
    Network { name: String },
}

#[derive(Debug, Serialize, Deserialize)]
enum Line {
    Asked { number: u64, at: u64, request: Request },
    Answered { number: u64 },
}

/// A request without an answer, and when it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) at: Duration,
    pub(super) request: Request,
}

impl Open {
    /// Whether what was made at this time, in seconds, may be what was asked for: a name can be another's by now.
    pub(super) fn is_of(&self, created: i64) -> bool {
        let created = Duration::from_secs(u64::try_from(created).unwrap_or_default());
        created + ENDING >= self.at && created <= self.at + MAKING + ENDING
    }
}

/// The notes of this process.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// `None` where nothing can be noted.
    file: Option<PathBuf>,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    file: Option<File>,
    open: usize,
    next: u64,
}

/// A request that was noted. Where it is dropped without an answer the note stays.
pub(super) struct Noted<'a> {
    requests: &'a Requests,
    number: u64,
}

impl Requests {
    /// In a folder that all hobs of this user share.
    pub(super) fn new(folder: Option<PathBuf>, endpoint: &str, mark: &str) -> Self {
        let name = format!("{}.{mark}", Digest::of(endpoint.as_bytes()).short());
        Self { file: folder.map(|folder| folder.join(name)), notes: Mutex::default() }
    }

    /// Notes a request that is about to be sent. What cannot be noted is sent all the same.
    pub(super) fn note(&self, request: Request) -> Noted<'_> {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.next += 1;
        notes.open += 1;
        let number = notes.next;
        if let (None, Some(path)) = (&notes.file, &self.file) {
            notes.file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).ok();
        }
        notes.write(&Line::Asked { number, at: millis(now()), request });
        drop(notes);
        Noted { requests: self, number }
    }

    fn answered(&self, number: u64) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.open = notes.open.saturating_sub(1);
        if notes.open > 0 {
            notes.write(&Line::Answered { number });
            return;
        }
        notes.file = None;
        if let Some(path) = &self.file {
            let _ = fs::remove_file(path);
        }
    }

    /// The files of hobs that were killed, with what was open in them.
    pub(super) fn left(&self, is_gone: fn(&str) -> bool) -> Vec<(PathBuf, Vec<Open>)> {
        let Some(own) = &self.file else { return Vec::new() };
        let name = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let engine = name(own).and_then(|name| Some(name.split_once('.')?.0.to_owned())).unwrap_or_default();
        let entries = own.parent().map(fs::read_dir).into_iter().flatten().flatten().flatten();
        let of_engine = |path: &PathBuf| {
            name(path).is_some_and(|name| name.split_once('.').is_some_and(|(of, mark)| of == engine && is_gone(mark)))
        };
        let files = entries.map(|entry| entry.path()).filter(of_engine);
        files.map(|path| (path.clone(), open(&fs::read_to_string(&path).unwrap_or_default()))).collect()
    }
}

impl Notes {
    fn write(&mut self, line: &Line) {
        if let (Some(file), Ok(mut text)) = (&mut self.file, serde_json::to_vec(line)) {
            text.push(b'\n');
            // In one piece; a disk that is full costs the note alone.
            let _ = file.write_all(&text);
        }
    }
}

impl Noted<'_> {
    /// The engine has answered, if it did: where the connection broke the request may still be under way.
    pub(super) fn ends<T>(self, answer: Result<T>) -> Result<T> {
        let unknown = |error: &EngineError| matches!(error.kind, ErrorKind::Lost | ErrorKind::Unreachable { .. });
        if !answer.as_ref().is_err_and(unknown) {
            self.requests.answered(self.number);
        }
        answer
    }
}

/// What has no answer among the lines of a file.
fn open(text: &str) -> Vec<Open> {
    let mut open: Vec<(u64, Open)> = Vec::new();
    for line in text.lines() {
        match serde_json::from_str(line) {
            Ok(Line::Asked { number, at, request }) => {
                open.push((number, Open { at: Duration::from_millis(at), request }));
            }
            Ok(Line::Answered { number }) => open.retain(|(other, _)| *other != number),
            Err(_) => {}
        }
    }
    open.into_iter().map(|(_, open)| open).collect()
}

/// The time since 1970.
pub(super) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop(container: &str) -> Request {
        Request::Stop { container: container.to_owned(), grace: Some(3) }
    }

    fn requests(folder: &std::path::Path, mark: &str) -> Requests {
        Requests::new(Some(folder.to_owned()), "unix:///s", mark)
    }

    pub(super) fn left(requests: &Requests) -> Vec<Vec<Request>> {
        let left = requests.left(|mark| mark == "dead");
        left.into_iter().map(|(_, open)| open.into_iter().map(|open| open.request).collect()).collect()
    }

    #[test]
    fn what_was_not_answered_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let dead = requests(folder.path(), "dead");
        let (_a, b, c) = (dead.note(stop("a")), dead.note(stop("b")), dead.note(stop("c")));
        b.ends(Ok(())).unwrap();
        let lost = EngineError::new(ErrorKind::Lost, String::new());
        c.ends::<()>(Err(lost)).unwrap_err();
        let next = requests(folder.path(), "next");
        assert_eq!(left(&next), [[stop("a"), stop("c")]]);
        let elsewhere = Requests::new(Some(folder.path().to_owned()), "unix:///other", "next");
        assert!(left(&elsewhere).is_empty(), "of another engine");
    }

    #[test]
    fn who_has_all_answers_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let own = requests(folder.path(), "dead");
        let (a, b) = (own.note(stop("a")), own.note(stop("b")));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        a.ends(Ok(())).unwrap();
        b.ends::<()>(Err(EngineError::new(ErrorKind::NotFound, String::new()))).unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        own.note(stop("c"));
        assert_eq!(left(&requests(folder.path(), "next")), [[stop("c")]], "a file is begun again");
    }

    #[test]
    fn what_was_made_much_later_is_somebody_elses() {
        let open = Open { at: Duration::from_secs(1_000), request: stop("a") };
        assert!(open.is_of(1_000) && open.is_of(1_002));
        assert!(!open.is_of(900) && !open.is_of(1_100));
    }

    #[test]
    fn a_line_that_was_cut_off_counts_for_nothing() {
        let asked = Line::Asked { number: 1, at: 5, request: stop("a") };
        let text = format!("{}\n{{\"Answered\":{{\"num", serde_json::to_string(&asked).unwrap());
        assert_eq!(open(&text), [Open { at: Duration::from_millis(5), request: stop("a") }]);
        assert_eq!(open("\u{0}x\n"), []);
    }
}
