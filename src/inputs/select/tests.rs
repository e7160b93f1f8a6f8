//! Which files are selected, and what the digest follows.
#![allow(clippy::pedantic, reason = "tests are plain")]

use crate::inputs::tests::Case;
use crate::inputs::{BaseImage, BuildRecord, InputsError};
use crate::model::Fallback;
use crate::model::Secret;

#[test]
fn sources_select_what_the_builder_copies() {
    let files = &[
        "app.py",
        "lib/a.py",
        "lib/deep/b.py",
        "lib/empty/",
        "docs/x.md",
        "web/package.json",
        "api/package.json",
        "link->lib",
        "linkfile->docs/x.md",
        "abs->/lib/a.py",
        "out->../../etc",
        ".env",
    ];
    for (dockerfile, expected) in [
        ("COPY app.py /x/", vec!["app.py"]),
        ("COPY ./app.py ./", vec!["app.py"]),
        ("COPY /app.py /x/", vec!["app.py"]),
        ("COPY ../../app.py /x/", vec!["app.py"]),
        ("COPY lib /x", vec!["lib/", "lib/a.py", "lib/deep/", "lib/deep/b.py", "lib/empty/"]),
        ("COPY lib/deep /x", vec!["(lib/)", "lib/deep/", "lib/deep/b.py"]),
        ("COPY lib/*.py /x/", vec!["lib/", "lib/a.py"]),
        ("COPY lib/*.none /x/", vec!["lib/"]),
        ("COPY */package.json /x/", vec!["(api/)", "api/package.json", "(web/)", "web/package.json"]),
        ("COPY l?b/de* /x/", vec!["(lib/)", "lib/deep/", "lib/deep/b.py"]),
        ("COPY [\"app.py\", \"/x/\"]", vec!["app.py"]),
        ("ADD app.py .env /x/", vec![".env", "app.py"]),
        ("COPY *.none app.py /x/", vec!["app.py"]),
        ("COPY link /x", vec!["lib/", "lib/a.py", "lib/deep/", "lib/deep/b.py", "lib/empty/", "link"]),
        ("COPY link/deep /x", vec!["(lib/)", "lib/deep/", "lib/deep/b.py", "link"]),
        ("COPY linkfile /x", vec!["(docs/)", "docs/x.md", "linkfile"]),
        ("COPY abs /x", vec!["abs", "(lib/)", "lib/a.py"]),
        ("COPY --parents lib/deep/b.py /x/", vec!["lib/", "lib/deep/", "lib/deep/b.py"]),
        ("COPY --parents lib/./deep/b.py /x/", vec!["(lib/)", "lib/deep/", "lib/deep/b.py"]),
        ("COPY --parents **/*.py /x/", vec!["app.py", "lib/", "lib/a.py", "lib/deep/", "lib/deep/b.py"]),
        ("COPY --exclude=deep lib /x", vec!["lib/", "lib/a.py", "lib/empty/"]),
        (
            "COPY --exclude=**/*.py --exclude=!deep/b.py lib /x",
            vec!["lib/", "lib/deep/", "lib/deep/b.py", "lib/empty/"],
        ),
        ("RUN --mount=type=bind,source=lib/deep,target=/m true", vec!["(lib/)", "lib/deep/", "lib/deep/b.py"]),
        ("RUN --mount=source=app.py,target=/m true", vec!["app.py"]),
        ("RUN --mount=type=cache,target=/m --mount=type=tmpfs,target=/t true", vec![]),
        ("RUN --mount=type=bind,from=base,target=/m true", vec![]),
        ("COPY --from=base /a /b", vec![]),
        ("COPY <<EOF /x\nhello\nEOF", vec![]),
        ("COPY app.py <<a /x/\nhello\na\nCOPY .env /", vec![".env", "app.py"]),
    ] {
        let case = Case::new(&format!("FROM base\n{dockerfile}\n"), files);
        assert_eq!(case.files(), expected, "{dockerfile}");
        assert_eq!(case.read().fallback, None, "{dockerfile}");
    }
}

#[test]
fn the_ignore_file_narrows_the_selection() {
    let files =
        &["a.py", "b.log", "src/x.py", "src/y.log", "src/keep/z.log", "node_modules/m/i.js", "only/ignored.log"];
    for (ignore, expected) in [
        (
            "**/*.log",
            vec![
                "a.py",
                "node_modules/",
                "node_modules/m/",
                "node_modules/m/i.js",
                "only/",
                "src/",
                "src/keep/",
                "src/x.py",
            ],
        ),
        ("*\n!src", vec!["src/", "src/keep/", "src/keep/z.log", "src/x.py", "src/y.log"]),
        ("*\n!src/keep/z.log", vec!["src/", "src/keep/", "src/keep/z.log"]),
        ("*\n!**/z.log", vec!["src/", "src/keep/", "src/keep/z.log"]),
        ("*", vec![]),
    ] {
        let case =
            Case::new("FROM scratch\nCOPY . /x\n", files).ignore(&format!("{ignore}\nDockerfile\n.dockerignore"));
        assert_eq!(case.files(), expected, "{ignore:?}");
    }
}

#[test]
fn the_dockerfiles_own_ignore_file_wins() {
    let mut case = Case::new("FROM scratch\nCOPY a b /x/\n", &["a", "b", "Dockerfile.dockerignore=c"]).ignore("a");
    assert_eq!(case.files(), ["a", "b"]);
    case.tree.remove(std::path::Path::new("/w/Dockerfile.dockerignore"));
    assert!(matches!(case.try_read(), Err(InputsError::MissingSource(_))));
}

#[test]
fn only_stages_that_the_target_needs_are_read() {
    let dockerfile = "\
FROM base AS deps
COPY deps.txt /d
FROM deps AS build
COPY src /s
FROM base AS docs
COPY docs /d
FROM base AS test
COPY --from=build /s /s
COPY test /t
FROM base
COPY --from=0 /d /d
COPY run.sh /
";
    let files = &["deps.txt", "src/a", "docs/b", "test/c", "run.sh"];
    for (target, expected) in [
        ("", vec!["deps.txt", "run.sh"]),
        ("deps", vec!["deps.txt"]),
        ("BUILD", vec!["deps.txt", "src/", "src/a"]),
        ("docs", vec!["docs/", "docs/b"]),
        ("test", vec!["deps.txt", "src/", "src/a", "test/", "test/c"]),
        ("1", vec!["deps.txt", "src/", "src/a"]),
    ] {
        assert_eq!(Case::new(dockerfile, files).target(target).files(), expected, "{target:?}");
    }
    let error = Case::new(dockerfile, files).target("buidl").try_read().unwrap_err();
    assert_eq!(error.to_string(), "the Dockerfile has no stage \"buidl\"");
    assert_eq!(error.hint().unwrap(), "did you mean \"build\"?");
}

#[test]
fn variables_are_expanded_where_the_builder_expands_them() {
    let files = &["one/a", "two/b", "amd64/c"];
    for (dockerfile, args, expected) in [
        ("ARG D=one\nCOPY $D /x", vec![], "one/"),
        ("ARG D=one\nCOPY $D /x", vec![("D", "two")], "two/"),
        ("ARG D\nCOPY ${D:-one} /x", vec![], "one/"),
        ("ENV D=one\nCOPY ${D}/a /x", vec![], "(one/)"),
        ("ENV D=one E=$D\nENV E=${E:-two}\nCOPY $E /x", vec![], "two/"),
        ("ARG TARGETARCH\nCOPY $TARGETARCH /x", vec![], "amd64/"),
        ("ARG D=two\nENV D=one\nCOPY $D /x", vec![], "one/"),
    ] {
        let mut case = Case::new(&format!("FROM base\n{dockerfile}\n"), files);
        for (name, value) in args {
            case = case.arg(name, value);
        }
        assert_eq!(case.files().first().map(String::as_str), Some(expected), "{dockerfile}");
        assert_eq!(case.read().fallback, None, "{dockerfile}");
    }
    let global = Case::new("ARG D=one\nARG B=base\nFROM $B\nARG D\nCOPY $D /x\n", files);
    assert_eq!(global.files()[0], "one/");
    // Without an ARG in the stage, a global argument is not set there: the root is copied.
    assert!(Case::new("ARG D=one\nFROM base\nCOPY ./$D /x\n", files).files().contains(&"two/".to_owned()));
}

#[test]
fn what_is_not_understood_falls_back_to_the_whole_context() {
    let files = &["a", "b", "c/d"];
    let all = ["Dockerfile", "a", "b", "c/", "c/d"];
    for (dockerfile, reason) in [
        ("# syntax=example.com/front\nFROM base\nCOPY a /x", "read by example.com/front"),
        ("FROM elsewhere\nCOPY a /x", "the base image elsewhere has not been looked at"),
        ("FROM base\nCOPY --flag=1 a /x", "line 2: the flag --flag is not known"),
        ("FROM base\nARG D=a\nARG D=b\nCOPY $D /x", "line 4: the value of $D cannot be told"),
        ("FROM base\nENV D=b\nARG D=a\nCOPY $D /x", "line 4: the value of $D"),
        ("FROM base AS one\nARG D=a\nFROM one\nCOPY $D /x", "line 4: the value of $D"),
        ("FROM base\nCOPY [^a] /x/", "line 2: builders read the pattern \"[^a]\""),
    ] {
        let case = Case::new(dockerfile, files);
        assert_eq!(case.files(), all, "{dockerfile}");
        let fallback = case.read().fallback.unwrap().to_string();
        assert!(fallback.contains(reason), "{dockerfile}: {fallback}");
    }
    for dockerfile in [
        "# syntax=docker/dockerfile:1.7-labs\nFROM base\nCOPY a /",
        "# syntax = docker.io/docker/dockerfile@sha256:00\nFROM base\nCOPY a /",
    ] {
        assert_eq!(Case::new(dockerfile, files).read().fallback, None, "{dockerfile}");
    }
    let given = Case::new("FROM base\nCOPY a /", files).arg("BUILDKIT_SYNTAX", "example.com/front");
    assert!(matches!(given.read().fallback, Some(Fallback::UnknownSyntax { .. })));
}

#[test]
fn triggers_of_the_base_are_instructions_of_the_stage() {
    let mut case = Case::new("FROM onb\nCOPY a /x\n", &["a", "b", "c"]);
    let image =
        BaseImage { id: "1".into(), onbuild: vec!["COPY b /b".into(), "ENV X=c".into()], ..BaseImage::default() };
    case.images.insert("onb".into(), image);
    assert_eq!(case.files(), ["a", "b"]);
    let stage = Case::new("FROM base AS one\nONBUILD COPY c /c\nCOPY b /b\nFROM one\nCOPY a /x\n", &["a", "b", "c"]);
    assert_eq!(stage.files(), ["a", "b", "c"]);
    assert_eq!(stage.target("one").files(), ["b"]);
}

#[test]
fn images_are_named_for_the_caller() {
    let case = Case::new(
        "ARG V=12\nFROM --platform=$BUILDPLATFORM debian:$V AS one\nFROM base AS unused\nFROM one\nCOPY --from=tool /a /b\nRUN --mount=from=mounted,target=/m true\n",
        &[],
    );
    let images: Vec<_> = case.images().into_iter().map(|i| (i.name, i.platform, i.base)).collect();
    assert_eq!(
        images,
        [
            ("debian:12".to_owned(), Some("linux/amd64".to_owned()), true),
            ("mounted".to_owned(), None, false),
            ("tool".to_owned(), None, false),
        ]
    );
    assert_eq!(case.read().unpinned, ["debian:12", "mounted", "tool"]);
}

#[test]
fn the_digest_follows_what_the_build_depends_on_and_nothing_else() {
    let dockerfile = "# a comment\nFROM base\nARG USED=1\nCOPY src /src\nRUN --mount=type=secret,id=token true\n";
    let files = &["src/a=1", "src/b=2", "other=3"];
    let base = || {
        Case::new(dockerfile, files)
            .arg("USED", "1")
            .arg("UNUSED", "1")
            .secret("token", Secret { content: Some("s".into()), ..Secret::default() })
            .secret("unused", Secret { content: Some("s".into()), ..Secret::default() })
    };
    let digest = base().digest();
    type Edit = (&'static str, fn(&mut Case));
    let changes: [Edit; 14] = [
        ("content", |c| c.tree.add("src/a=9")),
        ("mode", |c| c.tree.add("+src/a=1")),
        ("new file", |c| c.tree.add("src/new=1")),
        ("new folder", |c| c.tree.add("src/folder/")),
        ("gone", |c| c.tree.remove(std::path::Path::new("/w/src/a"))),
        ("link", |c| c.tree.add("src/a->b")),
        ("swapped", |c| {
            c.tree.add("src/a=2");
            c.tree.add("src/b=1");
        }),
        ("arg", |c| {
            c.build.args.insert("USED".into(), Some("2".into()));
        }),
        ("secret", |c| {
            c.project.secrets.get_mut("token").unwrap().content = Some("t".into());
        }),
        ("base image", |c| c.images.get_mut("base").unwrap().id = "other".into()),
        ("platform", |c| c.build.platforms.push("linux/arm64".into())),
        ("label", |c| {
            c.build.labels.insert("a".into(), "b".into());
        }),
        ("instruction", |c| {
            c.tree.add(&format!(
                "Dockerfile={}",
                "FROM base\nARG USED=1\nCOPY src /src2\nRUN --mount=type=secret,id=token true\n"
            ))
        }),
        ("ignored", |c| c.tree.add(".dockerignore=src/b")),
    ];
    for (what, edit) in changes {
        let mut case = base();
        edit(&mut case);
        assert_ne!(case.digest(), digest, "{what} must change the digest");
    }
    let same: [Edit; 8] = [
        ("other file", |c| c.tree.add("other=9")),
        ("new file elsewhere", |c| c.tree.add("more=9")),
        ("unused arg", |c| {
            c.build.args.insert("UNUSED".into(), Some("2".into()));
        }),
        ("unused secret", |c| {
            c.project.secrets.get_mut("unused").unwrap().content = Some("t".into());
        }),
        ("comment", |c| {
            c.tree.add(&format!(
                "Dockerfile={}",
                "FROM base\n# more\nARG USED=1\nCOPY src /src\nRUN --mount=type=secret,id=token true\n"
            ))
        }),
        ("ignore file without effect", |c| c.tree.add(".dockerignore=nothing")),
        ("tag", |c| c.build.tags.push("x".into())),
        ("cache", |c| c.build.cache_from.push("x".into())),
    ];
    for (what, edit) in same {
        let mut case = base();
        edit(&mut case);
        assert_eq!(case.digest(), digest, "{what} must not change the digest");
    }
}

#[test]
fn the_digest_is_the_same_in_another_worktree() {
    let one = Case::new("FROM base\nCOPY . /x\n", &["a", "b/c"]);
    let mut two = Case::new("FROM base\nCOPY . /x\n", &[]);
    two.tree = crate::inputs::tests::tree::MemTree::default();
    for (path, node) in &one.tree.0 {
        let moved = std::path::Path::new("/elsewhere/deep").join(path.strip_prefix("/w").unwrap());
        two.tree.put(&moved, node.clone());
    }
    two.build.context = Some("/elsewhere/deep".into());
    assert_eq!(one.digest(), two.digest());
    let parts = format!("{:?}", one.read().parts);
    assert!(!parts.contains("/w"), "{parts}");
}

#[test]
fn a_record_of_another_form_is_not_read() {
    let record = Case::new("FROM base\nCOPY . /x\n", &["a", "b/c"]).read().record();
    let mut kept = serde_json::to_value(&record).unwrap();
    assert_eq!(serde_json::from_value::<BuildRecord>(kept.clone()).unwrap(), record);
    kept["form"] = 1.into();
    assert!(serde_json::from_value::<BuildRecord>(kept.clone()).is_err());
    kept.as_object_mut().unwrap().remove("form");
    assert!(serde_json::from_value::<BuildRecord>(kept).is_err());
}

#[test]
fn additional_contexts_are_read_where_the_target_uses_them() {
    let dockerfile = "FROM base\nCOPY --from=shared lib /lib\nCOPY --from=tool /bin/t /t\nCOPY a /a\n";
    let mut case = Case::new(dockerfile, &["a", "../shared/lib/x", "../shared/other", "../shared/lib/y.log"]);
    case.tree.add("../shared/.dockerignore=**/*.log");
    let moved: Vec<_> = case.tree.0.keys().filter(|p| p.starts_with("/w/../shared")).cloned().collect();
    for path in moved {
        let node = case.tree.0.remove(&path).unwrap();
        case.tree.put(&std::path::Path::new("/shared").join(path.strip_prefix("/w/../shared").unwrap()), node);
    }
    case.tree.remove(std::path::Path::new("/w/.."));
    case.build.additional_contexts.insert("shared".into(), "/shared".into());
    case.build.additional_contexts.insert("tool".into(), "service:tools".into());
    case.build.additional_contexts.insert("unused".into(), "/missing".into());
    case.services.insert("tools".into(), BaseImage { id: "t1".into(), ..BaseImage::default() });
    let inputs = case.read();
    let shared: Vec<_> = inputs.additional[0].files.iter().map(|f| &*f.path).collect();
    assert_eq!((inputs.additional[0].name.as_deref(), shared), (Some("shared"), vec!["lib", "lib/x"]));
    assert_eq!(inputs.services, ["tools".into()]);
    let digest = inputs.digest;
    case.tree.put(std::path::Path::new("/shared/lib/x"), crate::inputs::tests::tree::Node::File("new".into(), 0o644));
    assert_ne!(case.read().digest, digest);
    case.tree.put(std::path::Path::new("/shared/lib/x"), crate::inputs::tests::tree::Node::File("x".into(), 0o644));
    case.services.get_mut("tools").unwrap().id = "t2".into();
    assert_ne!(case.read().digest, digest);
    // A context with a stage's name stands for the stage.
    case.tree.add("Dockerfile=FROM base AS shared\nCOPY nothing /\nFROM base\nCOPY --from=shared lib /l\n");
    assert_eq!(case.read().additional[0].files.len(), 2);
}

#[test]
fn remote_sources_are_named_and_read_nothing() {
    let url = "https://example.com/a.tgz";
    let git = "https://example.com/r.git#0123456789012345678901234567890123456789";
    let case = Case::new(
        &format!("FROM base\nADD {url} a /x/\nADD {git} /g\nADD --checksum=sha256:00 {url}2 /y\n"),
        &["a", "b"],
    );
    let inputs = case.read();
    assert_eq!(inputs.unpinned, [url]);
    assert_eq!(case.files(), ["a"]);
}

#[test]
fn a_remote_context_is_the_builders_to_fetch() {
    for url in ["https://example.com/r.git", "git@example.com:r.git", "github.com/o/r"] {
        let mut case = Case::new("FROM base\n", &[]);
        case.build.context = Some(url.into());
        let inputs = case.read();
        assert_eq!(inputs.unpinned, [url]);
        assert!(inputs.context.is_none() && inputs.dockerfile.is_none());
        assert!(matches!(inputs.fallback, Some(Fallback::RemoteContext { .. })));
    }
}

#[test]
fn inline_dockerfiles_are_read() {
    let mut case = Case::new("", &["a"]);
    case.build.dockerfile_inline = Some("FROM base\nCOPY a /a\n".into());
    assert_eq!(case.files(), ["a"]);
    let before = case.digest();
    case.build.dockerfile_inline = Some("FROM base\nCOPY a /b\n".into());
    assert_ne!(case.digest(), before);
}

#[test]
fn what_is_missing_is_named_with_a_suggestion() {
    let mut case = Case::new("FROM base\n\n  COPY srv /x\n", &["src/a"]);
    let error = case.try_read().unwrap_err();
    assert_eq!(error.to_string(), "/w/Dockerfile:3:3: COPY reads \"srv\", which is not in /w");
    assert_eq!(error.hint().unwrap(), "did you mean \"src\"?");
    case = Case::new("FROM base\nCOPY src /x\n", &["src/a"]).ignore("# c\nsrc");
    assert_eq!(case.try_read().unwrap_err().hint().unwrap(), "line 2 of the ignore file leaves it out");
    case.build.dockerfile = Some("Dockerfil".into());
    let error = case.try_read().unwrap_err();
    assert_eq!(error.to_string(), "the Dockerfile /w/Dockerfil does not exist");
    assert!(error.hint().unwrap().contains("did you mean \"Dockerfile\"?"));
    case.build.context = Some("/v".into());
    assert_eq!(case.try_read().unwrap_err().to_string(), "the build context /v does not exist");
    case.build.context = Some("/w/Dockerfile".into());
    assert_eq!(case.try_read().unwrap_err().to_string(), "the build context /w/Dockerfile is not a folder");
    let bad = Case::new("FROM base\n", &[]).ignore("a\n[b");
    assert!(bad.try_read().unwrap_err().to_string().starts_with("/w/.dockerignore: line 2: \"[b\" is not a pattern"));
    let bad = Case::new("FROM base\nRNU x\n", &[]);
    let error = bad.try_read().unwrap_err();
    assert_eq!(error.to_string(), "/w/Dockerfile:2:1: unknown instruction RNU");
    assert_eq!(error.hint().unwrap(), "did you mean RUN?");
}

#[test]
fn a_small_letter_dockerfile_is_found() {
    let mut case = Case::new("", &["dockerfile=FROM base\nCOPY a /a", "a"]);
    case.tree.remove(std::path::Path::new("/w/Dockerfile"));
    assert_eq!(case.files(), ["a"]);
}

#[test]
fn a_stage_that_comes_later_cannot_be_copied_from() {
    let error = Case::new("FROM base AS a\nCOPY --from=b /x /x\nFROM a AS b\n", &[]).try_read().unwrap_err();
    assert!(error.to_string().contains("2:1: copies from stage \"b\", which is not defined before"), "{error}");
}
