//! Events, as tests write them.

use super::*;

/// An operation by its sentence.
pub(super) fn op(text: &str) -> Operation {
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

pub(super) fn file(path: &str) -> Part {
    Part::File { context: None, path: path.into() }
}

pub(super) fn started(step: usize, name: &str, what: &str, reason: Reason) -> Event {
    let service = (!name.is_empty()).then(|| service(name));
    Event::StepStarted { step, op: op(what), service, reason }
}

pub(super) fn done(step: usize, name: &str, what: &str, took_ms: u64) -> Event {
    let service = (!name.is_empty()).then(|| service(name));
    Event::StepDone { step, op: op(what), service, took_ms }
}

pub(super) fn held(step: usize, name: &str, on: &str, state: Pending) -> Event {
    Event::StepHeld { step, service: Some(service(name)), on: Hold::Service { name: on.into(), state } }
}

pub(super) fn log(name: &str, number: u32, line: &str) -> Event {
    let container = format!("shop-{name}-{number}");
    Event::Log { service: service(name), container, number, stream: LogStream::Stdout, line: line.into() }
}

pub(super) fn to_stderr(event: Event) -> Event {
    match event {
        Event::Log { service, container, number, line, .. } => {
            Event::Log { service, container, number, stream: LogStream::Stderr, line }
        }
        other => other,
    }
}

pub(super) fn build_step(names: &[ServiceName], step: &str, name: &str) -> Event {
    Event::BuildStep { services: names.to_vec(), step: step.into(), name: name.into() }
}

pub(super) fn build_step_done(names: &[ServiceName], step: &str, name: &str, cached: bool) -> Event {
    let services = names.to_vec();
    Event::BuildStepDone { services, step: step.into(), name: name.into(), cached, took_ms: 4_100, error: None }
}

pub(super) fn reloaded(action: ReloadAction, timings: Timings, error: Option<Message>) -> Event {
    Event::Reloaded(Reloaded {
        service: service("api"),
        files: vec!["src/app.py".into(), "src/b.py".into()],
        action,
        reason: Some(ReloadReason::Rebuild { why: RebuildReason::Mounted { place: Place { line: 2, column: 1 } } }),
        timings,
        error,
    })
}

pub(super) fn timings() -> Timings {
    Timings { noticed_us: 3_000, decided_us: 1_200, synced_us: 2_000, restarted_us: 7_800 }
}

/// A first start with everything that may happen in one.
pub(super) fn up() -> Vec<(u64, Event)> {
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
                containers: vec![],
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
pub(super) fn failing() -> Vec<(u64, Event)> {
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
