//! A container is never made of something else than what its label says: names of images go to whoever comes last, and
//! engines go on with what was given up.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::engine::Engine as _;
use crate::model::ObservedImage;
use crate::plan::labels::{IMAGE, INPUTS, UNCONFIRMED};

fn web() -> Rig {
    Rig::new(project(json!({"web": {"build": {"context": "/src/web"}}})))
}

fn tags(rig: &Rig) -> Vec<String> {
    rig.engine.journal().into_iter().filter(|call| call.starts_with("tag ")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_container_is_made_of_the_image_that_was_built_for_it() {
    let rig = web();
    let plan = rig.plan().await;
    let mut create = rig.engine.hold("create web");
    let options = RunOptions::default();
    // An engine comes to the end of a build that was given up, and gives the service's name to what that made.
    let late = async {
        create.reached().await;
        let older = ObservedImage { id: "sha256:older".into(), tags: vec!["p-web".into()], ..Default::default() };
        rig.engine.put_image(older);
        create.release();
    };
    let (outcome, ()) = tokio::join!(rig.executor.run(&rig.project, &plan, &options), late);
    assert!(outcome.is_success(), "{:?}", outcome.failures);
    let container = rig.engine.container("web").unwrap();
    let image = rig.engine.image("p-web").await.unwrap().unwrap();
    assert_eq!((&container.image, &container.labels[IMAGE]), (&image.id, &image.id.to_string()));
    assert_ne!(image.id.as_str(), "sha256:older");
    assert!(rig.plan().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_away_again_and_again_is_an_error() {
    let rig = web();
    let plan = rig.plan().await;
    let options = RunOptions::default();
    let thief = async {
        for _ in 0..4 {
            let mut create = rig.engine.hold("create web");
            create.reached().await;
            let other = ObservedImage { id: "sha256:other".into(), tags: vec!["p-web".into()], ..Default::default() };
            rig.engine.put_image(other);
            create.release();
        }
    };
    let (outcome, ()) = tokio::join!(rig.executor.run(&rig.project, &plan, &options), thief);
    assert!(outcome.failures[0].message.text.contains("again and again"), "{:?}", outcome.failures);
    assert!(rig.engine.container("web").is_none(), "none is left behind");
}

#[tokio::test(start_paused = true)]
async fn a_container_of_another_image_than_its_label_says_is_made_anew() {
    let rig = web();
    assert!(rig.up(&RunOptions::default()).await.is_success());
    let mut view = rig.view().await;
    let container = view.observed.containers.first_mut().unwrap();
    // hob was killed before it could look at what it had made.
    container.image = "sha256:older".into();
    let plan = plan::up(view.input(&HashMap::new()), &UpOptions::default()).unwrap();
    assert!(plan.steps.iter().any(|step| matches!(step.op, Op::Create(_))), "{plan:?}");
}

#[tokio::test(start_paused = true)]
async fn a_build_that_is_given_up_names_nothing() {
    let rig = web();
    let plan = rig.plan().await;
    let mut build = rig.engine.hold(&build_call(&plan, "web"));
    let options = RunOptions::default();
    let give_up = async {
        build.reached().await;
        options.cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(rig.executor.run(&rig.project, &plan, &options), give_up);
    assert!(outcome.cancelled);
    build.release();
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(tags(&rig), [] as [&str; 0]);
    assert!(rig.engine.image("p-web").await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn names_are_given_before_those_of_the_next_build() {
    // What it will be called is known from another one that is the same.
    let twin = web();
    twin.sources.write("/src/web/main", "1");
    assert!(twin.up(&RunOptions::default()).await.is_success());
    let rig = web();
    rig.sources.write("/src/web/main", "1");
    let first = rig.plan().await;
    let mut naming = rig.engine.hold(&tags(&twin)[1]);
    let given_up = RunOptions::default();
    let running = tokio::spawn({
        let (executor, project, plan, options) =
            (rig.executor.clone(), Arc::clone(&rig.project), first.clone(), given_up.clone());
        async move { executor.run(&project, &plan, &options).await }
    });
    naming.reached().await;
    given_up.cancel.cancel();
    assert!(running.await.unwrap().cancelled);
    rig.sources.write("/src/web/main", "2");
    let second = rig.plan().await;
    let options = RunOptions::default();
    let release = async {
        tokio::time::sleep(Duration::from_mins(1)).await;
        naming.release();
    };
    let (outcome, ()) = tokio::join!(rig.executor.run(&rig.project, &second, &options), release);
    assert!(outcome.is_success(), "{:?}", outcome.failures);
    let image = rig.engine.image("p-web").await.unwrap().unwrap();
    assert_eq!(rig.engine.container("web").unwrap().image, image.id);
    assert!(rig.plan().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_nobody_confirmed_is_not_taken_for_what_was_measured() {
    let rig = web();
    rig.sources.write("/src/web/main", "1");
    let plan = rig.plan().await;
    let mut build = rig.engine.hold(&build_call(&plan, "web"));
    let options = RunOptions::default();
    let save = async {
        build.reached().await;
        rig.sources.write("/src/web/main", "2");
        build.release();
    };
    let (outcome, ()) = tokio::join!(rig.executor.run(&rig.project, &plan, &options), save);
    assert!(outcome.is_success() && rig.engine.is_running("web"));
    assert_eq!(rig.engine.container("web").unwrap().labels[INPUTS], UNCONFIRMED);
    rig.sources.write("/src/web/main", "1");
    assert!(rig.up(&options).await.is_success());
    assert_ne!(rig.engine.container("web").unwrap().labels[INPUTS], UNCONFIRMED);
    assert!(rig.plan().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_rebuild_that_nobody_confirmed_gives_way_to_no_older_image() {
    let rig = web();
    rig.sources.write("/src/web/main", "1");
    let options = RunOptions::default();
    let plan = rig.plan().await;
    let image = build_call(&plan, "web").replace("build ", "");
    let older = ObservedImage { id: "sha256:older".into(), tags: vec![image, "p-web".into()], ..Default::default() };
    rig.engine.put_image(older);
    let asked = UpOptions { rebuild: true, recreate: plan::Recreate::Always, ..UpOptions::default() };
    let plan = plan::up(rig.view().await.input(&HashMap::new()), &asked).unwrap();
    let mut build = rig.engine.hold(&build_call(&plan, "web"));
    let save = async {
        build.reached().await;
        rig.sources.write("/src/web/main", "2");
        build.release();
    };
    let (outcome, ()) = tokio::join!(rig.executor.run(&rig.project, &plan, &options), save);
    assert!(outcome.is_success(), "{:?}", outcome.failures);
    let container = rig.engine.container("web").unwrap();
    assert_ne!(container.image.as_str(), "sha256:older");
    assert_eq!(container.labels[INPUTS], UNCONFIRMED);
}
