//! What a save does, to whom, and in which order.

use serde_json::json;

use super::*;
use crate::engine::ErrorKind;
use crate::engine::fake::Script;
use crate::event::{Message, State};
use crate::model::Reloader;

fn web() -> Rig {
    rig(json!({"web": {"build": {"context": "/src/web"}}}))
}

#[tokio::test(start_paused = true)]
async fn without_an_agent_files_are_uploaded_and_the_container_restarts() {
    let running = start(web(), options());
    running.up().await;
    let id = running.rig.engine.container("web").unwrap().id;
    running.rig.engine.take_journal();
    running.saved("/src/web/sync/main.py", "print(2)").await;
    assert_eq!(running.rig.events.reloads(), ["web: synced + container restarted"]);
    assert_eq!(running.rig.engine.file("web", "/app/sync/main.py").unwrap(), "print(2)");
    assert_eq!(running.rig.engine.take_journal(), ["upload web /", "restart web"]);
    assert_eq!(running.rig.engine.container("web").unwrap().id, id, "it is the same container");
    // What was synced counts as built: a plan of all has nothing to do about it.
    let at = running.rig.events.all().len();
    running.touch(&["/m/devenv.yaml"]).await;
    // The image of what was synced is built for the next start; the container stays.
    let builds = |e: &Event| match e {
        Event::Plan { steps, .. } => steps.iter().all(|step| step.op.to_string() == "build web"),
        _ => false,
    };
    running.wait(at, "a plan that only builds", builds).await;
}

#[tokio::test(start_paused = true)]
async fn a_rule_says_what_follows() {
    let running = start(web(), options());
    running.up().await;
    running.rig.engine.take_journal();
    running.saved("/src/web/sync/exec/main.py", "1").await;
    assert_eq!(running.rig.events.reloads(), ["web: synced + command run"]);
    assert_eq!(running.rig.engine.take_journal(), ["upload web /", "exec web"]);
}

#[tokio::test(start_paused = true)]
async fn a_program_that_reloads_itself_is_only_synced() {
    let running = start(web(), options());
    running.up().await;
    // Found out only once the image was there.
    let reloader = Reloader { name: "vite".into(), except: Vec::new() };
    running.rig.sources.reloaders.lock().unwrap().insert("web".into(), reloader);
    running.rig.engine.take_journal();
    running.saved("/src/web/sync/main.js", "1").await;
    assert_eq!(running.rig.events.reloads(), ["web: synced"]);
    assert_eq!(running.rig.engine.take_journal(), ["upload web /"]);
    let why = "Dockerfile:3 copies it and nothing after that reads it; vite reloads itself";
    assert_eq!(
        running.rig.events.count(
            |e| matches!(e, Event::Reloaded(r) if r.reason.as_ref().is_some_and(|reason| reason.to_string() == why))
        ),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_synced_is_rebuilt_and_says_why() {
    let running = start(web(), options());
    running.up().await;
    running.saved("/src/web/Makefile", "all:").await;
    // Deleted: without the agent that takes a build.
    running.rig.sources.files.lock().unwrap().insert("/src/web/sync/gone".into(), "was".into());
    let at = running.rig.events.all().len();
    running.touch(&["/src/web/sync/gone"]).await;
    running.wait(at, "the answer", reloaded).await;
    assert_eq!(running.rig.events.reloads(), ["web: rebuilt + recreated", "web: rebuilt + recreated"]);
    let reasons: Vec<String> = running
        .rig
        .events
        .all()
        .into_iter()
        .filter_map(|e| if let Event::Reloaded(r) = e { r.reason.map(|reason| reason.to_string()) } else { None })
        .collect();
    assert_eq!(reasons[0], "the RUN in line 2 comes after it");
    assert!(reasons[1].starts_with("it cannot be synced: only the agent can delete"), "{reasons:?}");
}

#[tokio::test(start_paused = true)]
async fn the_same_content_is_nothing() {
    let running = start(web(), options());
    running.up().await;
    running.rig.engine.take_journal();
    running.touch(&["/src/web/Dockerfile", "/nobody/reads/this"]).await;
    // A save that counts, after the touch has been dealt with.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(running.rig.engine.journal(), [] as [&str; 0]);
    running.saved("/src/web/sync/a", "1").await;
    assert_eq!(running.rig.events.reloads(), ["web: synced + container restarted"]);
}

#[tokio::test(start_paused = true)]
async fn a_save_during_a_build_supersedes_it() {
    let running = start(web(), options());
    running.up().await;
    running.rig.engine.take_journal();
    running.write("/src/web/main.c", "2");
    let mut superseded = running.hold_build("web").await;
    running.touch(&["/src/web/main.c"]).await;
    superseded.reached().await;
    let at = running.saved("/src/web/main.c", "3").await;
    assert_eq!(running.rig.events.reloads(), ["web: rebuilt + recreated"], "only the newest is carried out");
    let journal = running.rig.engine.take_journal();
    assert_eq!(journal.iter().filter(|call| call.starts_with("build ")).count(), 2, "{journal:?}");
    assert_eq!(journal.iter().filter(|call| *call == "create web").count(), 1, "{journal:?}");
    let failed = |e: &Event| matches!(e, Event::StepFailed { .. } | Event::Error(_));
    assert_eq!(running.rig.events.count(failed), 0, "what was superseded has not failed");
    // Released too late: nobody waits for it.
    superseded.release();
    running.touch(&["/src/web/main.c"]).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(running.rig.events.all().len(), at);
}

#[tokio::test(start_paused = true)]
async fn a_save_that_supersedes_a_half_done_recreation_puts_it_right() {
    for held in ["create web", "stop web", "remove web", "start web"] {
        let running = start(web(), options());
        running.up().await;
        let mut hold = running.rig.engine.hold(held);
        running.save("/src/web/main.c", "2").await;
        hold.reached().await;
        // Back to what it was before: an equal measure must not be taken for nothing to do.
        running.rig.sources.files.lock().unwrap().remove(std::path::Path::new("/src/web/main.c"));
        let at = running.rig.events.all().len();
        running.touch(&["/src/web/main.c"]).await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        hold.release();
        running.wait(at, "an answer", reloaded).await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        assert!(running.rig.engine.is_running("web"), "{held}: {:?}", running.rig.events.reloads());
        let wanted = running.rig.view().await.wanted.images["web"].digest().unwrap().to_string();
        assert_eq!(running.inputs("web"), wanted, "{held}");
        let (rig, _) = running.stop().await;
        let observed = rig.view().await.observed;
        assert_eq!(observed.containers.len(), 1, "{held}: nothing is left over");
    }
}

#[tokio::test(start_paused = true)]
async fn a_save_that_could_be_synced_finishes_a_half_done_recreation() {
    let running = start(web(), options());
    let at = running.up().await;
    let mut hold = running.rig.engine.hold("create web");
    running.request(Request::Rebuild("web".into())).await;
    hold.reached().await;
    running.save("/src/web/sync/a", "1").await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    hold.release();
    running.wait(at, "the answer", reloaded).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(running.rig.events.reloads(), ["web: rebuilt + recreated"]);
    let observed = running.rig.view().await.observed;
    assert_eq!(observed.containers.len(), 1, "nothing is left over");
    assert!(running.rig.plan().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_is_asked_for_brings_what_was_saved() {
    let running = start(web(), options());
    let at = running.up().await;
    let mut hold = running.rig.engine.hold("upload web /");
    running.save("/src/web/sync/a", "1").await;
    hold.reached().await;
    // Both while the job runs: the next one has both.
    running.save("/src/web/sync/b", "2").await;
    running.request(Request::Restart("web".into())).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    hold.release();
    let at = running.wait(at, "the first", reloaded).await;
    running.wait(at, "the second", reloaded).await;
    assert_eq!(running.rig.engine.file("web", "/app/sync/b").unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn a_slow_build_delays_nobody_else() {
    let running = start(
        rig(json!({
            "slow": {"build": {"context": "/src/slow"}},
            "quick": {"build": {"context": "/src/quick"}}
        })),
        options(),
    );
    running.up().await;
    running.write("/src/slow/main.c", "2");
    let mut hold = running.hold_build("slow").await;
    running.touch(&["/src/slow/main.c"]).await;
    hold.reached().await;
    running.saved("/src/quick/sync/a", "1").await;
    running.saved("/src/quick/main.c", "1").await;
    assert_eq!(running.rig.events.reloads(), ["quick: synced + container restarted", "quick: rebuilt + recreated"]);
    let at = running.rig.events.all().len();
    hold.release();
    running.wait(at, "the slow one", reloaded).await;
    assert_eq!(running.rig.events.reloads()[2], "slow: rebuilt + recreated");
}

#[tokio::test(start_paused = true)]
async fn a_failed_build_keeps_its_dirty_set_and_waits_for_its_own_save() {
    let running = start(
        rig(json!({
            "web": {"build": {"context": "/src/web"}},
            "other": {"build": {"context": "/src/other"}}
        })),
        options(),
    );
    running.up().await;
    let old = running.rig.engine.container("web").unwrap().id;
    running.write("/src/web/main.c", "broken");
    let plan = running.rig.plan().await;
    let call = plan.steps.iter().find_map(|step| match &step.op {
        crate::plan::Op::Build { image, .. } => Some(format!("build {image}")),
        _ => None,
    });
    let kind = ErrorKind::Build { step: "RUN make".into(), output: "syntax error".into() };
    running.rig.engine.fail_next(&call.unwrap(), kind);
    let at = running.rig.events.all().len();
    running.touch(&["/src/web/main.c"]).await;
    running.wait(at, "the failure", reloaded).await;
    assert!(running.rig.events.reloads()[0].starts_with("web: failed"), "{:?}", running.rig.events.reloads());
    assert_eq!(running.rig.engine.container("web").unwrap().id, old, "the old one goes on");
    // The save of another service is none of its business.
    running.saved("/src/other/sync/a", "1").await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(running.rig.events.reloads().len(), 2, "{:?}", running.rig.events.reloads());
    // A save that alone could be synced: what failed is still to be built.
    let from = running.rig.events.all().len();
    running.saved("/src/web/sync/a", "1").await;
    assert_eq!(running.rig.events.reloads()[2], "web: rebuilt + recreated");
    let files = running.rig.events.all().into_iter().skip(from).find_map(|e| match e {
        Event::Reloaded(r) => Some(r.files.len()),
        _ => None,
    });
    assert_eq!(files, Some(2));
}

#[tokio::test(start_paused = true)]
async fn what_is_removed_while_it_is_synced_does_not_stay() {
    let running = start(web(), options());
    running.up().await;
    let mut hold = running.rig.engine.hold("upload web /");
    running.save("/src/web/sync/fresh/a", "1").await;
    hold.reached().await;
    // By the measure before, it was never there.
    let at = running.rig.events.all().len();
    running.remove("/src/web/sync/fresh/a").await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    hold.release();
    let at = running.wait(at, "the sync", reloaded).await;
    running.wait(at, "the removal", reloaded).await;
    assert_eq!(running.rig.events.reloads(), ["web: synced + container restarted", "web: rebuilt + recreated"]);
    assert!(running.rig.plan().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_file_was_between_two_saves_of_one_content_does_not_stay() {
    let running = start(web(), options());
    running.up().await;
    let at = running.rig.events.all().len();
    let file = running.disk.path().join("src/web/sync/a");
    running.write("/src/web/sync/a", "1");
    // It is saved again, and is empty while it is read for the sync.
    let path = file.clone();
    *running.rig.sources.on_measure.lock().unwrap() = Some(Box::new(move |_| std::fs::write(&path, "").unwrap()));
    let mut upload = running.rig.engine.hold("upload web /");
    running.touch(&["/src/web/sync/a"]).await;
    upload.reached().await;
    std::fs::write(&file, "1").unwrap();
    upload.release();
    running.touch(&["/src/web/sync/a"]).await;
    running.wait(at, "the sync", reloaded).await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let there = running.rig.engine.file("web", "/app/sync/a").unwrap();
    assert_eq!(&*there, b"1");
}

#[tokio::test(start_paused = true)]
async fn what_was_there_only_while_it_was_synced_does_not_stay() {
    let running = start(web(), options());
    running.up().await;
    let at = running.rig.events.all().len();
    running.write("/src/web/sync/a", "1");
    // Version control puts a file there after the measure, and takes it away after the sync.
    let path = running.disk.path().join("src/web/sync/b");
    let there = path.clone();
    *running.rig.sources.on_measure.lock().unwrap() = Some(Box::new(move |_| std::fs::write(&there, "1").unwrap()));
    let mut upload = running.rig.engine.hold("upload web /");
    running.touch(&["/src/web/sync/a", "/src/web/sync/b"]).await;
    upload.reached().await;
    std::fs::remove_file(&path).unwrap();
    upload.release();
    running.touch(&["/src/web/sync/b"]).await;
    running.wait(at, "the sync", reloaded).await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(running.rig.engine.file("web", "/app/sync/b"), None);
}

#[tokio::test(start_paused = true)]
async fn a_folder_in_the_place_of_another_has_nothing_of_it() {
    let running = start(web(), options());
    running.up().await;
    let at = running.saved("/src/web/sync/fresh/a", "1").await;
    // All that the system tells is that the folder went; by itself the path asks for nothing.
    running.rig.sources.files.lock().unwrap().remove(std::path::Path::new("/src/web/sync/fresh/a"));
    std::fs::remove_dir_all(running.disk.path().join("src/web/sync/fresh")).unwrap();
    let gone = Change { path: "/src/web/sync/fresh".into(), kind: ChangeKind::Removed, settled: false, now: None };
    running.saves.send(Batch { at: now(), changes: vec![gone], notices: Vec::new() }).await.unwrap();
    running.wait(at, "an answer", reloaded).await;
    assert_eq!(running.rig.events.reloads()[1], "web: rebuilt + recreated");
}

#[tokio::test(start_paused = true)]
async fn what_is_as_before_the_failure_tries_again() {
    let running = start(web(), options());
    running.up().await;
    running.write("/src/web/sync/fresh/a", "breaks it");
    running.write("/src/web/main.c", "2");
    let plan = running.rig.plan().await;
    let call = plan.steps.iter().find_map(|step| match &step.op {
        crate::plan::Op::Build { image, .. } => Some(format!("build {image}")),
        _ => None,
    });
    let kind = ErrorKind::Build { step: "RUN make".into(), output: "two of them".into() };
    running.rig.engine.fail_next(&call.unwrap(), kind);
    let at = running.rig.events.all().len();
    running.touch(&["/src/web/main.c", "/src/web/sync/fresh/a"]).await;
    let at = running.wait(at, "the failure", reloaded).await;
    running.remove("/src/web/sync/fresh/a").await;
    running.wait(at, "another try", reloaded).await;
    assert_eq!(running.rig.events.reloads()[1], "web: rebuilt + recreated");
}

#[tokio::test(start_paused = true)]
async fn what_is_as_before_a_failed_plan_tries_again() {
    let running = start(web(), options());
    let at = running.up().await;
    running.write("/src/web/sync/fresh/a", "takes a folder's place");
    let error = Message::new("COPY reads \"src\", which is not there");
    *running.rig.sources.unreadable.lock().unwrap() = Some(error);
    running.touch(&["/m/devenv.yaml", "/src/web/sync/fresh/a"]).await;
    let at = running.wait(at, "the failure", notice("waiting for a change")).await;
    *running.rig.sources.unreadable.lock().unwrap() = None;
    running.remove("/src/web/sync/fresh/a").await;
    running.wait(at, "a new plan", |e| matches!(e, Event::Plan { .. })).await;
}

#[tokio::test(start_paused = true)]
async fn a_save_during_a_plan_that_fails_is_planned_as_a_whole() {
    let running = start(web(), options());
    let at = running.up().await;
    running.write("/src/web/main.c", "2");
    let mut hold = running.rig.engine.hold("create web");
    running.rig.engine.fail_next("create web", ErrorKind::DiskFull);
    running.touch(&["/m/devenv.yaml"]).await;
    hold.reached().await;
    // By itself it could be synced; the container that is there has the old `main.c`.
    running.save("/src/web/sync/a", "1").await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    hold.release();
    let at = running.wait(at, "the failure", notice("waiting for a change")).await;
    let started = |e: &Event| matches!(e, Event::StepDone { op, .. } if op.to_string() == "start container p-web-1");
    running.wait(at, "the new container", started).await;
    assert_eq!(running.rig.events.reloads(), [] as [&str; 0]);
    assert!(running.rig.plan().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_broken_manifest_keeps_the_stack_and_a_mended_one_is_planned() {
    let running = start(web(), options());
    let at = running.up().await;
    let error = Message::new("services.web: unknown key `imaeg`");
    running.rig.sources.errors.lock().unwrap().push(error);
    running.touch(&["/m/devenv.yaml"]).await;
    let at = running.wait(at, "the notice", notice("the manifest has errors")).await;
    assert!(running.rig.engine.is_running("web"));
    // The stack goes on being hot.
    running.saved("/src/web/sync/a", "1").await;
    running.rig.sources.errors.lock().unwrap().clear();
    {
        let mut project = running.rig.sources.project.lock().unwrap();
        let project = project.as_mut().unwrap();
        let mut new = crate::execute::testing::project(json!({"new": {"build": {"context": "/src/new"}}}));
        let mut new = new.services.shift_remove("new").unwrap();
        new.name = "new".into();
        project.services.insert("new".into(), new);
    }
    running.touch(&["/m/devenv.yaml"]).await;
    let both = |e: &Event| matches!(e, Event::Watching { services, .. } if services.len() == 2);
    running.wait(at, "the watch of both", both).await;
    assert!(running.rig.engine.is_running("new"));
    assert_eq!(running.rig.engine.journal().iter().filter(|call| *call == "create web").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_changes_during_a_build_takes_its_place() {
    let running = start(web(), options());
    running.up().await;
    running.write("/src/web/main.c", "2");
    let mut hold = running.hold_build("web").await;
    running.touch(&["/src/web/main.c"]).await;
    hold.reached().await;
    let at = running.rig.events.all().len();
    running.touch(&["/m/devenv.yaml"]).await;
    let started = |e: &Event| matches!(e, Event::StepDone { op, .. } if op.to_string() == "start container p-web-1");
    running.wait(at, "the new plan", started).await;
    assert_eq!(running.rig.events.reloads(), [] as [&str; 0]);
    let wanted = running.rig.view().await.wanted.images["web"].digest().unwrap().to_string();
    assert_eq!(running.inputs("web"), wanted);
}

#[tokio::test(start_paused = true)]
async fn a_completed_job_is_not_run_again_by_a_save() {
    let rig = rig(json!({
        "job": {"build": {"context": "/src/job"}},
        "web": {"image": "web", "depends_on":
            {"job": {"condition": "service_completed_successfully", "required": true}}}
    }));
    rig.engine.script("job", Script::job(0));
    let running = start(rig, options());
    running.up().await;
    running.rig.engine.take_journal();
    running.saved("/src/job/main.c", "2").await;
    assert_eq!(running.rig.events.reloads(), ["job: held"]);
    assert_eq!(running.rig.engine.journal(), [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_died_is_said_and_a_save_starts_it_again() {
    let running = start(web(), options());
    let at = running.up().await;
    running.rig.engine.exit("web", 1);
    let died = |e: &Event| matches!(e, Event::State { state, container, .. } if *state == State::Exited { code: 1 } && container == "p-web-1");
    running.wait(at, "the death", died).await;
    running.saved("/src/web/sync/a", "fixed").await;
    assert!(running.rig.engine.is_running("web"));
    assert_eq!(running.rig.events.reloads(), ["web: rebuilt + recreated"]);
}

#[tokio::test(start_paused = true)]
async fn a_rebuild_that_is_asked_for_is_done_though_nothing_changed() {
    let running = start(web(), options());
    let at = running.up().await;
    let old = running.rig.engine.container("web").unwrap().id;
    running.request(Request::Rebuild("web".into())).await;
    running.wait(at, "the rebuild", reloaded).await;
    assert_eq!(running.rig.events.reloads(), ["web: rebuilt + recreated"]);
    assert_ne!(running.rig.engine.container("web").unwrap().id, old);
}

#[tokio::test(start_paused = true)]
async fn services_that_restart_together_have_one_job_at_a_time() {
    let running = start(
        rig(json!({
            "api": {"build": {"context": "/src/api"}},
            "web": {"build": {"context": "/src/web"}, "depends_on":
                {"api": {"condition": "service_started", "required": true, "restart": true}}}
        })),
        options(),
    );
    let at = running.up().await;
    running.write("/src/api/main.c", "2");
    running.write("/src/web/main.c", "2");
    let mut hold = running.hold_build("api").await;
    running.touch(&["/src/api/main.c", "/src/web/main.c"]).await;
    hold.reached().await;
    hold.release();
    running.wait(at, "the answer", reloaded).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let failed = |e: &Event| matches!(e, Event::StepFailed { .. } | Event::Error(_));
    assert_eq!(running.rig.events.count(failed), 0);
    let created = running.rig.engine.journal().into_iter().filter(|call| call == "create web").count();
    assert_eq!(created, 2, "once by `up`, once by the save");
    assert!(running.rig.plan().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_back_after_a_failed_build_says_so() {
    let running = start(web(), options());
    running.up().await;
    running.write("/src/web/Dockerfile", "FROM nowhere");
    let build = running.build_call("web").await;
    running.rig.engine.fail_next(&build, ErrorKind::Other);
    let at = running.rig.events.all().len();
    running.touch(&["/src/web/Dockerfile"]).await;
    running.wait(at, "the failure", reloaded).await;
    running.rig.engine.take_journal();
    running.saved("/src/web/Dockerfile", "FROM scratch").await;
    assert_eq!(running.rig.events.reloads()[1..], ["web: nothing to do"]);
    let journal = running.rig.engine.take_journal();
    assert!(!journal.iter().any(|call| call.starts_with("build ") || call.starts_with("create ")), "{journal:?}");
}
