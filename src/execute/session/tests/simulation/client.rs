//! hob's connection to the engine and to the files: calls take time, fail, and are where hob is killed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::pending;
use indexmap::IndexMap;
use tokio::time::{Instant, sleep};

use super::laws;
use super::world::World;
use crate::engine::{
    BoxStream, BuildSink, BuildSpec, Built, Chunk, Engine, EngineError, EngineEvent, ErrorKind, ExecSpec, Exit,
    LogQuery, PullSink, Query, Result, Session,
};
use crate::event::{Event, Message, Sink};
use crate::execute::{Failure, Loaded, Sources};
use crate::model::{
    ContainerId, ContainerSpec, Content, Digest, EngineInfo, HealthProbe, ImageId, NetworkId, NetworkSpec, Observed,
    ObservedContainer, ObservedImage, Parts, Project, Published, ServiceName, VolumeSpec, Watch, labels,
};
use crate::plan::Wanted;

/// The label that says what an image was really made of.
pub const HOLDS: &str = "simulation.holds";
/// The label that says when that was read, in milliseconds.
pub const READ: &str = "simulation.read";

/// One hob's end of everything.
#[derive(Clone)]
pub struct Client {
    pub world: Arc<World>,
    pub life: u64,
}

/// A call that changes something and goes on.
struct Open {
    world: Arc<World>,
    number: u64,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.world.state().open.retain(|(number, ..)| *number != self.number);
    }
}

impl Client {
    /// The dead do nothing any more.
    async fn live(&self) {
        if !self.world.lives(self.life) {
            pending::<()>().await;
        }
    }

    /// hob is killed here, where that is to be.
    async fn may_die(&self, number: u64, done: bool) {
        let kill = self.world.state().life.kill;
        if kill.is_some_and(|kill| number >= kill.at && kill.done == done) {
            self.world.note(format_args!("## hob is killed at call {number}, done: {done}"));
            self.world.bury();
        }
        self.live().await;
    }

    /// A call to the engine. `on` is the container that it changes, or what else; empty where it changes nothing.
    async fn ask<T>(&self, call: String, on: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.live().await;
        let number = {
            let mut state = self.world.state();
            state.calls += 1;
            state.calls
        };
        let changes = !on.is_empty();
        let is_wait = call.starts_with("inspect");
        if changes {
            self.world.note(format_args!("-> {call}"));
            laws::begins(&self.world, number, on, &call);
        }
        if !is_wait {
            laws::counts(&self.world, &call);
        }
        let _open = Open { world: Arc::clone(&self.world), number };
        self.may_die(number, false).await;
        let before = self.world.latency();
        sleep(before).await;
        self.live().await;
        let (fails, loses) = self.luck(changes, call.starts_with("build"));
        if fails {
            self.world.note(format_args!("<- {call}: fails"));
            return Err(EngineError::new(ErrorKind::Other, format!("{call} was made to fail")));
        }
        let result = work.await;
        if changes {
            let text = result.as_ref().err().map_or("ok".to_owned(), ToString::to_string);
            self.world.note(format_args!("<- {call}: {text}"));
            self.world.state().stirred = Instant::now();
        }
        self.may_die(number, true).await;
        let after = self.world.latency();
        sleep(after).await;
        self.live().await;
        if loses && result.is_ok() {
            self.world.note(format_args!("<- {call}: its answer is lost"));
            return Err(EngineError::new(ErrorKind::Other, format!("the answer to {call} was lost")));
        }
        result
    }

    fn luck(&self, changes: bool, builds: bool) -> (bool, bool) {
        let mut state = self.world.state();
        let chances = state.chances;
        let fail = match (changes, builds) {
            (_, true) => chances.fail_build,
            (true, _) => chances.fail,
            (false, _) => chances.fail_read,
        };
        let lose = if changes { chances.lose } else { 0 };
        (state.rng.u64(..1000) < fail, state.rng.u64(..1000) < lose)
    }

    /// The container that an id or name stands for, as calls name it and as laws do.
    fn subject(&self, id: &str) -> (String, String) {
        match self.world.engine.container(id) {
            Some(c) => (c.name.clone(), format!("{}#{}", c.service, c.number)),
            None => ("(gone)".to_owned(), "(gone)".to_owned()),
        }
    }

    async fn change<T>(&self, verb: &str, id: &ContainerId, work: impl Future<Output = Result<T>>) -> Result<T> {
        let (name, on) = self.subject(id);
        self.ask(format!("{verb} {name}"), &on, work).await
    }

    async fn read<T>(&self, call: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.ask(call.to_owned(), "", work).await
    }

    /// What an engine goes on with, whoever waits for it.
    async fn detached<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        tokio::spawn(work).await.unwrap()
    }
}

#[async_trait]
impl Engine for Client {
    async fn verify_info(&self) -> Result<()> {
        self.read("verify", self.world.engine.verify_info()).await
    }

    fn info(&self) -> &EngineInfo {
        self.world.engine.info()
    }

    async fn observe(&self, query: &Query) -> Result<Observed> {
        self.read("observe", self.world.engine.observe(query)).await
    }

    async fn image(&self, reference: &str) -> Result<Option<ObservedImage>> {
        self.read("image", self.world.engine.image(reference)).await
    }

    async fn pull(&self, reference: &str, platform: Option<&str>, progress: &PullSink) -> Result<()> {
        self.ask(format!("pull {reference}"), reference, self.world.engine.pull(reference, platform, progress)).await
    }

    async fn build(&self, spec: &BuildSpec, progress: &BuildSink) -> Result<Built> {
        // Services are called as their contexts.
        let context = PathBuf::from(spec.build.context.clone().unwrap_or_default());
        let service = context.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let (world, was) = (&self.world, spec.labels.get(HOLDS).cloned().unwrap_or_default());
        let work = async {
            sleep(world.build_time()).await;
            // Some of it is read earlier than the rest.
            let first = world.files_of(&service);
            sleep(world.build_time() / 8).await;
            let then = world.files_of(&service);
            let mut read: BTreeMap<PathBuf, String> = BTreeMap::new();
            for path in first.keys().chain(then.keys()) {
                let from = if world.chance(50) { &first } else { &then };
                read.extend(from.get(path).map(|content| (path.clone(), content.clone())));
            }
            let millis = world.began.elapsed().as_millis();
            let holds = laws::holds(&read);
            let mut spec = spec.clone();
            spec.labels.insert(HOLDS.to_owned(), holds.clone());
            spec.labels.insert(READ.to_owned(), millis.to_string());
            sleep(world.build_time()).await;
            let built = world.engine.build(&spec, progress).await?;
            Ok(Built { as_measured: holds == was, ..built })
        };
        self.ask(format!("build {service}"), &format!("build of {service}"), work).await
    }

    async fn tag(&self, image: &str, name: &str) -> Result<()> {
        let work = async {
            laws::renames(&self.world, image, name);
            self.world.engine.tag(image, name).await
        };
        self.ask(format!("tag {} {name}", &image[..image.len().min(20)]), "names", work).await
    }

    async fn remove_image(&self, reference: &str) -> Result<()> {
        let work = self.world.engine.remove_image(reference);
        self.ask(format!("remove image {reference}"), "images", work).await
    }

    async fn images(&self, labels: &[String]) -> Result<Vec<ObservedImage>> {
        self.read("images", self.world.engine.images(labels)).await
    }

    async fn clear_left(&self, project: Option<&str>) -> Result<()> {
        self.world.engine.clear_left(project).await
    }

    async fn used_images(&self) -> Result<BTreeSet<ImageId>> {
        self.read("used images", self.world.engine.used_images()).await
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<NetworkId> {
        self.ask(format!("create network {}", spec.name), "networks", self.world.engine.create_network(spec)).await
    }

    async fn remove_network(&self, id: &str) -> Result<()> {
        self.ask(format!("remove network {id}"), "networks", self.world.engine.remove_network(id)).await
    }

    async fn create_volume(&self, spec: &VolumeSpec) -> Result<()> {
        self.ask(format!("create volume {}", spec.name), "volumes", self.world.engine.create_volume(spec)).await
    }

    async fn remove_volume(&self, name: &str) -> Result<()> {
        self.ask(format!("remove volume {name}"), "volumes", self.world.engine.remove_volume(name)).await
    }

    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId> {
        let number = spec.labels.get(labels::NUMBER).map_or("", String::as_str);
        let on = format!("{}#{number}", spec.service.name);
        self.ask(format!("create {}", spec.name), &on, self.world.engine.create_container(spec)).await
    }

    async fn start(&self, id: &ContainerId) -> Result<()> {
        self.change("start", id, self.world.engine.start(id)).await
    }

    async fn stop(&self, id: &ContainerId, grace: Option<Duration>) -> Result<()> {
        let (engine, of) = (self.world.engine.clone(), id.clone());
        self.change("stop", id, Self::detached(async move { engine.stop(&of, grace).await })).await
    }

    async fn kill(&self, id: &ContainerId, signal: &str) -> Result<()> {
        self.change("kill", id, self.world.engine.kill(id, signal)).await
    }

    async fn restart(&self, id: &ContainerId, grace: Option<Duration>) -> Result<()> {
        let (engine, of) = (self.world.engine.clone(), id.clone());
        self.change("restart", id, Self::detached(async move { engine.restart(&of, grace).await })).await
    }

    async fn remove_container(&self, id: &ContainerId, volumes: bool) -> Result<()> {
        self.change("remove", id, self.world.engine.remove_container(id, volumes)).await
    }

    async fn rename(&self, id: &ContainerId, name: &str) -> Result<()> {
        self.change("rename", id, self.world.engine.rename(id, name)).await
    }

    async fn inspect(&self, id: &ContainerId) -> Result<Option<ObservedContainer>> {
        self.read("inspect", self.world.engine.inspect(id)).await
    }

    async fn health_log(&self, id: &ContainerId) -> Result<Vec<HealthProbe>> {
        self.read("health log", self.world.engine.health_log(id)).await
    }

    async fn wait(&self, id: &ContainerId) -> Result<i64> {
        self.read("wait", self.world.engine.wait(id)).await
    }

    async fn exit(&self, id: &ContainerId) -> Result<Exit> {
        Engine::exit(&self.world.engine, id).await
    }

    async fn logs(&self, id: &ContainerId, query: &LogQuery) -> Result<BoxStream<Result<Chunk>>> {
        self.read("logs", self.world.engine.logs(id, query)).await
    }

    async fn upload(&self, id: &ContainerId, folder: &str, tar: Bytes) -> Result<()> {
        self.change("upload", id, self.world.engine.upload(id, folder, tar)).await
    }

    async fn is_link(&self, id: &ContainerId, path: &str) -> Result<bool> {
        self.read("is link", self.world.engine.is_link(id, path)).await
    }

    async fn attach(&self, id: &ContainerId) -> Result<Session> {
        self.read("attach", self.world.engine.attach(id)).await
    }

    async fn output(&self, id: &ContainerId) -> Result<BoxStream<Result<Chunk>>> {
        self.read("output", self.world.engine.output(id)).await
    }

    async fn resize(&self, id: &ContainerId, columns: u16, rows: u16) -> Result<()> {
        self.world.engine.resize(id, columns, rows).await
    }

    async fn exec(&self, id: &ContainerId, spec: &ExecSpec) -> Result<Session> {
        self.change("exec", id, self.world.engine.exec(id, spec)).await
    }

    async fn exec_exit_code(&self, exec: &str) -> Result<Option<i64>> {
        self.read("exit code", self.world.engine.exec_exit_code(exec)).await
    }

    async fn exec_resize(&self, exec: &str, columns: u16, rows: u16) -> Result<()> {
        self.world.engine.exec_resize(exec, columns, rows).await
    }

    async fn answers(&self, _port: &Published) -> bool {
        true
    }

    async fn listeners(&self, _id: &ContainerId) -> Option<Vec<std::net::SocketAddr>> {
        None
    }

    async fn events(&self, project: &str) -> Result<BoxStream<Result<EngineEvent>>> {
        let events = self.read("events", self.world.engine.events(project)).await?;
        let world = Arc::clone(&self.world);
        // They come a moment later than what they tell of.
        Ok(Box::pin(events.then(move |event| {
            let millis = if world.chance(80) { 0 } else { world.random(60) };
            async move {
                sleep(Duration::from_millis(millis)).await;
                event
            }
        })))
    }

    async fn ping(&self) -> Result<()> {
        // It is quick: an engine that takes longer than a moment for it is taken to be gone.
        self.live().await;
        self.world.engine.ping().await
    }

    async fn port_holder(&self, port: u16, protocol: &str) -> Result<Option<String>> {
        self.read("port holder", self.world.engine.port_holder(port, protocol)).await
    }

    async fn projects(&self) -> Result<Vec<(String, usize)>> {
        self.read("projects", self.world.engine.projects()).await
    }
}

impl Sources for Client {
    fn load(&self) -> std::result::Result<Loaded, Vec<Message>> {
        self.world.sources.load()
    }

    fn base_images(&self, project: &Project, services: &[ServiceName]) -> Vec<String> {
        self.world.sources.base_images(project, services)
    }

    fn measure(
        &self,
        project: &Project,
        services: &[ServiceName],
        images: &IndexMap<String, ObservedImage>,
    ) -> std::result::Result<Wanted, Vec<Failure>> {
        self.world.sources.measure(project, services, images)
    }

    fn watch_for_mend(&self, project: &Project, service: &ServiceName) -> Option<Watch> {
        let wanted = self.world.sources.measure(project, std::slice::from_ref(service), &IndexMap::new()).ok()?;
        wanted.watch.get(service).cloned()
    }

    fn build_spec(&self, project: &Project, service: &ServiceName) -> std::result::Result<BuildSpec, Failure> {
        let mut spec = self.world.sources.build_spec(project, service)?;
        spec.labels.insert(HOLDS.to_owned(), laws::holds(&self.world.files_of(service)));
        Ok(spec)
    }

    fn content(&self, container: &ContainerId) -> Content {
        self.world.sources.content(container)
    }

    fn note_content(&self, container: &ContainerId, content: &Content) -> std::io::Result<()> {
        if !self.world.lives(self.life) {
            return Err(std::io::Error::other("it was killed"));
        }
        self.world.sources.note_content(container, content)
    }

    fn history(&self, digests: &[Digest]) -> HashMap<Digest, Parts> {
        self.world.sources.history(digests)
    }
}

impl Sink for Client {
    fn emit(&self, event: Event) {
        if self.world.lives(self.life) {
            self.world.heard(&event);
        }
    }
}
