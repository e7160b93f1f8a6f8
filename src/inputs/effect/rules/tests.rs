//! Rules of `develop.watch`: what `initial_sync` brings into a container.
#![allow(clippy::pedantic, reason = "tests are plain")]

use std::path::PathBuf;

use crate::inputs::tests::tree::MemTree;
use crate::inputs::{Ignore, Rules};
use crate::model::{Hook, Reload, SyncAction, WatchAction, WatchRule};

fn rule(path: &str, target: &str, action: WatchAction) -> WatchRule {
    WatchRule {
        path: format!("/w/{path}"),
        target: Some(target.to_owned()),
        action,
        initial_sync: true,
        ..WatchRule::default()
    }
}

#[test]
fn initial_sync_is_about_every_file_that_a_save_could_be() {
    let files = ["src/a", "src/sub/b", "src/sub/c.log", "src/.git/x", "src/made/o", "src/empty/", "src/link->a", "one"];
    let tree = MemTree::of(&files);
    let ignore = Some((PathBuf::from("/w"), Ignore::from_patterns(["src/made"]).unwrap()));
    let src = WatchRule { ignore: vec!["**/*.log".to_owned()], ..rule("src", "/app", WatchAction::Sync) };
    let off = WatchRule { initial_sync: false, ..rule("src", "/off", WatchAction::Sync) };
    let one = rule("one", "/etc/one", WatchAction::SyncRestart);
    let gone = rule("gone", "/gone", WatchAction::Sync);
    let command = Hook { command: Some(vec!["true".to_owned()]), ..Hook::default() };
    let exec = WatchRule { exec: Some(command), ..rule("gone", "/gone", WatchAction::SyncExec) };

    let (targets, then) = Rules::new(&tree, &[src.clone(), off, gone, exec], ignore.clone()).initial(&tree);
    let paths: Vec<&str> = targets.iter().map(|target| target.path.as_str()).collect();
    assert_eq!((paths, then), (vec!["/app/a", "/app/link", "/app/sub/b"], Reload::None));
    assert!(targets.iter().all(|target| target.action == SyncAction::Put));

    let (targets, then) = Rules::new(&tree, &[src, one], ignore).initial(&tree);
    assert_eq!((targets.len(), then), (4, Reload::Restart));
}
