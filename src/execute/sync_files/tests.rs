//! What is read from a real folder, and what the agent and the engine are told of it.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::*;
use crate::agent::{Entry, EntryKind};
use crate::model::{CopiedBy, Digest, Place, RuleName, SyncAction, WatchAction};

fn target(source: &std::path::Path, path: &str, action: SyncAction) -> SyncTarget {
    SyncTarget {
        source: source.to_owned(),
        path: path.to_owned(),
        action,
        base: "/".into(),
        by: CopiedBy::Instruction { dockerfile: "Dockerfile".into(), place: Place { line: 2, column: 1 } },
        owner: None,
        mode: None,
        unpacks: false,
    }
}

fn one(target: SyncTarget) -> Result<Item, String> {
    read(&[target]).map(|items| items.into_iter().next().unwrap().1)
}

#[test]
fn a_target_is_read_as_it_is_at_that_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    fs::write(&file, "text").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("not/there", &link).unwrap();
    let put = |source: &std::path::Path| one(target(source, "/app/x", SyncAction::Put));
    assert_eq!(put(&file), Ok(Item::File { content: b"text".to_vec(), mode: 0o640 }));
    assert_eq!(put(&link), Ok(Item::Link { to: "not/there".into() }), "a link is copied, not followed");
    assert_eq!(put(&folder.path().join("gone")), Ok(Item::Gone { recursive: true }));
    assert!(matches!(put(folder.path()), Ok(Item::Folder { .. })));
    let sink = std::os::unix::net::UnixListener::bind(folder.path().join("socket"));
    assert!(sink.is_ok());
    assert!(put(&folder.path().join("socket")).unwrap_err().ends_with("is not a file"));
    // What the change asks to be removed is not looked at: what is there now is another change.
    assert_eq!(one(target(&file, "/app/x", SyncAction::Remove)), Ok(Item::Gone { recursive: true }));
    assert_eq!(one(target(&file, "/app/x", SyncAction::RemoveFolder)), Ok(Item::Gone { recursive: false }));
}

#[test]
fn chmod_is_octal_or_a_rebuild() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let with = |mode: &str| one(SyncTarget { mode: Some(mode.into()), ..target(&file, "/x", SyncAction::Put) });
    for (mode, bits) in [("755", 0o755), ("0644", 0o644)] {
        assert_eq!(with(mode), Ok(Item::File { content: Vec::new(), mode: bits }));
    }
    for mode in ["u+x", "rwx", "789"] {
        assert_eq!(with(mode).unwrap_err(), format!("--chmod={mode} is not octal"));
    }
    // Builders differ in what they make of those.
    assert!(with("4755").unwrap_err().contains("set-id bits"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o4755)).unwrap();
    assert!(with("755").unwrap_err().contains("set-id bits"));
}

#[test]
fn what_the_builder_would_unpack_is_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data");
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    let archives: [&[u8]; 5] =
        [&[0x1f, 0x8b, 8], b"BZh9", &[0xfd, b'7', b'z', b'X', b'Z', 0], &[0x28, 0xb5, 0x2f, 0xfd], &tar];
    for content in archives {
        fs::write(&file, content).unwrap();
        let put = target(&file, "/x", SyncAction::Put);
        assert!(one(put.clone()).is_ok(), "COPY unpacks nothing");
        assert!(
            one(SyncTarget { unpacks: true, ..put }).unwrap_err().ends_with("is an archive that the build unpacks")
        );
    }
    fs::write(&file, "text").unwrap();
    assert!(one(SyncTarget { unpacks: true, ..target(&file, "/x", SyncAction::Put) }).is_ok());
}

fn item(path: &str, owner: Option<&str>, item: Item) -> (SyncTarget, Item) {
    let owner = owner.map(str::to_owned);
    let base = path.rsplit_once('/').map_or("/", |(folder, _)| folder).to_owned();
    (SyncTarget { base, owner, ..target(std::path::Path::new("/src"), path, SyncAction::Put) }, item)
}

#[test]
fn a_batch_keeps_its_order_and_names_each_folder_once() {
    let file = |text: &str| Item::File { content: text.as_bytes().to_vec(), mode: 0o644 };
    let items = vec![
        item("/app/sub", None, Item::Folder { mode: 0o755 }),
        item("/app/a", Some("app:app"), file("a")),
        item("/app/sub/b", None, file("b")),
        item("/app/sub/old", None, Item::Gone { recursive: true }),
        item("/top", None, Item::Link { to: "app".into() }),
    ];
    let owners = Owners { named: HashMap::from([("app:app".to_owned(), (10, 20))]), user: (7, 8) };
    let (target, by_rule) = item("/top", None, Item::Link { to: "app".into() });
    let by_rule = steps(
        vec![(
            SyncTarget { by: CopiedBy::Rule(RuleName { action: WatchAction::Sync, path: "/src".into() }), ..target },
            by_rule,
        )],
        &owners,
    );
    assert!(matches!(&by_rule[1], Step::Op(Op::Link { uid: 7, gid: 8, .. })), "{by_rule:?}");
    let meta = |mode, uid, gid| Meta { mode, uid, gid, mtime: None };
    let write = |path: &str, meta, data: &str| Op::Write { path: path.into(), meta, data: data.into(), last: true };
    let expected = vec![
        Op::Target(b"/app".to_vec()),
        Op::Dir { path: b"sub".to_vec(), meta: meta(0o755, 0, 0) },
        write("a", meta(0o644, 10, 20), "a"),
        Op::Target(b"/app/sub".to_vec()),
        write("b", meta(0o644, 0, 0), "b"),
        Op::Delete { path: b"old".to_vec(), recursive: true },
        Op::Target(b"/".to_vec()),
        Op::Link { path: b"top".to_vec(), to: b"app".to_vec(), uid: 0, gid: 0 },
    ];
    assert_eq!(steps(items, &owners), expected.into_iter().map(Step::Op).collect::<Vec<_>>());
}

#[test]
fn what_an_instruction_copies_is_below_its_own_folder() {
    let named = |base: &str, path: &str| {
        let (target, _) = item(path, None, Item::Gone { recursive: true });
        let target = SyncTarget { base: base.into(), ..target };
        place(&target).map(|place| format!("{} {}", place.folder, place.name))
    };
    let cases = [
        ("/app", "/app/src/uploads/a.png", Some("/app src/uploads/a.png")),
        ("/app/", "/app/a", Some("/app a")),
        ("/", "/app/src/a", Some("/ app/src/a")),
        ("/app/x", "/app/x", Some("/app x")),
        ("/x", "/x", Some("/ x")),
        ("/app", "/apples/a", Some("/apples a")),
        ("", "/app/a", Some("/app a")),
        ("/", "/", None),
    ];
    for (base, path, expected) in cases {
        assert_eq!(named(base, path).as_deref(), expected, "{path} of {base}");
    }
    let of =
        |base: &str, path: &str| SyncTarget { base: base.into(), ..item(path, None, Item::Gone { recursive: true }).0 };
    let targets = [of("/app", "/app/src/uploads/a.png"), of("/app", "/app/b"), of("/srv", "/srv/c/d")];
    let folders = folders_below(targets.iter());
    assert_eq!(folders.into_iter().collect::<Vec<_>>(), ["/app/src", "/app/src/uploads", "/srv/c"]);
    let steps = steps(targets.map(|target| (target, Item::Gone { recursive: true })).to_vec(), &Owners::default());
    let delete = |path: &str| Step::Op(Op::Delete { path: path.into(), recursive: true });
    let target = |path: &str| Step::Op(Op::Target(path.into()));
    assert_eq!(steps, [target("/app"), delete("src/uploads/a.png"), delete("b"), target("/srv"), delete("c/d")]);
}

#[test]
fn what_a_container_holds_already_is_told_from_what_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    fs::write(&file, "text").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    std::os::unix::fs::symlink("b", &link).unwrap();
    let digest = |text: &[u8]| {
        let hex = Digest::of(text);
        let byte = |at: usize| u8::from_str_radix(&hex.as_str()[at * 2..at * 2 + 2], 16).unwrap();
        std::array::from_fn(byte)
    };
    let entry = |kind, mode| Entry { path: b"app/a".to_vec(), kind, mode, uid: 7, gid: 7 };
    let compared =
        |source: &std::path::Path, action, there| compare(&target(source, "/app/a", action), &there).unwrap();
    let put = SyncAction::Put;
    assert_eq!(compared(&file, put, entry(EntryKind::File(4, None), 0o644)), Compared::ByContent(4));
    assert_eq!(compared(&file, put, entry(EntryKind::File(5, None), 0o644)), Compared::Differs);
    assert_eq!(compared(&file, put, entry(EntryKind::File(4, None), 0o755)), Compared::Differs);
    assert_eq!(compared(&file, put, entry(EntryKind::Missing, 0)), Compared::Differs);
    assert_eq!(compared(&link, put, entry(EntryKind::Link(b"b".to_vec()), 0o777)), Compared::Same);
    assert_eq!(compared(&link, put, entry(EntryKind::Link(b"c".to_vec()), 0o777)), Compared::Differs);
    let mode = fs::metadata(folder.path()).unwrap().permissions().mode() & 0o7777;
    assert_eq!(compared(folder.path(), put, entry(EntryKind::Dir, mode)), Compared::Same);
    let gone = folder.path().join("gone");
    assert_eq!(compared(&gone, SyncAction::Remove, entry(EntryKind::Missing, 0)), Compared::Same);
    // It was gone when the removal was decided, and has come back since.
    assert_eq!(compared(&file, SyncAction::Remove, entry(EntryKind::Missing, 0)), Compared::Differs);
    assert_eq!(compared(folder.path(), SyncAction::RemoveFolder, entry(EntryKind::Missing, 0)), Compared::Differs);
    assert_eq!(compared(&file, SyncAction::Remove, entry(EntryKind::Dir, 0o755)), Compared::Differs);
    assert!(holds(&entry(EntryKind::File(4, Some(digest(b"text"))), 0o644), &file));
    assert!(!holds(&entry(EntryKind::File(4, Some(digest(b"TEXT"))), 0o644), &file));
    assert!(!holds(&entry(EntryKind::File(4, None), 0o644), &file));
}

#[test]
fn what_is_large_is_not_read_before_it_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, size: u64| {
        let path = folder.path().join(name);
        fs::File::create(&path).unwrap().set_len(size).unwrap();
        path
    };
    let targets = |paths: &[PathBuf]| -> Vec<SyncTarget> {
        paths.iter().map(|path| target(path, "/app/x", SyncAction::Put)).collect()
    };
    // One by one they are small.
    let many: Vec<PathBuf> = (0..8).map(|number| file(&format!("{number}"), WHOLE - 1)).collect();
    let read = read(&targets(&many)).unwrap();
    let whole = read.iter().filter(|(_, item)| matches!(item, Item::File { .. })).count();
    assert!((4..=5).contains(&whole), "{whole}");
    let large = file("large", WHOLE + 1);
    let mode = fs::metadata(&large).unwrap().permissions().mode() & 0o7777;
    assert_eq!(
        one(targets(std::slice::from_ref(&large)).remove(0)),
        Ok(Item::Large { from: large, size: WHOLE + 1, mode })
    );
    // Sparse: it takes no room on the disk.
    let huge = file("huge", MOST + 1);
    assert_eq!(super::read(&targets(&[huge])).unwrap_err(), "more than 2048 MB have changed");
}

/// The steps that messages say.
fn said(messages: impl IntoIterator<Item = Vec<u8>>) -> (Vec<Op>, Vec<bool>) {
    let (mut all, mut flags) = (Vec::new(), Vec::new());
    for message in messages {
        let crate::agent::protocol::Request::Apply { more, ops } =
            crate::agent::protocol::Request::decode(2, &message).unwrap()
        else {
            panic!("a batch")
        };
        all.extend(ops);
        flags.push(more);
    }
    (all, flags)
}

#[tokio::test]
async fn a_large_file_goes_out_piece_by_piece() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    let content: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&path, &content).unwrap();
    let items = vec![
        item("/app/a", None, Item::File { content: b"a".to_vec(), mode: 0o644 }),
        item("/app/large", None, Item::Large { from: path.clone(), size: content.len() as u64, mode: 0o600 }),
        item("/app/b", None, Item::File { content: vec![1; 300 << 10], mode: 0o644 }),
    ];
    let whole = steps(items, &Owners::default());
    let (sender, mut messages) = tokio::sync::mpsc::channel(2);
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let tells = std::sync::Arc::clone(&told);
    let sending =
        tokio::task::spawn_blocking(move || send(whole, &sender, move |count| tells.lock().unwrap().push(count)));
    let mut got = Vec::new();
    while let Some(message) = messages.recv().await {
        let message = message.unwrap();
        assert!(message.len() < crate::agent::protocol::MAX_FRAME);
        got.push(message);
    }
    sending.await.unwrap();
    let (ops, flags) = said(got);
    assert!(flags[..flags.len() - 1].iter().all(|more| *more) && flags.last() == Some(&false));
    let mut files: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for op in ops {
        match op {
            Op::Write { path, data, .. } => files.push((path, data)),
            Op::Append { data, .. } => files.last_mut().unwrap().1.extend(data),
            _ => {}
        }
    }
    assert_eq!(files[0], (b"a".to_vec(), b"a".to_vec()));
    assert!(files[1] == (b"large".to_vec(), content.clone()), "the same content");
    assert_eq!(files[2].1.len(), 300 << 10);
    assert_eq!(told.lock().unwrap().last(), Some(&(content.len() as u64)));

    // One that becomes shorter meanwhile is no half file.
    let item = item("/app/large", None, Item::Large { from: path, size: content.len() as u64 + 1, mode: 0o600 });
    let (sender, mut messages) = tokio::sync::mpsc::channel(100);
    let short = steps(vec![item.clone()], &Owners::default());
    tokio::task::spawn_blocking(move || send(short, &sender, |_| {})).await.unwrap();
    let mut last = None;
    while let Some(message) = messages.recv().await {
        last = Some(message);
    }
    assert!(last.unwrap().unwrap_err().ends_with("it has become shorter while it was read"));
    let mut archive = parts(vec![("app/large".to_owned(), item.1)]);
    let mut ended = None;
    while let Some(part) = futures_util::StreamExt::next(&mut archive).await {
        ended = Some(part.map(drop));
    }
    assert!(ended.unwrap().is_err());
}

#[test]
fn the_root_is_never_touched() {
    for (path, what) in [("/", Item::Gone { recursive: true }), ("//", Item::Folder { mode: 0o700 })] {
        assert_eq!(steps(vec![item(path, None, what)], &Owners::default()), []);
    }
}

#[test]
fn an_archive_says_the_same() {
    let long = format!("app/{}/file", "long".repeat(40));
    let entries = [
        ("app".to_owned(), Item::Folder { mode: 0o750 }),
        (long.clone(), Item::File { content: b"text".to_vec(), mode: 0o600 }),
        ("app/link".to_owned(), Item::Link { to: "else/where".into() }),
        ("app/gone".to_owned(), Item::Gone { recursive: true }),
    ];
    let bytes = archive(&entries);
    let mut seen = Vec::new();
    for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        let path = entry.path().unwrap().display().to_string();
        let link = entry.link_name().unwrap().map(|link| link.display().to_string());
        seen.push((path, entry.header().mode().unwrap(), content, link));
    }
    assert_eq!(
        seen,
        [
            ("app/".trim_end_matches('/').to_owned(), 0o750, String::new(), None),
            (long, 0o600, "text".to_owned(), None),
            ("app/link".to_owned(), 0o777, String::new(), Some("else/where".to_owned())),
        ]
    );
}
