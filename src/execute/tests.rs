//! The executor on the fake engine. Time is virtual, and nothing sleeps for real.

mod builds;
mod law;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::json;

use super::testing::{Events, Rig, project};
use super::{Cause, Depth, Pass, RunOptions};
use crate::engine::ErrorKind;
use crate::engine::fake::Script;
use crate::event::Event;
use crate::model::{Health, HealthProbe, Project, ServiceName};
use crate::plan::{self, Op, Plan, UpOptions};

fn done(what: &str) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::StepDone { op, .. } if op.to_string() == what)
}

fn started(what: &str) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::StepStarted { op, .. } if op.to_string() == what)
}

/// What was skipped, with the cause.
fn skipped(events: &Events) -> Vec<(String, String)> {
    let skip = |event: Event| match event {
        Event::StepSkipped { op, because, .. } => {
            Some((op.to_string(), format!("{}: {}", because.service?, because.text)))
        }
        _ => None,
    };
    events.all().into_iter().filter_map(skip).collect()
}

/// The engine's call that builds the image of a service.
fn build_call(plan: &Plan, service: &str) -> String {
    let image = plan.steps.iter().find_map(|step| match &step.op {
        Op::Build { services, image, .. } if services.iter().any(|s| s.as_str() == service) => Some(image.clone()),
        _ => None,
    });
    format!("build {}", image.unwrap())
}

/// No step begins before those are done that it comes after.
fn assert_in_order(events: &Events) {
    let (mut after, mut done) = (HashMap::new(), HashSet::new());
    for event in events.all() {
        match event {
            Event::Plan { steps, .. } => after.extend(steps.into_iter().map(|step| (step.step, step.after))),
            Event::StepStarted { step, op, .. } => {
                assert!(after[&step].iter().all(|before| done.contains(before)), "{op} began too early");
            }
            Event::StepDone { step, .. } => assert!(done.insert(step), "step {step} was done twice"),
            _ => {}
        }
    }
}

/// db ← api ← web, and `other` that needs nobody.
fn chain() -> Project {
    project(json!({
        "db": {"image": "db"},
        "api": {"image": "api", "depends_on": {"db": {"condition": "service_started", "required": true}}},
        "web": {"image": "web", "depends_on": {"api": {"condition": "service_started", "required": true}}},
        "other": {"image": "other"}
    }))
}

#[tokio::test(start_paused = true)]
async fn a_held_step_holds_only_its_dependents() {
    let rig = Rig::new(chain());
    let mut hold = rig.engine.hold("start db");
    let plan = rig.plan().await;
    let options = RunOptions::default();
    let run = rig.executor.run(&rig.project, &plan, &options);
    let watch = async {
        hold.reached().await;
        rig.events.wait(0, "the other service", done("start container p-other-1")).await;
        rig.events.wait(0, "the container of web", done("create container p-web-1")).await;
        assert_eq!(rig.events.count(started("start container p-api-1")), 0, "api needs db");
        hold.release();
    };
    let (outcome, ()) = tokio::join!(run, watch);
    assert!(outcome.is_success() && outcome.done == plan.steps.len());
    assert_in_order(&rig.events);
}

#[tokio::test(start_paused = true)]
async fn a_failure_skips_exactly_its_dependents_and_says_the_cause() {
    let rig = Rig::new(chain());
    rig.engine.fail_next("start db", ErrorKind::Other);
    let outcome = rig.up(&RunOptions { keep_going: true, ..RunOptions::default() }).await;
    assert_eq!(outcome.failures.len(), 1);
    let because = "db: start db was told to fail".to_owned();
    let expected = [("start container p-api-1", &because), ("start container p-web-1", &because)];
    let expected: Vec<(String, String)> = expected.map(|(what, why)| (what.to_owned(), why.clone())).to_vec();
    assert_eq!(skipped(&rig.events), expected);
    let names: Vec<&str> = outcome.incomplete.iter().map(crate::model::ServiceName::as_str).collect();
    assert_eq!(names, ["db", "api", "web"]);
    assert!(rig.engine.is_running("other"), "with --keep-going all others go on");
}

/// The engine starts the agent, and the agent finds that there is nothing to run.
#[tokio::test(start_paused = true)]
async fn a_program_that_is_not_there_fails_the_start_behind_an_agent_too() {
    let rig = Rig::new(chain());
    rig.engine.script("db", Script::without_its_program("slep"));
    let outcome = rig.up(&RunOptions::default()).await;
    let [failure] = &outcome.failures[..] else { panic!("{:?}", outcome.failures) };
    assert_eq!(failure.cause, Cause::Unhealthy);
    assert!(failure.message.text.starts_with("the image has no program slep"), "{}", failure.message.text);
    assert_eq!(failure.message.hints, ["did you mean `sleep`?"]);
}

/// Where containers say that they are what is wanted, nobody asks for the images that they were built as.
#[tokio::test(start_paused = true)]
async fn images_are_looked_at_where_something_is_to_be_done() {
    let build = json!({"context": "/src/a", "tags": ["extra:1"]});
    let rig = Rig::new(project(json!({"a": {"build": build}, "b": {"image": "b"}})));
    rig.up(&RunOptions::default()).await;
    assert!(rig.plan().await.is_empty(), "the names of `build.tags` are there too");
    let plan = async |options: UpOptions| {
        let (services, run) = ([ServiceName::from("a"), ServiceName::from("b")], RunOptions::default());
        let (executor, project) = (&rig.executor, &rig.project);
        let pass = Pass { executor, project, services: &services, options: &options, run: &run };
        pass.prepared(Depth::Plan).await.map(|view| plan::up(view.input(&HashMap::new()), &options).unwrap())
    };
    rig.engine.fail_next("image p-a", ErrorKind::Other);
    assert!(plan(UpOptions::default()).await.unwrap().is_empty());
    let forced = UpOptions { recreate: plan::Recreate::Always, ..UpOptions::default() };
    assert!(plan(forced.clone()).await.is_err(), "it was asked for");
    assert!(!plan(forced).await.unwrap().steps.iter().any(|step| matches!(step.op, Op::Build { .. })), "it is there");
    rig.sources.write("/src/a/main.c", "new");
    let edited = plan(UpOptions::default()).await.unwrap();
    let whole = rig.plan().await;
    assert!(edited.steps.iter().any(|step| matches!(step.op, Op::Build { .. })));
    assert_eq!(edited, whole);
}

/// One service builds, one waits for its health, one is pulled; and one fails when all of them are at it.
async fn fails_beside(keep_going: bool) -> (Rig, super::Outcome) {
    let rig = Rig::new(project(json!({
        "built": {"build": {"context": "/src/built"}},
        "sick": {"image": "sick", "healthcheck": {"test": ["CMD", "x"]}},
        "late": {"image": "late", "depends_on": {"sick": {"condition": "service_healthy", "required": true}}},
        "bad": {"image": "bad"}
    })));
    rig.engine.script("sick", Script { health: Some((Duration::from_mins(1), Health::Healthy)), ..Script::default() });
    let plan = rig.plan().await;
    let mut build = rig.engine.hold(&build_call(&plan, "built"));
    let mut bad = rig.engine.hold("start bad");
    rig.engine.fail_next("start bad", ErrorKind::Other);
    let options = RunOptions { keep_going, ..RunOptions::default() };
    let watch = async {
        build.reached().await;
        bad.reached().await;
        rig.events.wait(0, "the wait", |e| matches!(e, Event::StepHeld { .. })).await;
        bad.release();
        if keep_going {
            rig.events.wait(0, "the failure", |e| matches!(e, Event::StepFailed { .. })).await;
            build.release();
        } else {
            // Never released: the build is dropped.
            std::future::pending::<()>().await;
        }
    };
    let outcome = async {
        tokio::select! {
            outcome = rig.executor.run(&rig.project, &plan, &options) => outcome,
            () = async { watch.await; std::future::pending().await } => unreachable!(),
        }
    }
    .await;
    (rig, outcome)
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_nothing_begins_and_what_can_be_dropped_is() {
    let (rig, outcome) = fails_beside(false).await;
    assert_eq!(outcome.failures.len(), 1, "what was dropped has no failure of its own");
    assert!(!outcome.cancelled, "nobody asked for it");
    assert_eq!(rig.events.count(|e| matches!(e, Event::StepFailed { .. })), 1);
    let journal = rig.engine.journal();
    assert!(!journal.contains(&"create built".to_owned()), "{journal:?}");
    assert!(!journal.contains(&"start late".to_owned()), "{journal:?}");
    assert!(rig.engine.container("built").is_none());
}

#[tokio::test(start_paused = true)]
async fn with_keep_going_all_that_can_be_done_is() {
    let (rig, outcome) = fails_beside(true).await;
    assert_eq!(outcome.failures.len(), 1);
    for service in ["built", "sick", "late"] {
        assert!(rig.engine.is_running(service), "{service}");
    }
    assert_in_order(&rig.events);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_drops_the_build_and_has_no_failure() {
    let rig = Rig::new(project(json!({"built": {"build": {"context": "/src/built"}}})));
    let plan = rig.plan().await;
    let mut build = rig.engine.hold(&build_call(&plan, "built"));
    let options = RunOptions::default();
    let cancel = async {
        build.reached().await;
        options.cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(rig.executor.run(&rig.project, &plan, &options), cancel);
    assert!(outcome.cancelled && outcome.failures.is_empty() && !outcome.is_success());
    assert_eq!(outcome.incomplete, ["built".into()]);
    // A request that comes after the last step changes nothing.
    let nothing = rig.executor.run(&rig.project, &Plan::default(), &options).await;
    assert!(nothing.is_success());
}

/// Two services with one context, whose plans are made and carried out side by side.
async fn twins() -> (Rig, [Plan; 2], String) {
    let rig = Rig::new(project(json!({
        "one": {"build": {"context": "/src/one"}},
        "two": {"build": {"context": "/src/one"}}
    })));
    rig.sources.contexts.lock().unwrap().insert("two".into(), "/src/one".into());
    let view = rig.view().await;
    let plans = ["one", "two"].map(|name| {
        let options = UpOptions { services: vec![name.into()], no_deps: true, ..UpOptions::default() };
        plan::up(view.input(&HashMap::new()), &options).unwrap()
    });
    let call = build_call(&plans[0], "one");
    assert_eq!(call, build_call(&plans[1], "two"));
    (rig, plans, call)
}

#[tokio::test(start_paused = true)]
async fn two_jobs_for_one_image_build_it_once_with_steps_of_their_own() {
    let (rig, [one, two], call) = twins().await;
    let mut hold = rig.engine.hold(&call);
    let options = RunOptions::default();
    let watch = async {
        hold.reached().await;
        let begun = |e: &Event| matches!(e, Event::StepStarted { op, .. } if op.to_string() == "build two");
        rig.events.wait(0, "the second build", begun).await;
        hold.release();
    };
    let run = |plan| rig.executor.run(&rig.project, plan, &options);
    let (first, second, ()) = tokio::join!(run(&one), run(&two), watch);
    assert!(first.is_success() && second.is_success());
    assert_eq!(rig.engine.journal().iter().filter(|c| **c == call).count(), 1);
    assert!(rig.engine.is_running("one") && rig.engine.is_running("two"));
    let mut numbers = HashSet::new();
    for event in rig.events.all() {
        if let Event::Plan { steps, .. } = event {
            assert!(steps.iter().all(|step| numbers.insert(step.step)), "a step's number is used twice");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_second_builds_itself_where_the_first_gives_up() {
    let (rig, [one, two], call) = twins().await;
    let mut hold = rig.engine.hold(&call);
    let (given_up, options) = (RunOptions::default(), RunOptions::default());
    let watch = async {
        hold.reached().await;
        let begun = |e: &Event| matches!(e, Event::StepStarted { op, .. } if op.to_string() == "build two");
        rig.events.wait(0, "the second build", begun).await;
        given_up.cancel.cancel();
    };
    let first = rig.executor.run(&rig.project, &one, &given_up);
    let second = rig.executor.run(&rig.project, &two, &options);
    let (first, second, ()) = tokio::join!(first, second, watch);
    assert!(first.cancelled && first.failures.is_empty());
    assert!(second.is_success(), "{:?}", second.failures);
    assert!(rig.engine.is_running("two"));
}

#[tokio::test(start_paused = true)]
async fn what_changes_while_it_is_built_does_not_get_the_measured_name() {
    let rig = Rig::new(project(json!({"web": {"build": {"context": "/src/web"}}})));
    rig.sources.write("/src/web/main", "1");
    let plan = rig.plan().await;
    let call = build_call(&plan, "web");
    let mut hold = rig.engine.hold(&call);
    let options = RunOptions::default();
    let save = async {
        hold.reached().await;
        rig.sources.write("/src/web/main", "2");
        hold.release();
    };
    let (outcome, ()) = tokio::join!(rig.executor.run(&rig.project, &plan, &options), save);
    assert!(outcome.is_success() && rig.engine.is_running("web"));
    // Back on the first branch: an image of a mixture must not be taken for it.
    rig.sources.write("/src/web/main", "1");
    assert_eq!(build_call(&rig.plan().await, "web"), call);
}

/// `late` waits for `first` to be as the condition says.
async fn waits(condition: &str, script: Script, limit: Option<u64>) -> (Rig, super::Outcome) {
    let check = (condition == "service_healthy").then(|| json!({"test": ["CMD", "x"]}));
    let rig = Rig::new(project(json!({
        "first": {"image": "first", "healthcheck": check},
        "late": {"image": "late", "depends_on": {"first": {"condition": condition, "required": true}}}
    })));
    rig.engine.script("first", script);
    let plan = rig.plan().await;
    let mut hold = rig.engine.hold("start first");
    let options = RunOptions { wait_timeout: limit.map(Duration::from_secs), ..RunOptions::default() };
    let prepare = async {
        hold.reached().await;
        let probe = HealthProbe { exit_code: 1, output: "connection refused\n".into() };
        rig.engine.set_health_log("first", vec![probe]);
        hold.release();
    };
    let (outcome, ()) = tokio::join!(rig.executor.run(&rig.project, &plan, &options), prepare);
    (rig, outcome)
}

#[tokio::test(start_paused = true)]
async fn waits_end_when_the_condition_is_met() {
    let later = |health| Script { health: Some((Duration::from_secs(20), health)), ..Script::default() };
    let job = |code| Script { exits: Some((Duration::from_secs(20), code)), ..Script::default() };
    for (condition, script) in [("service_healthy", later(Health::Healthy)), ("service_completed_successfully", job(0))]
    {
        let (rig, outcome) = waits(condition, script, Some(30)).await;
        assert!(outcome.is_success(), "{condition}: {:?}", outcome.failures);
        assert!(rig.engine.is_running("late"), "{condition}");
        assert_eq!(rig.events.count(|e| matches!(e, Event::StepHeld { .. })), 1, "a hold is said once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_cannot_be_met_shows_the_probe_and_the_log() {
    let unhealthy = Script { health: Some((Duration::from_secs(1), Health::Unhealthy)), ..Script::default() };
    let cases = [
        ("service_healthy", unhealthy, None, "first is unhealthy"),
        ("service_healthy", Script::job(3), None, "first exited with 3"),
        ("service_completed_successfully", Script::job(7), None, "first exited with 7"),
        (
            "service_healthy",
            Script::never_healthy(),
            Some(5),
            "first was not ready within 5 s: it is starting; its health check has not passed yet",
        ),
    ];
    for (condition, script, limit, text) in cases {
        let (rig, outcome) = waits(condition, script.logging(&["boom"]), limit).await;
        let [failure] = outcome.failures.as_slice() else { panic!("{text}: {:?}", outcome.failures) };
        assert_eq!((failure.message.text.as_str(), failure.cause), (text, Cause::Unhealthy));
        let detail = failure.message.detail.join("\n");
        assert!(detail.contains("exited with 1:\n  connection refused"), "{text}: {detail}");
        assert!(detail.contains("last lines of the log of p-first-1:\n  boom"), "{text}: {detail}");
        assert!(!rig.engine.is_running("late"), "{text}");
    }
}

/// The log of a container goes on when it is started again.
#[tokio::test(start_paused = true)]
async fn the_log_of_a_failure_is_that_of_its_own_run() {
    let rig = Rig::new(project(json!({
        "first": {"image": "first"},
        "late": {"image": "late", "depends_on":
            {"first": {"condition": "service_completed_successfully", "required": true}}}
    })));
    for line in ["boom", "bang"] {
        rig.engine.script("first", Script::job(7).logging(&[line]));
        let outcome = rig.up(&RunOptions::default()).await;
        assert_eq!(outcome.failures[0].message.detail, ["last lines of the log of p-first-1:", &format!("  {line}")]);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    // One that the engine does not start has written nothing.
    rig.engine.fail_next("start first", ErrorKind::Other);
    let outcome = rig.up(&RunOptions::default()).await;
    assert_eq!(outcome.failures[0].message.detail, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn ready_is_healthy_or_running_or_completed() {
    let rig = Rig::new(project(json!({
        "plain": {"image": "plain"},
        "checked": {"image": "checked", "healthcheck": {"test": ["CMD", "x"]}},
        "job": {"image": "job"},
        "late": {"image": "late", "depends_on":
            {"job": {"condition": "service_completed_successfully", "required": true}}}
    })));
    rig.engine
        .script("checked", Script { health: Some((Duration::from_secs(9), Health::Healthy)), ..Script::default() });
    rig.engine.script("job", Script::job(0));
    let options = UpOptions { wait: true, ..UpOptions::default() };
    let plan = plan::up(rig.view().await.input(&HashMap::new()), &options).unwrap();
    let outcome = rig.executor.run(&rig.project, &plan, &RunOptions::default()).await;
    assert!(outcome.is_success(), "{:?}", outcome.failures);
    assert_eq!(rig.engine.container("checked").unwrap().health, Some(Health::Healthy));
}

#[tokio::test(start_paused = true)]
async fn a_taken_port_names_its_holder() {
    let port = json!([{"target": 80, "published": "8080", "protocol": "tcp"}]);
    let rig = Rig::new(project(json!({
        "first": {"image": "first", "ports": port},
        "second": {"image": "second", "ports": port,
            "depends_on": {"first": {"condition": "service_started", "required": true}}}
    })));
    let outcome = rig.up(&RunOptions::default()).await;
    let [failure] = outcome.failures.as_slice() else { panic!("{:?}", outcome.failures) };
    assert_eq!(failure.message.text, "port 8080 of the host is taken by container p-first-1 (p)");
    assert!(failure.message.hints[0].starts_with("free port 8080"), "{:?}", failure.message.hints);
}
