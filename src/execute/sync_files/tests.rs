//! What is read from a real folder, and what the agent and the engine are told of it.

use std::io::Read as _;

use super::*;

fn target(source: &std::path::Path, path: &str, action: SyncAction) -> SyncTarget {
    SyncTarget {
        source: source.to_owned(),
        path: path.to_owned(),
        action,
        base: "/".into(),
        by_rule: false,
        owner: None,
        mode: None,
        unpacks: false,
        instruction: "COPY . /app (Dockerfile:2)".into(),
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
    for (mode, bits) in [("755", 0o755), ("0644", 0o644), ("4755", 0o4755)] {
        assert_eq!(with(mode), Ok(Item::File { content: Vec::new(), mode: bits }));
    }
    for mode in ["u+x", "rwx", "789"] {
        assert_eq!(with(mode).unwrap_err(), format!("--chmod={mode} is not octal"));
    }
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
    (SyncTarget { owner, ..target(std::path::Path::new("/src"), path, SyncAction::Put) }, item)
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
    let owners = HashMap::from([("app:app".to_owned(), (10, 20))]);
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
    assert_eq!(ops(items, &owners), expected);
}

#[test]
fn what_a_container_holds_already_is_told_from_what_it_does_not() {
    let digest = |text: &[u8]| {
        let hex = Digest::of(text);
        let byte = |at: usize| u8::from_str_radix(&hex.as_str()[at * 2..at * 2 + 2], 16).unwrap();
        std::array::from_fn(byte)
    };
    let entry = |kind, mode| Entry { path: b"app/a".to_vec(), kind, mode, uid: 7, gid: 7 };
    let there = entry(EntryKind::File(4, Some(digest(b"text"))), 0o644);
    let file = |text: &str, mode| Item::File { content: text.as_bytes().to_vec(), mode };
    assert!(file("text", 0o644).is(&there));
    assert!(!file("other", 0o644).is(&there));
    assert!(!file("text", 0o755).is(&there));
    assert!(!file("text", 0o644).is(&entry(EntryKind::Missing, 0)));
    assert!(!file("text", 0o644).is(&entry(EntryKind::File(4, None), 0o644)));
    assert!(Item::Link { to: "b".into() }.is(&entry(EntryKind::Link(b"b".to_vec()), 0o777)));
    assert!(!Item::Link { to: "b".into() }.is(&entry(EntryKind::Link(b"c".to_vec()), 0o777)));
    assert!(Item::Folder { mode: 0o755 }.is(&entry(EntryKind::Dir, 0o755)));
    assert!(Item::Gone { recursive: true }.is(&entry(EntryKind::Missing, 0)));
    assert!(!Item::Gone { recursive: true }.is(&there));
}

#[test]
fn the_root_is_never_touched() {
    for (path, what) in [("/", Item::Gone { recursive: true }), ("//", Item::Folder { mode: 0o700 })] {
        assert_eq!(ops(vec![item(path, None, what)], &HashMap::new()), []);
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
