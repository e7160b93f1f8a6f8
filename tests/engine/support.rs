//! A corner of a real engine for one test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use hob::for_tests::engine::docker::{Docker, Surroundings};
use hob::for_tests::engine::{BoxStream, Channel, Chunk, Engine as _, ExecSpec, LogQuery, Query, Result};
use hob::for_tests::model::{ContainerId, ContainerSpec, Observed, Service};
use indexmap::IndexMap;

/// Every test has this long; a real engine that hangs must not hang the suite.
pub const LIMIT: Duration = Duration::from_mins(2);

/// Runs a test's body with a lab, and cleans up whatever becomes of it.
macro_rules! with_engine {
    ($lab:ident, $body:block) => {{
        let $lab = $crate::support::Lab::open().await;
        let cleaner = $lab.clone();
        let outcome = tokio::time::timeout($crate::support::LIMIT, tokio::spawn(async move { $body })).await;
        cleaner.clean().await;
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            Err(_) => panic!("not done in {:?}", $crate::support::LIMIT),
        }
    }};
}
pub(crate) use with_engine;

/// The image that tests run.
pub const IMAGE: &str = "hob-test/busybox:1";

/// A project of its own on the engine.
#[derive(Clone)]
pub struct Lab {
    pub engine: Arc<Docker>,
    pub project: String,
}

impl Lab {
    /// On the engine, which has to answer and to have the tests' image.
    pub async fn open() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let engine = Docker::connect(&Surroundings::from_process()).await.expect("this test needs an engine");
        assert!(engine.image(IMAGE).await.unwrap().is_some(), "no {IMAGE}: run `scripts/base-images test`");
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let project = format!("hobtest{:x}-{}-{count}", time & 0xffff_ffff, std::process::id());
        Self { engine: Arc::new(engine), project }
    }

    pub fn labels(&self, service: Option<&str>) -> IndexMap<String, String> {
        let mut labels = IndexMap::from([("com.docker.compose.project".to_owned(), self.project.clone())]);
        if let Some(service) = service {
            labels.insert("com.docker.compose.service".to_owned(), service.to_owned());
            labels.insert("com.docker.compose.container-number".to_owned(), "1".to_owned());
            labels.insert("com.docker.compose.oneoff".to_owned(), "False".to_owned());
            labels.insert("com.docker.compose.config-hash".to_owned(), "0".repeat(64));
        }
        labels
    }

    pub fn image_name(&self, name: &str) -> String {
        format!("{}/{name}:latest", self.project)
    }

    pub fn container(&self, service: &str, command: &[&str]) -> ContainerSpec {
        ContainerSpec {
            name: format!("{}-{service}-1", self.project),
            image: IMAGE.to_owned(),
            service: Service {
                name: service.into(),
                command: Some(command.iter().map(|word| (*word).to_owned()).collect()),
                network_mode: Some("none".into()),
                ..Default::default()
            },
            labels: self.labels(Some(service)),
            publish: true,
            ..Default::default()
        }
    }

    /// Creates and starts a container.
    pub async fn run(&self, service: &str, command: &[&str]) -> ContainerId {
        self.run_image(service, IMAGE, command).await
    }

    pub async fn run_image(&self, service: &str, image: &str, command: &[&str]) -> ContainerId {
        let mut spec = self.container(service, command);
        spec.image = image.to_owned();
        if command.is_empty() {
            spec.service.command = None;
        }
        let id = self.engine.create_container(&spec).await.unwrap();
        self.engine.start(&id).await.unwrap();
        id
    }

    /// What an image's own command prints.
    pub async fn output_of(&self, image: &str) -> String {
        let id = self.run_image("output", image, &[]).await;
        self.engine.wait(&id).await.unwrap();
        let (out, _) = text_of(self.engine.logs(&id, &LogQuery::default()).await.unwrap()).await;
        self.engine.remove_container(&id, true).await.unwrap();
        out
    }

    pub async fn exec(&self, id: &ContainerId, command: &[&str]) -> (String, Option<i64>) {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        let session = self.engine.exec(id, &ExecSpec { command, ..Default::default() }).await.unwrap();
        let exec = session.id.clone();
        let (out, err) = text_of(session.output).await;
        (out + &err, self.engine.exec_exit_code(&exec).await.unwrap())
    }

    pub async fn exec_ok(&self, id: &ContainerId, command: &[&str]) {
        let (out, code) = self.exec(id, command).await;
        assert_eq!(code, Some(0), "{command:?}: {out}");
    }

    pub async fn observe(&self) -> Observed {
        let query = Query {
            project: self.project.clone(),
            images: vec![IMAGE.into(), "hob-test/never-made:1".into()],
            ..Default::default()
        };
        self.engine.observe(&query).await.unwrap()
    }

    /// Whether no process of this machine has `mark` in its command line, after it had time to end.
    pub async fn cancelled(&self, mark: &str) -> bool {
        for _ in 0..200 {
            let running = std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
                let name = entry.file_name();
                let is_own = name.to_string_lossy() == std::process::id().to_string();
                let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
                !is_own && String::from_utf8_lossy(&line).contains(mark)
            });
            if !running {
                return true;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        false
    }

    /// Removes everything that carries the project's label.
    pub async fn clean(&self) {
        let observed = self.observe().await;
        for container in &observed.containers {
            let _ = self.engine.remove_container(&container.id, true).await;
        }
        for name in observed.networks.keys() {
            let _ = self.engine.remove_network(name).await;
        }
        for name in observed.volumes.keys() {
            let _ = self.engine.remove_volume(name).await;
        }
        let label = format!("com.docker.compose.project={}", self.project);
        for image in self.engine.images(&[label]).await.unwrap_or_default() {
            for tag in &image.tags {
                let _ = self.engine.remove_image(tag).await;
            }
            let _ = self.engine.remove_image(image.id.as_str()).await;
        }
    }
}

/// Everything that a stream says: standard output and standard error.
pub async fn text_of(mut stream: BoxStream<Result<Chunk>>) -> (String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.unwrap();
        match chunk.channel {
            Channel::Out => out.extend_from_slice(&chunk.bytes),
            Channel::Err => err.extend_from_slice(&chunk.bytes),
        }
    }
    (String::from_utf8_lossy(&out).into_owned(), String::from_utf8_lossy(&err).into_owned())
}
