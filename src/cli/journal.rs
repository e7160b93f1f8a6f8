//! What was done to a project's services, when and why: written down as hob says it, for `hob why`. It lies in the user's
//! cache folder; where it cannot be written, nothing else suffers.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::event::{Event, Sink};
use crate::host::atomic;
use crate::model::{Digest, ServiceName};

/// Bytes at which the older half goes.
const LARGEST: u64 = 256 * 1024;
/// Files of a save that are named.
const FILES: usize = 5;

/// One thing that was done to a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Seconds since the epoch.
    pub at: u64,
    /// The service.
    pub service: ServiceName,
    /// What was done, such as `recreated` or `synced + restarted`.
    pub what: String,
    /// Why: a file, a key of the manifest, a variable's name, a flag.
    pub because: String,
    /// The files that were saved, as far as they are not too many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// The command that did it; `None` for another program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// The file of a project.
#[derive(Clone, Debug)]
pub struct Journal {
    file: Option<PathBuf>,
}

impl Journal {
    /// In a folder, for a project on an engine.
    pub fn new(folder: Option<PathBuf>, engine: &str, project: &str) -> Self {
        let name = Digest::of(format!("{engine}\0{project}").as_bytes());
        Self { file: folder.map(|folder| folder.join(format!("events-{}", name.short()))) }
    }

    /// The last entries of a service, the newest last.
    pub fn last(&self, service: &ServiceName, count: usize) -> Vec<Entry> {
        let text = self.file.as_ref().and_then(|file| fs::read(file).ok()).unwrap_or_default();
        let lines = text.split(|byte| *byte == b'\n');
        let of = |line: &[u8]| serde_json::from_slice(line).ok().filter(|entry: &Entry| entry.service == *service);
        let all: Vec<Entry> = lines.filter_map(of).collect();
        all.into_iter().rev().take(count).rev().collect()
    }

    fn write(&self, entries: &[Entry]) -> std::io::Result<()> {
        let Some(path) = self.file.as_ref().filter(|_| !entries.is_empty()) else { return Ok(()) };
        let mut text = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut text, entry)?;
            text.push(b'\n');
        }
        let mut file = File::options().read(true).append(true).create(true).mode(0o600).open(path)?;
        // In one piece: others write into it too.
        file.write_all(&text)?;
        if file.metadata()?.len() > LARGEST {
            halve(&mut file, path)?;
        }
        Ok(())
    }
}

/// Takes away the older half. What somebody writes at this moment may go with it.
fn halve(file: &mut File, path: &std::path::Path) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(LARGEST / 2))?;
    let mut rest = Vec::new();
    file.read_to_end(&mut rest)?;
    let whole = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
    atomic::write(path, &rest[whole..], atomic::PRIVATE)
}

/// Writes down what goes by.
pub struct Recorder {
    /// Where events go.
    pub sink: Arc<dyn Sink>,
    /// Where they are written down.
    pub journal: Journal,
    /// Who does it, such as `hob up`.
    pub command: String,
}

impl Recorder {
    fn entries(&self, event: &Event) -> Vec<Entry> {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let by = Some(self.command.clone());
        let entry = |service: &ServiceName, what: &str, because: &str| {
            let (service, what, because) = (service.clone(), what.to_owned(), because.to_owned());
            Entry { at, service, what, because, files: Vec::new(), by: by.clone() }
        };
        match event {
            Event::Changed { service, did, reason } => vec![entry(service, did.word(), &reason.to_string())],
            Event::Reloaded(reloaded) => {
                let mut one = match &reloaded.error {
                    Some(error) => entry(&reloaded.service, "failed", &error.text),
                    None => {
                        let reason = reloaded.reason.as_ref().map(ToString::to_string).unwrap_or_default();
                        entry(&reloaded.service, &reloaded.action.to_string(), &reason)
                    }
                };
                one.files = reloaded.files.iter().take(FILES).cloned().collect();
                vec![one]
            }
            Event::CaughtUp { service, .. } => {
                vec![entry(service, "image caught up", "what was synced was in no image")]
            }
            // Another hob writes down itself what it does.
            Event::Elsewhere(elsewhere) if elsewhere.command.is_none() => elsewhere
                .changes
                .iter()
                .map(|(service, did)| Entry { by: None, ..entry(service, did.word(), "another program did it") })
                .collect(),
            _ => Vec::new(),
        }
    }
}

impl Sink for Recorder {
    fn emit(&self, event: Event) {
        // Only an account: a full disk must not end anything.
        let _ = self.journal.write(&self.entries(&event));
        self.sink.emit(event);
    }

    fn line(&self, line: Event) -> BoxFuture<'_, ()> {
        self.sink.line(line)
    }

    fn flush(&self) {
        self.sink.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Did, Elsewhere, Reloaded, Timings};
    use crate::event::{Followed, ReloadAction};
    use crate::plan::{Reason, ReloadReason};

    struct Nowhere;

    impl Sink for Nowhere {
        fn emit(&self, _: Event) {}
    }

    #[test]
    fn what_was_done_is_written_down() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(Some(folder.path().to_owned()), "unix:///run/docker.sock", "shop");
        let recorder = Recorder { sink: Arc::new(Nowhere), journal: journal.clone(), command: "hob up".into() };
        let api = ServiceName::new("api");
        recorder.emit(Event::Changed {
            service: api.clone(),
            did: Did::Recreated,
            reason: Reason::Config(vec!["environment.MODE".into()]),
        });
        recorder.emit(Event::Notice { text: "nothing to write down".into() });
        recorder.emit(Event::Changed { service: "db".into(), did: Did::Created, reason: Reason::NoContainer });
        recorder.emit(Event::Reloaded(Reloaded {
            service: api.clone(),
            files: vec!["src/app.py".into()],
            action: ReloadAction::Synced { then: Some(Followed::Restarted) },
            reason: Some(ReloadReason::Asked),
            timings: Timings::default(),
            error: None,
        }));
        let elsewhere = |command: Option<&str>| {
            let changes = [(api.clone(), Did::Paused)].into();
            Event::Elsewhere(Elsewhere {
                command: command.map(str::to_owned),
                process: None,
                changes,
                everything: false,
            })
        };
        recorder.emit(elsewhere(Some("hob stop")));
        recorder.emit(elsewhere(None));
        let told: Vec<String> = journal
            .last(&api, 10)
            .into_iter()
            .map(|e| format!("{} {} {:?} {:?}", e.what, e.because, e.files, e.by))
            .collect();
        assert_eq!(
            told,
            [
                "recreated environment.MODE changed [] Some(\"hob up\")",
                "synced + restarted it was asked for [\"src/app.py\"] Some(\"hob up\")",
                "paused another program did it [] None",
            ]
        );
        assert_eq!(journal.last(&api, 1).len(), 1);
        assert!(Journal::new(Some(folder.path().to_owned()), "ssh://far", "shop").last(&api, 10).is_empty());
    }

    #[test]
    fn it_does_not_grow_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(Some(folder.path().to_owned()), "e", "p");
        let service = ServiceName::new("api");
        let entry = |at: u64| Entry {
            at,
            service: service.clone(),
            what: "synced".into(),
            because: "x".repeat(1_000),
            files: Vec::new(),
            by: None,
        };
        for at in 0..1_000 {
            journal.write(&[entry(at)]).unwrap();
        }
        let left = journal.last(&service, 10_000);
        assert!((100..400).contains(&left.len()), "{}", left.len());
        assert_eq!(left.last().map(|entry| entry.at), Some(999));
        assert!(left.windows(2).all(|two| two[0].at + 1 == two[1].at), "none is missing in between");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
