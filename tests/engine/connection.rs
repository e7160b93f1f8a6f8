//! Over TCP, and what happens when the engine goes away in the middle. A relay between hob and the engine stands for
//! an engine that listens elsewhere and can be stopped.

use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use hob::for_tests::engine::docker::{Docker, Surroundings};
use hob::for_tests::engine::{BuildSpec, Engine as _, ErrorKind, LogQuery};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::support::{IMAGE, Lab, text_of, with_engine};

struct Relay {
    engine: Docker,
    task: JoinHandle<()>,
}

impl Relay {
    /// The lab's engine has to be on a Unix socket.
    async fn to(lab: &Lab) -> Self {
        let socket = lab.engine.info().endpoint.strip_prefix("unix://").expect("a Unix socket").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let socket = socket.clone();
                connections.spawn(async move {
                    let mut far = UnixStream::connect(socket).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        let env = [("DOCKER_HOST".to_owned(), address)].into();
        let engine = Docker::connect(&Surroundings { env, ..Surroundings::default() }).await.unwrap();
        Self { engine, task }
    }

    /// The engine stops: it takes no more connections, and closes those that it has.
    async fn stop(self) -> Docker {
        self.task.abort();
        let _ = self.task.await;
        self.engine
    }
}

#[tokio::test]
#[ignore = "needs an engine: run it with --include-ignored"]
async fn an_engine_over_tcp() {
    with_engine!(lab, {
        let relay = Relay::to(&lab).await;
        assert!(relay.engine.info().endpoint.starts_with("tcp://127.0.0.1:"));
        let far = Lab { engine: Arc::new(relay.engine.clone()), project: lab.project.clone() };
        let spec = BuildSpec {
            dockerfile_text: Some(format!("FROM {IMAGE}\nCMD [\"echo\", \"over tcp\"]\n")),
            dockerfile: "Dockerfile".into(),
            tags: vec![far.image_name("tcp")],
            labels: far.labels(None),
            ..Default::default()
        };
        far.engine.build(&spec, &|_| {}).await.unwrap();
        assert_eq!(far.output_of(&spec.tags[0]).await, "over tcp\n");
        let id = far.run("web", &["sleep", "1000"]).await;
        far.exec_ok(&id, &["true"]).await;
        relay.stop().await;
    });
}

#[tokio::test]
#[ignore = "needs an engine: run it with --include-ignored"]
async fn an_engine_that_stops_in_the_middle() {
    with_engine!(lab, {
        let relay = Relay::to(&lab).await;
        let id = lab.run("web", &["sh", "-c", "echo begun; exec sleep 1000"]).await;
        let engine = relay.engine.clone();
        let mut events = engine.events(&lab.project).await.unwrap();
        assert!(futures_util::poll!(events.next()).is_pending());
        let mut logs = engine.logs(&id, &LogQuery { follow: true, ..Default::default() }).await.unwrap();
        assert_eq!(logs.next().await.unwrap().unwrap().bytes.as_ref(), b"begun\n");
        let waiting = tokio::spawn({
            let (engine, id) = (engine.clone(), id.clone());
            async move { engine.wait(&id).await }
        });
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let begun = Mutex::new(Some(begun));
        let building = tokio::spawn({
            let (engine, project) = (engine.clone(), lab.project.clone());
            async move {
                let spec = BuildSpec {
                    dockerfile_text: Some(format!("FROM {IMAGE}\nRUN echo {project} && sleep 1000\n")),
                    dockerfile: "Dockerfile".into(),
                    ..Default::default()
                };
                let sink = move |event| {
                    if let hob::for_tests::engine::BuildProgress::Output { .. } = event
                        && let Some(begun) = begun.lock().unwrap().take()
                    {
                        let _ = begun.send(());
                    }
                };
                engine.build(&spec, &sink).await
            }
        });
        has_begun.await.unwrap();
        let engine = relay.stop().await;
        assert_eq!(waiting.await.unwrap().unwrap_err().kind, ErrorKind::Lost);
        assert_eq!(building.await.unwrap().unwrap_err().kind, ErrorKind::Lost);
        assert_eq!(events.next().await.unwrap().unwrap_err().kind, ErrorKind::Lost);
        while let Some(chunk) = logs.next().await {
            if let Err(error) = chunk {
                assert_eq!(error.kind, ErrorKind::Lost);
                break;
            }
        }
        assert!(matches!(engine.ping().await.unwrap_err().kind, ErrorKind::Unreachable { .. }));
        // The engine itself is still there.
        let (out, _) = text_of(lab.engine.logs(&id, &LogQuery::default()).await.unwrap()).await;
        assert_eq!(out, "begun\n");
    });
}

/// Something that answers like an engine of a version, and writes down what it is asked for.
async fn engine_of_version(api: &'static str, least: &'static str) -> (Surroundings, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let env = [("DOCKER_HOST".to_owned(), format!("tcp://{}", listener.local_addr().unwrap()))].into();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let seen = seen.clone();
            tokio::spawn(async move {
                let (read, mut write) = connection.into_split();
                let mut lines = BufReader::new(read).lines();
                let mut first = None;
                while let Ok(Some(line)) = lines.next_line().await {
                    if !line.is_empty() {
                        first.get_or_insert(line);
                        continue;
                    }
                    let request = first.take().unwrap_or_default();
                    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                    let body = if path.ends_with("/version") {
                        format!(
                            r#"{{"Version":"99","ApiVersion":"{api}","MinAPIVersion":"{least}","Os":"linux","Arch":"arm64"}}"#
                        )
                    } else {
                        "{}".to_owned()
                    };
                    let greeting = if path.ends_with("/_ping") {
                        format!("Server: Docker/99 (linux)\r\nApi-Version: {api}\r\nOstype: linux\r\n")
                    } else {
                        String::new()
                    };
                    seen.lock().unwrap().push(path);
                    let head = format!(
                        "HTTP/1.1 200 OK\r\n{greeting}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                        body.len()
                    );
                    write.write_all((head + &body).as_bytes()).await.unwrap();
                }
            });
        }
    });
    (Surroundings { env, ..Surroundings::default() }, asked)
}

#[tokio::test]
async fn the_version_is_negotiated() {
    for (api, least, used) in [
        ("1.41", "1.12", Ok("/v1.41/_ping")),
        ("1.51", "1.24", Ok("/v1.51/_ping")),
        // One that is newer than hob is spoken to in the newest version that hob knows, or in its oldest.
        ("1.99", "1.44", Ok("/v1.51/_ping")),
        ("1.99", "1.60", Ok("/v1.60/_ping")),
        ("1.40", "1.12", Err(ErrorKind::Unsupported { needs: (1, 41) })),
    ] {
        let (surroundings, asked) = engine_of_version(api, least).await;
        match (Docker::connect(&surroundings).await, used) {
            (Ok(engine), Ok(path)) => {
                engine.ping().await.unwrap();
                assert_eq!(asked.lock().unwrap().last().map(String::as_str), Some(path), "{api}");
                assert_eq!(engine.info().platform, "linux/arm64");
            }
            (Err(error), Err(kind)) => assert_eq!(error.kind, kind),
            (answer, _) => panic!("{api}: {:?}", answer.map(|engine| engine.info().clone())),
        }
    }
}

#[tokio::test]
async fn a_known_engine_is_only_greeted_and_confirmed_before_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("said.json");
    let (surroundings, asked) = engine_of_version("1.51", "1.24").await;
    let surroundings = surroundings.remembering(Some(file.clone()));
    let questions = || std::mem::take(&mut *asked.lock().unwrap());
    let engine = Docker::connect(&surroundings).await.unwrap();
    engine.verify_info().await.unwrap();
    let first = questions();
    assert!(first.contains(&"/version".to_owned()) && first.contains(&"/info".to_owned()), "{first:?}");
    assert_eq!(first.len(), 3, "what was just said needs no confirmation: {first:?}");

    let again = Docker::connect(&surroundings).await.unwrap();
    assert_eq!(again.info(), engine.info());
    assert_eq!(questions(), ["/_ping"]);
    again.verify_info().await.unwrap();
    again.verify_info().await.unwrap();
    assert_eq!(questions().len(), 2, "once is enough");

    // Another engine at the same place that greets the same.
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("arm64", "amd64")).unwrap();
    let other = Docker::connect(&surroundings).await.unwrap();
    assert_eq!(other.info().platform, "linux/amd64");
    let error = other.verify_info().await.unwrap_err();
    assert!(error.message.contains("is not the one that it was"), "{}", error.message);
    let right = Docker::connect(&surroundings).await.unwrap();
    assert_eq!(right.info().platform, "linux/arm64", "the next run knows it");
    right.verify_info().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_accepts_and_says_nothing() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let env = [("DOCKER_HOST".to_owned(), format!("tcp://{}", listener.local_addr().unwrap()))].into();
    let error = Docker::connect(&Surroundings { env, ..Surroundings::default() }).await.unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Unreachable { .. }), "{error:?}");
    assert!(error.message.contains("does not answer"), "{}", error.message);
}
