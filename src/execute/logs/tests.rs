//! Logs on the fake engine, whose clock stands still unless a test moves it.

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use proptest::prelude::*;

use super::lines::{Last, Line, Splitter};
use super::splitter::LONGEST;
use super::*;
use crate::engine::fake::Script;
use crate::engine::{Channel, Chunk, ErrorKind, LogQuery};
use crate::event::{Event, LogStream};
use crate::execute::testing::{Events, Rig, project};
use crate::model::{ContainerId, ContainerSpec, Service, time};
use tokio::time::Instant;

fn texts(lines: Vec<Line>) -> Vec<String> {
    lines.into_iter().map(|line| line.text).collect()
}

#[test]
fn lines_are_cut_and_long_ones_joined() {
    let mut splitter = Splitter::stamped();
    let first = splitter.push(b"2024-05-06T07:08:09.5Z one\n2024-05-06T07:08:10Z tw");
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].text, "one");
    assert_eq!(first[0].time.as_deref(), Some("2024-05-06T07:08:09.5Z"));
    let second = splitter.push(b"2024-05-06T07:08:10Z o\r\n");
    assert_eq!(second[0].text, "two", "a long line comes in pieces, each with the first one's timestamp");
    assert_eq!(splitter.finish(), None);
}

#[test]
fn a_line_without_an_end_is_not_joined_with_the_next_run() {
    let mut splitter = Splitter::stamped();
    assert_eq!(splitter.push(b"2024-05-06T07:08:09Z half"), []);
    assert_eq!(texts(splitter.push(b"2024-05-06T07:08:11Z first\n")), ["half", "first"]);
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
        let mut splitter = Splitter::stamped();
        let mut lines = splitter.push(&whole[..cut]);
        lines.extend(splitter.push(&whole[cut..]));
        let seen: Vec<_> = lines.iter().map(|l| (l.time.as_deref().unwrap_or("none"), l.text.as_str())).collect();
        assert_eq!(seen, [("2024-05-06T07:08:09.5Z", "one"), ("2024-05-06T07:08:10Z", "two")], "cut at {cut}");
    }
}

#[test]
fn a_programs_own_time_is_part_of_its_line() {
    let line = "2024-05-06T07:08:09.5Z one";
    let lines = Splitter::plain().push(format!("{line}\n").as_bytes());
    assert_eq!(lines, [Line { time: None, text: line.to_owned() }]);
}

#[test]
fn a_line_without_an_end_comes_in_pieces() {
    let mut splitter = Splitter::plain();
    let flood = format!("x{}", "é".repeat(LONGEST));
    let mut pieces = splitter.push(flood.as_bytes());
    assert_eq!(pieces.len(), 2, "of {} bytes", flood.len());
    pieces.extend(splitter.finish());
    assert!(pieces.iter().all(|piece| piece.text.len() <= LONGEST));
    assert_eq!(texts(pieces).concat(), flood, "no character is cut");
    // A progress that is written over and over: each piece ends with a state of it.
    let mut splitter = Splitter::plain();
    let progress: String = (0..20_000).map(|percent| format!("\r{percent} %")).collect();
    let pieces = texts(splitter.push(progress.as_bytes()));
    assert!(!pieces.is_empty() && pieces.iter().all(|piece| piece.ends_with('%')), "{} pieces", pieces.len());
    // Each piece of a line in a log has its time.
    let long = format!("2024-05-06T07:08:12Z {}\n", "x".repeat(LONGEST + 1));
    let times: Vec<_> = Splitter::stamped().push(long.as_bytes()).into_iter().map(|line| line.time).collect();
    assert_eq!(times, vec![Some("2024-05-06T07:08:12Z".to_owned()); 2]);
}

#[test]
fn of_endless_output_the_last_lines_are_kept() {
    let mut last = Last::default();
    for number in 0..100_000 {
        last.push(Channel::Out, format!("{number}\n").as_bytes());
    }
    last.push(Channel::Err, b"the end");
    assert_eq!(last.finish(), [(Channel::Err, "the end".to_owned())]);
    let lines = last.lines();
    assert_eq!((lines.len(), lines[98].as_str(), lines[99].as_str()), (lines::KEPT, "99999", "the end"));
}

proptest! {
    /// However a stream is cut into chunks, its lines are the same, and nothing of it is lost.
    #[test]
    fn chunks_make_no_difference(text in "[a\r\nZ:é 0-9-]{0,200}", cuts in prop::collection::vec(0usize..200, 0..8)) {
        let bytes = text.as_bytes();
        let whole = |splitter: Splitter, cuts: &[usize]| {
            let (mut splitter, mut lines, mut from) = (splitter, Vec::new(), 0);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| (*cut).min(bytes.len())).collect();
            cuts.sort_unstable();
            for to in cuts.into_iter().chain([bytes.len()]) {
                lines.extend(splitter.push(&bytes[from..to]));
                from = to;
            }
            lines.extend(splitter.finish());
            texts(lines)
        };
        let lines = whole(Splitter::plain(), &cuts);
        prop_assert_eq!(&lines, &whole(Splitter::plain(), &[]));
        let ends: Vec<&str> = text.split_terminator('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
        prop_assert_eq!(lines, ends);
        whole(Splitter::stamped(), &cuts);
    }
}

/// A rig whose containers' output is shown.
struct Shown {
    rig: Rig,
    logs: Logs,
}

impl std::ops::Deref for Shown {
    type Target = Rig;

    fn deref(&self) -> &Rig {
        &self.rig
    }
}

impl Shown {
    fn new() -> Self {
        let rig = Rig::new(project(serde_json::json!({"web": {"image": "img"}})));
        let logs = Logs::new(Arc::new(rig.engine.clone()), rig.events.clone(), LogOptions::default());
        Self { rig, logs }
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

    fn follow(&self, id: &ContainerId, from: From) {
        let follow = Follow { container: id.clone(), name: "p-web-1".into(), service: "web".into(), number: 1 };
        self.logs.follow(follow, from);
    }

    /// As an event tells of a start at this moment.
    async fn started(&self, id: &ContainerId, after: i64) -> From {
        self.engine.start(id).await.unwrap();
        let started = self.engine.inspect(id).await.unwrap().unwrap().started;
        let at = time::nanos_of(&started).unwrap().max(after + 1);
        From::Start { after, at, heard: Instant::now() }
    }

    /// The time of the last line.
    async fn end(&self, id: &ContainerId) -> i64 {
        let query = LogQuery { timestamps: true, ..LogQuery::default() };
        let mut log = self.engine.logs(id, &query).await.unwrap();
        let mut end = 0;
        while let Some(Ok(chunk)) = log.next().await {
            end = time::nanos_of(&String::from_utf8_lossy(&chunk.bytes)[..30]).unwrap();
        }
        end
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_loses_no_line_and_shows_none_twice() {
    let rig = Shown::new();
    rig.engine.script("web", Script::default().logging(&["up"]));
    let id = rig.create("p-web-1").await;
    // The same line is the first one of each run, and the log has it before the stream is attached.
    let mut after = 0;
    for run in 0..3 {
        let from = rig.started(&id, after).await;
        rig.follow(&id, from);
        rig.engine.log("web", Channel::Err, &format!("work {run}"));
        rig.engine.exit("web", 1);
        let work = format!("work {run}");
        rig.events.wait(0, &work, |e| matches!(e, Event::Log { line, .. } if *line == work)).await;
        after = rig.end(&id).await;
    }
    rig.logs.drain().await;
    let expected = ["up", "work 0", "up", "work 1", "up", "work 2"].map(|line| format!("web: {line}"));
    assert_eq!(rig.events.logs(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_dealt_with_late_shows_no_later_run_twice() {
    let rig = Shown::new();
    rig.engine.script("web", Script::default().logging(&["up"]));
    let id = rig.create("p-web-1").await;
    let mut starts = Vec::new();
    let mut after = 0;
    for run in 0..3 {
        starts.push(rig.started(&id, after).await);
        rig.engine.log("web", Channel::Out, &format!("work {run}"));
        after = rig.end(&id).await;
        if run < 2 {
            rig.engine.exit("web", 1);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
    }
    for from in starts {
        rig.follow(&id, from);
    }
    rig.events.wait(0, "the last run", |e| matches!(e, Event::Log { line, .. } if line == "work 2")).await;
    rig.engine.log("web", Channel::Out, "end");
    rig.events.wait(0, "the end", |e| matches!(e, Event::Log { line, .. } if line == "end")).await;
    rig.engine.exit("web", 1);
    rig.logs.drain().await;
    let expected = ["up", "work 0", "up", "work 1", "up", "work 2", "end"].map(|line| format!("web: {line}"));
    assert_eq!(rig.events.logs(), expected);
}

#[tokio::test(start_paused = true)]
async fn what_was_attached_to_before_its_start_is_shown_without_its_log() {
    let rig = Shown::new();
    rig.engine.script("web", Script::default().logging(&["up"]));
    let id = rig.create("p-web-1").await;
    let web = Service { name: "web".into(), ..Service::default() };
    let project = crate::model::Project {
        name: "p".into(),
        services: [("web".into(), web)].into_iter().collect(),
        ..crate::model::Project::default()
    };
    let web: ServiceName = "web".into();
    let start = AtStart { logs: rig.logs.clone(), project: Arc::new(project), services: [web.clone()].into() };
    assert!(start.attach(Some(&"other".into()), "p-other-1").await.is_none(), "it is not shown");
    // One that does not start does not hold up the lane.
    start.attach(Some(&web), "p-web-1").await.unwrap().give_up();
    let attached = start.attach(Some(&web), "p-web-1").await;
    assert!(attached.is_some() && rig.logs.is_attached(&web, 1));
    // No log can be read: engines with another log driver have none.
    rig.engine.fail_next("logs web", ErrorKind::Refused);
    rig.engine.start(&id).await.unwrap();
    assert!(rig.logs.was_attached(&web, 1) && !rig.logs.was_attached(&web, 1));
    rig.engine.log("web", Channel::Err, "work");
    rig.engine.exit("web", 0);
    rig.logs.drain().await;
    assert_eq!(rig.events.logs(), ["web: up", "web: work"]);
    let err = |e: &Event| matches!(e, Event::Log { stream: LogStream::Stderr, line, .. } if line == "work");
    assert_eq!(rig.events.count(err), 1);
}

#[tokio::test(start_paused = true)]
async fn a_recreated_container_comes_after_the_old_one() {
    let rig = Shown::new();
    rig.engine.script("web", Script::default().logging(&["old"]));
    let old = rig.create("p-web-1").await;
    let from = rig.started(&old, 0).await;
    rig.follow(&old, from);
    rig.events.wait(0, "old", |e| matches!(e, Event::Log { line, .. } if line == "old")).await;
    rig.engine.script("web", Script::default().logging(&["new"]));
    let new = rig.create("new").await;
    let from = rig.started(&new, 0).await;
    rig.follow(&new, from);
    // The old one still writes as it goes down.
    rig.engine.log("p-web-1", Channel::Out, "bye");
    rig.engine.exit("p-web-1", 0);
    rig.engine.exit("new", 0);
    rig.logs.drain().await;
    assert_eq!(rig.events.logs(), ["web: old", "web: bye", "web: new"]);
}

#[tokio::test(start_paused = true)]
async fn of_a_container_that_was_there_only_the_new_lines_are_shown() {
    let rig = Shown::new();
    let id = rig.create("p-web-1").await;
    rig.engine.start(&id).await.unwrap();
    rig.engine.log("web", Channel::Out, "before");
    rig.follow(&id, From::Now);
    tokio::time::sleep(Duration::from_millis(1)).await;
    rig.engine.log("web", Channel::Out, "after");
    rig.engine.exit("web", 0);
    rig.logs.drain().await;
    assert_eq!(rig.events.logs(), ["web: after"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_written_while_the_engine_is_away_is_shown_later() {
    let rig = Shown::new();
    let id = rig.create("p-web-1").await;
    rig.engine.start(&id).await.unwrap();
    rig.follow(&id, From::Now);
    tokio::time::sleep(Duration::from_millis(1)).await;
    for line in ["one", "two", "two"] {
        rig.engine.log("web", Channel::Out, line);
    }
    let at = rig.end(&id).await;
    rig.events.wait(0, "two", |e| matches!(e, Event::Log { line, .. } if line == "two")).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    rig.engine.go_away();
    rig.engine.log("web", Channel::Out, "away");
    rig.engine.come_back();
    rig.follow(&id, From::Lost { at });
    tokio::time::sleep(Duration::from_secs(2)).await;
    rig.engine.log("web", Channel::Out, "back");
    rig.engine.exit("web", 0);
    rig.logs.drain().await;
    assert_eq!(rig.events.logs(), ["one", "two", "two", "away", "back"].map(|line| format!("web: {line}")));
}

#[tokio::test(start_paused = true)]
async fn a_log_and_what_comes_after_it() {
    let rig = Shown::new();
    let id = rig.create("p-web-1").await;
    rig.engine.start(&id).await.unwrap();
    for line in ["one", "two", "three"] {
        rig.engine.log("web", Channel::Out, line);
    }
    rig.follow(&id, From::LogAndOn(LogQuery { tail: Some(2), ..LogQuery::default() }));
    rig.events.wait(0, "three", |e| matches!(e, Event::Log { line, .. } if line == "three")).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    rig.engine.log("web", Channel::Out, "four");
    rig.engine.exit("web", 0);
    rig.logs.drain().await;
    assert_eq!(rig.events.logs(), ["web: two", "web: three", "web: four"]);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_read_is_said_once() {
    let rig = Shown::new();
    let id = rig.create("p-web-1").await;
    for kind in [ErrorKind::Refused, ErrorKind::Refused, ErrorKind::NotFound] {
        rig.engine.fail_next("logs web", kind);
        rig.follow(&id, From::Log(LogQuery::default()));
    }
    rig.logs.drain().await;
    assert_eq!(rig.events.texts(), ["the log of p-web-1 cannot be read: logs web was told to fail"]);
}

/// A terminal that has room for no line.
#[derive(Default)]
struct Full(Events);

impl Sink for Full {
    fn emit(&self, event: Event) {
        self.0.emit(event);
    }
    fn line(&self, _: Event) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_does_not_wait_for_a_flood_and_says_whose_it_was() {
    let rig = Shown::new();
    let id = rig.create("p-web-1").await;
    rig.engine.start(&id).await.unwrap();
    let said = "the last output of web is not shown, there is too much of it: `hob logs web` has it";
    // The second goes on, and all that it wrote is shown.
    for (writes, want) in [(true, &[said][..]), (false, &[])] {
        let full = Arc::new(Full::default());
        let sink: Arc<dyn Sink> = full.clone();
        let logs = Logs::new(Arc::new(rig.engine.clone()), sink, LogOptions::default());
        let follow = Follow { container: id.clone(), name: "p-web-1".into(), service: "web".into(), number: 1 };
        logs.follow(follow, From::Now);
        tokio::time::sleep(Duration::from_millis(1)).await;
        if writes {
            rig.engine.log("web", Channel::Out, "a line");
        }
        let began = Instant::now();
        logs.finish(Duration::from_secs(1)).await;
        assert_eq!(began.elapsed(), Duration::from_secs(1));
        assert_eq!(full.0.texts(), want);
    }
}

#[tokio::test]
async fn streams_are_cut_into_lines_each_for_itself() {
    let chunk = |channel, text: &str| Ok(Chunk { channel, bytes: Bytes::from(text.to_owned()) });
    let chunks = || vec![chunk(Channel::Out, "one\ntw"), chunk(Channel::Out, "o\n"), chunk(Channel::Err, "three")];
    let stream = Box::pin(futures_util::stream::iter(chunks()));
    assert_eq!(lines::collect(stream, Some(1)).await, ["one", "two", "three"]);
    let stamped = |channel, second: u8, text: &str| chunk(channel, &format!("1970-01-01T00:00:0{second}Z {text}"));
    let chunks =
        vec![stamped(Channel::Out, 1, "old\n"), stamped(Channel::Out, 3, "new\n"), stamped(Channel::Err, 2, "x")];
    let stream = Box::pin(futures_util::stream::iter(chunks));
    assert_eq!(lines::collect(stream, Some(2_000_000_000)).await, ["new", "x"]);
}
