//! A system that refuses, loses events, or has no watcher.

use std::io;

use super::source::{Raw, Refused, Register, Unsupported, WatchId};
use super::state::State;
use super::*;

/// Sets a number of watches and no more.
struct Limited {
    inner: Box<dyn Register>,
    left: usize,
}

impl Register for Limited {
    fn add(&mut self, folder: &Path) -> Result<WatchId, Refused> {
        if self.left == 0 && folder.is_dir() {
            return Err(Refused::Limit);
        }
        let watch = self.inner.add(folder)?;
        self.left = self.left.saturating_sub(1);
        Ok(watch)
    }

    fn remove(&mut self, watch: WatchId) {
        self.left += 1;
        self.inner.remove(watch);
    }
}

fn limited(left: usize) -> impl FnOnce() -> Opened {
    move || {
        let opened = open();
        Opened { register: Box::new(Limited { inner: opened.register, left }), ..opened }
    }
}

const OFTEN: Duration = Duration::from_millis(20);

#[tokio::test]
async fn what_is_over_the_limit_is_polled_and_said() {
    let mut scene = Scene::with(OFTEN, limited(1));
    scene.dir("a");
    scene.dir("b");
    scene.write("b/old", "x");
    let coverage = scene.set(&["a", "b"]);
    assert_eq!((coverage.watched, coverage.polled), (1, 1));
    let [Notice::WatchLimit { polled: 1, watched: 1, .. }] = coverage.notices[..] else {
        panic!("one notice of the limit: {:?}", coverage.notices);
    };
    assert_eq!(scene.set(&["a", "b"]).notices, [], "told once");

    scene.write("a/file", "x");
    scene.expect_write("a/file").await;
    scene.write("b/file", "x");
    scene.expect("b/file", ChangeKind::Created).await;
    scene.write("b/old", "longer");
    scene.expect("b/old", ChangeKind::Modified).await;
    fs::remove_file(scene.path("b/file")).unwrap();
    scene.expect("b/file", ChangeKind::Removed).await;

    // A new folder in a polled one, and one in a watched one.
    for below in ["b/new/deep", "a/new/deep"] {
        scene.dir(below);
        scene.write(&format!("{below}/file"), "x");
        scene.expect(&format!("{below}/file"), ChangeKind::Created).await;
        scene.forget();
        scene.write(&format!("{below}/file"), "longer");
        scene.expect(&format!("{below}/file"), ChangeKind::Modified).await;
    }
}

#[tokio::test]
async fn a_watch_that_becomes_free_is_used() {
    let mut scene = Scene::with(OFTEN, limited(1));
    scene.dir("a");
    scene.dir("b");
    scene.set(&["a", "b"]);
    let coverage = scene.set(&["b"]);
    assert_eq!((coverage.watched, coverage.polled), (1, 0));
}

#[tokio::test]
async fn without_a_watcher_everything_is_polled() {
    let refused = || Opened {
        register: Box::new(Unsupported),
        reading: None,
        error: Some(io::Error::from_raw_os_error(nix::libc::EMFILE)),
    };
    let mut scene = Scene::with(OFTEN, refused);
    scene.dir("src");
    let coverage = scene.set(&["src", "later/src"]);
    assert_eq!((coverage.watched, coverage.polled, coverage.missing), (0, 2, 0));
    assert!(matches!(coverage.notices[..], [Notice::NoWatcher { limit_reached: true, .. }]), "{:?}", coverage.notices);

    scene.write("src/app.py", "x");
    scene.expect("src/app.py", ChangeKind::Created).await;
    scene.dir("later/src/deep");
    scene.write("later/src/deep/app.py", "x");
    scene.expect("later/src/deep/app.py", ChangeKind::Created).await;
    fs::remove_dir_all(scene.path("later")).unwrap();
    scene.expect("later/src", ChangeKind::Removed).await;
    scene.forget();
    scene.dir("later/src");
    scene.write("later/src/app.py", "x");
    scene.expect("later/src/app.py", ChangeKind::Created).await;
}

#[test]
fn lost_events_ask_for_a_rescan_and_lose_no_folder() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().canonicalize().unwrap();
    for folder in ["src/swapped", "src/gone", "src/waited"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let opened = open();
    let mut state = State::new(opened.register, Arc::new(|path: &Path| !path.ends_with("node_modules")), OFTEN);
    let set = ["src", "src/swapped", "src/gone", "src/late"].map(|name| root.join(name)).into();
    assert_eq!(state.set(&set).missing, 1);
    let watch = |state: &State, name: &str| state.nodes.get(&*root.join(name)).and_then(|node| node.watch);
    let swapped = watch(&state, "src/swapped");

    // None of this is told.
    fs::rename(root.join("src/swapped"), root.join("away")).unwrap();
    for folder in ["src/swapped", "src/made/deep", "src/node_modules", "src/late"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::remove_dir(root.join("src/gone")).unwrap();
    let mut out = change::Gathered::default();
    state.handle(vec![Raw::Overflow], &mut out);

    assert!(out.into_changes().iter().any(|c| c.path == Path::new("/") && c.kind == ChangeKind::Rescan));
    for folder in ["src", "src/swapped", "src/made", "src/made/deep", "src/late"] {
        assert!(watch(&state, folder).is_some(), "{folder} is watched");
    }
    assert_ne!(watch(&state, "src/swapped"), swapped, "as the folder that it is now");
    assert_eq!(watch(&state, "src/node_modules"), None);
    assert_eq!(state.missing.iter().map(|path| &**path).collect::<Vec<_>>(), [root.join("src/gone")]);
    for (watch, paths) in &state.by_watch {
        for path in paths {
            assert_eq!(state.nodes[path].watch, Some(*watch));
        }
    }
}
