use std::time::Duration;

use futures_util::StreamExt as _;
use indexmap::IndexMap;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::engine::{Action, BuildSpec, Engine as _, ExecSpec, LogQuery, Query};
use crate::model::{ContainerSpec, HealthCheck, Mount, NetworkSpec, Port, Service};

fn spec(service: &str, number: u32) -> ContainerSpec {
    let labels =
        [("project", "p".to_owned()), ("service", service.to_owned()), ("container-number", number.to_string())];
    ContainerSpec {
        name: format!("p-{service}-{number}"),
        image: "img".into(),
        service: Service { name: service.into(), ..Default::default() },
        labels: labels.map(|(key, value)| (format!("com.docker.compose.{key}"), value)).into(),
        publish: true,
        ..Default::default()
    }
}

fn engine() -> FakeEngine {
    let engine = FakeEngine::new();
    engine.add_image("img");
    engine
}

async fn run(engine: &FakeEngine, spec: &ContainerSpec) -> crate::model::ContainerId {
    let id = engine.create_container(spec).await.unwrap();
    engine.start(&id).await.unwrap();
    id
}

#[tokio::test(start_paused = true)]
async fn a_container_lives_as_its_script_says() {
    let engine = engine();
    let mut web = spec("web", 1);
    web.service.healthcheck = Some(HealthCheck { test: vec!["CMD".into(), "x".into()], ..Default::default() });
    engine.script(
        "web",
        Script { health: Some((Duration::from_secs(5), Health::Healthy)), ..Script::default().logging(&["up"]) },
    );
    let mut events = engine.events("p").await.unwrap();
    let id = run(&engine, &web).await;
    assert_eq!(engine.container("web").unwrap().health, Some(Health::Starting));
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(events.next().await.unwrap().unwrap().action);
    }
    assert_eq!(seen, [Action::Create, Action::Start, Action::Health(Health::Healthy)]);
    engine.stop(&id, None).await.unwrap();
    assert_eq!(events.next().await.unwrap().unwrap().action, Action::Die(0));
    assert_eq!(engine.wait(&id).await.unwrap(), 0);
    assert_eq!(engine.container("web").unwrap().health, None);
    assert_eq!(engine.journal(), ["create web", "start web", "stop web"]);
}

#[tokio::test(start_paused = true)]
async fn jobs_end_and_slow_ones_are_killed() {
    let engine = engine();
    engine.script("job", Script { exits: Some((Duration::from_secs(3), 4)), ..Script::default() });
    let job = run(&engine, &spec("job", 1)).await;
    assert_eq!(engine.wait(&job).await.unwrap(), 4);
    engine.script("slow", Script { stops_in: Duration::from_mins(1), ..Script::default() });
    let slow = run(&engine, &spec("slow", 2)).await;
    engine.stop(&slow, Some(Duration::from_secs(1))).await.unwrap();
    assert_eq!(engine.state_of("slow#2"), Some(ContainerState::Exited(137)));
}

#[tokio::test]
async fn calls_fail_and_wait_as_scripted() {
    let engine = engine();
    engine.fail_next("create web", ErrorKind::DiskFull);
    assert_eq!(engine.create_container(&spec("web", 1)).await.unwrap_err().kind, ErrorKind::DiskFull);
    let id = engine.create_container(&spec("web", 1)).await.unwrap();
    let mut hold = engine.hold("start web");
    let starting = tokio::spawn({
        let (engine, id) = (engine.clone(), id.clone());
        async move { engine.start(&id).await }
    });
    hold.reached().await;
    assert!(!engine.is_running("web"));
    hold.release();
    starting.await.unwrap().unwrap();
    assert!(engine.is_running("web"));
}

#[tokio::test]
async fn refusals_are_those_of_a_real_engine() {
    let engine = engine();
    let kind = |answer: Result<crate::model::ContainerId>| answer.unwrap_err().kind;
    let mut lost = spec("a", 1);
    lost.image = "none".into();
    assert_eq!(kind(engine.create_container(&lost).await), ErrorKind::NotFound);
    let mut a = spec("a", 1);
    a.networks = IndexMap::from([("p_default".to_owned(), crate::model::Attachment::default())]);
    assert_eq!(kind(engine.create_container(&a).await), ErrorKind::NotFound);
    let network = NetworkSpec { name: "p_default".into(), ..Default::default() };
    engine.create_network(&network).await.unwrap();
    assert_eq!(engine.create_network(&network).await.unwrap_err().kind, ErrorKind::Conflict);
    a.service.ports = vec![Port { target: 80, published: Some("8080".into()), ..Default::default() }];
    a.mounts = vec![Mount { source: Some("p_data".into()), target: "/data".into(), ..Default::default() }];
    run(&engine, &a).await;
    assert_eq!(kind(engine.create_container(&a).await), ErrorKind::Conflict);
    let mut b = spec("b", 1);
    b.service.ports.clone_from(&a.service.ports);
    let id = engine.create_container(&b).await.unwrap();
    assert_eq!(engine.start(&id).await.unwrap_err().kind, ErrorKind::PortTaken { port: 8080 });
    assert_eq!(engine.port_holder(8080, "tcp").await.unwrap().as_deref(), Some("p-a-1 (p)"));
    assert_eq!(engine.remove_network("p_default").await.unwrap_err().kind, ErrorKind::Conflict);
    assert_eq!(engine.remove_volume("p_data").await.unwrap_err().kind, ErrorKind::Conflict);
    assert!(matches!(engine.pull("redis", None, &|_| {}).await.unwrap_err().kind, ErrorKind::Pull { .. }));
    engine.offer_image("redis");
    engine.pull("redis", None, &|_| {}).await.unwrap();
    assert!(engine.image("redis:latest").await.unwrap().is_some());
}

#[tokio::test]
async fn builds_with_the_same_inputs_are_the_same_image() {
    let engine = engine();
    let build = BuildSpec { tags: vec!["p-web".into()], ..Default::default() };
    let first = engine.build(&build, &|_| {}).await.unwrap().id;
    assert_eq!(engine.build(&build, &|_| {}).await.unwrap().id, first);
    let other = BuildSpec { no_cache: true, ..build };
    let second = engine.build(&other, &|_| {}).await.unwrap().id;
    assert_ne!(second, first);
    // The name has moved on.
    assert_eq!(engine.image("p-web").await.unwrap().unwrap().id, second);
    assert!(engine.image(&first).await.unwrap().unwrap().tags.is_empty());
}

#[tokio::test(start_paused = true)]
async fn logs_follow_and_are_cut() {
    let engine = engine();
    let id = run(&engine, &spec("web", 1)).await;
    engine.log("web", Channel::Out, "one");
    tokio::time::advance(Duration::from_secs(61)).await;
    engine.log("web", Channel::Err, "two");
    let query = LogQuery { follow: true, tail: Some(1), timestamps: true, ..Default::default() };
    let mut logs = engine.logs(&id, &query).await.unwrap();
    let two = logs.next().await.unwrap().unwrap();
    assert_eq!((two.channel, two.bytes.as_ref()), (Channel::Err, b"2026-01-01T00:01:01.000000000Z two\n".as_slice()));
    engine.log("web", Channel::Out, "three");
    engine.exit("web", 1);
    let rest: Vec<_> = logs.map(|chunk| chunk.unwrap().bytes).collect().await;
    assert_eq!(rest.len(), 1);
    let late = LogQuery { since: Some(container::EPOCH + 61), ..Default::default() };
    assert_eq!(engine.logs(&id, &late).await.unwrap().count().await, 2);
}

#[tokio::test]
async fn a_test_can_be_the_command() {
    let engine = engine();
    let id = run(&engine, &spec("web", 1)).await;
    let mut execs = engine.execs("web");
    let mut session = engine.exec(&id, &ExecSpec { command: vec!["x".into()], ..Default::default() }).await.unwrap();
    let mut run = execs.recv().await.unwrap();
    session.input.write_all(b"ping").await.unwrap();
    let mut heard = [0; 4];
    run.io.read_exact(&mut heard).await.unwrap();
    run.io.write_all(b"pong").await.unwrap();
    assert_eq!(engine.exec_exit_code(&session.id).await.unwrap(), None);
    run.exit.send(3).unwrap();
    drop(run.io);
    let said: Vec<_> = session.output.map(|chunk| chunk.unwrap().bytes).collect().await;
    assert_eq!((heard.as_slice(), said.concat().as_slice()), (b"ping".as_slice(), b"pong".as_slice()));
    tokio::task::yield_now().await;
    assert_eq!(engine.exec_exit_code(&session.id).await.unwrap(), Some(3));
}

#[tokio::test]
async fn an_engine_that_goes_away() {
    let engine = engine();
    let id = run(&engine, &spec("web", 1)).await;
    let mut events = engine.events("p").await.unwrap();
    engine.go_away();
    assert_eq!(events.next().await.unwrap().unwrap_err().kind, ErrorKind::Lost);
    assert!(events.next().await.is_none());
    assert!(matches!(engine.start(&id).await.unwrap_err().kind, ErrorKind::Unreachable { .. }));
    engine.come_back();
    let observed = engine.observe(&Query { project: "p".into(), ..Default::default() }).await.unwrap();
    assert_eq!(observed.containers[0].id, id);
}
