use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use tar::{Builder, EntryType, Header};

use super::*;

/// An archive of entries: kind, name as it is, target of a link or content.
fn archive(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (kind, name, text) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o640);
        header.set_mtime(1_000_000);
        // Past the checks of the library, as a hostile engine would.
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        let content = if matches!(kind, EntryType::Regular) { *text } else { "" };
        if content.is_empty() {
            old.linkname[..text.len()].copy_from_slice(text.as_bytes());
        }
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.append(&header, content.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap()
}

fn into(folder: &Path, name: Option<&str>) -> Place {
    Place { folder: folder.to_owned(), bare: false, name: name.map(Into::into) }
}

/// All names below a folder, with what they are.
fn listed(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        let found = entry.metadata().unwrap();
        if found.is_symlink() {
            all.push(format!("{name} -> {}", fs::read_link(&path).unwrap().display()));
        } else if found.is_dir() {
            all.push(format!("{name}/"));
            all.extend(listed(&path).iter().map(|below| format!("{name}/{below}")));
        } else {
            all.push(name);
        }
    }
    all.sort();
    all
}

#[test]
fn what_is_packed_is_unpacked_as_it_was() {
    let lab = tempfile::tempdir().unwrap();
    let from = lab.path().join("from");
    fs::create_dir_all(from.join("d/e")).unwrap();
    fs::write(from.join("file"), "x".repeat(100_000)).unwrap();
    fs::set_permissions(from.join("file"), fs::Permissions::from_mode(0o4751)).unwrap();
    fs::write(from.join("d/e/empty"), "").unwrap();
    fs::hard_link(from.join("file"), from.join("d/same")).unwrap();
    symlink("../file", from.join("d/link")).unwrap();
    symlink("/nowhere/at/all", from.join("dangling")).unwrap();
    nix::unistd::mkfifo(&from.join("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(from.join("socket")).unwrap();
    let long = "long".repeat(50);
    fs::write(from.join(&long), "long").unwrap();
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::open(from.join("d")).unwrap().set_modified(old).unwrap();
    fs::File::open(from.join("file")).unwrap().set_modified(old).unwrap();
    fs::set_permissions(from.join("d/e"), fs::Permissions::from_mode(0o500)).unwrap();

    let mut tar = Vec::new();
    pack(&from, "root", &mut tar).unwrap();
    let to = lab.path().join("to");
    fs::create_dir(&to).unwrap();
    assert_eq!(unpack(tar.as_slice(), &into(&to, None)).unwrap(), [""; 0]);
    let mut want = listed(&from);
    want.retain(|name| name != "socket");
    assert_eq!(listed(&to.join("root")), want);
    let root = to.join("root");
    let file = root.join("file").metadata().unwrap();
    assert_eq!((file.mode() & 0o7777, file.len(), file.nlink()), (0o4751, 100_000, 2));
    assert_eq!(file.ino(), root.join("d/same").metadata().unwrap().ino());
    assert_eq!((file.modified().unwrap(), root.join("d").metadata().unwrap().modified().unwrap()), (old, old));
    assert_eq!(root.join("d/e").metadata().unwrap().mode() & 0o7777, 0o500);

    // A content by another name, a content in a folder that is there, and a file by another name.
    let mut content = Vec::new();
    pack(&from, ".", &mut content).unwrap();
    let place = Place { folder: to.clone(), bare: true, name: Some("named".into()) };
    unpack(content.as_slice(), &place).unwrap();
    assert_eq!(listed(&to.join("named")), want);
    let beside = lab.path().join("beside");
    fs::create_dir(&beside).unwrap();
    unpack(content.as_slice(), &Place { folder: beside.clone(), bare: true, name: None }).unwrap();
    assert_eq!(listed(&beside), want);
    let mut one = Vec::new();
    pack(&from.join("file"), "file", &mut one).unwrap();
    unpack(one.as_slice(), &into(&to, Some("renamed"))).unwrap();
    assert_eq!(to.join("renamed").metadata().unwrap().len(), 100_000);
}

/// Kind, name and link of each entry.
type Entries<'a> = &'a [(EntryType, &'a str, &'a str)];

#[test]
fn nothing_is_written_outside_whatever_an_archive_names() {
    use EntryType::{Directory, Fifo, Link, Regular, Symlink};
    let lab = tempfile::tempdir().unwrap();
    let outside = lab.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("kept"), "kept").unwrap();
    let out = outside.to_str().unwrap();
    let kept = format!("{out}/kept");
    let cases: &[(&str, Entries<'_>)] = &[
        ("an absolute name", &[(Regular, &kept, "bad")]),
        ("a name with ..", &[(Regular, "r/../../outside/kept", "bad")]),
        ("a folder with ..", &[(Directory, "r/../../outside/new", "")]),
        ("a file through a link", &[(Symlink, "r", out), (Regular, "r/kept", "bad")]),
        ("a file through a link with ..", &[(Symlink, "r", "../outside"), (Regular, "r/kept", "bad")]),
        ("a folder in a link's place", &[(Symlink, "r", out), (Directory, "r/", ""), (Regular, "r/kept", "bad")]),
        ("a file in a link's place", &[(Symlink, "r", &kept), (Regular, "r", "bad")]),
        ("a hard link to outside", &[(Link, "r", &kept), (Regular, "r", "bad")]),
        ("a hard link with ..", &[(Link, "r", "../outside/kept")]),
        ("a hard link through a link", &[(Symlink, "l", out), (Link, "r", "l/kept")]),
        ("a hard link to a link", &[(Symlink, "l", &kept), (Link, "r", "l"), (Regular, "r", "bad")]),
        ("a pipe through a link", &[(Symlink, "r", out), (Fifo, "r/new", "")]),
        ("a link through a link", &[(Symlink, "r", out), (Symlink, "r/new", "/etc")]),
        ("only ..", &[(Regular, "..", "bad")]),
        ("nothing but slashes", &[(Regular, "//", "bad")]),
    ];
    for (case, entries) in cases {
        for name in [None, Some("named")] {
            for bare in [false, true] {
                let to = lab.path().join("to");
                fs::create_dir(&to).unwrap();
                let place = Place { folder: to.clone(), bare, name: name.map(Into::into) };
                let result = unpack(archive(entries).as_slice(), &place);
                assert_eq!(listed(&outside), ["kept"], "{case}: {result:?}");
                assert_eq!(fs::read_to_string(outside.join("kept")).unwrap(), "kept", "{case}: {result:?}");
                assert_eq!(outside.join("kept").metadata().unwrap().nlink(), 1, "{case}: {result:?}");
                fs::remove_dir_all(&to).unwrap();
            }
        }
    }
    // Links that were there before are not followed either, but for the destination itself.
    let to = lab.path().join("to");
    fs::create_dir(&to).unwrap();
    symlink(&outside, to.join("d")).unwrap();
    let error = unpack(archive(&[(Directory, "d/", ""), (Regular, "d/kept", "bad")]).as_slice(), &into(&to, None));
    assert!(error.unwrap_err().to_string().contains("cannot overwrite non-directory d"));
    assert_eq!(fs::read_to_string(outside.join("kept")).unwrap(), "kept");
    let linked = lab.path().join("linked");
    symlink(&to, &linked).unwrap();
    unpack(archive(&[(Regular, "f", "good")]).as_slice(), &into(&linked, None)).unwrap();
    assert_eq!(fs::read_to_string(to.join("f")).unwrap(), "good");
}

#[test]
fn files_take_the_place_of_files_and_of_nothing_else() {
    use EntryType::{Char, Directory, Regular};
    let lab = tempfile::tempdir().unwrap();
    let to = lab.path().to_owned();
    fs::write(to.join("f"), "long before").unwrap();
    fs::create_dir(to.join("d")).unwrap();
    fs::write(to.join("d/stays"), "").unwrap();
    unpack(
        archive(&[(Regular, "f", "after"), (Directory, "d", ""), (Regular, "d/new", "")]).as_slice(),
        &into(&to, None),
    )
    .unwrap();
    assert_eq!(fs::read_to_string(to.join("f")).unwrap(), "after");
    assert_eq!(listed(&to), ["d/", "d/new", "d/stays", "f"]);
    let error = unpack(archive(&[(Regular, "d", "x")]).as_slice(), &into(&to, None)).unwrap_err().to_string();
    assert_eq!(error, "d: cannot overwrite directory d with a non-directory");
    let error = unpack(archive(&[(Directory, "f/", "")]).as_slice(), &into(&to, None)).unwrap_err().to_string();
    assert_eq!(error, "f/: cannot overwrite non-directory f with a directory");
    let left_out = unpack(archive(&[(Char, "null", ""), (Regular, "g", "x")]).as_slice(), &into(&to, None)).unwrap();
    assert_eq!((left_out, to.join("g").exists()), (vec!["null".to_owned()], true));
}

#[test]
fn what_is_cut_off_or_cannot_be_read_fails() {
    let lab = tempfile::tempdir().unwrap();
    let tar = archive(&[(EntryType::Regular, "f", &"x".repeat(2000))]);
    let error = unpack(&tar[..1500], &into(lab.path(), None)).unwrap_err();
    assert!(error.to_string().contains("EOF"), "{error}");
    assert!(
        unpack(&b"no archive at all, but long enough to be taken for one".repeat(20)[..], &into(lab.path(), None))
            .is_err()
    );
    let error = pack(&lab.path().join("nothing"), "x", &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("/nothing: No such file"), "{error}");
}
