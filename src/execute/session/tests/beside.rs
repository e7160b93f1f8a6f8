//! What goes on beside a plan that waits, and beside what never ends.

use serde_json::json;

use super::*;
use crate::engine::fake::Script;
use crate::model::{Condition, Health};

/// `api` waits for `db`, which never becomes healthy by itself; `web` has nothing to do with either.
fn waiting() -> Running {
    let build = |service: &str| json!({"context": format!("/src/{service}")});
    let rig = rig(json!({
        "db": {"build": build("db"), "healthcheck": {"test": ["CMD", "true"]}},
        "api": {"build": build("api"), "depends_on": {"db": {"condition": "service_healthy"}}},
        "web": {"build": build("web")},
    }));
    rig.engine.script("db", Script::never_healthy());
    start(rig, options())
}

fn held(event: &Event) -> bool {
    matches!(event, Event::StepHeld { .. })
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_waits_holds_back_no_save() {
    let running = waiting();
    let at = running.wait(0, "the wait", held).await;
    running.wait(at, "the watch", |e| matches!(e, Event::Watching { .. })).await;
    running.saved("/src/web/sync/main.py", "2").await;
    // Not before it is started.
    running.save("/src/api/sync/main.py", "2").await;
    running.saved("/src/web/main", "3").await;
    let db = running.rig.engine.container("db").unwrap().id;
    // The service that is waited for: what mends it, most likely.
    running.saved("/src/db/main", "2").await;
    assert_ne!(running.rig.engine.container("db").unwrap().id, db);
    let so_far = ["web: synced + container restarted", "web: rebuilt + recreated", "db: rebuilt + recreated"];
    assert_eq!(running.rig.events.reloads(), so_far);
    assert_eq!(running.rig.events.count(ready), 0);
    assert!(!running.rig.engine.is_running("api"));
    let at = running.rig.events.all().len();
    running.rig.engine.set_health("db", Health::Healthy);
    running.wait(at, "the save of what was started now", reloaded).await;
    running.wait(at, "ready", ready).await;
    assert_eq!(running.rig.events.reloads()[3..], ["api: synced + container restarted"]);
    assert_eq!(running.rig.events.texts(), [] as [&str; 0]);
    let (rig, _) = running.stop().await;
    assert_eq!(rig.events.count(|e| matches!(e, Event::Watching { .. })), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_synced_beside_a_plan_is_caught_up_with() {
    let running = start(
        {
            let Running { rig, session, .. } = waiting();
            session.abort();
            rig
        },
        SessionOptions { catch_up: true, ..options() },
    );
    running.wait(0, "the wait", held).await;
    running.saved("/src/web/sync/main.py", "2").await;
    running.rig.engine.set_health("db", Health::Healthy);
    let at = running.wait(0, "ready", ready).await;
    running.wait(at, "its image", |e| matches!(e, Event::CaughtUp { .. })).await;
}

#[tokio::test(start_paused = true)]
async fn an_edit_of_the_manifest_ends_a_wait() {
    let running = waiting();
    running.wait(0, "the wait", held).await;
    {
        let mut project = running.rig.sources.project.lock().unwrap();
        let api = project.as_mut().unwrap().services.get_mut("api").unwrap();
        api.depends_on.values_mut().for_each(|dependency| dependency.condition = Condition::Started);
    }
    running.touch(&["/m/devenv.yaml"]).await;
    let started = |e: &Event| matches!(e, Event::StepDone { op, .. } if op.to_string() == "start container p-api-1");
    running.wait(0, "its start", started).await;
    assert!(running.rig.engine.is_running("api"));
    assert_eq!(running.rig.events.texts(), [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_broken_manifest_leaves_the_wait_as_it_is() {
    let running = waiting();
    running.wait(0, "the wait", held).await;
    running.rig.sources.errors.lock().unwrap().push(crate::event::Message::new("no"));
    running.touch(&["/m/devenv.yaml"]).await;
    running.wait(0, "the error", notice("the manifest has errors")).await;
    running.saved("/src/web/main", "2").await;
    running.rig.engine.set_health("db", Health::Healthy);
    running.wait(0, "ready", ready).await;
}

#[tokio::test(start_paused = true)]
async fn a_save_that_never_ends_does_not_hold_the_end() {
    let running = start(rig(json!({"web": {"build": {"context": "/src/web"}}})), options());
    running.up().await;
    let mut hold = running.rig.engine.hold("upload web /");
    running.save("/src/web/sync/main.py", "2").await;
    hold.reached().await;
    let began = now();
    let (rig, end) = running.stop().await;
    assert!(matches!(end, End::Stopped { killed: false }), "{end:?}");
    assert!(!rig.engine.is_running("web"));
    assert!(now() - began < std::time::Duration::from_secs(3), "{:?}", now() - began);
    drop(hold);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_hangs_does_not_hold_the_end() {
    for held in ["observe", "stop web", "start web"] {
        let rig = rig(json!({"web": {"build": {"context": "/src/web"}}}));
        let early = (held == "start web").then(|| rig.engine.hold(held));
        let running = start(rig, options());
        if let Some(mut early) = early {
            early.reached().await;
            std::mem::forget(early);
        } else {
            running.up().await;
            std::mem::forget(running.rig.engine.hold(held));
        }
        let silent = running.rig.engine.hold("ping");
        let began = now();
        let (_, end) = running.stop().await;
        let End::Failed(failures) = end else { panic!("{held}: {end:?}") };
        assert!(failures[0].message.text.contains("does not answer"), "{held}: {failures:?}");
        assert!(now() - began < std::time::Duration::from_secs(5), "{held}: {:?}", now() - began);
        drop(silent);
    }
}
