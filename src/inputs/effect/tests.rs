//! What a change of a path asks for.
#![allow(clippy::pedantic, reason = "tests are plain")]

use crate::inputs::BaseImage;
use crate::inputs::tests::Case;
use crate::inputs::tests::tree::Node;
use crate::model::{Effect, SyncAction, SyncTarget};

/// An effect in one line.
fn show(effect: &Effect) -> String {
    match effect {
        Effect::Nothing => "nothing".to_owned(),
        Effect::Aside(_) | Effect::Reload { .. } => format!("{effect:?}"),
        Effect::Rebuild { why } => format!("rebuild: {why}"),
        Effect::Sync { targets, .. } => {
            let one = |t: &SyncTarget| {
                let mut text = match t.action {
                    SyncAction::Put => format!("put {}", t.path),
                    SyncAction::MakeFolder => format!("make {}", t.path),
                    SyncAction::Remove => format!("remove {}", t.path),
                    SyncAction::RemoveFolder => format!("remove folder {}", t.path),
                };
                for (name, value) in [("chown", &t.owner), ("chmod", &t.mode)] {
                    if let Some(value) = value {
                        text += &format!(" {name} {value}");
                    }
                }
                text
            };
            targets.iter().map(one).collect::<Vec<_>>().join(", ")
        }
    }
}

fn check(dockerfile: &str, files: &[&str], expected: &[(&str, &str)]) {
    let mut case = Case::new(dockerfile, files);
    let image = BaseImage { id: "2".into(), working_dir: Some("/srv/app".into()), ..BaseImage::default() };
    case.images.insert("workdir".into(), image);
    let inputs = case.read();
    for (path, effect) in expected {
        let mut case = Case { tree: case.tree.clone(), ..Case::new("", &[]) };
        let path = match path.strip_prefix('-') {
            Some(path) => {
                case.tree.remove(&std::path::Path::new("/w").join(path));
                path
            }
            None if path.contains("->") => {
                case.tree.add(path);
                path.split_once("->").unwrap().0
            }
            None => {
                if !case.tree.0.contains_key(&std::path::Path::new("/w").join(path.trim_end_matches('/'))) {
                    case.tree.add(path);
                }
                path.trim_end_matches('/')
            }
        };
        assert_eq!(show(&case.effect(&inputs, path)), *effect, "{path} under\n{dockerfile}");
    }
}

#[test]
fn what_a_run_before_may_have_made_comes_to_light() {
    let why = |path: &str| format!("rebuild: without it, another file may take its place at {path}");
    check(
        "FROM base\nRUN mkdir -p /app/sub && touch /app/{a,b.txt}\nCOPY . /app\n",
        &["a", "b.txt", "b", "aa", "sub/a", "sub/c"],
        &[
            ("-a", &why("/app/a")),
            ("-b.txt", &why("/app/b.txt")),
            ("-sub", &why("/app/sub/a")),
            ("-sub/c", "remove /app/sub/c"),
            ("-b", "remove /app/b"),
            ("-aa", "remove /app/aa"),
            ("a", "put /app/a"),
        ],
    );
}

#[test]
fn files_of_the_final_stages_copies_are_synced() {
    check(
        "FROM base\nWORKDIR /app\nRUN true\nCOPY requirements.txt .\nCOPY --chown=app:app --chmod=755 src/ ./src/\nCOPY conf/*.toml /etc/app/\nUSER app\nENV A=1\nEXPOSE 80\nLABEL a=b\nCMD [\"x\"]\n",
        &["requirements.txt", "src/a.py", "src/deep/b.py", "conf/x.toml", "other"],
        &[
            ("requirements.txt", "put /app/requirements.txt"),
            ("src/a.py", "put /app/src/a.py chown app:app chmod 755"),
            ("src/deep/b.py", "put /app/src/deep/b.py chown app:app chmod 755"),
            ("src/new.py", "put /app/src/new.py chown app:app chmod 755"),
            ("src/more/new.py", "put /app/src/more/new.py chown app:app chmod 755"),
            ("src/more/", "make /app/src/more chown app:app chmod 755"),
            ("-src/a.py", "remove /app/src/a.py chown app:app chmod 755"),
            (
                "-src/deep",
                "remove /app/src/deep/b.py chown app:app chmod 755, remove folder /app/src/deep chown app:app chmod 755",
            ),
            ("src/deep/", "nothing"),
            ("conf/x.toml", "put /etc/app/x.toml"),
            ("conf/new.toml", "put /etc/app/new.toml"),
            ("conf/new.txt", "nothing"),
            ("other", "nothing"),
            ("Dockerfile", "rebuild: it is the Dockerfile"),
            (".dockerignore", "rebuild: it decides which files count"),
            ("Dockerfile.dockerignore", "rebuild: it decides which files count"),
            ("-requirements.txt", "rebuild: line 4 finds other sources with it than without it"),
            ("-src", "rebuild: line 5 finds other sources with it than without it"),
            ("-conf/x.toml", "rebuild: line 6 finds other sources with it than without it"),
            ("src/a.py->deep/b.py", "rebuild: it became a file, a folder or a link, which it was not before"),
        ],
    );
}

#[test]
fn what_a_later_instruction_may_depend_on_is_rebuilt() {
    check(
        "FROM base AS build\nCOPY lib /lib\nRUN make\nFROM base\nCOPY package.json /app/\nRUN install\nCOPY . /app/\nCOPY --from=build /out /out\n",
        &["lib/x", "package.json", "main.js"],
        &[
            ("lib/x", "rebuild: stage build reads it in line 2"),
            ("package.json", "rebuild: the RUN in line 6 comes after it"),
            ("main.js", "put /app/main.js"),
        ],
    );
    check(
        "FROM base AS src\nCOPY . /src\nFROM src AS build\nRUN make\nFROM src\nCOPY --from=build /out /out\n",
        &["a"],
        &[("a", "rebuild: stage build takes files from where it is copied to")],
    );
    check(
        "FROM base AS one\nCOPY a /a\nFROM one\nCOPY --from=one /a /b\nCOPY c /c\n",
        &["a", "c"],
        &[
            ("a", "rebuild: stage 1 takes files from where it is copied to"),
            ("c", "rebuild: whether /c in line 5 is a folder is not known; write /c/ if it is, for hot sync"),
        ],
    );
    check(
        "FROM base AS one\nCOPY a.txt /app/a.txt\nFROM one AS two\nCOPY b.txt /app/\n",
        &["a.txt", "b.txt"],
        &[("a.txt", "put /app/a.txt"), ("b.txt", "put /app/b.txt")],
    );
    check(
        "FROM base\nCOPY a /app/\nRUN --mount=type=bind,source=b,target=/b true\n",
        &["a", "b/c"],
        &[("a", "rebuild: the RUN in line 3 comes after it"), ("b/c", "rebuild: the RUN in line 3 reads it")],
    );
}

#[test]
fn destinations_are_resolved_as_the_builder_does() {
    check("FROM workdir\nCOPY a .\n", &["a"], &[("a", "put /srv/app/a")]);
    check("FROM base\nCOPY a .\n", &["a"], &[("a", "put /a")]);
    check("FROM base\nWORKDIR /x\nWORKDIR y\nCOPY a z/\n", &["a"], &[("a", "put /x/y/z/a")]);
    check("FROM base\nWORKDIR /x/y\nCOPY a /x\n", &["a"], &[("a", "put /x/a")]);
    check("FROM base\nCOPY src /app\nCOPY a /app\n", &["src/s", "a"], &[("src/s", "put /app/s"), ("a", "put /app/a")]);
    check("FROM base\nCOPY a.conf /etc/a.conf\n", &["a.conf"], &[("a.conf", "put /etc/a.conf")]);
    check("FROM base\nCOPY b.conf /etc/a.conf\n", &["b.conf"], &[("b.conf", "put /etc/a.conf")]);
    check(
        "FROM base\nCOPY a /usr/local/bin\n",
        &["a"],
        &[(
            "a",
            "rebuild: whether /usr/local/bin in line 2 is a folder is not known; write /usr/local/bin/ if it is, for hot sync",
        )],
    );
    check("FROM scratch\nCOPY a /usr/local/bin\n", &["a"], &[("a", "put /usr/local/bin")]);
    check(
        "FROM base\nCOPY one two /x/\n",
        &["one/a", "two/a", "two/b"],
        &[
            ("two/a", "put /x/a"),
            ("one/a", "nothing"),
            ("-two/a", "rebuild: without it, another file may take its place at /x/a"),
            ("two/b", "put /x/b"),
            ("one/b", "nothing"),
            ("one/c", "put /x/c"),
        ],
    );
    check(
        "FROM base\nWORKDIR /etc/app\nCOPY conf/*.toml ./\nCOPY conf/*.toml /srv/\nWORKDIR /srv\n",
        &["conf/x.toml", "conf/y.txt"],
        &[("-conf/x.toml", "rebuild: without it, another file may take its place at /etc/app/x.toml")],
    );
    check(
        "FROM base\nARG W=/w\nWORKDIR $W\nCOPY --chown=${U:-1000} a ${X:-d}/\n",
        &["a"],
        &[("a", "put /w/d/a chown 1000")],
    );
    check(
        "FROM base\nARG A=1\nARG A=2\nCOPY a /x/$A/\n",
        &["a"],
        &[("a", "rebuild: line 4 depends on $A, whose value is not known before the build")],
    );
    check(
        "FROM base\nCOPY --parents lib/deep/a.py lib/b.py /x/\n",
        &["lib/deep/a.py", "lib/b.py", "lib/c.py"],
        &[("lib/deep/a.py", "put /x/lib/deep/a.py"), ("lib/b.py", "put /x/lib/b.py"), ("lib/c.py", "nothing")],
    );
    check(
        "FROM base\nCOPY --parents lib/./**/*.py /x/\n",
        &["lib/deep/a.py", "b.py"],
        &[("lib/deep/a.py", "put /x/deep/a.py"), ("lib/new/a.py", "put /x/new/a.py"), ("b.py", "nothing")],
    );
}

#[test]
fn later_copies_win() {
    check(
        "FROM base\nCOPY . /app/\nCOPY prod.conf /app/app.conf\nCOPY --from=base /gen /app/gen\nCOPY <<EOF /app/note.txt\nx\nEOF\n",
        &["app.conf", "prod.conf", "gen/a", "main", "note.txt"],
        &[
            ("app.conf", "nothing"),
            ("prod.conf", "put /app/prod.conf, put /app/app.conf"),
            ("gen/a", "rebuild: line 4 may overwrite what it becomes"),
            ("main", "put /app/main"),
            ("-main", "remove /app/main"),
            ("note.txt", "rebuild: line 5 may overwrite what it becomes"),
        ],
    );
}

#[test]
fn archives_links_and_excludes() {
    check(
        "FROM base\nADD a.tar.gz b.txt vendor /x/\nCOPY a.tar.gz /y/\n",
        &["a.tar.gz", "b.txt", "vendor/c.tgz"],
        &[
            ("a.tar.gz", "rebuild: the ADD in line 2 unpacks it"),
            ("b.txt", "put /x/b.txt"),
            ("vendor/c.tgz", "put /x/c.tgz"),
        ],
    );
    check(
        "FROM base\nCOPY link /x/\nCOPY all /y/\n",
        &["link->real", "real/a", "all/l->elsewhere", "all/f"],
        &[
            ("link->other", "rebuild: line 2 goes through a link"),
            ("real/a", "put /x/a"),
            ("all/l->somewhere", "put /y/l"),
            ("all/new->f", "put /y/new"),
        ],
    );
    check(
        "FROM base\nCOPY all /y/\nCOPY f.txt /y/l/\n",
        &["all/l->elsewhere", "f.txt"],
        &[("f.txt", "rebuild: line 3 goes through a link")],
    );
    check(
        "FROM base\nCOPY --exclude=*.log --exclude=tmp . /y/\n",
        &["a.log", "b", "tmp/c", "d/e.log"],
        &[
            ("a.log", "nothing"),
            ("b", "put /y/b"),
            ("tmp/c", "nothing"),
            ("tmp/new", "nothing"),
            ("d/e.log", "put /y/d/e.log"),
        ],
    );
}

#[test]
fn ignored_paths_ask_for_nothing() {
    let case =
        Case::new("FROM base\nCOPY . /app/\n", &["a", "tmp/b", "keep/x", "keep/y"]).ignore("tmp\nkeep\n!keep/x\n*.log");
    let inputs = case.read();
    for (path, expected) in
        [("tmp/b", "nothing"), ("tmp/c/d", "nothing"), ("keep/x", "put /app/keep/x"), ("keep/y", "nothing")]
    {
        assert_eq!(show(&case.effect(&inputs, path)), expected, "{path}");
    }
    let dirs: Vec<_> = inputs.map.watch_dirs().iter().map(|p| p.to_str().unwrap()).collect();
    assert_eq!(dirs, ["/w", "/w/keep"]);
    assert_eq!(show(&inputs.map.effect(std::path::Path::new("/other/x"), None)), "nothing");
}

#[test]
fn folders_to_watch_are_those_that_the_build_depends_on() {
    let case = Case::new(
        "FROM base\nCOPY a.txt /\nCOPY web/src /w/\nCOPY pkg/*/package.json /p/\n",
        &["a.txt", "web/src/x/y", "web/docs/z", "pkg/one/package.json", "pkg/two/other", "big/tree/file"],
    );
    let inputs = case.read();
    let dirs: Vec<_> = inputs.map.watch_dirs().iter().map(|p| p.to_str().unwrap()).collect();
    assert_eq!(dirs, ["/w", "/w/pkg", "/w/pkg/one", "/w/pkg/two", "/w/web", "/w/web/src", "/w/web/src/x"]);
}

#[test]
fn a_fallback_rebuilds_for_any_file() {
    let case = Case::new("FROM unknown\nCOPY a /x/\n", &["a", "b", "tmp/c"]).ignore("tmp");
    let inputs = case.read();
    assert!(show(&case.effect(&inputs, "b")).starts_with("rebuild: any file may be read: the base image unknown"));
    assert_eq!(show(&case.effect(&inputs, "tmp/c")), "nothing");
}

#[test]
fn a_folders_mode_is_carried() {
    let mut case = Case::new("FROM base\nCOPY . /app/\n", &["d/x"]);
    let inputs = case.read();
    case.tree.0.insert("/w/d".into(), Node::Dir(0o700));
    assert_eq!(show(&case.effect(&inputs, "d")), "make /app/d");
    assert_ne!(case.digest(), inputs.digest.to_string());
}

#[test]
fn instructions_that_read_files_are_named() {
    let case = Case::new("FROM base\nCOPY a /x/\nRUN true\nCOPY . /y/\n", &["a", "b"]);
    let inputs = case.read();
    let all = inputs.map.instructions();
    let told: Vec<_> = all.iter().map(|i| (i.place.line, i.text.as_str(), i.rebuild.is_some())).collect();
    assert_eq!(told, [(2, "COPY a /x/", true), (4, "COPY . /y/", false)]);
    let rows: Vec<_> = all.iter().map(|i| (i.sources.clone(), i.dest.clone())).collect();
    let row = |source: &str, dest: &str| (vec![source.to_owned()], Some(dest.to_owned()));
    assert_eq!(rows, [row("a", "/x/"), row(".", "/y/")]);
}

#[test]
fn archives_are_told_by_their_first_bytes() {
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    let mut old = vec![0; 512];
    old[0] = b'a';
    old[148..156].copy_from_slice(b"0000541\0");
    for (content, expected) in [
        (tar.as_slice(), true),
        (old.as_slice(), true),
        (&[0x1f, 0x8b, 8], true),
        (b"BZh9", true),
        (b"\xfd7zXZ\0", true),
        (b"\x28\xb5\x2f\xfd", true),
        (b"#!/bin/sh", false),
        (&[0; 512], false),
        (b"", false),
    ] {
        assert_eq!(crate::model::is_archive(content), expected, "{:?}", &content[..content.len().min(8)]);
    }
}
