//! The backend of other systems, on this one: the same as what is told by the system's own, folder by folder; and as
//! much of it for whole trees as `notify` can do here, where watching a tree is its own doing and not the system's.
#![allow(clippy::duplicate_mod, reason = "the same tests, for another `Scene`")]

use notify::RecursiveMode;

use super::*;

struct EachFolder;

impl Backend for EachFolder {
    fn open() -> Opened {
        opened(portable::start(RecursiveMode::NonRecursive))
    }
}

type Scene = SceneOf<EachFolder>;

#[path = "edits.rs"]
mod edits;
#[path = "trees.rs"]
mod trees;

struct WholeTrees;

impl Backend for WholeTrees {
    fn open() -> Opened {
        opened(portable::start(RecursiveMode::Recursive))
    }
}

#[tokio::test]
async fn of_whole_trees_only_the_folders_of_the_set_are_told() {
    let mut scene = SceneOf::<WholeTrees>::new();
    scene.dir("src/deep");
    scene.dir("src/node_modules/pkg");
    assert_eq!(scene.set(&["src", "src/deep"]).watched, 2);

    scene.write("src/node_modules/pkg/index.js", "x");
    scene.write("src/deep/app.py", "x");
    scene.expect_write("src/deep/app.py").await;
    scene.write("src/deep/app.py~", "x");
    fs::rename(scene.path("src/deep/app.py"), scene.path("src/deep/main.py")).unwrap();
    scene.expect("src/deep/app.py", ChangeKind::Removed).await;
    scene.expect("src/deep/main.py", ChangeKind::Created).await;
    fs::remove_file(scene.path("src/deep/main.py")).unwrap();
    scene.expect("src/deep/main.py", ChangeKind::Removed).await;
    scene.catch_up("src").await;
    assert!(!scene.told.iter().any(|change| change.path.to_string_lossy().contains("index.js")), "{:?}", scene.told);
    assert!(!scene.tells("src/deep/app.py~"));
}

#[tokio::test]
async fn a_tree_more_or_less_asks_for_a_rescan_and_the_others_stay() {
    let mut scene = SceneOf::<WholeTrees>::new();
    scene.dir("one/deep");
    scene.dir("two");
    scene.set(&["one", "one/deep"]);
    scene.set(&["one/deep", "two"]);
    scene.until("a rescan", |told| told.iter().any(|change| change.kind == ChangeKind::Rescan)).await;
    scene.write("one/deep/app.py", "x");
    scene.expect_write("one/deep/app.py").await;
    scene.write("one/app.py", "x");
    scene.write("two/app.py", "x");
    scene.expect_write("two/app.py").await;
    assert!(!scene.tells("one/app.py"), "{:?}", scene.told);

    scene.set(&["two"]);
    scene.forget();
    scene.write("one/deep/app.py", "y");
    scene.catch_up("two").await;
    assert!(!scene.tells("one/deep/app.py"), "{:?}", scene.told);
}
