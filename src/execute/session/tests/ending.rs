//! How sessions end, and what does not end them.

use std::time::Duration;

use serde_json::json;

use super::super::EndOn;
use super::*;
use crate::engine::fake::Script;
use crate::event::{EndCause, State};
use crate::model::ContainerState;

/// db ← api, both of images.
fn pair() -> Rig {
    rig(json!({
        "db": {"image": "db"},
        "api": {"image": "api", "depends_on": {"db": {"condition": "service_started", "required": true}}}
    }))
}

fn unwatched() -> SessionOptions {
    SessionOptions { watch: false, ..options() }
}

#[tokio::test(start_paused = true)]
async fn stop_goes_in_reverse_order() {
    let running = start(pair(), unwatched());
    running.wait(0, "ready", ready).await;
    running.rig.engine.take_journal();
    let (rig, end) = running.stop().await;
    assert!(matches!(end, End::Stopped { killed: false }));
    assert_eq!(rig.engine.journal(), ["stop api", "stop db"]);
    let stopping = |e: &Event| matches!(e, Event::Stopping { forced: false, .. });
    assert_eq!(rig.events.count(stopping), 1);
}

#[tokio::test(start_paused = true)]
async fn the_second_stop_kills() {
    let rig = pair();
    rig.engine.script("api", Script { stops_in: Duration::from_secs(8), ..Script::default() });
    let running = start(rig, unwatched());
    let at = running.wait(0, "ready", ready).await;
    let mut hold = running.rig.engine.hold("stop api");
    running.request(Request::Stop).await;
    hold.reached().await;
    running.wait(at, "the first", |e| matches!(e, Event::Stopping { forced: false, .. })).await;
    let (rig, end) = running.stop().await;
    assert!(matches!(end, End::Stopped { killed: true }));
    for service in ["api", "db"] {
        assert_eq!(rig.engine.state_of(service), Some(ContainerState::Exited(137)), "{service}");
    }
    assert!(!rig.engine.journal().contains(&"stop db".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_the_start_begins_nothing_more() {
    let rig = pair();
    let mut hold = rig.engine.hold("start db");
    let running = start(rig, unwatched());
    hold.reached().await;
    running.request(Request::Stop).await;
    running.wait(0, "the stop", |e| matches!(e, Event::Stopping { .. })).await;
    hold.release();
    let (rig, end) = running.end().await;
    assert!(matches!(end, End::Stopped { killed: false }), "{end:?}");
    let journal = rig.engine.journal();
    assert!(!journal.contains(&"start api".to_owned()), "{journal:?}");
    assert_eq!(rig.engine.state_of("db"), Some(ContainerState::Exited(0)), "what ran is stopped");
    let said = |e: &Event| matches!(e, Event::Error(_) | Event::Ready { .. } | Event::Watching { .. });
    assert_eq!(rig.events.count(said), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_the_engine_is_still_asked_is_heard() {
    let rig = pair();
    let mut hold = rig.engine.hold("observe");
    let running = start(rig, options());
    hold.reached().await;
    running.request(Request::Stop).await;
    running.wait(0, "the stop", |e| matches!(e, Event::Stopping { .. })).await;
    hold.release();
    let (rig, end) = running.end().await;
    assert!(matches!(end, End::Stopped { killed: false }), "{end:?}");
    assert_eq!(rig.engine.journal(), [] as [&str; 0], "nothing was made, and nothing was to be stopped");
    assert_eq!(rig.events.count(ready), 0);
}

#[tokio::test(start_paused = true)]
async fn when_all_have_exited_and_nothing_is_watched_the_session_ends() {
    let running = start(pair(), unwatched());
    let at = running.wait(0, "ready", ready).await;
    running.rig.engine.exit("db", 3);
    let died = |e: &Event| matches!(e, Event::State { state, .. } if *state == State::Exited { code: 3 });
    running.wait(at, "the death", died).await;
    running.rig.engine.exit("api", 0);
    let (_, end) = running.end().await;
    assert!(matches!(end, End::Exited(0)), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn containers_of_services_out_of_scope_do_not_keep_it() {
    let rig = rig(json!({"web": {"image": "web"}, "other": {"image": "other"}}));
    assert!(rig.up(&crate::execute::RunOptions::default()).await.is_success());
    let mut options = unwatched();
    options.up.services = vec!["web".into()];
    let running = start(rig, options);
    running.wait(0, "ready", ready).await;
    running.rig.engine.exit("web", 0);
    let (rig, end) = running.end().await;
    assert!(matches!(end, End::Exited(0)), "{end:?}");
    assert!(rig.engine.is_running("other"));
}

#[tokio::test(start_paused = true)]
async fn an_exit_ends_the_session_where_it_should() {
    let cases = [
        (EndOn::AnyExit, None, 0, Some(0)),
        (EndOn::AnyExit, None, 4, Some(4)),
        (EndOn::AnyExit, Some("api"), 4, Some(4)),
        // All stop at the first exit, and the code is that of the service named: here that of its stop.
        (EndOn::AnyExit, Some("db"), 4, Some(0)),
        (EndOn::AnyFailure, None, 4, Some(4)),
        (EndOn::AnyFailure, None, 0, None),
        (EndOn::AllExited, None, 4, None),
    ];
    for (end_on, from, code, expected) in cases {
        let exit_code_from = from.map(Into::into);
        let running = start(pair(), SessionOptions { end_on, exit_code_from, ..unwatched() });
        let at = running.wait(0, "ready", ready).await;
        running.rig.engine.exit("api", code);
        running.wait(at, "the death", |e| matches!(e, Event::State { .. })).await;
        if expected.is_none() {
            running.request(Request::Stop).await;
        }
        let (rig, end) = running.end().await;
        match (&end, expected) {
            (End::Exited(code), Some(expected)) => assert_eq!(*code, expected),
            (End::Stopped { .. }, None) => {}
            _ => panic!("{end_on:?} {from:?} {code} gave {end:?}"),
        }
        assert!(!rig.engine.is_running("db"), "all are stopped");
    }
}

#[tokio::test(start_paused = true)]
async fn a_container_that_is_replaced_has_not_exited() {
    let rig = rig(json!({"web": {"build": {"context": "/src/web"}}}));
    assert!(rig.up(&crate::execute::RunOptions::default()).await.is_success());
    // The session's own first plan replaces it, and then a save does.
    rig.sources.write("/src/web/main", "2");
    let running = start(rig, SessionOptions { end_on: EndOn::AnyExit, ..options() });
    running.up().await;
    running.saved("/src/web/main", "3").await;
    running.saved("/src/web/main", "4").await;
    assert_eq!(running.rig.events.reloads().len(), 2);
    running.rig.engine.exit("web", 9);
    let (_, end) = running.end().await;
    assert!(matches!(end, End::Exited(9)), "{end:?}");
}

/// An engine that is stopped tells of the end of its containers, and then goes away.
#[tokio::test(start_paused = true)]
async fn what_an_engine_ended_when_it_was_stopped_is_started_again() {
    let running = start(rig(json!({"web": {"build": {"context": "/src/web"}}})), options());
    let at = running.up().await;
    running.rig.engine.exit("web", 137);
    let ended = |e: &Event| matches!(e, Event::State { state, .. } if *state == State::Exited { code: 137 });
    let at = running.wait(at, "the end", ended).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    running.rig.engine.go_away();
    let away = |e: &Event| matches!(e, Event::Error(m) if m.text == "lost the connection to the engine");
    let at = running.wait(at, "the loss", away).await;
    running.rig.engine.come_back();
    let planned = |e: &Event| matches!(e, Event::StepDone { op, .. } if op.to_string() == "start container p-web-1");
    running.wait(at, "the new start", planned).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_engine_goes_away_and_comes_back() {
    let running = start(rig(json!({"web": {"build": {"context": "/src/web"}}})), options());
    let at = running.up().await;
    running.rig.engine.go_away();
    let away = |e: &Event| matches!(e, Event::Error(m) if m.text == "lost the connection to the engine");
    let at = running.wait(at, "the loss", away).await;
    // Saved meanwhile: nothing is tried, and nothing forgotten.
    running.save("/src/web/main", "2").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    running.rig.engine.come_back();
    running.rig.engine.exit("web", 1);
    let at = running.wait(at, "the return", notice("the engine is back")).await;
    let planned = |e: &Event| matches!(e, Event::StepDone { op, .. } if op.to_string() == "start container p-web-1");
    running.wait(at, "the new container", planned).await;
    let (rig, end) = running.stop().await;
    assert!(matches!(end, End::Stopped { killed: false }));
    assert_eq!(rig.events.count(away), 1, "it is said once");
    assert_eq!(rig.events.reloads(), [] as [&str; 0]);
    let text = rig.events.texts().join("\n");
    assert!(!text.contains("all services have exited"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_signal_is_named() {
    let running = start(pair(), unwatched());
    running.wait(0, "ready", ready).await;
    running.request(Request::End("SIGTERM")).await;
    let (rig, end) = running.end().await;
    assert!(matches!(end, End::Stopped { killed: false }));
    let named =
        |e: &Event| matches!(e, Event::Stopping { cause, forced: false, .. } if *cause == EndCause::signal("SIGTERM"));
    assert_eq!(rig.events.count(named), 1);
}
