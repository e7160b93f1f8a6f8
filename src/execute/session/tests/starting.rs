//! From nothing to a stack that is watched, and what happens when that fails.

use serde_json::json;

use super::*;
use crate::engine::fake::Script;
use crate::engine::{Channel, ErrorKind};
use crate::event::State;
use crate::model::ContainerState;

#[tokio::test(start_paused = true)]
async fn the_stack_comes_up_and_then_is_ready_and_watched() {
    let running = start(
        rig(json!({
            "web": {"build": {"context": "/src/web"}, "ports": [{"target": 80, "published": "8080"}]},
            "db": {"image": "db"}
        })),
        options(),
    );
    let watching =
        |e: &Event| matches!(e, Event::Watching { services, folders } if *services == ["web".into()] && *folders == 2);
    running.wait(0, "the watch", watching).await;
    assert_eq!(running.rig.events.count(ready), 0, "nothing has lived for long enough");
    running.wait(0, "ready", |e| matches!(e, Event::Ready { services: 2, waited: true, .. })).await;
    let url = |e: &Event| matches!(e, Event::Url { url, answers: true, .. } if url == "http://localhost:8080");
    assert_eq!(running.rig.events.count(url), 1);
    assert!(running.rig.engine.is_running("web") && running.rig.engine.is_running("db"));
    // A change of the manifest that changes nothing is planned, and not said again.
    let at = running.rig.events.all().len();
    running.touch(&["/m/devenv.yaml"]).await;
    running.wait(at, "another plan", |e| matches!(e, Event::Plan { .. })).await;
    let (rig, end) = running.stop().await;
    assert!(matches!(end, End::Stopped { killed: false }));
    assert_eq!(rig.events.count(|e| matches!(e, Event::Watching { .. })), 1);
    assert_eq!(rig.events.count(ready), 1);
}

#[tokio::test(start_paused = true)]
async fn the_watch_is_set_before_the_plan_is_carried_out() {
    let rig = rig(json!({"web": {"build": {"context": "/src/web"}}}));
    let mut hold = rig.engine.hold("start web");
    let running = start(rig, options());
    hold.reached().await;
    assert!(running.folders.lock().unwrap().last().unwrap().contains(std::path::Path::new("/src/web")));
    // Saved while the stack comes up: answered when it is.
    running.save("/src/web/main", "2").await;
    hold.release();
    let at = running.up().await;
    running.wait(at, "the save", reloaded).await;
    assert_eq!(running.rig.events.reloads(), ["web: rebuilt + recreated"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_saved_between_measure_and_watch_is_measured_again() {
    let rig = rig(json!({"web": {"build": {"context": "/src/web"}}}));
    let hook = |sources: &crate::execute::testing::FakeSources| sources.write("/src/web/main", "late");
    *rig.sources.on_measure.lock().unwrap() = Some(Box::new(hook));
    let running = start(rig, options());
    running.up().await;
    let wanted = running.rig.view().await.wanted;
    let digest = wanted.images["web"].digest().unwrap().to_string();
    assert_eq!(running.inputs("web"), digest, "the container is of what is there, and nobody told of the change");
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_ends_the_session() {
    let rig = rig(json!({
        "db": {"image": "db"},
        "web": {"image": "web", "depends_on": {"db": {"condition": "service_started"}}},
        "job": {"build": {"context": "/src/job"}, "depends_on": {"web": {"condition": "service_started"}}},
    }));
    rig.engine.fail_next("start web", ErrorKind::Other);
    let (rig, end) = start(rig, options()).end().await;
    let End::Failed(failures) = end else { panic!("{end:?}") };
    assert_eq!(failures[0].message.text, "start web was told to fail");
    assert_eq!(rig.events.count(ready), 0);
    let runs_on = notice("db runs on in the background");
    assert_eq!(rig.events.count(runs_on), 1, "{:#?}", rig.events.all());
}

#[tokio::test(start_paused = true)]
async fn with_stay_a_save_tries_the_failed_start_again() {
    let rig = rig(json!({"web": {"build": {"context": "/src/web"}}}));
    rig.engine.fail_next("start web", ErrorKind::Other);
    let running = start(rig, SessionOptions { stay: true, ..options() });
    let at = running.wait(0, "the wait", notice("waiting for a change")).await;
    assert!(!running.rig.engine.is_running("web"));
    running.save("/src/web/main", "2").await;
    running.wait(at, "the state", |e| matches!(e, Event::State { state, .. } if *state == State::Running)).await;
    let (rig, end) = running.stop().await;
    assert!(matches!(end, End::Stopped { .. }));
    assert_eq!(rig.engine.state_of("web"), Some(ContainerState::Exited(0)));
}

#[tokio::test(start_paused = true)]
async fn only_what_old_containers_write_from_now_on_is_shown() {
    let rig = rig(json!({"web": {"image": "web"}, "db": {"image": "db"}}));
    rig.engine.script("db", Script::default().logging(&["db is up"]));
    assert!(rig.up(&crate::execute::RunOptions::default()).await.is_success());
    rig.engine.log("web", Channel::Out, "long ago");
    // Runs no more, and is started again by the session.
    rig.engine.exit("db", 1);
    tokio::time::advance(std::time::Duration::from_millis(1)).await;
    let running = start(rig, options());
    running.wait(0, "ready", ready).await;
    running.rig.engine.log("web", Channel::Out, "now");
    running.wait(0, "the line", |e| matches!(e, Event::Log { line, .. } if line == "now")).await;
    let (rig, _) = running.stop().await;
    let mut logs = rig.events.logs();
    logs.sort();
    assert_eq!(logs, ["db: db is up", "web: now"]);
}

#[tokio::test(start_paused = true)]
async fn logs_go_on_across_restart_and_recreation() {
    let rig = rig(json!({"web": {"build": {"context": "/src/web"}}}));
    rig.engine.script("web", Script::default().logging(&["one"]));
    let running = start(rig, options());
    running.up().await;
    running.rig.engine.script("web", Script::default().logging(&["two"]));
    running.request(Request::Restart("web".into())).await;
    running.wait(0, "the restart", reloaded).await;
    running.rig.engine.script("web", Script::default().logging(&["three"]));
    running.saved("/src/web/main", "2").await;
    running.rig.engine.log("web", Channel::Err, "four");
    let (rig, _) = running.stop().await;
    assert_eq!(rig.events.reloads(), ["web: container restarted", "web: rebuilt + recreated"]);
    assert_eq!(rig.events.logs(), ["web: one", "web: two", "web: three", "web: four"]);
}

#[tokio::test(start_paused = true)]
async fn an_edit_of_the_manifest_while_the_first_plan_is_looked_at_is_not_forgotten() {
    for held in ["events", "observe"] {
        let rig = rig(json!({"web": {"image": "web"}}));
        let mut look = rig.engine.hold(held);
        let running = start(rig, options());
        look.reached().await;
        assert!(running.folders.lock().unwrap()[0].contains(std::path::Path::new("/m")), "{held}");
        running.rig.sources.project.lock().unwrap().as_mut().unwrap().services.get_mut("web").unwrap().scale = Some(2);
        running.touch(&["/m/devenv.yaml"]).await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        look.release();
        let started =
            |e: &Event| matches!(e, Event::StepDone { op, .. } if op.to_string() == "start container p-web-2");
        running.wait(0, "the second container", started).await;
    }
}
