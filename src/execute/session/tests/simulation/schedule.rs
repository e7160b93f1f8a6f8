//! What happens, and in which order.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::client::Client;
use super::laws::{self, Violation};
use super::world::{Chances, FILES, Kill, SERVICES, Wish, World, watcher};
use crate::engine::fake::Script;
use crate::engine::{Action, Engine as _};
use crate::event::Request;
use crate::execute::session::tests::Set;
use crate::execute::session::{Attach, End, Session, SessionOptions};
use crate::execute::{Depth, Executor, Pass, RunOptions};
use crate::model::{ContainerState, Health, ServiceName};
use crate::plan::{self, UpOptions};

/// How a case ended.
pub struct Ended {
    pub violation: Option<Violation>,
    pub trace: Vec<String>,
}

/// A hob that runs.
struct Hob {
    session: JoinHandle<End>,
    requests: mpsc::Sender<Request>,
    /// When it was asked to stop.
    asked: Option<Instant>,
}

struct Case {
    world: Arc<World>,
    hob: Option<Hob>,
}

/// A session ends so soon after it was asked to.
const END: Duration = Duration::from_mins(2);

/// Runs one case.
pub async fn run(seed: u64) -> Ended {
    let world = World::new(seed);
    let mut case = Case { world: Arc::clone(&world), hob: None };
    if seed.is_multiple_of(3) {
        let kill = Kill { at: 1 + world.random(120), done: world.chance(50) };
        world.state().life.kill = Some(kill);
    }
    case.up();
    tokio::task::yield_now().await;
    let steps = 4 + world.random(20);
    for _ in 0..steps {
        case.pause().await;
        case.step().await;
        if world.state().violation.is_some() {
            break;
        }
    }
    if world.state().violation.is_none() {
        case.end().await;
    }
    let state = &mut *world.state();
    Ended { violation: state.violation.take(), trace: std::mem::take(&mut state.trace) }
}

impl Case {
    /// Starts a `hob up` in a terminal.
    fn up(&mut self) {
        let world = &self.world;
        world.note("## hob up");
        let (told, changes) = mpsc::unbounded_channel();
        let (saves, batches) = mpsc::unbounded_channel();
        tokio::spawn(watcher(changes, saves));
        let (folders, life) = {
            let mut state = world.state();
            state.life.told = Some(told);
            state.life.folders = Arc::default();
            (Arc::clone(&state.life.folders), state.life.number)
        };
        let client = Arc::new(Client { world: Arc::clone(world), life });
        let executor = Executor::new(client.clone(), client.clone(), client).at_most(2);
        let options = SessionOptions {
            apply: true,
            watch: true,
            catch_up: world.chance(50),
            stay: true,
            outlive: true,
            stop_services: true,
            attach: Attach::AllBut(BTreeSet::new()),
            ..SessionOptions::default()
        };
        // A manifest with errors is no start.
        let project = world.sources.project.lock().unwrap().clone().unwrap();
        let mut session = Session::new(executor, Arc::new(project), options);
        session.given = Some((Box::new(Set(folders)), Box::pin(UnboundedReceiverStream::new(batches))));
        let (requests, asked) = mpsc::channel(64);
        let session = tokio::spawn(session.run(asked));
        world.state().life.abort = Some(session.abort_handle());
        self.hob = Some(Hob { session, requests, asked: None });
    }

    async fn pause(&self) {
        let world = &self.world;
        let millis = match world.random(8) {
            0 | 1 => 0,
            2 | 3 => world.random(20),
            4 => world.random(300),
            5 => world.random(2_000),
            6 => world.random(10_000),
            _ => world.random(30_000),
        };
        sleep(Duration::from_millis(millis)).await;
    }

    /// Takes note of a hob that has ended, by itself or not.
    async fn look(&mut self) {
        let Some(hob) = &mut self.hob else { return };
        if !hob.session.is_finished() {
            if hob.asked.is_some_and(|asked| asked.elapsed() > END) {
                self.world.violate("Ctrl-C ends it", "it goes on after two minutes");
            }
            return;
        }
        match (&mut hob.session).await {
            Ok(end) => self.world.note(format_args!("## hob has ended: {end:?}")),
            Err(error) if error.is_panic() => {
                let panic = error.into_panic();
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                self.world.violate("no panic", text.unwrap_or_default());
            }
            Err(_) => {}
        }
        self.world.bury();
        self.hob = None;
    }

    fn service(&self) -> &'static str {
        SERVICES[usize::try_from(self.world.random(SERVICES.len() as u64)).unwrap()]
    }

    fn ask(&self, request: Request) {
        if let Some(hob) = &self.hob {
            self.world.note(format_args!("## asked: {request:?}"));
            let _ = hob.requests.try_send(request);
        }
    }

    async fn step(&mut self) {
        self.look().await;
        let world = Arc::clone(&self.world);
        if self.hob.is_none() && world.chance(60) && !world.state().broken {
            self.up();
            // What is edited between the reading of the manifest and the watch is not told.
            tokio::task::yield_now().await;
            return;
        }
        match world.random(40) {
            0..16 => self.save(),
            16..20 => self.edit(),
            20..24 => self.meddle().await,
            24..27 => self.program(),
            27..29 => {
                let service = ServiceName::new(self.service());
                let request = if world.chance(50) { Request::Restart(service) } else { Request::Rebuild(service) };
                self.ask(request);
            }
            29..31 => {
                world.set_away(true);
                sleep(Duration::from_millis(world.random(5_000))).await;
                world.set_away(false);
            }
            31 | 32 => {
                let at = 1 + world.random(40) + world.state().calls;
                let done = world.chance(50);
                world.state().life.kill = Some(Kill { at, done });
            }
            33 => {
                self.ask(Request::Stop);
                if let Some(hob) = &mut self.hob {
                    if hob.asked.is_some() {
                        world.state().forced = true;
                    }
                    hob.asked.get_or_insert_with(Instant::now);
                }
            }
            34 if world.chance(20) => self.ask(Request::Leave),
            34..36 => {
                self.rest().await;
                if self.hob.as_ref().is_some_and(|hob| hob.asked.is_none()) {
                    laws::at_rest(&world, false);
                }
            }
            _ => {
                for _ in 0..=world.random(5) {
                    self.save();
                }
            }
        }
    }

    fn save(&self) {
        let world = &self.world;
        let (service, file) = (self.service(), FILES[usize::try_from(world.random(FILES.len() as u64)).unwrap()]);
        if service == "db" {
            return;
        }
        let content = world.content(service, file);
        // What is taken back at once asks for nothing.
        let changed = world.state().changed.clone();
        match (world.random(10), content) {
            (0, Some(content)) => {
                world.note(format_args!("## touch {service}/{file}"));
                world.put_content(service, file, &content);
            }
            (1 | 2, Some(content)) => {
                world.note(format_args!("## delete {service}/{file}"));
                world.delete(service, file);
                if world.chance(50) {
                    world.note(format_args!("## as it was: {service}/{file}"));
                    world.put_content(service, file, &content);
                    world.state().changed = changed;
                }
            }
            (3, Some(content)) => {
                world.note(format_args!("## write and take back {service}/{file}"));
                world.put(service, file);
                world.put_content(service, file, &content);
                world.state().changed = changed;
            }
            _ => {
                world.note(format_args!("## write {service}/{file}"));
                world.put(service, file);
            }
        }
    }

    fn edit(&self) {
        let (world, service) = (&self.world, self.service());
        {
            let mut state = world.state();
            let scale = if service == "twin" { 2 } else { 1 };
            match (state.rng.u8(..6), state.wishes.get(service).copied()) {
                (0, _) => state.broken = !state.broken,
                (1, Some(_)) if state.wishes.len() > 1 => drop(state.wishes.remove(service)),
                (2, Some(wish)) => {
                    state.wishes.insert(service, Wish { scale: if wish.scale == 1 { 2 } else { 1 }, ..wish });
                }
                (_, Some(wish)) => {
                    state.wishes.insert(service, Wish { version: wish.version + 1, ..wish });
                }
                (_, None) => {
                    state.wishes.insert(service, Wish { version: 1, scale });
                }
            }
        }
        let (broken, wishes) = {
            let state = world.state();
            (state.broken, state.wishes.clone())
        };
        world.note(format_args!("## manifest: broken {broken}, {wishes:?}"));
        world.publish();
    }

    /// Another program changes containers.
    async fn meddle(&self) {
        let world = &self.world;
        let all = world.engine.containers();
        if all.is_empty() {
            return;
        }
        let (container, spec, _) = &all[usize::try_from(world.random(all.len() as u64)).unwrap()];
        let (id, engine) = (&container.id, &world.engine);
        let kind = world.random(4);
        let what = ["stops", "restarts", "removes", "recreates"][usize::try_from(kind).unwrap()];
        world.note(format_args!("## somebody {what} {}", container.name));
        world.meddles(&container.service);
        if container.state.is_running() {
            engine.tell(id, Action::Other("kill".to_owned()));
        }
        match kind {
            0 => drop(engine.stop(id, Some(Duration::ZERO)).await),
            1 => drop(engine.restart(id, Some(Duration::ZERO)).await),
            2 => drop(engine.remove_container(id, false).await),
            _ => {
                let _ = engine.remove_container(id, false).await;
                sleep(Duration::from_millis(world.random(500))).await;
                let mut spec = spec.clone();
                spec.name = format!("p-{}-{}", container.service, container.number);
                for label in [crate::plan::labels::INPUTS, crate::plan::labels::IMAGE] {
                    spec.labels.shift_remove(label);
                }
                if let Ok(id) = engine.create_container(&spec).await {
                    let _ = engine.start(&id).await;
                }
                world.meddles(&container.service);
            }
        }
    }

    /// A program ends, or its health changes.
    fn program(&self) {
        let world = &self.world;
        let all = world.engine.containers();
        let running: Vec<_> = all.iter().filter(|(c, ..)| c.state == ContainerState::Running).collect();
        if running.is_empty() {
            return;
        }
        let (container, ..) = running[usize::try_from(world.random(running.len() as u64)).unwrap()];
        match world.random(4) {
            0 => {
                world.note(format_args!("## {} exits with 0", container.name));
                world.engine.exit(&container.name, 0);
            }
            1 => {
                world.note(format_args!("## {} exits with 1", container.name));
                world.engine.exit(&container.name, 1);
            }
            2 => world.engine.set_health(&container.name, Health::Unhealthy),
            _ => world.engine.set_health(&container.name, Health::Healthy),
        }
    }

    /// Waits until nothing happens any more.
    async fn rest(&mut self) {
        self.world.note("## rest");
        let began = Instant::now();
        self.world.state().stirred = began;
        loop {
            sleep(Duration::from_secs(5)).await;
            self.look().await;
            let (stirred, violated) = {
                let state = self.world.state();
                (state.stirred, state.violation.is_some())
            };
            if violated || stirred.elapsed() > Duration::from_secs(75) {
                return;
            }
            if began.elapsed() > Duration::from_mins(30) {
                self.world.violate("the session comes to rest", "it does not within half an hour");
                return;
            }
        }
    }

    /// Ends the session, and waits for that.
    async fn stop(&mut self) {
        self.ask(Request::Stop);
        if let Some(hob) = &mut self.hob {
            hob.asked.get_or_insert_with(Instant::now);
        }
        while self.hob.is_some() && self.world.state().violation.is_none() {
            sleep(Duration::from_secs(1)).await;
            self.look().await;
        }
    }

    /// A plan that was carried out leaves nothing to do.
    async fn nothing_left(&self) {
        let world = &self.world;
        let client = Arc::new(Client { world: Arc::clone(world), life: world.state().life.number });
        let executor = Executor::new(client.clone(), client.clone(), client);
        let project = Arc::new(world.project());
        let services: Vec<ServiceName> = project.services.keys().cloned().collect();
        let (options, run) = (UpOptions { ignore_orphans: true, ..UpOptions::default() }, RunOptions::default());
        let pass = Pass { executor: &executor, project: &project, services: &services, options: &options, run: &run };
        let snapshot = pass.prepared(Depth::Whole).await.unwrap();
        let plan = plan::up(snapshot.input(&HashMap::new()), &options).unwrap();
        // A job that nobody waits for is started again by each `up`.
        let left = plan.steps.iter().filter(|step| step.service.as_ref().is_none_or(|name| name.as_str() != "job"));
        let left: Vec<String> = left.map(|step| format!("{} ({})", step.op, step.reason)).collect();
        if !left.is_empty() {
            world.violate("a plan leaves nothing to do", left.join("; "));
        }
    }

    /// All goes well from here on: what is pending is done, the session ends, and the next `up` is right.
    async fn end(&mut self) {
        let world = Arc::clone(&self.world);
        world.note("## from here on all goes well");
        world.state().chances = Chances::default();
        for service in SERVICES {
            let script = Script { exits: (service == "job").then_some((Duration::ZERO, 0)), ..Script::default() };
            world.engine.script(service, script);
        }
        for (container, ..) in world.engine.containers() {
            world.engine.set_health(&container.id, Health::Healthy);
        }
        self.rest().await;
        if self.hob.as_ref().is_some_and(|hob| hob.asked.is_none()) {
            laws::at_rest(&world, false);
        }
        if world.state().broken {
            world.state().broken = false;
            world.note("## the manifest is mended");
            world.publish();
            self.rest().await;
        }
        self.stop().await;
        if world.state().violation.is_some() {
            return;
        }
        world.state().life.kill = None;
        let since = world.moment();
        self.up();
        self.rest().await;
        if self.hob.is_none() {
            world.violate("the next `up` puts all right", "it ended");
        }
        laws::at_rest(&world, true);
        laws::nothing_failed(&world, since);
        if world.state().violation.is_none() {
            self.nothing_left().await;
        }
        self.stop().await;
        if world.state().violation.is_none() {
            laws::has_ended(&world);
        }
    }
}
