//! The session on the fake engine, with saves that a test tells of itself. Time is virtual.
#![allow(clippy::disallowed_methods, reason = "a test writes what is synced")]

mod aside;
mod beside;
mod catch_up;
mod drift;
mod ending;
mod machine;
mod notes;
mod saves;
mod simulation;
mod starting;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::clock::now;
use super::shell::Folders;
use super::{Attach, End, Session, SessionOptions};
use crate::event::{Event, Request};
use crate::execute::testing::{Rig, project};
use crate::host::watch::{Batch, Change, ChangeKind, Coverage};

/// Remembers what was to be watched.
struct Set(Arc<Mutex<Vec<BTreeSet<PathBuf>>>>);

impl Folders for Set {
    fn set(&mut self, folders: &BTreeSet<PathBuf>) -> Coverage {
        self.0.lock().unwrap().push(folders.clone());
        Coverage::default()
    }
}

/// A session that runs.
struct Running {
    rig: Rig,
    requests: mpsc::Sender<Request>,
    saves: mpsc::Sender<Batch>,
    folders: Arc<Mutex<Vec<BTreeSet<PathBuf>>>>,
    session: JoinHandle<End>,
    disk: tempfile::TempDir,
}

/// A rig whose manifest is `/m/devenv.yaml`.
fn rig(services: Value) -> Rig {
    let mut project = project(services);
    project.files.push("/m/devenv.yaml".into());
    Rig::new(project)
}

/// A session as `hob up` in a terminal runs it.
fn options() -> SessionOptions {
    SessionOptions {
        apply: true,
        watch: true,
        outlive: true,
        stop_services: true,
        attach: Attach::AllBut(BTreeSet::new()),
        ..SessionOptions::default()
    }
}

fn start(rig: Rig, options: SessionOptions) -> Running {
    let disk = tempfile::tempdir().unwrap();
    let mut project = (*rig.project).clone();
    project.working_dir = disk.path().to_owned();
    *rig.sources.project.lock().unwrap() = Some(project.clone());
    let mut session = Session::new(rig.executor.clone(), Arc::new(project), options);
    let folders = Arc::default();
    let (saves, batches) = mpsc::channel(64);
    let batches = tokio_stream::wrappers::ReceiverStream::new(batches);
    session.given = Some((Box::new(Set(Arc::clone(&folders))), Box::pin(batches)));
    let (requests, asked) = mpsc::channel(8);
    let session = tokio::spawn(session.run(asked));
    Running { rig, requests, saves, folders, session, disk }
}

fn ready(event: &Event) -> bool {
    matches!(event, Event::Ready { .. })
}

fn reloaded(event: &Event) -> bool {
    matches!(event, Event::Reloaded(_))
}

fn notice(start: &'static str) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Notice { text } if text.starts_with(start))
}

impl Running {
    async fn wait(&self, from: usize, what: &str, matches: impl Fn(&Event) -> bool) -> usize {
        self.rig.events.wait(from, what, matches).await
    }

    /// Waits until the session watches; for sessions that come up.
    async fn up(&self) -> usize {
        self.wait(0, "the watch", |e| matches!(e, Event::Watching { .. })).await
    }

    /// Tells of a change without any.
    async fn touch(&self, paths: &[&str]) {
        let change = |path: &&str| Change { path: path.into(), kind: ChangeKind::Modified, settled: true, now: None };
        let changes = paths.iter().map(change).collect();
        self.saves.send(Batch { at: now(), changes, notices: Vec::new() }).await.unwrap();
    }

    /// Writes a file, where the sources and the sync read it, and tells of it.
    async fn save(&self, path: &str, content: &str) {
        self.write(path, content);
        self.touch(&[path]).await;
    }

    fn write(&self, path: &str, content: &str) {
        self.rig.sources.write(path, content);
        let file = self.disk.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }

    /// Removes a file, and tells of it.
    async fn remove(&self, path: &str) {
        self.rig.sources.files.lock().unwrap().remove(std::path::Path::new(path));
        std::fs::remove_file(self.disk.path().join(path.trim_start_matches('/'))).unwrap();
        self.touch(&[path]).await;
    }

    /// Saves, and waits for what it did.
    async fn saved(&self, path: &str, content: &str) -> usize {
        let from = self.rig.events.all().len();
        self.save(path, content).await;
        self.wait(from, "an answer to the save", reloaded).await
    }

    async fn request(&self, request: Request) {
        self.requests.send(request).await.unwrap();
    }

    async fn end(self) -> (Rig, End) {
        let limit = std::time::Duration::from_hours(1);
        let end = tokio::time::timeout(limit, self.session).await.expect("the session goes on").unwrap();
        (self.rig, end)
    }

    async fn stop(self) -> (Rig, End) {
        self.request(Request::Stop).await;
        self.end().await
    }

    /// The call by which a service's context, as it is now, will be built.
    async fn build_call(&self, service: &str) -> String {
        let plan = self.rig.plan().await;
        let image = plan.steps.iter().find_map(|step| match &step.op {
            crate::plan::Op::Build { services, image, .. } if services[0].as_str() == service => Some(image.clone()),
            _ => None,
        });
        format!("build {}", image.expect("there is something to build"))
    }

    /// That build waits.
    async fn hold_build(&self, service: &str) -> crate::engine::fake::Hold {
        self.rig.engine.hold(&self.build_call(service).await)
    }

    /// The label that says what a service's container was built from.
    fn inputs(&self, service: &str) -> String {
        self.rig.engine.container(service).unwrap().labels["io.hob.inputs"].clone()
    }
}
