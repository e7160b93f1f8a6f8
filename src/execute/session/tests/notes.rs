//! What containers hold is written down for the next hob.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::model::{ContainerId, Content};
use crate::plan::WantedImage;

fn noted(running: &Running, id: &ContainerId) -> Option<Content> {
    running.rig.sources.contents.lock().unwrap().get(id).cloned()
}

#[tokio::test(start_paused = true)]
async fn what_was_synced_is_written_down_once_no_news_comes() {
    let running = start(rig(json!({"web": {"build": {"context": "/src/web"}}})), options());
    running.up().await;
    let id = running.rig.engine.container("web").unwrap().id;
    assert_eq!(noted(&running, &id), Some(Content::AsMade));
    running.saved("/src/web/sync/main.py", "print(2)").await;
    assert_eq!(noted(&running, &id), Some(Content::Syncing), "a killed session leaves nothing to believe");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let wanted = running.rig.view().await.wanted;
    let Some(WantedImage::Built(inputs)) = wanted.images.get("web") else { panic!("it is built") };
    assert_eq!(noted(&running, &id), Some(Content::Synced(inputs.digest.clone())));

    // The next hob takes it as it is, also where the image's label says something else.
    let made = |plan: &crate::plan::Plan| plan.to_string().contains("create container");
    let plan = running.rig.plan().await;
    assert!(!made(&plan), "{plan}");
    // The files are again what the container was made of, which it does not hold.
    running.rig.sources.files.lock().unwrap().remove(std::path::Path::new("/src/web/sync/main.py"));
    let plan = running.rig.plan().await;
    assert!(made(&plan), "{plan}");
    running.rig.sources.write("/src/web/sync/main.py", "print(2)");
    // Another hob syncs into it: it is waited for, and not for ever.
    let syncing = |content| running.rig.sources.contents.lock().unwrap().insert(id.clone(), content);
    syncing(Content::Syncing);
    let ended = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        running.rig.sources.contents.lock().unwrap().insert(id.clone(), Content::Synced(inputs.digest.clone()));
    };
    let (plan, ()) = tokio::join!(running.rig.plan(), ended);
    assert!(!made(&plan), "{plan}");
    syncing(Content::Syncing);
    let plan = running.rig.plan().await;
    assert!(made(&plan), "{plan}");
    syncing(Content::Unknown);
    let plan = running.rig.plan().await;
    assert!(made(&plan) && plan.to_string().contains("not known which version"), "{plan}");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_session_writes_down_what_is_settled() {
    let running = start(rig(json!({"web": {"build": {"context": "/src/web"}}})), options());
    running.up().await;
    let id = running.rig.engine.container("web").unwrap().id;
    running.saved("/src/web/sync/main.py", "print(2)").await;
    let (rig, _) = running.stop().await;
    let noted = rig.sources.contents.lock().unwrap().get(&id).cloned();
    assert!(matches!(noted, Some(Content::Synced(_))), "{noted:?}");
}
