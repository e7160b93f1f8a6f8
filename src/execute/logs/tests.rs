//! Logs on the fake engine, whose clock stands still unless a test moves it.

use bytes::Bytes;

use super::*;
use crate::engine::Chunk;
use crate::engine::fake::{FakeEngine, Script};
use crate::execute::testing::Events;
use crate::model::{ContainerSpec, Service};

#[test]
fn lines_are_cut_and_long_ones_joined() {
    let mut splitter = lines::Splitter::default();
    let first = splitter.push(b"2024-05-06T07:08:09.5Z one\n2024-05-06T07:08:10Z tw");
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].text, "one");
    assert_eq!(first[0].time.as_deref(), Some("2024-05-06T07:08:09.5Z"));
    let second = splitter.push(b"2024-05-06T07:08:10Z o\r\n");
    assert_eq!(second[0].text, "two", "a long line comes in pieces, each with the first one's timestamp");
    assert_eq!(splitter.finish(), None);
}

#[test]
fn times_compare_though_zeros_are_left_out() {
    assert!(is_later("2024-05-06T07:08:09.5Z", "2024-05-06T07:08:09.49Z"));
    assert!(!is_later("2024-05-06T07:08:09.5Z", "2024-05-06T07:08:09.500Z"));
    assert!(is_later("2024-05-06T07:08:10Z", "2024-05-06T07:08:09.999999999Z"));
}

#[test]
fn unix_time_of_a_timestamp() {
    assert_eq!(unix_seconds("1970-01-01T00:00:00Z"), Some(0));
    assert_eq!(unix_seconds("2024-02-29T12:00:00.1Z"), Some(1_709_208_000));
    assert_eq!(unix_seconds("nonsense"), None);
}

#[test]
fn a_line_that_a_program_did_not_end_is_not_joined_with_the_next_run() {
    let mut splitter = lines::Splitter::default();
    assert_eq!(splitter.push(b"2024-05-06T07:08:09Z half"), []);
    let next: Vec<String> = splitter.push(b"2024-05-06T07:08:11Z first\n").into_iter().map(|line| line.text).collect();
    assert_eq!(next, ["half", "first"]);
    // Engines that stamp each piece anew cut at 16 KiB.
    let long = "x".repeat(16 * 1024);
    assert_eq!(splitter.push(format!("2024-05-06T07:08:12Z {long}").as_bytes()), []);
    let joined = splitter.push(b"2024-05-06T07:08:12.1Z y\n");
    assert_eq!(joined[0].text, format!("{long}y"));
}

#[test]
fn a_stream_may_be_cut_anywhere() {
    let whole = b"2024-05-06T07:08:09.5Z one\n2024-05-06T07:08:10Z two\r\n";
    for cut in 0..whole.len() {
        let mut splitter = lines::Splitter::default();
        let mut lines = splitter.push(&whole[..cut]);
        lines.extend(splitter.push(&whole[cut..]));
        let seen: Vec<_> = lines.iter().map(|l| (l.time.as_deref().unwrap_or("none"), l.text.as_str())).collect();
        assert_eq!(seen, [("2024-05-06T07:08:09.5Z", "one"), ("2024-05-06T07:08:10Z", "two")], "cut at {cut}");
    }
}

struct Rig {
    engine: FakeEngine,
    events: Arc<Events>,
    logs: Logs,
}

impl Rig {
    fn new() -> Self {
        let engine = FakeEngine::new();
        engine.add_image("img");
        let events = Arc::new(Events::default());
        let sink: Arc<dyn Sink> = events.clone();
        let logs = Logs::new(Arc::new(engine.clone()), sink, LogOptions::default());
        Self { engine, events, logs }
    }

    async fn create(&self, name: &str) -> ContainerId {
        let labels = [("com.docker.compose.service", "web"), ("com.docker.compose.container-number", "1")];
        let spec = ContainerSpec {
            name: name.into(),
            image: "img".into(),
            service: Service { name: "web".into(), ..Service::default() },
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            ..ContainerSpec::default()
        };
        self.engine.create_container(&spec).await.unwrap()
    }

    fn follow_after(&mut self, id: &ContainerId, after: Option<String>) {
        let follow = Follow {
            container: id.clone(),
            name: "p-web-1".into(),
            service: "web".into(),
            number: 1,
            query: LogQuery { follow: true, ..LogQuery::default() },
        };
        self.logs.follow_after(follow, after);
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_loses_no_line_and_shows_none_twice() {
    let mut rig = Rig::new();
    rig.engine.script("web", Script::default().logging(&["up"]));
    let id = rig.create("p-web-1").await;
    // All runs write within one moment of the engine's clock: only counting tells the lines apart.
    for run in 0..3 {
        rig.engine.start(&id).await.unwrap();
        rig.follow_after(&id, None);
        rig.engine.log("web", Channel::Err, &format!("work {run}"));
        rig.engine.exit("web", 1);
        let work = format!("work {run}");
        rig.events.wait(0, &work, |e| matches!(e, Event::Log { line, .. } if *line == work)).await;
    }
    tokio::time::advance(Duration::from_millis(1)).await;
    rig.engine.start(&id).await.unwrap();
    rig.follow_after(&id, None);
    rig.engine.exit("web", 0);
    rig.logs.drain().await;
    let expected = ["up", "work 0", "up", "work 1", "up", "work 2", "up"].map(|line| format!("web: {line}"));
    assert_eq!(rig.events.logs(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_recreated_container_comes_after_the_old_one() {
    let mut rig = Rig::new();
    rig.engine.script("web", Script::default().logging(&["old"]));
    let old = rig.create("p-web-1").await;
    rig.engine.start(&old).await.unwrap();
    rig.follow_after(&old, None);
    rig.engine.script("web", Script::default().logging(&["new"]));
    let new = rig.create("new").await;
    rig.engine.start(&new).await.unwrap();
    rig.follow_after(&new, None);
    // The old one still writes as it goes down.
    rig.engine.log("p-web-1", Channel::Out, "bye");
    rig.engine.exit("p-web-1", 0);
    rig.engine.exit("new", 0);
    rig.logs.drain().await;
    assert_eq!(rig.events.logs(), ["web: old", "web: bye", "web: new"]);
}

#[tokio::test(start_paused = true)]
async fn of_a_container_that_was_there_only_the_new_lines_are_shown() {
    let mut rig = Rig::new();
    let id = rig.create("p-web-1").await;
    rig.engine.start(&id).await.unwrap();
    assert_eq!(end(&rig.engine, &id).await, None, "an empty log has no end");
    rig.engine.log("web", Channel::Out, "before");
    rig.engine.log("web", Channel::Out, "before too");
    let after = end(&rig.engine, &id).await;
    assert!(after.is_some());
    // Within the same second.
    tokio::time::advance(Duration::from_millis(5)).await;
    rig.engine.log("web", Channel::Out, "between");
    rig.follow_after(&id, after);
    rig.engine.log("web", Channel::Out, "after");
    rig.engine.exit("web", 0);
    rig.logs.drain().await;
    assert_eq!(rig.events.logs(), ["web: between", "web: after"]);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_read_is_said_once() {
    let mut rig = Rig::new();
    let id = rig.create("p-web-1").await;
    for kind in [ErrorKind::Refused, ErrorKind::Refused, ErrorKind::NotFound] {
        rig.engine.fail_next("logs web", kind);
        rig.follow_after(&id, None);
    }
    rig.logs.drain().await;
    assert_eq!(rig.events.texts(), ["the log of p-web-1 cannot be read: logs web was told to fail"]);
}

#[tokio::test]
async fn streams_are_cut_into_lines_each_for_itself() {
    let chunk = |channel, text: &str| Ok(Chunk { channel, bytes: Bytes::from(text.to_owned()) });
    let chunks = vec![chunk(Channel::Out, "one\ntw"), chunk(Channel::Out, "o\n"), chunk(Channel::Err, "three")];
    let stream = Box::pin(futures_util::stream::iter(chunks));
    assert_eq!(lines::collect(stream).await, ["one", "two", "three"]);
}
