//! BuildKit's status messages as news of a build, and what is kept of them for the case that it fails.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bollard_buildkit_proto::google::protobuf::Timestamp;
use bollard_buildkit_proto::moby::buildkit::v1::{StatusResponse, Vertex};

use super::super::errors;
use crate::engine::{BuildProgress, BuildSink, EngineError, ErrorKind};

/// What is known of a build's steps.
#[derive(Default)]
pub(super) struct Tracker {
    names: HashMap<String, String>,
    output: HashMap<String, Vec<u8>>,
    started: HashSet<String>,
    done: HashSet<String>,
    /// The first step that failed of its own, with its error.
    failed: Option<(String, String)>,
}

impl Tracker {
    pub(super) fn feed(&mut self, status: StatusResponse, sink: &BuildSink) {
        for vertex in status.vertexes {
            self.vertex(vertex, sink);
        }
        for news in status.statuses {
            let number = |number: i64| u64::try_from(number).unwrap_or_default();
            sink(BuildProgress::Transferred {
                step: news.vertex,
                what: if news.name.is_empty() { news.id } else { news.name },
                current: number(news.current),
                total: number(news.total),
            });
        }
        for log in status.logs {
            self.output.entry(log.vertex.clone()).or_default().extend_from_slice(&log.msg);
            sink(BuildProgress::Output { step: log.vertex, bytes: log.msg });
        }
        for warning in status.warnings {
            sink(BuildProgress::Warning(String::from_utf8_lossy(&warning.short).into_owned()));
        }
    }

    fn vertex(&mut self, vertex: Vertex, sink: &BuildSink) {
        let Vertex { digest: step, name, cached, started, completed, error, .. } = vertex;
        self.names.insert(step.clone(), name.clone());
        if (started.is_some() || completed.is_some() || cached) && self.started.insert(step.clone()) {
            sink(BuildProgress::Started { step: step.clone(), name });
        }
        // A step that was cancelled because another failed says so in its error.
        if !error.is_empty() && !error.contains("context canceled") && self.failed.is_none() {
            self.failed = Some((step.clone(), error.clone()));
        }
        if completed.is_some() && self.done.insert(step.clone()) {
            let took = took(started, completed);
            sink(BuildProgress::Done { step, cached, took, error: (!error.is_empty()).then_some(error) });
        }
    }
}

fn took(started: Option<Timestamp>, completed: Option<Timestamp>) -> Duration {
    let at = |time: Timestamp| {
        Duration::new(u64::try_from(time.seconds).unwrap_or_default(), u32::try_from(time.nanos).unwrap_or_default())
    };
    match (started, completed) {
        (Some(started), Some(completed)) => at(completed).saturating_sub(at(started)),
        _ => Duration::ZERO,
    }
}

/// A failed `Solve` call as an error, with what the failing step wrote and its place in the Dockerfile where BuildKit
/// tells it.
pub(super) fn failure(status: &tonic::Status, mut tracker: Tracker, dockerfile: &str, endpoint: &str) -> EngineError {
    use std::error::Error as _;
    let raw = status.message();
    if status.code() == tonic::Code::Unavailable || status.source().is_some() {
        return EngineError::new(
            ErrorKind::Lost,
            format!("the connection to the engine at {endpoint} broke during the build: {raw}"),
        );
    }
    let text = plain(raw);
    if text.to_ascii_lowercase().contains("no space left on device") {
        return EngineError::new(ErrorKind::DiskFull, format!("the build failed: {text}"));
    }
    let (step, output, error) = match tracker.failed.take() {
        Some((digest, error)) => {
            let step = tracker.names.remove(&digest).unwrap_or_default();
            (step, tracker.output.remove(&digest).unwrap_or_default(), plain(&error).to_owned())
        }
        None => (String::new(), Vec::new(), text.to_owned()),
    };
    if let Some(image) = step.strip_prefix("[internal] load metadata for ") {
        return errors::pull_failed(image, &error);
    }
    let what = if step.is_empty() { "the build".to_owned() } else { step.clone() };
    let place = line_of(status.details()).map(|line| format!("{dockerfile}:{line}: ")).unwrap_or_default();
    let output = String::from_utf8_lossy(&output).into_owned();
    EngineError::new(ErrorKind::Build { step, output }, format!("{place}{what} failed: {error}"))
}

/// Without the words that gRPC and BuildKit wrap around an error.
fn plain(mut text: &str) -> &str {
    let wrappings = [
        "failed to solve: ",
        "failed to solve with frontend dockerfile.v0: ",
        "failed to create LLB definition: ",
        "failed to compute cache key: ",
        "rpc error: code = Unknown desc = ",
        "rpc error: code = NotFound desc = ",
    ];
    while let Some(rest) = wrappings.iter().find_map(|wrapping| text.strip_prefix(wrapping)) {
        text = rest;
    }
    // The step's name says which command it was, and which files it wanted.
    let cuts = [
        ("process ", " did not complete successfully: "),
        ("executor failed running [", "]: exit code"),
        ("failed to calculate checksum of ref ", ": "),
    ];
    for (start, end) in cuts {
        if let Some((before, _)) = text.strip_prefix(start).and_then(|rest| rest.split_once(end)) {
            text = text[start.len() + before.len()..].trim_start_matches([' ', ']', ':']);
            text = text.strip_prefix("did not complete successfully: ").unwrap_or(text);
        }
    }
    text.trim()
}

/// The line of the Dockerfile in the details of an error: JSON in an `Any` of `google.rpc.Status`, which BuildKit has
/// attached since engine 23.0.
fn line_of(details: &[u8]) -> Option<i64> {
    use prost::Message as _;
    let status = bollard_buildkit_proto::google::rpc::Status::decode(details).ok()?;
    let source = status.details.iter().rfind(|any| any.type_url.contains("errdefs.Source"))?;
    let source: serde_json::Value = serde_json::from_slice(&source.value).ok()?;
    source.pointer("/ranges/0/start/line")?.as_i64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard_buildkit_proto::moby::buildkit::v1::VertexLog;
    use std::sync::{Arc, Mutex};

    fn vertex(digest: &str, name: &str, times: (Option<i64>, Option<i64>), error: &str) -> Vertex {
        let time = |seconds: Option<i64>| seconds.map(|seconds| Timestamp { seconds, nanos: 500 });
        Vertex {
            digest: digest.into(),
            name: name.into(),
            started: time(times.0),
            completed: time(times.1),
            error: error.into(),
            ..Default::default()
        }
    }

    #[test]
    fn a_step_starts_and_ends_once() {
        let news = Arc::new(Mutex::new(Vec::new()));
        let seen = news.clone();
        let sink = move |event: BuildProgress| seen.lock().unwrap().push(event);
        let mut tracker = Tracker::default();
        let mut feed =
            |vertex: Vertex| tracker.feed(StatusResponse { vertexes: vec![vertex], ..Default::default() }, &sink);
        feed(vertex("a", "RUN x", (None, None), ""));
        feed(vertex("a", "RUN x", (Some(3), None), ""));
        feed(vertex("a", "RUN x", (Some(3), Some(5)), ""));
        feed(vertex("a", "RUN x", (Some(3), Some(5)), ""));
        assert_eq!(
            *news.lock().unwrap(),
            [
                BuildProgress::Started { step: "a".into(), name: "RUN x".into() },
                BuildProgress::Done { step: "a".into(), cached: false, took: Duration::from_secs(2), error: None },
            ]
        );
    }

    #[test]
    fn a_failure_names_the_step_and_keeps_its_output() {
        let mut tracker = Tracker::default();
        let log = |vertex: &str, msg: &str| VertexLog { vertex: vertex.into(), msg: msg.into(), ..Default::default() };
        let status = StatusResponse {
            vertexes: vec![
                vertex("b", "[1/2] RUN sleep", (Some(1), Some(2)), "context canceled: context canceled"),
                vertex(
                    "a",
                    "[2/2] RUN make",
                    (Some(1), Some(2)),
                    "process \"make\" did not complete successfully: exit code: 2",
                ),
            ],
            logs: vec![log("a", "one\n"), log("b", "other\n"), log("a", "two\n")],
            ..Default::default()
        };
        tracker.feed(status, &|_| {});
        let error = failure(&tonic::Status::unknown("failed to solve: process…"), tracker, "Dockerfile", "unix:///s");
        assert_eq!(error.kind, ErrorKind::Build { step: "[2/2] RUN make".into(), output: "one\ntwo\n".into() });
        assert_eq!(error.message, "[2/2] RUN make failed: exit code: 2");
    }

    #[test]
    fn errors_are_made_plain() {
        for (text, expected) in [
            ("process \"/bin/sh -c a && b\" did not complete successfully: exit code: 1", "exit code: 1"),
            ("executor failed running [/bin/sh -c echo a: b && false]: exit code: 1", "exit code: 1"),
            (
                "failed to compute cache key: failed to calculate checksum of ref ksyx::x7wj: \"/nope\": not found",
                "\"/nope\": not found",
            ),
            ("\"/nope\" not found: not found", "\"/nope\" not found: not found"),
            (
                "failed to solve: rpc error: code = Unknown desc = target stage nope could not be found",
                "target stage nope could not be found",
            ),
        ] {
            assert_eq!(plain(text), expected);
        }
    }

    #[test]
    fn the_place_in_the_dockerfile_is_told() {
        use prost::Message as _;
        let source = br#"{"info":{"filename":"Dockerfile"},"ranges":[{"start":{"line":3},"end":{"line":4}}]}"#;
        let any = |type_url: &str, value: &[u8]| bollard_buildkit_proto::google::protobuf::Any {
            type_url: type_url.into(),
            value: value.into(),
        };
        let details = bollard_buildkit_proto::google::rpc::Status {
            details: vec![
                any("github.com/moby/buildkit/stack.Stack+json", b"{}"),
                any("github.com/moby/buildkit/errdefs.Source+json", source),
            ],
            ..Default::default()
        };
        let status = tonic::Status::with_details(tonic::Code::Unknown, "x", details.encode_to_vec().into());
        let error = failure(&status, Tracker::default(), "app/Dockerfile", "unix:///s");
        assert_eq!(error.message, "app/Dockerfile:3: the build failed: x");
    }

    #[test]
    fn other_failures() {
        let of = |status: &tonic::Status, tracker| failure(status, tracker, "Dockerfile", "unix:///s");
        let parse =
            tonic::Status::unknown("failed to solve: dockerfile parse error on line 3: unknown instruction: FOO");
        let error = of(&parse, Tracker::default());
        assert_eq!(error.message, "the build failed: dockerfile parse error on line 3: unknown instruction: FOO");
        let full = tonic::Status::unknown("failed to solve: write /x: no space left on device");
        assert_eq!(of(&full, Tracker::default()).kind, ErrorKind::DiskFull);
        assert_eq!(of(&tonic::Status::unavailable("gone"), Tracker::default()).kind, ErrorKind::Lost);
        let mut tracker = Tracker::default();
        let metadata = vertex(
            "m",
            "[internal] load metadata for docker.io/library/nope:1",
            (Some(1), Some(2)),
            "failed to do request: dial tcp: no such host",
        );
        tracker.feed(StatusResponse { vertexes: vec![metadata], ..Default::default() }, &|_| {});
        let error = of(&tonic::Status::unknown("failed to solve: …"), tracker);
        assert_eq!(error.kind, ErrorKind::Pull { image: "docker.io/library/nope:1".into() });
    }
}
