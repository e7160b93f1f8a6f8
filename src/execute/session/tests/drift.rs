//! Containers that somebody else made or started, and what was synced before.

use std::time::Duration;

use indexmap::IndexMap;
use serde_json::json;

use super::*;
use crate::engine::{Engine as _, ErrorKind};
use crate::model::ContainerId;

fn web() -> Rig {
    rig(json!({"web": {"build": {"context": "/src/web"}}}))
}

impl Running {
    /// Recreates a service's container as another program would, from the image that this label is of.
    async fn recreate(&self, service: &str, inputs: Option<&str>) -> ContainerId {
        let engine = &self.rig.engine;
        let view = self.rig.view().await;
        let definition = &view.project.services[service];
        let mut spec = crate::plan::container_spec(&view.project, definition, 1, &view.wanted, &IndexMap::new());
        // Without one of its own a container has that of its image.
        spec.labels.insert("io.hob.inputs".into(), inputs.unwrap_or_default().into());
        let old = engine.container(service).unwrap().id;
        engine.remove_container(&old, false).await.unwrap();
        let id = engine.create_container(&spec).await.unwrap();
        engine.start(&id).await.unwrap();
        id
    }

    fn file(&self, path: &str) -> Option<String> {
        self.rig.engine.file("web", path).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_synced_is_brought_into_a_container_of_an_older_image() {
    let running = start(web(), options());
    running.up().await;
    let old = running.inputs("web");
    running.saved("/src/web/sync/a", "1").await;
    running.saved("/src/web/sync/b", "1").await;
    running.rig.engine.take_journal();
    let at = running.rig.events.all().len();
    let id = running.recreate("web", Some(&old)).await;
    running.wait(at, "the sync", reloaded).await;
    assert_eq!(running.rig.events.reloads()[2..], ["web: synced + container restarted"]);
    assert_eq!((running.file("/app/sync/a"), running.file("/app/sync/b")), (Some("1".into()), Some("1".into())));
    assert_eq!(running.rig.engine.container("web").unwrap().id, id);
    let done = running.rig.engine.take_journal();
    assert_eq!(done, ["remove web", "create web", "start web", "upload web /", "restart web"]);
    // Once; and the next save is one like any other.
    tokio::time::sleep(Duration::from_mins(1)).await;
    running.saved("/src/web/sync/a", "2").await;
    assert_eq!(running.rig.events.reloads().len(), 4, "{:?}", running.rig.events.reloads());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_synced_into_it_is_built_or_is_there_already() {
    for known in [true, false] {
        let running = start(web(), options());
        running.up().await;
        let old = running.inputs("web");
        running.saved("/src/web/main.c", "2").await;
        let new = running.inputs("web");
        running.rig.engine.take_journal();
        let at = running.rig.events.all().len();
        running.recreate("web", known.then_some(old.as_str())).await;
        running.wait(at, "the recreation", reloaded).await;
        assert_eq!(running.rig.events.reloads()[1..], ["web: rebuilt + recreated"]);
        assert_eq!(running.inputs("web"), new);
        let journal = running.rig.engine.take_journal();
        assert!(journal.iter().all(|call| !call.starts_with("build ")), "its image is there: {journal:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_not_confirmed_to_be_in_it_is_built_again_at_once() {
    let running = start(web(), options());
    let at = running.up().await;
    running.write("/src/web/main.c", "2");
    let mut build = running.hold_build("web").await;
    running.touch(&["/src/web/main.c"]).await;
    build.reached().await;
    // What the builder reads of it is neither what was measured nor told by the system.
    running.write("/src/web/main.c", "3");
    build.release();
    let at = running.wait(at, "the build", reloaded).await;
    running.wait(at, "another one", reloaded).await;
    assert!(running.rig.plan().await.is_empty(), "{:?}", running.inputs("web"));
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(running.rig.events.reloads(), ["web: rebuilt + recreated", "web: rebuilt + recreated"]);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_has_it_all_is_left_alone() {
    let running = start(web(), options());
    running.up().await;
    running.saved("/src/web/main.c", "2").await;
    let new = running.inputs("web");
    let id = running.recreate("web", Some(&new)).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    // A restart keeps the files.
    running.saved("/src/web/sync/a", "1").await;
    running.rig.engine.restart(&id, None).await.unwrap();
    running.rig.engine.take_journal();
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(running.rig.events.reloads().len(), 2, "{:?}", running.rig.events.reloads());
    assert_eq!(running.rig.engine.journal(), [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_rules_brought_into_a_foreign_image_is_brought_again() {
    let rule = json!({"path": "/src/web/sync", "action": "sync", "target": "/app/sync"});
    let running = start(rig(json!({"web": {"image": "web", "develop": {"watch": [rule]}}})), options());
    running.up().await;
    running.saved("/src/web/sync/exec/a", "1").await;
    let at = running.rig.events.all().len();
    running.recreate("web", None).await;
    assert_eq!(running.file("/app/sync/exec/a"), None);
    running.wait(at, "the sync", reloaded).await;
    assert_eq!(running.file("/app/sync/exec/a"), Some("1".into()));
}

#[tokio::test(start_paused = true)]
async fn what_was_saved_while_the_engine_was_away_is_synced() {
    let running = start(web(), options());
    let at = running.up().await;
    let id = running.rig.engine.container("web").unwrap().id;
    running.saved("/src/web/sync/a", "1").await;
    running.rig.engine.go_away();
    let at = running.wait(at, "the loss", |e| matches!(e, Event::Error(_))).await;
    running.save("/src/web/sync/b", "2").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    running.rig.engine.take_journal();
    running.rig.engine.come_back();
    let at = running.wait(at, "the return", notice("the engine is back")).await;
    running.wait(at, "the sync", reloaded).await;
    assert_eq!(running.rig.events.reloads()[1..], ["web: synced + container restarted"]);
    assert_eq!(running.rig.engine.take_journal(), ["upload web /", "restart web"]);
    assert_eq!(running.rig.engine.container("web").unwrap().id, id);
    assert_eq!(running.file("/app/sync/b"), Some("2".into()));
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(running.rig.engine.journal(), [] as [&str; 0]);
}

/// What a job fails to do because the engine goes away under it is done when it is back: no save comes to ask for it.
#[tokio::test(start_paused = true)]
async fn what_the_engine_went_away_from_is_done_when_it_is_back() {
    for fails_before in [true, false] {
        let running = start(web(), options());
        let at = running.up().await;
        let mut upload = running.rig.engine.hold("upload web /");
        running.save("/src/web/sync/a", "1").await;
        upload.reached().await;
        running.rig.engine.go_away();
        let mut at = running.wait(at, "the loss", |e| matches!(e, Event::Error(_))).await;
        if fails_before {
            upload.release();
            tokio::time::sleep(Duration::from_secs(2)).await;
            running.rig.engine.come_back();
            at = running.wait(at, "the return", notice("the engine is back")).await;
        } else {
            running.rig.engine.come_back();
            at = running.wait(at, "the return", notice("the engine is back")).await;
            running.rig.engine.fail_next("upload web /", ErrorKind::Lost);
            upload.release();
        }
        running.wait(at, "the sync", |e| reloaded(e) && !matches!(e, Event::Reloaded(r) if r.error.is_some())).await;
        assert_eq!(running.file("/app/sync/a"), Some("1".into()), "{fails_before}");
        tokio::time::sleep(Duration::from_mins(1)).await;
        let (rig, _) = running.stop().await;
        let done = rig.events.reloads();
        assert_eq!(done.last().unwrap(), "web: synced + container restarted", "{fails_before}: {done:?}");
        assert_eq!(done.len(), if fails_before { 1 } else { 2 }, "{done:?}");
    }
}

/// A whole plan too, where it fails only after the engine is back.
#[tokio::test(start_paused = true)]
async fn a_plan_that_the_engine_went_away_from_is_made_again() {
    let running = start(web(), options());
    let at = running.up().await;
    running.write("/src/web/main.c", "2");
    let build = running.build_call("web").await;
    let mut held = running.rig.engine.hold(&build);
    running.touch(&["/m/devenv.yaml"]).await;
    held.reached().await;
    running.rig.engine.go_away();
    let at = running.wait(at, "the loss", |e| matches!(e, Event::Error(_))).await;
    running.rig.engine.come_back();
    let at = running.wait(at, "the return", notice("the engine is back")).await;
    running.rig.engine.fail_next(&build, ErrorKind::Lost);
    held.release();
    let at = running.wait(at, "the failure", |e| matches!(e, Event::Error(_))).await;
    let started = |e: &Event| matches!(e, Event::StepDone { op, .. } if op.to_string() == "start container p-web-1");
    running.wait(at, "the new container", started).await;
}

#[tokio::test(start_paused = true)]
async fn an_initial_sync_that_the_engine_cut_is_done_when_it_is_back() {
    let rule = json!({"path": "/src/web/sync/initial", "action": "sync", "target": "/app", "initial_sync": true});
    let rig = rig(json!({"web": {"build": {"context": "/src/web"}, "develop": {"watch": [rule]}}}));
    let mut upload = rig.engine.hold("upload web /");
    let running = start(rig, options());
    running.write("/src/web/sync/initial/a", "1");
    let at = running.up().await;
    upload.reached().await;
    running.rig.engine.go_away();
    let at = running.wait(at, "the loss", |e| matches!(e, Event::Error(_))).await;
    upload.release();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(running.file("/app/sync/initial/a"), None);
    running.rig.engine.come_back();
    let at = running.wait(at, "the return", notice("the engine is back")).await;
    running.wait(at, "the sync", reloaded).await;
    assert_eq!(running.file("/app/sync/initial/a"), Some("1".into()));
}

#[tokio::test(start_paused = true)]
async fn a_watch_without_up_brings_in_what_was_saved_before_it() {
    let rig = web();
    assert!(rig.up(&crate::execute::RunOptions::default()).await.is_success());
    rig.sources.write("/src/web/sync/a", "saved before");
    let running = start(rig, SessionOptions { apply: false, ..options() });
    running.write("/src/web/sync/a", "saved before");
    let from = running.up().await;
    running.wait(from, "the sync", reloaded).await;
    assert_eq!(running.rig.events.reloads(), ["web: synced + container restarted"]);
    assert_eq!(running.file("/app/sync/a"), Some("saved before".into()));
}

#[tokio::test(start_paused = true)]
async fn a_rule_whose_files_a_bind_mount_shows_is_warned_of_once() {
    let rule = |path: &str, action: &str| json!({"path": path, "action": action, "target": "/app/x"});
    let rules =
        json!([rule("/src/web/sync/a", "sync"), rule("/src/web/other", "sync"), rule("/src/web/sync", "rebuild")]);
    let mount = json!({"type": "bind", "source": "/src/web/sync", "target": "/app/sync"});
    let web = json!({"image": "web", "volumes": [mount], "develop": {"watch": rules}});
    let running = start(rig(json!({"web": web})), options());
    running.up().await;
    running.touch(&["/m/devenv.yaml"]).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    let warned = |e: &Event| {
        let text = "/src/web/sync/a is not synced: a bind mount of web shows it to the container already";
        matches!(e, Event::Warning(message) if message.text == text)
    };
    assert_eq!(running.rig.events.count(warned), 1);
    assert_eq!(running.rig.events.count(|e| matches!(e, Event::Warning(_))), 1);
}

#[tokio::test(start_paused = true)]
async fn initial_sync_fills_every_new_container() {
    let rule = json!({"path": "/src/web/sync/initial", "action": "sync", "target": "/app", "initial_sync": true});
    let rig = rig(json!({"web": {"build": {"context": "/src/web"}, "develop": {"watch": [rule]}}}));
    let running = start(rig, options());
    running.write("/src/web/sync/initial/a", "1");
    let at = running.up().await;
    let at = running.wait(at, "the first sync", reloaded).await;
    assert_eq!(running.file("/app/sync/initial/a"), Some("1".into()));
    running.saved("/src/web/main.c", "1").await;
    running
        .wait(
            at + 1,
            "the sync after the rebuild",
            |e| matches!(e, Event::Reloaded(r) if r.action.to_string() == "synced"),
        )
        .await;
    assert_eq!(running.file("/app/sync/initial/a"), Some("1".into()));
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(running.rig.events.reloads(), ["web: synced", "web: rebuilt + recreated", "web: synced"]);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_makes_anew_while_a_plan_is_carried_out_is_compared() {
    let running = start(rig(json!({"web": {"build": {"context": "/src/web"}}, "db": {"image": "db"}})), options());
    running.up().await;
    running.saved("/src/web/sync/a", "1").await;
    running.rig.sources.project.lock().unwrap().as_mut().unwrap().services.get_mut("db").unwrap().scale = Some(2);
    let mut create = running.rig.engine.hold("create db#2");
    running.touch(&["/m/devenv.yaml"]).await;
    create.reached().await;
    let at = running.rig.events.all().len();
    let inputs = running.inputs("web");
    running.recreate("web", Some(&inputs)).await;
    create.release();
    running.wait(at, "the sync", reloaded).await;
    assert_eq!(running.file("/app/sync/a"), Some("1".into()));
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_does_not_run_at_a_save_gets_it_when_it_runs() {
    let services = json!({"web": {"build": {"context": "/src/web"}, "scale": 2}});
    let running = start(rig(services), options());
    running.up().await;
    // So soon after the plan that the engine's word counts as its echo.
    let second = running.rig.engine.container("web#2").unwrap().id;
    running.rig.engine.exit("web#2", 0);
    let at = running.saved("/src/web/sync/a", "1").await;
    assert_eq!(running.rig.engine.file("web#2", "/app/sync/a"), None);
    running.rig.engine.start(&second).await.unwrap();
    running.wait(at, "the sync into the second", reloaded).await;
    assert!(running.rig.engine.file("web#2", "/app/sync/a").is_some());
}
