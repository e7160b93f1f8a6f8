//! The image of what was synced is built when a service has been quiet.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::engine::ErrorKind;

fn web() -> Rig {
    rig(json!({"web": {"build": {"context": "/src/web"}}, "db": {"image": "db"}}))
}

fn catching_up() -> SessionOptions {
    SessionOptions { catch_up: true, ..options() }
}

fn caught_up(event: &Event) -> bool {
    matches!(event, Event::CaughtUp { .. })
}

fn builds(running: &Running) -> usize {
    running.rig.engine.journal().iter().filter(|call| call.starts_with("build ")).count()
}

/// What a new `up` would build.
async fn to_build(running: &Running) -> usize {
    let is_build = |step: &&crate::plan::Step| matches!(step.op, crate::plan::Op::Build { .. });
    running.rig.plan().await.steps.iter().filter(is_build).count()
}

#[tokio::test(start_paused = true)]
async fn after_a_quiet_while_the_image_of_what_was_synced_is_there() {
    let running = start(web(), catching_up());
    running.up().await;
    running.wait(0, "ready", ready).await;
    let id = running.rig.engine.container("web").unwrap().id;
    running.saved("/src/web/sync/a", "1").await;
    let at = running.saved("/src/web/sync/a", "2").await;
    assert_eq!(to_build(&running).await, 1);
    running.rig.engine.take_journal();
    let from = running.rig.events.all().len();
    running.wait(at, "the image", caught_up).await;
    assert_eq!(to_build(&running).await, 0, "a new `up` has nothing to build");
    assert_eq!(running.rig.engine.container("web").unwrap().id, id);
    let journal = running.rig.engine.take_journal();
    assert!(journal.iter().all(|call| call.starts_with("build ") || call.starts_with("tag ")), "{journal:?}");
    // Said in one line, and done once.
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(running.rig.events.all().len(), from + 1, "{:#?}", running.rig.events.all().split_off(from));
    assert_eq!(builds(&running), 0);
}

#[tokio::test(start_paused = true)]
async fn it_is_not_done_where_nothing_is_behind_or_it_is_off() {
    let running = start(web(), catching_up());
    running.up().await;
    running.saved("/src/web/main.c", "1").await;
    assert_eq!(running.rig.events.reloads(), ["web: rebuilt + recreated"]);
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(running.rig.events.count(caught_up), 0);

    let running = start(web(), options());
    running.up().await;
    running.saved("/src/web/sync/a", "1").await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!((to_build(&running).await, running.rig.events.count(caught_up)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_save_ends_it_and_its_quiet_begins_anew() {
    let running = start(web(), catching_up());
    running.up().await;
    running.saved("/src/web/sync/a", "1").await;
    let mut hold = running.hold_build("web").await;
    hold.reached().await;
    let at = running.saved("/src/web/sync/a", "2").await;
    let before = builds(&running);
    hold.release();
    // A touch puts it off and changes nothing else.
    tokio::time::sleep(Duration::from_secs(4)).await;
    running.touch(&["/src/web/sync/a"]).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!((builds(&running), running.rig.events.count(caught_up)), (before, 0));
    running.wait(at, "the image", caught_up).await;
    assert_eq!((builds(&running), to_build(&running).await), (before + 1, 0));
    let failed = |e: &Event| matches!(e, Event::Error(_) | Event::Warning(_) | Event::StepFailed { .. });
    assert_eq!(running.rig.events.count(failed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_a_warning_that_is_said_once() {
    let running = start(web(), catching_up());
    running.up().await;
    for content in ["1", "2"] {
        running.saved("/src/web/sync/a", content).await;
        let plan = running.rig.plan().await;
        let image = plan.steps.iter().find_map(|step| match &step.op {
            crate::plan::Op::Build { image, .. } => Some(image.clone()),
            _ => None,
        });
        running.rig.engine.fail_next(&format!("build {}", image.unwrap()), ErrorKind::DiskFull);
        let before = builds(&running);
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(builds(&running), before + 1, "tried once");
    }
    let warned = |e: &Event| matches!(e, Event::Warning(m) if m.text.starts_with("its image could not be"));
    assert_eq!(running.rig.events.count(warned), 1, "{:?}", running.rig.events.texts());
    assert_eq!(running.rig.events.count(|e| matches!(e, Event::Error(_) | Event::StepFailed { .. })), 0);
    assert!(running.rig.engine.is_running("web"));
    // The next one succeeds.
    let at = running.saved("/src/web/sync/a", "3").await;
    running.wait(at, "the image", caught_up).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_it() {
    let running = start(web(), catching_up());
    running.up().await;
    running.saved("/src/web/sync/a", "1").await;
    let mut hold = running.hold_build("web").await;
    hold.reached().await;
    let (rig, end) = running.stop().await;
    assert!(matches!(end, End::Stopped { killed: false }));
    assert!(!rig.engine.is_running("web"));
}

#[tokio::test(start_paused = true)]
async fn a_layered_image_becomes_a_whole_one_after_a_longer_quiet() {
    use crate::engine::Engine as _;
    use crate::plan::labels;

    let running = start(web(), catching_up());
    running.up().await;
    let at = running.saved("/src/web/sync/a", "1").await;
    running.wait(at, "the image", caught_up).await;
    // Nothing is done about one that is whole.
    let before = builds(&running);
    tokio::time::sleep(Duration::from_mins(3)).await;
    assert_eq!(builds(&running), before);

    let (engine, name) = (&running.rig.engine, "p-web");
    // Where it fails the image is as good as before, and nobody has to know; after the next save it is tried again.
    for (content, fails) in [("2", true), ("3", false)] {
        let at = running.saved("/src/web/sync/a", content).await;
        running.wait(at, "the image", caught_up).await;
        let before = builds(&running);
        assert_eq!(to_build(&running).await, 0);
        let mut image = engine.image(name).await.unwrap().unwrap();
        image.labels.insert(labels::DELTA.to_owned(), "0".repeat(64));
        if fails {
            let tag = image.tags.iter().find(|tag| tag.starts_with(crate::plan::BY_DIGEST)).unwrap();
            engine.fail_next(&format!("build {tag}"), ErrorKind::DiskFull);
        }
        engine.put_image(image);
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(builds(&running), before, "not so soon");
        tokio::time::sleep(Duration::from_mins(3)).await;
        assert_eq!(builds(&running), before + 1, "once");
        let image = engine.image(name).await.unwrap().unwrap();
        assert_eq!(image.labels.contains_key(labels::DELTA), fails);
    }
    assert_eq!(running.rig.events.count(caught_up), 3);
    assert_eq!(running.rig.events.count(|e| matches!(e, Event::Warning(_) | Event::Error(_))), 0);
}
