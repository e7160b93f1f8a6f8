//! Syncs without an agent, and what happens where one should be and is not.
#![allow(clippy::disallowed_methods, reason = "a test writes what is synced")]

use std::sync::Arc;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::engine::ErrorKind;
use crate::execute::testing::{Rig, project};
use crate::model::{ContainerId, CopiedBy, ObservedImage, Place, SyncAction};
use crate::plan::labels;

async fn running() -> (Rig, ContainerId, tempfile::TempDir) {
    let rig = Rig::new(project(json!({"web": {"image": "web"}})));
    assert!(rig.up(&crate::execute::RunOptions::default()).await.is_success());
    let id = rig.engine.container("web").unwrap().id;
    rig.engine.take_journal();
    (rig, id, tempfile::tempdir().unwrap())
}

fn target(folder: &tempfile::TempDir, name: &str) -> SyncTarget {
    SyncTarget {
        source: folder.path().join(name),
        path: format!("/app/{name}"),
        action: SyncAction::Put,
        base: "/".into(),
        by: CopiedBy::Instruction { dockerfile: "Dockerfile".into(), place: Place { line: 2, column: 1 } },
        owner: None,
        mode: None,
        unpacks: false,
    }
}

async fn sync(
    rig: &Rig,
    id: &ContainerId,
    agent: bool,
    targets: &[SyncTarget],
    then: &Reload,
) -> Result<String, String> {
    let service = &rig.project.services["web"];
    let hot = SyncContainer { service, container: id, agent, image: "web".into(), stop: CancellationToken::new() };
    match rig.executor.agents.sync(&hot, targets, then, None).await {
        Ok(done) => Ok(done.action.map(|action| action.to_string()).unwrap_or_default()),
        Err(SyncError::Rebuild(why)) => Err(format!("rebuild: {why}")),
        Err(SyncError::Failed(failure)) => Err(format!("failed: {failure}")),
    }
}

#[tokio::test(start_paused = true)]
async fn without_an_agent_the_engine_does_each_reload() {
    let cases = [
        (Reload::None, "synced", vec!["upload web /"]),
        (Reload::Restart, "synced + container restarted", vec!["upload web /", "restart web"]),
        (Reload::Container, "synced + container restarted", vec!["upload web /", "restart web"]),
        (Reload::Signal("SIGHUP".into()), "synced + signalled", vec!["upload web /", "kill web SIGHUP"]),
        (Reload::Exec(vec!["true".into()]), "synced + command run", vec!["upload web /", "exec web"]),
    ];
    for (then, action, journal) in cases {
        let (rig, id, folder) = running().await;
        std::fs::write(folder.path().join("a"), "text").unwrap();
        assert_eq!(sync(&rig, &id, false, &[target(&folder, "a")], &then).await.as_deref(), Ok(action));
        assert_eq!(rig.engine.take_journal(), journal, "{then:?}");
        assert_eq!(rig.engine.file("web", "/app/a").unwrap(), "text");
    }
    let (rig, id, _) = running().await;
    assert_eq!(sync(&rig, &id, false, &[], &Reload::Restart).await.as_deref(), Ok("container restarted"));
    assert_eq!(rig.engine.journal(), ["restart web"], "nothing is uploaded where nothing is copied");
}

#[tokio::test(start_paused = true)]
async fn what_the_archive_api_cannot_do_is_a_rebuild_from_the_start() {
    let (rig, id, folder) = running().await;
    std::fs::write(folder.path().join("a"), "text").unwrap();
    let owned = SyncTarget { owner: Some("app".into()), ..target(&folder, "a") };
    for target in [target(&folder, "gone"), owned] {
        let why = sync(&rig, &id, false, &[target], &Reload::Restart).await.unwrap_err();
        assert_eq!(why, "rebuild: only the agent can delete files or give them an owner");
    }
    let symbolic = SyncTarget { mode: Some("u+x".into()), ..target(&folder, "a") };
    let why = sync(&rig, &id, false, &[symbolic], &Reload::Restart).await.unwrap_err();
    assert_eq!(why, "rebuild: --chmod=u+x is not octal");
    assert_eq!(rig.engine.journal(), [] as [&str; 0]);
    rig.engine.fail_next("upload web /", ErrorKind::Refused);
    let why = sync(&rig, &id, false, &[target(&folder, "a")], &Reload::Restart).await.unwrap_err();
    assert_eq!(why, "failed: upload web / was told to fail");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_uploaded_through_a_link() {
    let (rig, id, folder) = running().await;
    std::fs::write(folder.path().join("a"), "text").unwrap();
    let below = |path: &str| SyncTarget { path: path.into(), base: "/app".into(), ..target(&folder, "a") };
    rig.engine.link("web", "/app");
    rig.engine.link("web", "/app/src/uploads");
    rig.engine.link("web", "/app/a");
    let why = sync(&rig, &id, false, &[below("/app/src/uploads/new/a")], &Reload::None).await.unwrap_err();
    assert_eq!(why, "rebuild: /app/src/uploads is a symbolic link in the container");
    assert_eq!(rig.engine.journal(), [] as [&str; 0]);
    // The folder that is named may be one, and in the last place a link is replaced.
    for path in ["/app/a", "/app/src/a"] {
        assert_eq!(sync(&rig, &id, false, &[below(path)], &Reload::None).await.as_deref(), Ok("synced"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_cannot_be_reached_is_a_rebuild() {
    let (rig, id, folder) = running().await;
    std::fs::write(folder.path().join("a"), "text").unwrap();
    rig.engine.fail_next("exec web", ErrorKind::Conflict);
    let why = sync(&rig, &id, true, &[target(&folder, "a")], &Reload::Restart).await.unwrap_err();
    assert_eq!(why, "rebuild: the agent cannot be reached");
    assert!(rig.events.texts()[0].contains("the agent cannot be reached"), "{:?}", rig.events.texts());
    // The next sync tries again: a stream that could not be opened is not remembered.
    rig.engine.fail_next("exec web", ErrorKind::Conflict);
    sync(&rig, &id, true, &[target(&folder, "a")], &Reload::Restart).await.unwrap_err();
    assert_eq!(rig.engine.journal(), ["exec web", "exec web"]);
}

#[tokio::test(start_paused = true)]
async fn where_the_agent_cannot_run_a_container_is_made_without_it() {
    let rig = Rig::new(project(json!({"web": {"image": "web"}})));
    let spec = crate::model::ContainerSpec {
        name: "p-web-1".into(),
        image: "web".into(),
        service: rig.project.services["web"].clone(),
        ..crate::model::ContainerSpec::default()
    };
    let foreign = ObservedImage {
        tags: vec!["web".into()],
        platform: "linux/s390x".into(),
        cmd: vec!["serve".into()],
        ..ObservedImage::default()
    };
    let agents = Arc::clone(&rig.executor.agents);
    agents.note(&"web".into(), true);
    let made = agents.wrap(&spec, Some(foreign)).await.unwrap();
    assert_eq!(made.labels.get(labels::AGENT).map(String::as_str), Some(labels::NO_AGENT));
    assert_eq!((&made.entrypoint, &made.mounts), (&None, &Vec::new()));
    assert!(!agents.carries(&"web".into()), "its saves take the other way");
    assert!(rig.events.texts()[0].starts_with("saves restart its container"), "{:?}", rig.events.texts());
    assert_eq!(rig.engine.journal(), [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_agents_volume_is_filled_once_by_a_container_that_goes_again() {
    let rig = Rig::new(project(json!({"web": {"image": "web"}})));
    if agent::binary("linux/amd64").is_none() {
        return;
    }
    let image = ObservedImage { tags: vec!["web".into()], cmd: vec!["serve".into()], ..ObservedImage::default() };
    rig.engine.put_image(image.clone());
    let image = Some(image);
    let spec = crate::model::ContainerSpec {
        name: "p-web-1".into(),
        image: "web".into(),
        service: rig.project.services["web"].clone(),
        ..crate::model::ContainerSpec::default()
    };
    let agents = Arc::clone(&rig.executor.agents);
    // Two containers at once, while another hob fills the same volume.
    rig.engine.fail_next("create ", ErrorKind::Conflict);
    let (one, two) = tokio::join!(agents.wrap(&spec, image.clone()), agents.wrap(&spec, image.clone()));
    let (one, two) = (one.unwrap(), two.unwrap());
    let (first, second) = tokio::join!(agents.provide(&one), agents.provide(&two));
    first.unwrap();
    second.unwrap();
    let (filled, again) = tokio::join!(agents.provide(&one), agents.provide(&two));
    filled.and(again).unwrap();
    assert_eq!(one.mounts.last().unwrap().target, agent::MOUNT);
    assert!(one.mounts.last().unwrap().read_only && one == two);
    assert!(agents.carries(&"web".into()));
    let journal = rig.engine.journal();
    assert_eq!(journal.iter().filter(|call| call.starts_with("upload")).count(), 1, "{journal:?}");
    assert_eq!(rig.engine.container(&format!("{}-fill", agent::volume_name())), None, "{journal:?}");
}
