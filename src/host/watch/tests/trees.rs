//! Folders that come, go, move, and are links.

use std::os::unix::fs::symlink;

use super::*;

#[tokio::test]
async fn folders_made_at_once_are_told_with_all_that_is_in_them() {
    let mut scene = Scene::new();
    scene.dir("src");
    scene.set(&["src"]);

    scene.dir("src/a/b/c");
    scene.dir("src/a/node_modules/left-pad");
    for name in ["src/a/1", "src/a/b/2", "src/a/b/c/3", "src/a/b/c/4~", "src/a/node_modules/left-pad/index.js"] {
        scene.write(name, "x");
    }

    for name in ["src/a", "src/a/1", "src/a/b/2", "src/a/b/c/3"] {
        scene.expect(name, ChangeKind::Created).await;
    }
    scene.forget();
    scene.write("src/a/b/c/3", "y");
    scene.expect_write("src/a/b/c/3").await;
    scene.write("src/a/node_modules/left-pad/index.js", "y");
    scene.catch_up("src/a").await;
    assert!(!scene.told.iter().any(|change| change.path.to_string_lossy().contains("left-pad")), "{:?}", scene.told);
    assert!(!scene.tells("src/a/b/c/4~"));
}

#[tokio::test]
async fn what_was_found_stays_watched_and_what_is_dropped_does_not() {
    let mut scene = Scene::new();
    scene.dir("kept");
    scene.dir("dropped");
    let coverage = scene.set(&["kept", "dropped"]);
    assert_eq!((coverage.watched, coverage.polled, coverage.missing), (2, 0, 0));
    assert_eq!(coverage.notices, []);
    scene.dir("kept/found");
    scene.expect("kept/found", ChangeKind::Created).await;

    // As measured before `kept/found` was made.
    let coverage = scene.set(&["kept"]);
    assert_eq!(coverage.watched, 2, "kept and kept/found");
    scene.write("dropped/file", "x");
    scene.write("kept/found/file", "x");
    scene.expect_write("kept/found/file").await;
    assert!(!scene.tells("dropped/file"), "{:?}", scene.told);

    // The rest of the news of these writes.
    scene.catch_up("kept/found").await;

    // The caller has taken it over, so now it is the caller's to drop.
    assert_eq!(scene.set(&["kept", "kept/found"]).watched, 2);
    assert_eq!(scene.set(&["kept"]).watched, 1);
    scene.forget();
    scene.write("kept/found/file", "y");
    scene.catch_up("kept").await;
    assert!(!scene.tells("kept/found/file"), "{:?}", scene.told);
}

#[tokio::test]
async fn a_watched_folder_may_be_deleted_and_made_again() {
    let mut scene = Scene::new();
    scene.dir("out/src/below");
    scene.set(&["out/src", "out/src/below"]);

    fs::remove_dir_all(scene.path("out")).unwrap();
    scene.expect("out/src", ChangeKind::Removed).await;
    scene.forget();

    scene.dir("out/src/below");
    scene.write("out/src/below/early", "x");
    scene.expect("out/src/below/early", ChangeKind::Created).await;
    scene.forget();
    scene.write("out/src/below/late", "x");
    scene.write("out/src/late", "x");
    scene.expect_write("out/src/below/late").await;
    scene.expect_write("out/src/late").await;
}

#[tokio::test]
async fn a_missing_folder_is_waited_for() {
    let mut scene = Scene::new();
    let coverage = scene.set(&["far/away/src"]);
    assert_eq!((coverage.watched, coverage.missing), (0, 1));

    scene.write("noise", "not in the set");
    scene.dir("far");
    scene.write("far/noise", "not in the set");
    scene.dir("far/away/src");
    scene.write("far/away/src/app.py", "x");

    scene.expect("far/away/src/app.py", ChangeKind::Created).await;
    assert!(!scene.tells("noise") && !scene.tells("far/noise"), "{:?}", scene.told);
    scene.forget();
    // Found by the scan and told by the system: the second news of the new file may take the write in.
    scene.write("far/away/src/app.py", "y");
    scene.expect_write("far/away/src/app.py").await;
}

#[tokio::test]
async fn a_folder_that_is_moved_is_followed_to_its_new_name() {
    let mut scene = Scene::new();
    scene.dir("src/old/below");
    scene.write("src/old/below/app.py", "x");
    scene.set(&["src", "src/old", "src/old/below"]);

    fs::rename(scene.path("src/old"), scene.path("src/new")).unwrap();
    scene.expect("src/old", ChangeKind::Removed).await;
    scene.expect("src/new/below/app.py", ChangeKind::Created).await;

    scene.forget();
    scene.write("src/new/below/app.py", "y");
    scene.expect("src/new/below/app.py", ChangeKind::Modified).await;
    assert!(!scene.tells("src/old/below/app.py"), "{:?}", scene.told);
}

#[tokio::test]
async fn a_folder_between_two_of_the_set_may_be_moved() {
    let mut scene = Scene::new();
    scene.dir("ctx/way/src");
    scene.write("ctx/way/noise", "x");
    scene.set(&["ctx", "ctx/way/src"]);

    scene.write("ctx/way/noise", "y");
    fs::rename(scene.path("ctx/way"), scene.path("ctx/node_modules")).unwrap();
    scene.expect("ctx/way", ChangeKind::Removed).await;
    scene.write("ctx/node_modules/src/app.py", "x");
    scene.dir("ctx/way/src");
    scene.write("ctx/way/src/app.py", "x");
    scene.expect_write("ctx/way/src/app.py").await;
    scene.catch_up("ctx").await;
    assert!(!scene.tells("ctx/way/noise"), "{:?}", scene.told);
    assert!(!scene.tells("ctx/node_modules/src/app.py"), "{:?}", scene.told);
}

#[tokio::test]
async fn a_folder_moved_in_from_elsewhere_is_told_with_its_content() {
    let mut scene = Scene::new();
    scene.dir("elsewhere/pkg/deep");
    scene.write("elsewhere/pkg/deep/app.py", "x");
    scene.dir("src");
    scene.set(&["src"]);

    fs::rename(scene.path("elsewhere/pkg"), scene.path("src/pkg")).unwrap();
    scene.expect("src/pkg/deep/app.py", ChangeKind::Created).await;
    scene.write("src/pkg/deep/app.py", "y");
    scene.expect("src/pkg/deep/app.py", ChangeKind::Modified).await;
}

#[tokio::test]
async fn a_link_and_its_target_are_both_told_of() {
    let mut scene = Scene::new();
    scene.dir("real");
    symlink(scene.path("real"), scene.path("link")).unwrap();
    assert_eq!(scene.set(&["real", "link"]).watched, 2);

    scene.write("real/app.py", "x");
    scene.expect_write("real/app.py").await;
    scene.expect_write("link/app.py").await;

    scene.catch_up("real").await;

    // Dropping one leaves the other.
    scene.set(&["link"]);
    scene.forget();
    scene.write("real/app.py", "y");
    scene.expect_write("link/app.py").await;
    assert!(!scene.tells("real/app.py"), "{:?}", scene.told);
}

#[tokio::test]
async fn a_link_that_is_pointed_elsewhere_is_followed() {
    let mut scene = Scene::new();
    scene.dir("release-1");
    scene.dir("release-2");
    scene.write("release-2/app.py", "x");
    symlink("release-1", scene.path("current")).unwrap();
    scene.set(&["current"]);

    symlink("release-2", scene.path("next")).unwrap();
    fs::rename(scene.path("next"), scene.path("current")).unwrap();
    scene.expect("current/app.py", ChangeKind::Created).await;

    scene.forget();
    scene.write("release-2/app.py", "y");
    scene.expect("current/app.py", ChangeKind::Modified).await;
    scene.catch_up("current").await;
    scene.forget();
    scene.write("release-1/app.py", "y");
    scene.catch_up("current").await;
    assert!(!scene.tells("current/app.py"), "{:?}", scene.told);
}

#[tokio::test]
async fn thousands_of_folders_may_be_watched() {
    let mut scene = Scene::new();
    let names: Vec<_> = (0..2000).map(|number| format!("d{}/s{number}", number % 50)).collect();
    for name in &names {
        scene.dir(name);
    }
    assert_eq!(scene.set(&names.iter().map(String::as_str).collect::<Vec<_>>()).watched, 2000);
    scene.write("d7/s1957/app.py", "x");
    scene.expect_write("d7/s1957/app.py").await;
    assert_eq!(scene.set(&["d0/s0"]).watched, 1);
}

#[tokio::test]
async fn dropping_the_watcher_closes_the_channel() {
    let Scene { watcher, mut batches, .. } = Scene::new();
    drop(watcher);
    let end = tokio::time::timeout(PATIENCE, batches.recv()).await;
    assert!(end.expect("the threads end").is_none());
}
