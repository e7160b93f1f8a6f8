//! How programs write files.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// Saves `app.py` with the content `new`, as the program does.
type Save = fn(&Path);

fn in_place(folder: &Path) {
    let mut file = OpenOptions::new().write(true).truncate(true).open(folder.join("app.py")).unwrap();
    file.write_all(b"new").unwrap();
}

fn vim(folder: &Path) {
    let file = folder.join("app.py");
    fs::write(folder.join("4913"), "").unwrap();
    fs::set_permissions(folder.join("4913"), Permissions::from_mode(0o644)).unwrap();
    fs::remove_file(folder.join("4913")).unwrap();
    fs::rename(&file, folder.join("app.py~")).unwrap();
    fs::write(&file, "new").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    fs::write(folder.join(".app.py.swp"), "b0VIM").unwrap();
    fs::remove_file(folder.join("app.py~")).unwrap();
}

fn jetbrains(folder: &Path) {
    let file = folder.join("app.py");
    fs::write(folder.join("app.py___jb_tmp___"), "new").unwrap();
    fs::rename(&file, folder.join("app.py___jb_old___")).unwrap();
    fs::rename(folder.join("app.py___jb_tmp___"), &file).unwrap();
    fs::remove_file(folder.join("app.py___jb_old___")).unwrap();
}

fn glib(folder: &Path) {
    fs::write(folder.join(".goutputstream-A1B2C3"), "new").unwrap();
    fs::rename(folder.join(".goutputstream-A1B2C3"), folder.join("app.py")).unwrap();
}

fn emacs(folder: &Path) {
    symlink("me@here.1:1", folder.join(".#app.py")).unwrap();
    fs::write(folder.join("#app.py#"), "ne").unwrap();
    fs::copy(folder.join("app.py"), folder.join("app.py~")).unwrap();
    fs::write(folder.join("app.py"), "new").unwrap();
    fs::remove_file(folder.join("#app.py#")).unwrap();
    fs::remove_file(folder.join(".#app.py")).unwrap();
}

fn sed(folder: &Path) {
    let done = std::process::Command::new("sed").args(["-i", "s/.*/new/", "app.py"]).current_dir(folder).status();
    assert!(done.unwrap().success());
}

#[tokio::test]
async fn every_way_of_saving_is_a_write_and_nothing_else() {
    let table: &[(&str, Save)] = &[
        ("in place, as VS Code does", in_place),
        ("vim", vim),
        ("JetBrains", jetbrains),
        ("GLib", glib),
        ("emacs", emacs),
        ("sed -i", sed),
    ];
    for (who, save) in table {
        let mut scene = Scene::new();
        scene.dir("src");
        scene.write("src/app.py", "old\n");
        scene.set(&["src"]);

        save(&scene.path("src"));

        scene.expect_write("src/app.py").await;
        scene.catch_up("src").await;
        assert_eq!(fs::read_to_string(scene.path("src/app.py")).unwrap().trim(), "new", "{who}");
        let app = scene.path("src/app.py");
        let last = scene.told.iter().rfind(|change| change.path == app).unwrap();
        assert_ne!(last.kind, ChangeKind::Removed, "{who}: the last news of the file is that it is there");
        // sed's temporary file has a name that could be anybody's.
        let others: Vec<_> = scene
            .told
            .iter()
            .filter(|change| change.path != app && !change.path.to_string_lossy().contains("src/sed"))
            .collect();
        assert!(others.is_empty(), "{who}: {others:?}");
    }
}

#[tokio::test]
async fn reading_is_no_change() {
    let mut scene = Scene::new();
    scene.dir("src/below");
    scene.write("src/app.py", "old");
    scene.set(&["src", "src/below"]);

    let mut text = String::new();
    fs::File::open(scene.path("src/app.py")).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(fs::read_dir(scene.path("src")).unwrap().count(), 2);
    assert_eq!(fs::read_dir(scene.path("src/below")).unwrap().count(), 0);
    fs::metadata(scene.path("src/app.py")).unwrap();

    scene.catch_up("src").await;
    assert_eq!(scene.told, []);
}

#[tokio::test]
async fn removal_mode_and_rename_are_told_apart() {
    let mut scene = Scene::new();
    scene.dir("src");
    for name in ["gone", "mode", "old-name", "kept"] {
        scene.write(&format!("src/{name}"), "x");
    }
    scene.set(&["src"]);

    fs::remove_file(scene.path("src/gone")).unwrap();
    fs::set_permissions(scene.path("src/mode"), Permissions::from_mode(0o755)).unwrap();
    fs::rename(scene.path("src/old-name"), scene.path("src/new-name")).unwrap();

    scene.catch_up("src").await;
    for (name, kind) in [
        ("src/gone", ChangeKind::Removed),
        ("src/mode", ChangeKind::Attributes),
        ("src/old-name", ChangeKind::Removed),
        ("src/new-name", ChangeKind::Created),
    ] {
        let path = scene.path(name);
        assert!(scene.told.iter().any(|c| c.path == path && c.kind == kind), "{name}: {:?}", scene.told);
    }
    assert!(!scene.tells("src/kept"));
}

#[tokio::test]
async fn a_file_in_the_set_is_watched_through_its_folder() {
    let mut scene = Scene::new();
    scene.dir("conf");
    scene.write("conf/app.toml", "old");
    scene.write("conf/other.toml", "old");
    let coverage = scene.set(&["conf/app.toml"]);
    assert_eq!((coverage.watched, coverage.missing), (0, 1));

    scene.write("conf/other.toml", "new");
    scene.write("conf/app.toml.new", "new");
    fs::rename(scene.path("conf/app.toml.new"), scene.path("conf/app.toml")).unwrap();

    scene.expect_write("conf/app.toml").await;
    scene.write("conf/app.toml", "newer");
    scene.expect("conf/app.toml", ChangeKind::Modified).await;
    assert!(!scene.tells("conf/other.toml"), "{:?}", scene.told);
}

#[tokio::test]
async fn a_git_switch_of_many_files_is_told_whole() {
    let git = |root: &Path, args: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.args(["-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main"]);
        command.args(args).current_dir(root).output()
    };
    let mut scene = Scene::new();
    if git(&scene.root, &["init", "-q"]).is_err() {
        return; // There is no git here.
    }
    let root = scene.root.clone();
    let ok = |args: &[&str]| {
        let output = git(&root, args).unwrap();
        assert!(output.status.success(), "git {args:?}: {output:?}");
    };
    let name = |number: usize| format!("pkg{}/file{number}.py", number % 40);
    for number in 0..1000 {
        scene.dir(&format!("pkg{}", number % 40));
        scene.write(&name(number), "one");
    }
    ok(&["add", "."]);
    ok(&["commit", "-qm", "one"]);
    ok(&["switch", "-qc", "two"]);
    for number in 0..1000 {
        scene.write(&name(number), "two, longer");
    }
    scene.dir("fresh/deep");
    scene.write("fresh/deep/new.py", "new");
    ok(&["add", "."]);
    ok(&["commit", "-qm", "two"]);
    ok(&["switch", "-q", "main"]);

    let folders: Vec<_> = (0..40).map(|number| format!("pkg{number}")).chain([String::new()]).collect();
    scene.set(&folders.iter().map(String::as_str).collect::<Vec<_>>());
    ok(&["switch", "-q", "two"]);

    for number in 0..1000 {
        scene.expect_write(&name(number)).await;
    }
    scene.expect("fresh/deep/new.py", ChangeKind::Created).await;
    assert!(!scene.told.iter().any(|change| change.kind == ChangeKind::Rescan), "nothing was lost");
    ok(&["switch", "-q", "main"]);
    scene.expect("fresh", ChangeKind::Removed).await;
}
