//! The world around hob: files with their watcher, the manifest, the engine, and what is remembered of what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::laws::Violation;
use crate::engine::fake::{FakeEngine, Script};
use crate::event::{Event, Message, ReloadAction};
use crate::execute::testing::{FakeSources, project};
use crate::host::watch::{Batch, Change, ChangeKind};
use crate::model::{Health, Project, ServiceName};

/// The manifest.
pub const MANIFEST: &str = "/m/devenv.yaml";

/// Services that a manifest may have.
pub const SERVICES: [&str; 5] = ["api", "db", "job", "twin", "web"];

/// Files of a service's context, with what a change of them asks for.
pub const FILES: [&str; 6] = ["Dockerfile", "main.c", "sync/a", "sync/b", "aside/log", "mounted/page"];

/// What may go wrong, in thousandths of calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chances {
    /// A call that changes something fails before it does.
    pub fail: u64,
    /// It fails after it did.
    pub lose: u64,
    /// A call that reads fails.
    pub fail_read: u64,
    /// A build fails.
    pub fail_build: u64,
}

/// When hob is killed.
#[derive(Clone, Copy, Debug)]
pub struct Kill {
    /// At this call.
    pub at: u64,
    /// When the engine has done what it was asked to.
    pub done: bool,
}

/// A hob that runs.
pub struct Life {
    pub number: u64,
    pub abort: Option<AbortHandle>,
    pub kill: Option<Kill>,
    pub told: Option<mpsc::UnboundedSender<(Instant, Change)>>,
    pub folders: Arc<Mutex<Vec<BTreeSet<PathBuf>>>>,
}

/// A service as the manifest has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Its variable, with which its containers are to be made.
    pub version: u32,
    pub scale: u32,
}

/// What the files of a context were, and from when on.
type Version = (Instant, BTreeMap<PathBuf, String>);

/// What changes all the time.
pub struct State {
    pub rng: Rng,
    pub trace: Vec<String>,
    /// Counts what happens, so that it is known what came first.
    pub moment: u64,
    pub chances: Chances,
    /// The longest that a call and a build take, in milliseconds.
    pub slowness: (u64, u64),
    pub calls: u64,
    /// The moment of the last thing that was not a look.
    pub stirred: Instant,
    /// Calls that change something by virtual minute.
    pub by_minute: BTreeMap<u64, u64>,
    /// Calls that change something and go on: number, container and what is done.
    pub open: Vec<(u64, String, String)>,
    pub life: Life,
    pub wishes: BTreeMap<&'static str, Wish>,
    pub broken: bool,
    /// When files of a service's context last changed in a way that asks for something, or its part of the manifest.
    pub changed: BTreeMap<String, u64>,
    /// When a failure was last reported, of a service or (empty) of all.
    pub reported: BTreeMap<String, u64>,
    /// What a context was, and from when on, oldest first.
    pub versions: BTreeMap<String, Vec<Version>>,
    pub violation: Option<Violation>,
    pub written: u64,
    /// When the manifest was last written.
    pub published: u64,
    /// When somebody else last changed containers of a service.
    pub meddled: BTreeMap<String, u64>,
    /// Ctrl-C came twice.
    pub forced: bool,
}

pub struct World {
    pub engine: FakeEngine,
    pub sources: FakeSources,
    pub disk: tempfile::TempDir,
    pub began: Instant,
    /// Two services have one context.
    is_shared: bool,
    state: Mutex<State>,
}

impl World {
    pub fn new(seed: u64) -> Arc<Self> {
        let mut rng = Rng::with_seed(seed);
        let (engine, sources) = (FakeEngine::new(), FakeSources::default());
        engine.add_image("db");
        let mut wishes = BTreeMap::new();
        for name in SERVICES {
            if rng.u8(..3) > 0 || wishes.is_empty() {
                wishes.insert(name, Wish { version: 1, scale: if name == "twin" { 2 } else { 1 } });
            }
        }
        for name in SERVICES {
            engine.script(name, script(name, &mut rng));
        }
        let began = Instant::now();
        let rare = |rng: &mut Rng, most: u64| if rng.bool() { 0 } else { rng.u64(..=most) };
        let chances = Chances {
            fail: rare(&mut rng, 40),
            lose: rare(&mut rng, 15),
            fail_read: rare(&mut rng, 10),
            fail_build: rare(&mut rng, 300),
        };
        let slowness = (rng.choice([0, 5, 100, 2000]).unwrap_or(0), rng.choice([0, 200, 20_000]).unwrap_or(0));
        let life = Life { number: 0, abort: None, kill: None, told: None, folders: Arc::default() };
        let state = State {
            rng,
            trace: Vec::new(),
            moment: 0,
            chances,
            slowness,
            calls: 0,
            stirred: began,
            by_minute: BTreeMap::new(),
            open: Vec::new(),
            life,
            wishes,
            broken: false,
            changed: BTreeMap::new(),
            published: 0,
            reported: BTreeMap::new(),
            versions: BTreeMap::new(),
            violation: None,
            written: 0,
            meddled: BTreeMap::new(),
            forced: false,
        };
        let disk = tempfile::tempdir().unwrap();
        std::fs::create_dir(disk.path().join("versions")).unwrap();
        let is_shared = seed.is_multiple_of(4);
        let world = Arc::new(Self { engine, sources, disk, began, is_shared, state: Mutex::new(state) });
        if is_shared {
            let folder = world.context("twin").display().to_string();
            world.sources.contexts.lock().unwrap().insert("twin".into(), folder);
        }
        for service in SERVICES.into_iter().filter(|name| *name != "db") {
            for file in FILES {
                world.put(service, file);
            }
        }
        world.publish();
        world
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The moment that it is.
    pub fn moment(&self) -> u64 {
        self.state().moment
    }

    /// A number below `most`.
    pub fn random(&self, most: u64) -> u64 {
        self.state().rng.u64(..most.max(1))
    }

    /// True in so many of a hundred cases.
    pub fn chance(&self, percent: u64) -> bool {
        self.random(100) < percent
    }

    /// Writes down what happens.
    pub fn note(&self, text: impl std::fmt::Display) {
        let millis = self.began.elapsed().as_millis();
        let mut state = self.state();
        state.moment += 1;
        let line = format!("{millis:>8} {text}");
        state.trace.push(line);
    }

    /// Something is not as it should be; the first counts.
    pub fn violate(&self, law: &'static str, what: impl Into<String>) {
        let what = what.into();
        self.note(format_args!("!! {law}: {what}"));
        self.state().violation.get_or_insert(Violation { law, what });
    }

    /// Whether this hob lives.
    pub fn lives(&self, life: u64) -> bool {
        self.state().life.number == life
    }

    /// It is no more: nothing that is left of it does anything from now on.
    pub fn bury(&self) {
        let mut state = self.state();
        state.life.number += 1;
        state.life.kill = None;
        state.life.told = None;
        state.open.clear();
        state.forced = false;
        if let Some(abort) = state.life.abort.take() {
            abort.abort();
        }
    }

    /// The manifest as it should be now.
    pub fn project(&self) -> Project {
        let wishes = self.state().wishes.clone();
        let mut services = serde_json::Map::new();
        for (name, wish) in &wishes {
            let mut service = json!({"environment": {"V": wish.version.to_string()}, "scale": wish.scale});
            if *name == "db" {
                service["image"] = json!("db");
                service["healthcheck"] = json!({"test": ["CMD", "true"]});
            } else {
                service["build"] = json!({"context": self.context(name)});
            }
            let mut needs = serde_json::Map::new();
            let needed = [("web", "api", "service_started"), ("api", "db", "service_healthy")];
            for (_, on, condition) in needed.into_iter().filter(|(of, on, _)| of == name && wishes.contains_key(on)) {
                let need = json!({"condition": condition, "required": true, "restart": condition == "service_started"});
                needs.insert(on.to_owned(), need);
            }
            service["depends_on"] = Value::Object(needs);
            services.insert((*name).to_owned(), service);
        }
        let mut project = project(Value::Object(services));
        project.files.push(MANIFEST.into());
        self.disk.path().clone_into(&mut project.working_dir);
        project
    }

    /// Writes the manifest.
    pub fn publish(&self) {
        let errors = if self.state().broken { vec![Message::new("it is broken")] } else { Vec::new() };
        *self.sources.errors.lock().unwrap() = errors;
        *self.sources.project.lock().unwrap() = Some(self.project());
        let mut state = self.state();
        let moment = state.moment;
        state.published = moment;
        for name in SERVICES {
            state.changed.insert(name.to_owned(), moment);
        }
        drop(state);
        self.tell(Path::new(MANIFEST), ChangeKind::Modified);
    }

    /// Writes a file with a content that was never there before.
    pub fn put(&self, service: &str, file: &str) {
        let number = {
            let mut state = self.state();
            state.written += 1;
            state.written
        };
        let length = usize::try_from(number % 1000).unwrap_or_default();
        self.put_content(service, file, &format!("{number}{}", ".".repeat(length)));
    }

    /// Writes a file. Each is another one on the disk, of another name before, so that it differs from those before it.
    pub fn put_content(&self, service: &str, file: &str, content: &str) {
        let path = self.context(service).join(file);
        let here = self.on_disk(&path);
        let version = {
            let mut state = self.state();
            state.moment += 1;
            self.disk.path().join(format!("versions/{}", state.moment))
        };
        std::fs::create_dir_all(here.parent().unwrap()).unwrap();
        std::fs::write(&version, content).unwrap();
        let _ = std::fs::remove_file(&here);
        std::fs::hard_link(version, &here).unwrap();
        self.sources.files.lock().unwrap().insert(path.clone(), content.to_owned());
        self.has_changed(service, &path);
        self.tell(&path, ChangeKind::Modified);
    }

    pub fn content(&self, service: &str, file: &str) -> Option<String> {
        self.sources.files.lock().unwrap().get(&self.context(service).join(file)).cloned()
    }

    pub fn delete(&self, service: &str, file: &str) {
        let path = self.context(service).join(file);
        let was = self.sources.files.lock().unwrap().remove(&path);
        let _ = std::fs::remove_file(self.on_disk(&path));
        if was.is_some() {
            self.has_changed(service, &path);
            self.tell(&path, ChangeKind::Removed);
        }
    }

    fn on_disk(&self, path: &Path) -> PathBuf {
        self.disk.path().join(path.strip_prefix("/").unwrap())
    }

    fn has_changed(&self, service: &str, path: &Path) {
        let of = self.context(service);
        for service in SERVICES.into_iter().filter(|other| self.context(other) == of) {
            let files = self.files_of(service);
            let mut state = self.state();
            let moment = state.moment;
            if acts(path) {
                state.changed.insert(service.to_owned(), moment);
            }
            state.versions.entry(service.to_owned()).or_default().push((Instant::now(), files));
        }
    }

    /// The folder of a service.
    pub fn context(&self, service: &str) -> PathBuf {
        Path::new("/src").join(if service == "twin" && self.is_shared { "api" } else { service })
    }

    /// What a context holds now.
    pub fn files_of(&self, service: &str) -> BTreeMap<PathBuf, String> {
        let files = self.sources.files.lock().unwrap();
        let of = self.context(service);
        files.iter().filter(|(path, _)| path.starts_with(&of)).map(|(p, c)| (p.clone(), c.clone())).collect()
    }

    /// The watcher tells of a change, if it watches there, a moment later.
    pub fn tell(&self, path: &Path, kind: ChangeKind) {
        let state = &mut *self.state();
        let millis = if state.rng.bool() { 0 } else { state.rng.u64(..40) };
        let settled = kind == ChangeKind::Modified && state.rng.u8(..5) > 0;
        let folders = state.life.folders.lock().unwrap();
        let watched = folders.last().is_some_and(|set| path.ancestors().skip(1).any(|folder| set.contains(folder)));
        drop(folders);
        let Some(told) = state.life.told.as_ref().filter(|_| watched) else { return };
        let at = Instant::now() + Duration::from_millis(millis);
        let change = Change { path: path.to_owned(), kind, settled, now: None };
        let _ = told.send((at, change.clone()));
        if !settled && kind == ChangeKind::Modified && state.rng.bool() {
            let _ = told.send((at + Duration::from_millis(state.rng.u64(..3000)), Change { settled: true, ..change }));
        }
    }

    /// How long a call takes.
    pub fn latency(&self) -> Duration {
        let mut state = self.state();
        let most = state.slowness.0;
        let millis = if most == 0 || state.rng.bool() { 0 } else { state.rng.u64(..=most) };
        Duration::from_millis(millis)
    }

    /// How long half of a build takes.
    pub fn build_time(&self) -> Duration {
        let mut state = self.state();
        let most = state.slowness.1;
        Duration::from_millis(state.rng.u64(..=most / 2))
    }

    /// An event of hob's.
    pub fn heard(&self, event: &Event) {
        let Some(text) = told(event) else { return };
        let text = text.replace(&*self.disk.path().to_string_lossy(), "DISK");
        self.note(format_args!("   {text}"));
        let mut state = self.state();
        state.stirred = Instant::now();
        let moment = state.moment;
        let mut report = |service: &str| {
            state.reported.insert(service.to_owned(), moment);
        };
        match event {
            Event::Reloaded(reloaded) if reloaded.error.is_some() || reloaded.action == ReloadAction::Held => {
                report(&reloaded.service);
            }
            Event::StepFailed { service: Some(service), .. } | Event::StepSkipped { service: Some(service), .. } => {
                report(service);
            }
            Event::Incomplete { failed, left } => failed.iter().chain(left).for_each(|service| report(service)),
            Event::Error(message) if message.text.starts_with("lost the connection") => {}
            Event::Error(message) => report(message.service.as_ref().map_or("", |service| service)),
            Event::Notice { text } if text.starts_with("failed as before") => report(""),
            _ => {}
        }
    }

    /// Somebody else changes containers of a service.
    pub fn meddles(&self, service: &str) {
        let mut state = self.state();
        state.moment += 1;
        let moment = state.moment;
        state.meddled.insert(service.to_owned(), moment);
    }

    /// The engine goes away or comes back.
    pub fn set_away(&self, away: bool) {
        self.note(if away { "## engine goes away" } else { "## engine comes back" });
        if away {
            self.engine.go_away();
        } else {
            self.engine.come_back();
        }
    }
}

/// The watcher's end of what is told.
pub async fn watcher(mut told: mpsc::UnboundedReceiver<(Instant, Change)>, saves: mpsc::UnboundedSender<Batch>) {
    while let Some((at, change)) = told.recv().await {
        tokio::time::sleep_until(at).await;
        let batch = Batch { at: at.into_std(), changes: vec![change], notices: Vec::new() };
        if saves.send(batch).is_err() {
            return;
        }
    }
}

/// Whether a change of the file asks for something.
pub fn acts(path: &Path) -> bool {
    !path.components().any(|part| matches!(part.as_os_str().to_str(), Some("aside" | "mounted")))
}

fn script(name: &str, rng: &mut Rng) -> Script {
    let millis = |most: u64, rng: &mut Rng| Duration::from_millis(rng.u64(..=most));
    let stops = [0, 0, 200, 3_000, 15_000];
    Script {
        exits: (name == "job").then(|| (millis(2_000, rng), 0)),
        health: (rng.u8(..20) > 0).then(|| (millis(5_000, rng), Health::Healthy)),
        stops_in: Duration::from_millis(rng.choice(stops).unwrap_or(0)),
        ..Script::default()
    }
}

/// What a trace has of an event.
fn told(event: &Event) -> Option<String> {
    Some(match event {
        Event::Notice { text } => format!("notice: {text}"),
        Event::Warning(message) => format!("warning: {}: {}", service(message), message.text),
        Event::Error(message) => format!("error: {}: {}", service(message), message.text),
        Event::Plan { steps, .. } => format!("plan of {} steps", steps.len()),
        Event::StepStarted { step, op, reason, .. } => format!("step {step}: {op} ({reason})"),
        Event::StepDone { step, .. } => format!("step {step} done"),
        Event::StepFailed { step, message, .. } => format!("step {step} failed: {}", message.text),
        Event::StepSkipped { step, op, .. } => format!("step {step} skipped: {op}"),
        Event::Incomplete { failed, left } => format!("incomplete: failed {failed:?}, left {left:?}"),
        Event::State { container, state, elsewhere, .. } => format!("{container} {state} {elsewhere}"),
        Event::Ready { .. } => "ready".to_owned(),
        Event::Watching { services, .. } => format!("watching {services:?}"),
        Event::Reloaded(r) => {
            let why = r.reason.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{}: {} {:?} ({why}) {:?}", r.service, r.action, r.files, r.error.as_ref().map(|e| &e.text))
        }
        Event::CaughtUp { service, .. } => format!("caught up {service}"),
        Event::Elsewhere(elsewhere) => format!("elsewhere: {:?}", elsewhere.changes),
        Event::Stopping { cause, forced, .. } => format!("stopping: {cause} {forced}"),
        _ => return None,
    })
}

fn service(message: &Message) -> &str {
    message.service.as_ref().map_or("", ServiceName::as_str)
}
