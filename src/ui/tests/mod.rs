//! Events in, text out.

mod terminal;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::options::{Kind, Settings};
use super::render::Render;
use super::sink::renderer;
use super::streams::Streams;
use super::*;
use crate::event::{
    Did, Elsewhere, EndCause, Event, Followed, Hold, LogStream, Message, Pending, PlannedStep, ReloadAction,
    ReloadReason, Reloaded, State, Timings,
};
use crate::model::{Part, Place, RebuildReason, ServiceName};
use crate::plan::{Operation, Reason, Until};

const SETTINGS: Settings = Settings {
    kind: Kind::Plain,
    out_color: false,
    err_color: false,
    status_color: false,
    out_tty: false,
    utf8: true,
    log_prefix: true,
    log_color: true,
    timings: false,
    verbose: false,
    relative_to: None,
};

/// Writes what standard output and standard error get, each line with its stream where asked for.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn service(name: &str) -> ServiceName {
    name.into()
}

fn services<const N: usize>(names: [&str; N]) -> Vec<ServiceName> {
    names.into_iter().map(ServiceName::from).collect()
}

/// An operation by its sentence.
fn op(text: &str) -> Operation {
    let name = text.rsplit(' ').next().unwrap_or_default().to_owned();
    match text.split(' ').collect::<Vec<_>>()[..] {
        ["create", "network", _] => Operation::CreateNetwork { network: name },
        ["build", _] => Operation::Build { services: vec![service(&name)] },
        ["pull", _] => Operation::Pull { image: name },
        ["create", ..] => Operation::CreateContainer { container: name },
        ["wait", "until", of, "is", "ready"] => {
            Operation::Wait { containers: vec![of.to_owned()], until: Until::Ready }
        }
        _ => Operation::StartContainer { container: name },
    }
}

fn file(path: &str) -> Part {
    Part::File { context: None, path: path.into() }
}

fn started(step: usize, name: &str, what: &str, reason: Reason) -> Event {
    let service = (!name.is_empty()).then(|| service(name));
    Event::StepStarted { step, op: op(what), service, reason }
}

fn done(step: usize, name: &str, what: &str, took_ms: u64) -> Event {
    let service = (!name.is_empty()).then(|| service(name));
    Event::StepDone { step, op: op(what), service, took_ms }
}

fn held(step: usize, name: &str, on: &str, state: Pending) -> Event {
    Event::StepHeld { step, service: Some(service(name)), on: Hold::Service { name: on.into(), state } }
}

fn log(name: &str, number: u32, line: &str) -> Event {
    let container = format!("shop-{name}-{number}");
    Event::Log { service: service(name), container, number, stream: LogStream::Stdout, line: line.into() }
}

fn to_stderr(event: Event) -> Event {
    match event {
        Event::Log { service, container, number, line, .. } => {
            Event::Log { service, container, number, stream: LogStream::Stderr, line }
        }
        other => other,
    }
}

fn build_step(names: &[ServiceName], step: &str, name: &str) -> Event {
    Event::BuildStep { services: names.to_vec(), step: step.into(), name: name.into() }
}

fn build_step_done(names: &[ServiceName], step: &str, name: &str, cached: bool) -> Event {
    let services = names.to_vec();
    Event::BuildStepDone { services, step: step.into(), name: name.into(), cached, took_ms: 4_100, error: None }
}

fn reloaded(action: ReloadAction, timings: Timings, error: Option<Message>) -> Event {
    Event::Reloaded(Reloaded {
        service: service("api"),
        files: vec!["src/app.py".into(), "src/b.py".into()],
        action,
        reason: Some(ReloadReason::Rebuild { why: RebuildReason::Mounted { place: Place { line: 2, column: 1 } } }),
        timings,
        error,
    })
}

fn timings() -> Timings {
    Timings { noticed_us: 3_000, decided_us: 1_200, synced_us: 2_000, restarted_us: 7_800 }
}

/// A first start with everything that may happen in one.
fn up() -> Vec<(u64, Event)> {
    let api = services(["api", "worker"]);
    let planned = |step, name: &str, what: &str, after: &[usize]| PlannedStep {
        step,
        op: op(what),
        service: (!name.is_empty()).then(|| service(name)),
        reason: Reason::NoContainer,
        after: after.to_vec(),
    };
    vec![
        (0, Event::Hello { version: 2, hob: "0.1.0".into(), project: "shop".into() }),
        (
            0,
            Event::Plan {
                steps: vec![
                    planned(1, "", "create network shop_default", &[]),
                    planned(2, "api", "build api", &[]),
                    planned(3, "cache", "pull redis:7", &[]),
                    planned(4, "api", "start container shop-api-1", &[2]),
                    planned(5, "worker", "start container shop-worker-1", &[2]),
                ],
                unchanged: services(["cache", "db"]),
                dry_run: false,
                reload_of: None,
            },
        ),
        (0, started(1, "", "create network shop_default", Reason::Missing)),
        (300, done(1, "", "create network shop_default", 300)),
        (300, started(2, "api", "build api", Reason::Inputs(vec![file("src/app.py")]))),
        (400, build_step(&api, "s0", "[internal] load build definition")),
        (500, build_step_done(&api, "s0", "[internal] load build definition", false)),
        (500, build_step(&api, "s1", "[1/3] FROM base")),
        (600, build_step_done(&api, "s1", "[1/3] FROM base", true)),
        (600, build_step(&api, "s2", "[2/3] RUN make")),
        (
            700,
            Event::BuildOutput {
                services: api.clone(),
                step: "s2".into(),
                line: "cc \x1b[31m-o\x1b[0m x\x1b[2J".into(),
            },
        ),
        (700, Event::Pulling { image: "redis:7".into(), current: 12_300_000, total: 40_000_000 }),
        (800, started(3, "cache", "pull redis:7", Reason::Missing)),
        (4_700, build_step_done(&api, "s2", "[2/3] RUN make", false)),
        (4_800, done(2, "api", "build api", 4_500)),
        (4_900, done(3, "cache", "pull redis:7", 4_100)),
        (5_000, started(4, "api", "start container shop-api-1", Reason::NoContainer)),
        (5_100, held(4, "api", "db", Pending::Starting)),
        (5_900, held(4, "api", "db", Pending::BeingChanged)),
        (
            6_000,
            Event::State {
                service: service("db"),
                container: "shop-db-1".into(),
                number: 1,
                state: State::Healthy,
                elsewhere: false,
            },
        ),
        (6_100, done(4, "api", "start container shop-api-1", 1_100)),
        (6_200, log("api", 1, "listening\r\n")),
        (6_200, log("worker", 12, "\x1b[32mready\x1b[0m\x1b]0;evil\x07")),
        (6_300, Event::Url { service: service("api"), url: "http://localhost:8081".into(), answers: true }),
        (6_400, Event::Ready { services: 4, of: 4, took_ms: 6_400, waited: true }),
        (6_500, Event::Watching { services: services(["api", "worker"]), folders: 12 }),
        (9_000, reloaded(ReloadAction::Synced { then: Some(Followed::Restarted) }, timings(), None)),
        (9_200, Event::CaughtUp { service: service("api"), took_ms: 1_230 }),
        (
            9_500,
            Event::State {
                service: service("worker"),
                container: "shop-worker-1".into(),
                number: 1,
                state: State::Exited { code: 1 },
                elsewhere: false,
            },
        ),
        (
            9_600,
            Event::Elsewhere(Elsewhere {
                command: Some("hob up -d".into()),
                process: Some(12),
                changes: [("api", Did::Recreated), ("db", Did::Recreated), ("web", Did::Started)]
                    .map(|(name, did)| (service(name), did))
                    .into(),
                everything: false,
            }),
        ),
        (9_900, Event::Stopping { cause: EndCause::Interrupt, services: true, forced: false }),
    ]
}

/// A start in which a build fails.
fn failing() -> Vec<(u64, Event)> {
    let message = Message::new("the build of api failed at `RUN make`")
        .service(&service("api"))
        .detail(["cc: no such file".to_owned(), "make: *** [all] Error 2".to_owned()])
        .hint("fix it and save: hob tries again");
    vec![
        (0, started(1, "api", "build api", Reason::Inputs(vec![file("src/app.py")]))),
        (0, started(2, "db", "start container shop-db-1", Reason::NoContainer)),
        (
            900,
            Event::StepFailed { step: 1, op: op("build api"), service: Some(service("api")), message: message.clone() },
        ),
        (
            900,
            Event::StepSkipped {
                step: 3,
                op: op("create container shop-api-1"),
                service: Some(service("api")),
                because: Message::new("its image was not built"),
            },
        ),
        (2_000, done(2, "db", "start container shop-db-1", 2_000)),
        (2_050, Event::Incomplete { failed: services(["api"]), left: services(["web", "worker"]) }),
        (2_100, Event::Error(message)),
    ]
}

/// Runs events through a renderer; both streams go to the same text, as on a terminal.
fn shown(settings: &Settings, events: Vec<(u64, Event)>) -> String {
    let buffer = Buffer::default();
    let streams = Streams::new(Box::new(buffer.clone()), Box::new(buffer.clone()), None);
    play(renderer(settings, streams).as_mut(), events);
    buffer.text()
}

fn play(renderer: &mut dyn Render, events: Vec<(u64, Event)>) {
    let mut last = 0;
    for (at, event) in events {
        renderer.event(event, ms(at));
        renderer.flush(ms(at));
        last = at;
    }
    renderer.release(ms(last));
}

/// The same with each stream apart.
fn apart(settings: &Settings, events: Vec<Event>) -> (String, String) {
    let (out, err) = (Buffer::default(), Buffer::default());
    let streams = Streams::new(Box::new(out.clone()), Box::new(err.clone()), None);
    play(renderer(settings, streams).as_mut(), events.into_iter().map(|event| (0, event)).collect());
    (out.text(), err.text())
}

#[test]
fn status_on_stdout_takes_neither_errors_nor_programs_stderr_along() {
    let (out, err) = (Buffer::default(), Buffer::default());
    let streams = Streams::new(Box::new(out.clone()), Box::new(err.clone()), None).with_status_on_stdout();
    let events = [
        Event::Warning(Message::new("a warning")),
        started(0, "api", "start container shop-api-1", Reason::NoContainer),
        log("api", 1, "a line"),
        to_stderr(log("api", 1, "another")),
        done(0, "api", "start container shop-api-1", 1),
        Event::Error(Message::new("an error")),
    ];
    play(renderer(&SETTINGS, streams).as_mut(), events.into_iter().map(|event| (0, event)).collect());
    assert_eq!(err.text(), "warning: a warning\napi-1  | another\nerror: an error\n");
    let out = out.text();
    assert!(out.contains("start container shop-api-1") && out.contains("api-1  | a line"), "{out}");
    assert_eq!(out.lines().count(), 3, "{out}");
}

#[test]
fn an_error_that_goes_on_from_save_to_save_is_said_once() {
    let reloaded = |error: Option<&str>| {
        Event::Reloaded(Reloaded {
            service: service("api"),
            files: vec!["src/a".into()],
            action: if error.is_some() { ReloadAction::Failed } else { ReloadAction::Synced { then: None } },
            reason: None,
            timings: Timings::default(),
            error: error.map(Message::new),
        })
    };
    let said = |errors: &[Option<&str>]| {
        let (_, err) = apart(&SETTINGS, errors.iter().map(|error| reloaded(*error)).collect());
        [err.matches("error: one").count(), err.matches("error: two").count(), err.matches("as before").count()]
    };
    assert_eq!(said(&[Some("one"), Some("one"), Some("one")]), [1, 0, 2]);
    assert_eq!(said(&[Some("one"), Some("two"), Some("one")]), [2, 1, 0]);
    assert_eq!(said(&[Some("one"), None, Some("one")]), [2, 0, 0]);
}

#[test]
fn plain_says_every_change_once() {
    insta::assert_snapshot!(shown(&SETTINGS, up()));
}

#[test]
fn plain_shows_a_failure_whole_and_last() {
    insta::assert_snapshot!(shown(&SETTINGS, failing()));
}

#[test]
fn what_a_step_waits_for_follows_it() {
    for (what, want) in [
        ("start container x", "api  waiting to start container x: db is starting; its health check has not passed yet"),
        ("wait until x is ready", "api  waiting: db is starting; its health check has not passed yet"),
    ] {
        let events = vec![started(0, "api", what, Reason::NoContainer), held(0, "api", "db", Pending::Starting)];
        let (_, err) = apart(&SETTINGS, events);
        assert_eq!(err.lines().last(), Some(want));
    }
}

#[test]
fn plain_has_a_heartbeat() {
    let buffer = Buffer::default();
    let mut plain =
        plain::Plain::new(&SETTINGS, Streams::new(Box::new(buffer.clone()), Box::new(buffer.clone()), None));
    assert_eq!(plain.next_tick(ms(0)), None, "nothing is going on");
    let api = services(["api"]);
    plain.event(started(1, "api", "build api", Reason::Missing), ms(0));
    plain.event(build_step(&api, "s", "[3/7] RUN make"), ms(0));
    plain.event(started(2, "web", "start container shop-web-1", Reason::NoContainer), ms(1_000));
    plain.event(Event::Pulling { image: "redis:7".into(), current: 1_000, total: 4_000 }, ms(2_000));
    plain.event(held(2, "web", "api", Pending::Starting), ms(2_000));
    plain.event(held(2, "web", "api", Pending::BeingChanged), ms(9_000));
    plain.flush(ms(9_000));
    let before = buffer.text().len();
    assert_eq!(plain.next_tick(ms(9_000)), Some(ms(6_000)));
    plain.tick(ms(14_999));
    assert_eq!(buffer.text().len(), before, "too early");
    plain.tick(ms(15_000));
    plain.tick(ms(17_000));
    plain.tick(ms(17_500));
    plain.event(build_step_done(&api, "s", "[3/7] RUN make", false), ms(29_000));
    plain.tick(ms(75_000));
    insta::assert_snapshot!(&buffer.text()[before..]);
    assert_eq!(plain.next_tick(ms(75_000)), Some(ms(15_000)));
}

#[test]
fn quiet_has_results_and_errors() {
    let quiet = Settings { kind: Kind::Quiet, ..SETTINGS };
    insta::assert_snapshot!(shown(&quiet, up().into_iter().chain(failing()).collect()));
}

#[test]
fn json_is_one_event_per_line() {
    let json = Settings { kind: Kind::Json, ..SETTINGS };
    let (out, err) = apart(
        &json,
        vec![
            Event::Hello { version: 2, hob: "0.1.0".into(), project: "shop".into() },
            log("api", 1, "a\u{9b}2J\x1b[2J\u{7f}é\nb"),
            Event::Output { text: "text\n".into() },
        ],
    );
    assert_eq!(err, "");
    insta::assert_snapshot!(out);
    for line in out.lines() {
        assert!(line.chars().all(|char| !char.is_control()), "{line:?} drives a terminal");
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    let first: serde_json::Value = serde_json::from_str(out.lines().nth(1).unwrap()).unwrap();
    assert_eq!(first["line"], "a\u{9b}2J\x1b[2J\u{7f}é\nb", "the content is whole");
}

#[test]
fn results_go_to_standard_output_and_the_rest_to_standard_error() {
    for kind in [Kind::Plain, Kind::Tty] {
        let (out, err) = apart(
            &Settings { kind, ..SETTINGS },
            vec![
                started(1, "api", "create container", Reason::NoContainer),
                done(1, "api", "create container", 3),
                Event::Table { head: vec!["NAME".into()], rows: vec![vec!["shop-api-1".into()]] },
                Event::Output { text: "name: shop".into() },
                log("api", 1, "hello"),
                to_stderr(log("api", 1, "oh")),
                Event::Warning(Message::new("odd")),
                Event::Notice { text: "done".into() },
            ],
        );
        assert_eq!(out, "NAME\nshop-api-1\nname: shop\napi-1  | hello\n", "{kind:?}");
        for text in ["create container", "warning: odd", "done", "api-1  | oh\n"] {
            assert!(err.contains(text), "{kind:?}: {text} is missing in {err}");
        }
    }
}

#[test]
fn output_is_exact_in_a_file_and_harmless_on_a_terminal() {
    let text = "a\x1b]0;evil\x07b\r\n\x1b[31mred";
    let output = || vec![Event::Output { text: text.into() }];
    assert_eq!(apart(&SETTINGS, output()).0, format!("{text}\n"));
    let tty = Settings { out_tty: true, ..SETTINGS };
    assert_eq!(apart(&tty, output()).0, "ab\nred\n");
    let color = Settings { out_color: true, ..tty };
    assert_eq!(apart(&color, output()).0, "ab\n\x1b[31mred\x1b[0m\n");
}

#[test]
fn a_dry_run_prints_the_plan() {
    let step = |step, name: &str, what: &str, reason: Reason, after: Vec<usize>| PlannedStep {
        step,
        op: op(what),
        service: (!name.is_empty()).then(|| service(name)),
        reason,
        after,
    };
    let plan = |steps| Event::Plan { steps, unchanged: services(["cache", "db"]), dry_run: true, reload_of: None };
    let steps = vec![
        step(1, "", "create network shop_default", Reason::Missing, vec![]),
        step(2, "api", "build api", Reason::Inputs(vec![file("src/app.py")]), vec![]),
        step(3, "api", "create container shop-api-1", Reason::Image, vec![1, 2]),
    ];
    let (out, err) = apart(&SETTINGS, vec![plan(steps)]);
    assert_eq!(err, "");
    insta::assert_snapshot!(out);
    assert_eq!(apart(&SETTINGS, vec![plan(vec![])]).0, "nothing to do: cache and db are as they should be\n");
}

#[test]
fn an_empty_plan_says_so() {
    let plan = |unchanged: Vec<ServiceName>| Event::Plan { steps: vec![], unchanged, dry_run: false, reload_of: None };
    let many: Vec<ServiceName> = (0..12).map(|number| format!("s{number}").as_str().into()).collect();
    let cases = [
        (services(["db"]), "nothing to do: db is as it should be\n"),
        (many, "nothing to do: 12 services are as they should be\n"),
        (vec![], "nothing to do\n"),
    ];
    for (unchanged, want) in cases {
        assert_eq!(apart(&SETTINGS, vec![plan(unchanged.clone())]).1, want);
        let up = |services| Event::Ready { services, of: 1, took_ms: 1000, waited: false };
        assert_eq!(apart(&SETTINGS, vec![plan(unchanged.clone()), up(1)]).1, want, "it is said once");
        let missing = apart(&SETTINGS, vec![plan(unchanged), up(0)]).1;
        assert_eq!(missing, format!("{want}up: 0 of 1 service in 1.0 s\n"));
    }
}

#[test]
fn a_reload_is_one_line() {
    let zero = Timings::default();
    let error = Message::new("it does not compile");
    let cases = [
        (
            reloaded(ReloadAction::Synced { then: Some(Followed::Restarted) }, timings(), None),
            "api  src/app.py and 1 more  synced + restarted in 14 ms\n",
        ),
        (
            reloaded(ReloadAction::Rebuilt { recreated: false }, Timings { synced_us: 4_200_000, ..zero }, None),
            "api  src/app.py and 1 more  rebuilt in 4.2 s (the RUN in line 2 reads it)\n",
        ),
        (
            reloaded(ReloadAction::NothingToDo, zero, None),
            "api  src/app.py and 1 more  nothing to do (the RUN in line 2 reads it)\n",
        ),
        (
            reloaded(ReloadAction::Failed, zero, Some(error)),
            "api  src/app.py and 1 more  failed\nerror: api: it does not compile\n",
        ),
    ];
    for (event, want) in cases {
        let want = want.replace("error: api: ", "error: ");
        assert_eq!(apart(&SETTINGS, vec![event]).1, want);
    }
    let split = apart(
        &Settings { timings: true, ..SETTINGS },
        vec![reloaded(ReloadAction::Synced { then: None }, timings(), None)],
    )
    .1;
    let want = "api  src/app.py and 1 more  synced in 14 ms \
                (noticed 3.0 ms, decided 1.2 ms, synced 2.0 ms, restarted 7.8 ms) (the RUN in line 2 reads it)\n";
    assert_eq!(split, want);
}

#[test]
fn logs_are_coloured_by_service_and_only_if_asked_for() {
    let line = || vec![log("api", 1, "\x1b[31mx"), log("db", 1, "y")];
    let colored = apart(&Settings { out_color: true, ..SETTINGS }, line()).0;
    let mut lines = colored.lines();
    let first = lines.next().unwrap();
    assert!(first.starts_with("\x1b[") && first.ends_with("api-1  | \x1b[0m\x1b[31mx\x1b[0m"), "{first:?}");
    let plain_prefix = Settings { out_color: true, log_color: false, ..SETTINGS };
    assert_eq!(apart(&plain_prefix, line()).0, "api-1  | \x1b[31mx\x1b[0m\ndb-1   | y\n");
    assert_eq!(apart(&Settings { log_prefix: false, ..SETTINGS }, line()).0, "x\ny\n");
}

/// Fails from the beginning, as a pipe whose reader has gone.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_broken_pipe_ends_output_silently_and_is_told_once() {
    let told = Arc::new(Mutex::new(0));
    let on_closed = {
        let told = Arc::clone(&told);
        Arc::new(move || *told.lock().unwrap() += 1)
    };
    let err = Buffer::default();
    let streams = Streams::new(Box::new(Broken), Box::new(err.clone()), Some(on_closed));
    let events = [log("api", 1, "a"), log("api", 1, "b"), Event::Notice { text: "still here".into() }];
    play(renderer(&SETTINGS, streams).as_mut(), events.into_iter().map(|event| (0, event)).collect());
    assert_eq!(*told.lock().unwrap(), 1);
    assert_eq!(err.text(), "still here\n");
}

#[test]
fn verbose_shows_what_builds_say() {
    for kind in [Kind::Plain, Kind::Tty] {
        let line =
            || Event::BuildOutput { services: services(["api"]), step: "s".into(), line: "cc\x1b[2J -o x".into() };
        assert_eq!(apart(&Settings { kind, ..SETTINGS }, vec![line()]).1, "", "{kind:?}");
        assert_eq!(
            apart(&Settings { kind, verbose: true, ..SETTINGS }, vec![line()]).1,
            "api  # cc -o x\n",
            "{kind:?}"
        );
    }
}

#[test]
fn a_failed_build_of_a_save_is_shown_once() {
    let message = Message::new("it does not compile").detail(["cc: no such file".to_owned()]);
    let (step, service) = (1, Some(service("api")));
    let events = || {
        let failed =
            Event::StepFailed { step, op: op("build api"), service: service.clone(), message: message.clone() };
        vec![
            started(1, "api", "build api", Reason::Inputs(vec![file("src/app.py")])),
            failed,
            reloaded(ReloadAction::Failed, Timings::default(), Some(message.clone())),
        ]
    };
    for kind in [Kind::Plain, Kind::Tty] {
        let text = apart(&Settings { kind, ..SETTINGS }, events()).1;
        assert_eq!(text.matches("it does not compile").count(), 1, "{text}");
        assert!(text.contains("src/app.py and 1 more  failed"), "{text}");
    }
}

#[test]
fn who_does_not_run_is_missing_in_the_count() {
    let ready = |services, of| vec![Event::Ready { services, of, took_ms: 1_200, waited: false }];
    assert_eq!(apart(&SETTINGS, ready(3, 3)).1, "up: 3 services in 1.2 s\n");
    assert_eq!(apart(&SETTINGS, ready(2, 3)).1, "up: 2 of 3 services in 1.2 s\n");
}

#[test]
fn what_another_command_did_is_said_once() {
    let state = |state| Event::State {
        service: service("api"),
        container: "shop-api-1".into(),
        number: 1,
        state,
        elsewhere: true,
    };
    for kind in [Kind::Plain, Kind::Tty] {
        let settings = Settings { kind, ..SETTINGS };
        assert_eq!(apart(&settings, vec![state(State::Exited { code: 143 }), state(State::Running)]).1, "");
    }
}
