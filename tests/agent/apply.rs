//! Batches of files, and what somebody inside could do to lead them astray.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use hob::for_tests::agent::{AgentClient, EntryKind, Meta, Op, Then, ThenOutcome};
use tokio::process::Child;

use crate::harness::{Supervised, is_root, need_isolation};

/// A supervisor, a stream to it, and a folder to write to.
struct Stage {
    client: AgentClient,
    folder: tempfile::TempDir,
    supervised: Supervised,
    _serve: Child,
}

async fn stage() -> Stage {
    need_isolation();
    let mut supervised = Supervised::shell("echo ready; exec sleep 600");
    assert_eq!(supervised.line().await, "ready");
    let (client, serve) = supervised.client().await;
    Stage { client, folder: tempfile::tempdir().unwrap(), supervised, _serve: serve }
}

impl Stage {
    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn target(&self) -> Op {
        Op::Target(self.path().to_str().unwrap().as_bytes().to_vec())
    }

    /// Applies steps below the folder and gives the errors as `path: message`.
    async fn apply(&self, steps: Vec<Op>) -> Vec<String> {
        let mut ops = vec![self.target()];
        ops.extend(steps);
        let applied = self.client.apply(ops).await.unwrap();
        let base = format!("{}/", self.path().display());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&base, "");
        applied.errors.iter().map(|e| format!("{}: {}", text(&e.path), text(&e.message))).collect()
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).unwrap()
    }

    /// Everything in the folder, in order.
    fn tree(&self) -> Vec<String> {
        fn walk(folder: &Path, base: &Path, out: &mut Vec<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                out.push(path.strip_prefix(base).unwrap().display().to_string());
                if path.is_dir() && !path.is_symlink() {
                    walk(&path, base, out);
                }
            }
        }
        let mut out = Vec::new();
        walk(self.path(), self.path(), &mut out);
        out.sort();
        out
    }
}

fn meta(mode: u32) -> Meta {
    // Root in the agent's eyes, be it of a user namespace.
    Meta { mode, uid: 0, gid: 0, mtime: None }
}

fn write(path: &str, data: &str) -> Op {
    Op::Write { path: path.into(), meta: meta(0o644), data: data.into(), last: true }
}

fn delete(path: &str, recursive: bool) -> Op {
    Op::Delete { path: path.into(), recursive }
}

fn dir(path: &str) -> Op {
    Op::Dir { path: path.into(), meta: meta(0o755) }
}

fn link(path: &str, to: &str) -> Op {
    Op::Link { path: path.into(), to: to.into(), uid: 0, gid: 0 }
}

const NONE: Vec<String> = Vec::new();

#[tokio::test]
async fn a_batch_gives_files_folders_links_modes_and_times() {
    let stage = stage().await;
    fs::write(stage.path().join("old"), "old").unwrap();
    fs::create_dir_all(stage.path().join("gone/deep")).unwrap();
    fs::write(stage.path().join("gone/deep/file"), "x").unwrap();
    let timed = Meta { mode: 0o4750, uid: 0, gid: 0, mtime: Some(1_600_000_000_123_456_789) };
    let errors = stage
        .apply(vec![
            write("old", "new"),
            Op::Write { path: b"new/folder/tool".to_vec(), meta: timed, data: b"#!".to_vec(), last: true },
            Op::Dir { path: b"empty".to_vec(), meta: meta(0o711) },
            link("link", "new/folder"),
            link("dangling", "/no/where"),
            delete("gone", true),
            delete("never/was", false),
        ])
        .await;
    assert_eq!(errors, NONE);
    assert_eq!(stage.tree(), ["dangling", "empty", "link", "new", "new/folder", "new/folder/tool", "old"]);
    assert_eq!(stage.read("old"), "new");
    let tool = fs::metadata(stage.path().join("new/folder/tool")).unwrap();
    assert_eq!(tool.permissions().mode() & 0o7777, 0o4750);
    assert_eq!((tool.mtime(), tool.mtime_nsec()), (1_600_000_000, 123_456_789));
    let mode = |path: &str| fs::metadata(stage.path().join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("empty"), mode("new"), mode("old")), (0o711, 0o755, 0o644));
    assert_eq!(fs::read_link(stage.path().join("link")).unwrap(), Path::new("new/folder"));
}

#[tokio::test]
async fn steps_take_effect_in_their_order() {
    let stage = stage().await;
    assert_eq!(stage.apply(vec![dir("a"), write("a/b", "1"), write("c", "1"), write("d/e", "1")]).await, NONE);
    // A folder becomes a file, a file becomes a folder, a folder is replaced by another, and one file is written twice.
    let errors = stage
        .apply(vec![
            delete("a", true),
            write("a", "2"),
            delete("c", false),
            write("c/x/y", "2"),
            delete("d", true),
            write("d/new", "2"),
            write("twice", "1"),
            write("twice", "2"),
            write("back", "1"),
            delete("back", false),
        ])
        .await;
    assert_eq!(errors, NONE);
    assert_eq!(stage.tree(), ["a", "c", "c/x", "c/x/y", "d", "d/new", "twice"]);
    assert_eq!((stage.read("a"), stage.read("twice")), ("2".to_owned(), "2".to_owned()));
}

#[tokio::test]
async fn content_larger_than_a_frame_arrives_whole() {
    let stage = stage().await;
    let big: Vec<u8> = (0..5_000_003u32).map(|n| n.to_le_bytes()[(n % 4) as usize] ^ 0x5a).collect();
    let op =
        |path: &str, data: &[u8]| Op::Write { path: path.into(), meta: meta(0o600), data: data.to_vec(), last: true };
    let mut steps = vec![op("big", &big), op("empty", b"")];
    steps.extend((0..3000).map(|n| op(&format!("many/{}/{n}", n % 300), &big[n..n + 700])));
    assert_eq!(stage.apply(steps).await, NONE);
    assert!(fs::read(stage.path().join("big")).unwrap() == big);
    assert_eq!(stage.read("empty"), "");
    for n in 0..3000 {
        assert!(fs::read(stage.path().join(format!("many/{}/{n}", n % 300))).unwrap() == big[n..n + 700], "{n}");
    }
    assert_eq!(stage.tree().iter().filter(|path| path.contains(".hob-")).count(), 0);
}

#[tokio::test]
async fn a_step_that_fails_is_told_and_leaves_the_others_alone() {
    let stage = stage().await;
    assert_eq!(stage.apply(vec![write("full/file", "1"), write("plain", "1")]).await, NONE);
    let errors = stage
        .apply(vec![
            write("first", "1"),
            write("full", "2"),
            delete("full", false),
            write("plain/below", "2"),
            dir("plain"),
            write("last", "1"),
        ])
        .await;
    let expected = [
        "full: cannot put in place: is a directory",
        "full: cannot delete: directory not empty",
        "plain/below: cannot write beside: not a directory",
        "plain: cannot make the folder: not a directory",
    ];
    assert_eq!(errors, expected);
    assert_eq!(stage.tree(), ["first", "full", "full/file", "last", "plain"]);
    assert_eq!(stage.read("plain"), "1");
}

#[tokio::test]
async fn no_link_leads_out_of_the_target() {
    let stage = stage().await;
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("victim"), "safe").unwrap();
    fs::create_dir(outside.path().join("folder")).unwrap();
    symlink(outside.path(), stage.path().join("out")).unwrap();
    symlink(outside.path().join("victim"), stage.path().join("file")).unwrap();
    symlink("..", stage.path().join("up")).unwrap();
    fs::create_dir(stage.path().join("inner")).unwrap();
    symlink("inner", stage.path().join("within")).unwrap();
    let errors = stage
        .apply(vec![
            write("out/victim", "changed"),
            write("out/new", "new"),
            write("up/escaped", "new"),
            write("within/file", "new"),
            delete("out/victim", false),
            delete("out/folder", true),
            dir("out/made"),
            dir("out"),
            link("out/link", "x"),
            write("../escaped", "new"),
            write("inner/../../escaped", "new"),
            write("/etc/escaped", "new"),
            write("", "new"),
            write("nul\0byte", "new"),
        ])
        .await;
    assert_eq!(errors.len(), 14, "{errors:#?}");
    assert!(errors[..7].iter().all(|e| e.contains("is reached through a symbolic link")), "{errors:#?}");
    assert_eq!(fs::read_to_string(outside.path().join("victim")).unwrap(), "safe");
    let mut left: Vec<_> = fs::read_dir(outside.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["folder", "victim"]);
    // A link in the last place is replaced or removed itself.
    assert_eq!(stage.apply(vec![write("file", "mine"), delete("out", true), delete("within", true)]).await, NONE);
    assert_eq!(stage.read("file"), "mine");
    assert_eq!(fs::read_to_string(outside.path().join("victim")).unwrap(), "safe");
    assert_eq!(stage.tree(), ["file", "inner", "up"]);
}

#[tokio::test]
async fn the_way_to_the_target_follows_only_links_of_root() {
    if !is_root() {
        return;
    }
    let stage = stage().await;
    fs::create_dir(stage.path().join("real")).unwrap();
    let base = stage.path().display();
    for (name, owner) in [("roots", 0), ("users", 1000)] {
        symlink(stage.path().join("real"), stage.path().join(name)).unwrap();
        std::os::unix::fs::lchown(stage.path().join(name), Some(owner), None).unwrap();
    }
    let apply = async |target: String| {
        let ops = vec![Op::Target(target.into_bytes()), write("file", "new")];
        stage.client.apply(ops).await.unwrap().errors.len()
    };
    assert_eq!(apply(format!("{base}/roots/sub")).await, 0);
    assert_eq!(stage.read("real/sub/file"), "new");
    assert_eq!(apply(format!("{base}/users/other")).await, 2);
    assert!(!stage.path().join("real/other").exists());
    assert_eq!(apply("relative".to_owned()).await, 2);
    assert_eq!(apply(format!("{base}/real/../sub")).await, 2);
}

#[tokio::test]
async fn what_is_mounted_in_a_folder_outlives_it() {
    need_isolation();
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("victim"), "safe").unwrap();
    fs::create_dir_all(folder.path().join("a/b/mounted")).unwrap();
    fs::write(folder.path().join("a/b/file"), "").unwrap();
    // Of the same file system: nothing but the mount itself tells.
    let mount = format!("mount --bind {} {}/a/b/mounted", outside.path().display(), folder.path().display());
    let mut supervised = Supervised::shell(&format!("{mount} && echo ready; exec sleep 600"));
    assert_eq!(supervised.line().await, "ready");
    let (client, _serve) = supervised.client().await;
    let target = || Op::Target(folder.path().to_str().unwrap().into());
    let applied = client.apply(vec![target(), delete("a", true)]).await.unwrap();
    assert_eq!(applied.errors.len(), 1);
    assert_eq!(fs::read_to_string(outside.path().join("victim")).unwrap(), "safe");
    // What goes to a folder comes after the removal of it.
    let applied =
        client.apply(vec![target(), dir("gone"), delete("gone", false), write("gone/new", "1")]).await.unwrap();
    assert_eq!(applied.errors.len(), 0, "{:?}", applied.errors);
    assert_eq!(fs::read_to_string(folder.path().join("gone/new")).unwrap(), "1");
}

#[tokio::test]
async fn owners_are_set() {
    if !is_root() {
        return;
    }
    let stage = stage().await;
    let meta = Meta { mode: 0o640, uid: 1234, gid: 2345, mtime: None };
    let steps = vec![
        Op::Write { path: b"file".to_vec(), meta, data: Vec::new(), last: true },
        Op::Dir { path: b"dir".to_vec(), meta },
        Op::Link { path: b"link".to_vec(), to: b"file".to_vec(), uid: 1234, gid: 2345 },
    ];
    assert_eq!(stage.apply(steps).await, NONE);
    for name in ["file", "dir", "link"] {
        let found = fs::symlink_metadata(stage.path().join(name)).unwrap();
        assert_eq!((found.uid(), found.gid()), (1234, 2345), "{name}");
    }
    assert_eq!(stage.client.owner("0:7").await.unwrap(), (0, 7));
    assert_eq!(stage.client.owner("root").await.unwrap(), (0, 0));
    assert!(stage.client.owner("no-such-user").await.is_err());
}

#[tokio::test]
async fn what_is_there_can_be_compared() {
    let stage = stage().await;
    let steps = vec![write("a/file", "abc"), link("a/link", "file"), dir("a/sub"), write("b", "")];
    assert_eq!(stage.apply(steps).await, NONE);
    let target = stage.path().to_str().unwrap();
    let entries =
        stage.client.list(target, vec![b"a".to_vec(), b"b".to_vec(), b"no/thing".to_vec()], true, true).await.unwrap();
    let found: Vec<(String, &EntryKind)> =
        entries.iter().map(|e| (String::from_utf8(e.path.clone()).unwrap(), &e.kind)).collect();
    let digest = |content: &[u8]| EntryKind::File(content.len() as u64, Some(sha256(content)));
    assert_eq!(
        found,
        [
            ("a".to_owned(), &EntryKind::Dir),
            ("a/file".to_owned(), &digest(b"abc")),
            ("a/link".to_owned(), &EntryKind::Link(b"file".to_vec())),
            ("a/sub".to_owned(), &EntryKind::Dir),
            ("b".to_owned(), &digest(b"")),
            ("no/thing".to_owned(), &EntryKind::Missing),
        ]
    );
    // Longer than a frame.
    let many = (0..12_000).map(|n| write(&format!("many/a-rather-long-name-for-a-file-{n}"), "")).collect();
    assert_eq!(stage.apply(many).await, NONE);
    let entries = stage.client.list(target, vec![Vec::new()], true, false).await.unwrap();
    assert_eq!(entries.len(), 1 + 5 + 12_001);
}

fn sha256(content: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(content).into()
}

#[tokio::test]
async fn what_follows_a_batch_is_done_only_if_it_had_no_errors() {
    let mut stage = stage().await;
    let restart = Then::Restart { signal: 15, grace: Duration::from_mins(10) };
    let before = stage.client.status().await.unwrap().pid;
    let (applied, outcome) = stage.client.apply_then(vec![stage.target(), write("../x", "")], restart).await.unwrap();
    assert_eq!((applied.errors.len(), outcome), (1, ThenOutcome::Skipped));
    assert_eq!(stage.client.status().await.unwrap().pid, before);
    let (applied, outcome) = stage.client.apply_then(vec![stage.target(), write("x", "")], restart).await.unwrap();
    assert_eq!(applied.errors.len(), 0);
    assert!(matches!(outcome, ThenOutcome::Restarted(r) if r.old == Some(before)), "{outcome:?}");
    assert_eq!(stage.supervised.line().await, "ready");
}
