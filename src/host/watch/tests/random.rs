//! Whatever is done to a tree: all that is different afterwards has been told, and every folder is watched.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Write(String),
    Folder(String),
    Remove(String),
    Move(String, String),
}

/// Few names and little depth, so that operations meet.
fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..4).prop_map(|parts| parts.join("/"))
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => path().prop_map(Op::Write),
        2 => path().prop_map(Op::Folder),
        2 => path().prop_map(Op::Remove),
        3 => (path(), path()).prop_map(|(from, to)| Op::Move(from, to)),
    ]
}

fn run(root: &Path, op: &Op, content: usize) {
    // Many of them cannot be done, and that is as good as another.
    let _ = match op {
        Op::Write(path) => fs::write(root.join(path), content.to_string()),
        Op::Folder(path) => fs::create_dir_all(root.join(path)),
        Op::Remove(path) => fs::remove_dir_all(root.join(path)).or_else(|_| fs::remove_file(root.join(path))),
        Op::Move(from, to) => fs::rename(root.join(from), root.join(to)),
    };
}

/// Every path below with its content; a folder has none.
fn tree(folder: &Path, into: &mut BTreeMap<PathBuf, Option<String>>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            tree(&path, into);
            into.insert(path, None);
        } else {
            into.insert(path.clone(), Some(fs::read_to_string(path).unwrap()));
        }
    }
}

async fn check(before: Vec<Op>, during: Vec<Op>, polled: bool) {
    let mut scene = if polled {
        Scene::with(Duration::from_millis(1), || Opened {
            register: Box::new(super::source::Unsupported),
            reading: None,
            error: None,
        })
    } else {
        Scene::new()
    };
    for (number, op) in before.iter().enumerate() {
        run(&scene.root, op, number);
    }
    let mut old = BTreeMap::new();
    tree(&scene.root, &mut old);
    let folders = old.iter().filter(|(_, content)| content.is_none()).map(|(path, _)| path.clone());
    let folders: BTreeSet<_> = folders.chain([scene.root.clone()]).collect();
    scene.watcher.set(&folders);

    for (number, op) in during.iter().enumerate() {
        run(&scene.root, op, 1000 + number);
    }
    let mut new = BTreeMap::new();
    tree(&scene.root, &mut new);

    let different = old.keys().chain(new.keys()).filter(|path| old.get(*path) != new.get(*path));
    let different: BTreeSet<_> = different.cloned().collect();
    for path in different {
        let there = new.contains_key(&path);
        scene
            .until(&format!("news of {} after {before:?}, {during:?}", path.display()), |told| {
                told.iter().any(|change| {
                    change.path == path
                        || (!there && change.kind == ChangeKind::Removed && path.starts_with(&change.path))
                })
            })
            .await;
    }
    let now = new.iter().filter(|(_, content)| content.is_none()).map(|(path, _)| path.clone());
    for folder in now.chain([scene.root.clone()]) {
        let name = folder.strip_prefix(&scene.root).unwrap().to_str().unwrap().to_owned();
        scene.catch_up(&name).await;
    }
}

fn cases(count: u32) -> ProptestConfig {
    // Each step of shrinking a failure waits for what does not come.
    ProptestConfig { cases: count, failure_persistence: None, max_shrink_iters: 20, ..ProptestConfig::default() }
}

fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test);
}

proptest! {
    #![proptest_config(cases(200))]
    #[test]
    fn all_that_differs_is_told(before in prop::collection::vec(op(), 0..12), during in prop::collection::vec(op(), 1..25)) {
        block_on(check(before, during, false));
    }
}

proptest! {
    #![proptest_config(cases(20))]
    #[test]
    fn all_that_differs_is_told_when_polled(before in prop::collection::vec(op(), 0..12), during in prop::collection::vec(op(), 1..25)) {
        block_on(check(before, during, true));
    }
}
