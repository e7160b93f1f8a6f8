//! Changes that a build reads and no container waits for, and those that follow what was done for them.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::engine::ErrorKind;
use crate::model::Reloader;
use crate::plan::Operation;

fn web() -> Rig {
    rig(json!({"web": {"build": {"context": "/src/web"}}}))
}

fn caught_up(event: &Event) -> bool {
    matches!(event, Event::CaughtUp { .. })
}

fn plan_of_nothing(event: &Event) -> bool {
    matches!(event, Event::Plan { steps, .. } if steps.is_empty())
}

#[tokio::test(start_paused = true)]
async fn version_control_moves_the_image_and_nothing_else() {
    let running = start(web(), SessionOptions { catch_up: true, ..options() });
    running.up().await;
    running.rig.engine.take_journal();
    let said = notice("`aside` goes into the image of web");
    for content in ["1", "2", "3"] {
        running.save("/src/web/aside/index", content).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    running.wait(0, "the image", caught_up).await;
    assert_eq!(running.rig.events.count(&said), 1, "it is said once");
    assert_eq!(running.rig.events.reloads(), [""; 0]);
    let journal = running.rig.engine.take_journal();
    assert!(journal.iter().all(|call| call.starts_with("build ") || call.starts_with("tag ")), "{journal:?}");
    // A save goes its way, and says nothing of the other file.
    running.save("/src/web/aside/index", "4").await;
    running.saved("/src/web/sync/a", "1").await;
    let of = |e: &Event| matches!(e, Event::Reloaded(r) if r.files == [PathBuf::from("/src/web/sync/a")]);
    assert_eq!(running.rig.events.count(of), 1, "{:#?}", running.rig.events.all());
}

#[tokio::test(start_paused = true)]
async fn the_manifest_in_the_context_is_no_reason_to_recreate() {
    let running = start(web(), options());
    running.up().await;
    running.rig.engine.take_journal();
    // Told of after the plan has measured it.
    running.write("/src/web/aside/devenv.yaml", "2");
    let at = running.rig.events.all().len();
    running.touch(&["/m/devenv.yaml", "/src/web/aside/devenv.yaml"]).await;
    running.wait(at, "a plan of nothing", plan_of_nothing).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(running.rig.engine.take_journal(), [""; 0]);
    // With something that does matter it is made anew.
    running.write("/src/web/aside/devenv.yaml", "3");
    running.write("/src/web/main.c", "1");
    running.touch(&["/m/devenv.yaml"]).await;
    let recreated = |e: &Event| matches!(e, Event::Plan { steps, .. } if steps.iter().any(|s| matches!(s.op, Operation::CreateContainer { .. })));
    running.wait(at, "a plan that makes it anew", recreated).await;
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_failed_after_its_measure_forgets_nothing() {
    let running = start(web(), options());
    running.up().await;
    running.rig.engine.take_journal();
    running.write("/src/web/aside/devenv.yaml", "2");
    {
        // More folders are watched for it: files are measured again, they differ, and then the engine fails.
        let mut project = running.rig.sources.project.lock().unwrap();
        let mut new = crate::execute::testing::project(json!({"new": {"build": {"context": "/src/new"}}}));
        let mut new = new.services.shift_remove("new").unwrap();
        new.name = "new".into();
        project.as_mut().unwrap().services.insert("new".into(), new);
    }
    let engine = running.rig.engine.clone();
    *running.rig.sources.on_measure.lock().unwrap() = Some(Box::new(move |sources| {
        sources.write("/src/web/aside/devenv.yaml", "3");
        let engine = engine.clone();
        let fail: crate::execute::testing::Hook = Box::new(move |_| engine.fail_next("observe", ErrorKind::Other));
        *sources.on_measure.lock().unwrap() = Some(fail);
    }));
    let at = running.rig.events.all().len();
    running.touch(&["/m/devenv.yaml"]).await;
    let at = running.wait(at, "the failure", |e| matches!(e, Event::Error(_))).await;
    running.touch(&["/m/devenv.yaml"]).await;
    let started = |e: &Event| matches!(e, Event::StepDone { op, .. } if op.to_string() == "start container p-new-1");
    running.wait(at, "the other service", started).await;
    let journal = running.rig.engine.take_journal();
    assert!(!journal.iter().any(|call| call == "create web"), "{journal:?}");
}

#[tokio::test(start_paused = true)]
async fn a_mounted_file_is_told_of_once_and_only_who_does_not_reload() {
    let running = start(web(), SessionOptions { catch_up: true, ..options() });
    running.up().await;
    running.rig.engine.take_journal();
    // A program wrote it: nobody has to be told.
    running.save("/src/web/mounted/app.log", "1").await;
    running.save("/src/web/mounted/app.py", "1").await;
    running.wait(0, "the hint", notice("/src/web/mounted/app.py is mounted at /app/mounted/app.py")).await;
    // What `ready` waits for has its own time.
    running.wait(0, "ready", |e| matches!(e, Event::Ready { .. })).await;
    let at = running.rig.events.all().len();
    running.save("/src/web/mounted/app.py", "2").await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(running.rig.events.all().len(), at, "{:#?}", running.rig.events.all().split_off(at));
    assert_eq!(running.rig.engine.take_journal(), [""; 0], "no image is built for it");
    // It is part of what the container holds: a plan of all has nothing to do.
    running.touch(&["/m/devenv.yaml"]).await;
    running.wait(at, "a plan of nothing", plan_of_nothing).await;

    let running = start(web(), options());
    running.up().await;
    let reloader = Reloader { name: "vite".into(), except: Vec::new() };
    running.rig.sources.reloaders.lock().unwrap().insert("web".into(), reloader);
    running.saved("/src/web/main.c", "1").await;
    running.save("/src/web/mounted/app.py", "1").await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(running.rig.events.count(notice("/src/web/mounted")), 0);
}

#[tokio::test(start_paused = true)]
async fn what_always_follows_a_start_is_not_acted_upon_for_ever() {
    let mut project = web().project.as_ref().clone();
    let bind = json!({"type": "bind", "source": "/src/web/sync", "target": "/data"});
    project.services.get_mut("web").unwrap().volumes.push(serde_json::from_value(bind).unwrap());
    let running = start(Rig::new(project), options());
    running.up().await;
    let warned = |what: &'static str| move |e: &Event| matches!(e, Event::Warning(m) if m.text.starts_with("/src/web/sync/log") && m.text.contains(what));
    let braked = warned("ignores its changes from now on");
    let mut rounds = 0;
    while running.rig.events.count(braked) == 0 && rounds < 100 {
        rounds += 1;
        running.saved("/src/web/sync/log", &rounds.to_string()).await;
    }
    assert!((5..50).contains(&rounds), "{rounds}");
    assert_eq!(running.rig.events.count(warned("until it has been quiet for some seconds")), 1);
    let before = running.rig.events.reloads().len();
    running.save("/src/web/sync/log", "more").await;
    // Another file is answered, and the answer is about that one.
    running.saved("/src/web/sync/main.py", "1").await;
    let last = running
        .rig
        .events
        .all()
        .into_iter()
        .rev()
        .find_map(|e| if let Event::Reloaded(r) = e { Some(r) } else { None });
    assert_eq!(last.unwrap().files, [PathBuf::from("/src/web/sync/main.py")]);
    assert_eq!(running.rig.events.reloads().len(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn many_saves_of_a_person_end_with_the_last() {
    let mut project = web().project.as_ref().clone();
    let bind = json!({"type": "bind", "source": "/src/web/sync", "target": "/data"});
    project.services.get_mut("web").unwrap().volumes.push(serde_json::from_value(bind).unwrap());
    let running = start(Rig::new(project), options());
    running.up().await;
    // An editor that saves each second, for a minute, and pauses; and again.
    for text in 0..120 {
        running.save("/src/web/sync/main.py", &text.to_string()).await;
        tokio::time::sleep(Duration::from_millis(if text % 60 == 59 { 20_000 } else { 900 })).await;
        if text % 60 == 59 {
            let file = running.rig.engine.file("web", "/app/sync/main.py").unwrap();
            assert_eq!(file, text.to_string().as_bytes());
        }
    }
    let at = running.rig.events.all().len();
    running.saved("/src/web/sync/main.py", "at once").await;
    let Some(Event::Reloaded(last)) = running.rig.events.all().into_iter().skip(at).find(reloaded) else { panic!() };
    assert!(last.timings.noticed_us < 100_000, "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn what_several_services_read_is_told_once() {
    let build = json!({"build": {"context": "/src/web"}});
    let rig = rig(json!({"web": build, "worker": build}));
    rig.sources.contexts.lock().unwrap().insert("worker".into(), "/src/web".into());
    let running = start(rig, options());
    running.up().await;
    running.save("/src/web/aside/index.lock", "1").await;
    running.wait(0, "the hint", notice("`aside` goes into the images of web and worker")).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let texts = running.rig.events.texts();
    let said: Vec<&String> = texts.iter().filter(|text| text.contains("aside")).collect();
    assert!(said.len() == 1 && said[0].contains("a line `aside` in /src/web/.dockerignore"), "{said:?}");
}
