//! Builds through BuildKit.

use std::sync::{Arc, Mutex};

use hob::for_tests::engine::{
    BuildContext, BuildProgress, BuildSecret, BuildSpec, ContextFile, Engine as _, ErrorKind, LogQuery, Was,
};
use hob::for_tests::model::{Build, Digest, EntryKind};
use indexmap::IndexMap;

use crate::support::{IMAGE, Lab, text_of, with_engine};

struct Context(tempfile::TempDir);

impl Context {
    fn new(files: &[(&str, &str)]) -> Self {
        let context = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            context.write(path, text);
        }
        context
    }

    fn write(&self, path: &str, text: &str) {
        let file = self.0.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    fn spec(&self, lab: &Lab, name: &str, paths: &[&str]) -> BuildSpec {
        let files = paths
            .iter()
            .map(|path| ContextFile { source: self.0.path().join(path), path: (*path).to_owned(), was: None })
            .collect();
        BuildSpec {
            context: BuildContext::Files(files),
            dockerfile: "Dockerfile".into(),
            build: Build { context: Some(self.0.path().display().to_string()), ..Default::default() },
            tags: vec![lab.image_name(name), lab.image_name(&format!("{name}-too"))],
            labels: lab.labels(None),
            ..Default::default()
        }
    }
}

/// Builds and gives back the answer with everything that was told.
async fn build(
    lab: &Lab,
    spec: &BuildSpec,
) -> (hob::for_tests::engine::Result<hob::for_tests::model::ImageId>, Vec<BuildProgress>) {
    let news = Arc::new(Mutex::new(Vec::new()));
    let sink = news.clone();
    let answer = lab.engine.build(spec, &move |event| sink.lock().unwrap().push(event)).await;
    let news = news.lock().unwrap().clone();
    (answer.map(|built| built.id), news)
}

/// BuildKit's digest of the step whose name contains a text. It differs from build to build.
fn step_of(news: &[BuildProgress], text: &str) -> Option<String> {
    news.iter().find_map(|event| match event {
        BuildProgress::Started { step, name } if name.contains(text) => Some(step.clone()),
        _ => None,
    })
}

/// Bytes of the context that were transferred.
fn transferred(news: &[BuildProgress]) -> u64 {
    let context = step_of(news, "load build context");
    let bytes = news.iter().filter_map(|event| match event {
        BuildProgress::Transferred { step, current, .. } if Some(step) == context.as_ref() => Some(*current),
        _ => None,
    });
    bytes.max().unwrap_or_default()
}

#[tokio::test]
#[ignore = "needs an engine: run it with --include-ignored"]
async fn an_image_is_built_and_only_what_changed_is_sent() {
    with_engine!(lab, {
        let dockerfile = format!(
            "FROM {IMAGE} AS base\nENV MARK={}\nARG A=none\nLABEL own=yes\nCOPY d /d\nCOPY l /l\nRUN echo \"arg $A\" && cat /d/f /l > /all\nFROM base AS other\nRUN exit 1\nFROM base\nCMD [\"cat\", \"/all\"]\n",
            lab.project
        );
        let big = "x".repeat(300_000);
        let context =
            Context::new(&[("Dockerfile", &dockerfile), ("d/f", "one\n"), ("d/big", &big), ("outside", "no")]);
        std::os::unix::fs::symlink("d/f", context.0.path().join("l")).unwrap();
        let mut spec = context.spec(&lab, "app", &["Dockerfile", "d/f", "d/big", "l"]);
        spec.build.args = IndexMap::from([("A".to_owned(), Some("given".to_owned()))]);
        let (answer, news) = build(&lab, &spec).await;
        let first = answer.unwrap();
        let image = lab.engine.image(&spec.tags[1]).await.unwrap().unwrap();
        assert_eq!(image.id, first);
        assert_eq!(image.labels["own"], "yes");
        assert_eq!(image.labels["com.docker.compose.project"], lab.project);
        assert!(
            lab.engine
                .images(&[format!("com.docker.compose.project={}", lab.project)])
                .await
                .unwrap()
                .iter()
                .any(|i| i.id == first)
        );
        let run = step_of(&news, "RUN echo").expect("the RUN step is told");
        let output: Vec<u8> = news
            .iter()
            .filter_map(|event| match event {
                BuildProgress::Output { step, bytes } if *step == run => Some(bytes.clone()),
                _ => None,
            })
            .flatten()
            .collect();
        assert_eq!(String::from_utf8_lossy(&output), "arg given\n");
        assert!(news.iter().any(
            |event| matches!(event, BuildProgress::Done { step, cached: false, error: None, .. } if *step == run)
        ));
        assert!(transferred(&news) > 300_000);
        assert_eq!(lab.output_of(&spec.tags[0]).await, "one\none\n");

        // The same again is cached and the same image; nothing is sent but what the files are. The build in between is
        // for files that were so young at the first one that they are sent once more.
        build(&lab, &spec).await.0.unwrap();
        let (answer, news) = build(&lab, &spec).await;
        assert_eq!(answer.unwrap(), first);
        let run = step_of(&news, "RUN echo").unwrap();
        assert!(
            news.iter().any(|event| matches!(event, BuildProgress::Done { step, cached: true, .. } if *step == run))
        );
        assert!(transferred(&news) < 50_000, "{}", transferred(&news));

        // A small file is changed, with the same size and time as before.
        let file = context.0.path().join("d/f");
        let time = std::fs::metadata(&file).unwrap().modified().unwrap();
        context.write("d/f", "two\n");
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
        let (answer, news) = build(&lab, &spec).await;
        assert_ne!(answer.unwrap(), first);
        assert!(transferred(&news) < 50_000, "{}", transferred(&news));
        assert_eq!(lab.output_of(&spec.tags[0]).await, "two\ntwo\n");

        // A file that is gone from the context is gone from the image.
        spec.context = context.spec(&lab, "app", &["Dockerfile", "d/f", "l"]).context;
        build(&lab, &spec).await.0.unwrap();
        let id = lab.run_image("ls", &spec.tags[0], &["ls", "/d"]).await;
        lab.engine.wait(&id).await.unwrap();
        let (out, _) = text_of(lab.engine.logs(&id, &LogQuery::default()).await.unwrap()).await;
        assert_eq!(out, "f\n");
    });
}

#[tokio::test]
#[ignore = "needs an engine: run it with --include-ignored"]
async fn a_context_of_many_files_is_sent_whole() {
    with_engine!(lab, {
        let mut paths = Vec::new();
        for number in 0..3000 {
            paths.push(format!("d{}/f{number}", number % 7));
        }
        let context = Context::new(&paths.iter().map(|path| (path.as_str(), path.as_str())).collect::<Vec<_>>());
        let mut spec = context.spec(&lab, "many", &paths.iter().map(String::as_str).collect::<Vec<_>>());
        spec.dockerfile_text = Some(format!(
            "FROM {IMAGE}\nCOPY . /src\nCMD [\"sh\", \"-c\", \"find /src -type f | wc -l; cat /src/d3/f2999\"]\n"
        ));
        build(&lab, &spec).await.0.unwrap();
        assert_eq!(lab.output_of(&spec.tags[0]).await, "3000\nd3/f2999");
    });
}

#[tokio::test]
#[ignore = "needs an engine: run it with --include-ignored"]
async fn a_failing_step_is_shown_whole() {
    with_engine!(lab, {
        let context = Context::new(&[]);
        let mut spec = context.spec(&lab, "bad", &[]);
        spec.dockerfile_text = Some(format!("FROM {IMAGE}\nRUN echo first && echo second && exit 9\n"));
        let (answer, _) = build(&lab, &spec).await;
        let error = answer.unwrap_err();
        let ErrorKind::Build { step, output } = &error.kind else { panic!("{error:?}") };
        assert!(step.contains("RUN echo first"), "{step}");
        assert_eq!(output, "first\nsecond\n");
        assert!(error.message.contains("exit code: 9"), "{}", error.message);

        spec.dockerfile_text = Some(format!("FROM {IMAGE}\nFOO bar\n"));
        let error = build(&lab, &spec).await.0.unwrap_err();
        assert!(error.message.to_lowercase().contains("unknown instruction: foo"), "{}", error.message);

        spec.dockerfile_text = Some(format!("FROM {IMAGE}\nCOPY missing /x\n"));
        let error = build(&lab, &spec).await.0.unwrap_err();
        assert!(error.message.contains("missing"), "{}", error.message);

        spec.dockerfile_text = Some("FROM 127.0.0.1:9/hob-test:1\n".into());
        let error = build(&lab, &spec).await.0.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Pull { image: "127.0.0.1:9/hob-test:1".into() }, "{}", error.message);

        spec.dockerfile_text = None;
        spec.dockerfile = "Nowhere".into();
        let error = build(&lab, &spec).await.0.unwrap_err();
        assert!(error.message.contains("Nowhere"), "{}", error.message);
    });
}

#[tokio::test]
#[ignore = "needs an engine: run it with --include-ignored"]
async fn secrets_reach_the_step_and_not_the_image() {
    with_engine!(lab, {
        let context = Context::new(&[]);
        let mut spec = context.spec(&lab, "secret", &[]);
        spec.dockerfile_text = Some(format!(
            "FROM {IMAGE}\nENV MARK={}\nRUN --mount=type=secret,id=key,required=true wc -c < /run/secrets/key > /size\nCMD [\"sh\", \"-c\", \"cat /size; ls -A /run/secrets\"]\n",
            lab.project
        ));
        let error = build(&lab, &spec).await.0.unwrap_err();
        assert!(error.message.contains("key"), "{}", error.message);
        spec.secrets = vec![BuildSecret { id: "key".into(), content: b"12345".to_vec() }];
        build(&lab, &spec).await.0.unwrap();
        assert_eq!(lab.output_of(&spec.tags[0]).await, "5\n");
    });
}

#[tokio::test]
#[ignore = "needs an engine: run it with --include-ignored"]
async fn an_ssh_agent_reaches_the_step() {
    with_engine!(lab, {
        let context = Context::new(&[]);
        let socket = context.0.path().join("agent");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let mut spec = context.spec(&lab, "ssh", &[]);
        spec.dockerfile_text = Some(format!(
            "FROM {IMAGE}\nENV MARK={}\nRUN --mount=type=ssh,required=true test -S $SSH_AUTH_SOCK\n",
            lab.project
        ));
        let error = build(&lab, &spec).await.0.unwrap_err();
        assert!(error.message.contains("ssh") || error.message.contains("SSH"), "{}", error.message);
        spec.build.ssh = vec![format!("default={}", socket.display())];
        build(&lab, &spec).await.0.unwrap();
        drop(listener);
        context.write("key", "no agent");
        spec.build.ssh = vec![format!("default={}", context.0.path().join("key").display())];
        let error = build(&lab, &spec).await.0.unwrap_err();
        let says = matches!(&error.kind, ErrorKind::BuildKey { instead, .. } if instead.contains("ssh-add"));
        assert!(says, "{error:?}");
        std::fs::remove_file(context.0.path().join("key")).unwrap();
        let mut keygen = std::process::Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(context.0.path().join("key"));
        if keygen.status().is_ok_and(|status| status.success()) {
            let text = spec.dockerfile_text.take().unwrap();
            spec.dockerfile_text =
                Some(format!("{text}RUN --mount=type=ssh,required=true test -S $SSH_AUTH_SOCK # key\n"));
            build(&lab, &spec).await.0.unwrap();
        }
    });
}

#[tokio::test]
#[ignore = "needs an engine: run it with --include-ignored"]
async fn named_contexts_where_the_engine_knows_them() {
    with_engine!(lab, {
        let context = Context::new(&[("lib/f", "from lib\n")]);
        let mut spec = context.spec(&lab, "named", &[]);
        spec.dockerfile_text = Some(format!("FROM {IMAGE}\nCOPY --from=lib /f /f\nCMD [\"cat\", \"/f\"]\n"));
        let files = vec![ContextFile { source: context.0.path().join("lib/f"), path: "f".into(), was: None }];
        spec.contexts = IndexMap::from([("lib".to_owned(), BuildContext::Files(files))]);
        let answer = build(&lab, &spec).await.0;
        if lab.engine.info().api >= (1, 42) {
            answer.unwrap();
            assert_eq!(lab.output_of(&spec.tags[0]).await, "from lib\n");
        } else {
            assert_eq!(answer.unwrap_err().kind, ErrorKind::Unsupported { needs: (1, 42) });
        }
    });
}

#[tokio::test]
#[ignore = "needs an engine: run it with --include-ignored"]
async fn what_is_sent_is_compared_with_what_was_measured() {
    with_engine!(lab, {
        let context = Context::new(&[("f", "one\n"), ("Dockerfile", &format!("FROM {IMAGE}\nCOPY f /f\n"))]);
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(context.0.path().join("f")).unwrap().permissions(),
        );
        let was = |text: &str, mode: u32| Was {
            kind: EntryKind::File { size: text.len() as u64 },
            mode: mode & 0o7777,
            digest: Some(Digest::of(text.as_bytes())),
        };
        let mut spec = context.spec(&lab, "sent", &["f"]);
        spec.dockerfile_text = Some(format!("FROM {IMAGE}\nCOPY f /f\nLABEL p={}\n", lab.project));
        // No names are given unless they are asked for.
        spec.tags.clear();
        for (was, same) in [
            (was("one\n", mode), true),
            (was("two\n", mode), false),
            (was("longer\n", mode), false),
            (was("one\n", mode ^ 0o100), false),
            (Was { kind: EntryKind::Dir, ..was("one\n", mode) }, false),
        ] {
            // A copy of its own each time: what the builder has already it does not ask for.
            spec.copy = format!("{was:?}");
            spec.labels.insert("case".to_owned(), spec.copy.clone());
            if let BuildContext::Files(files) = &mut spec.context {
                files[0].was = Some(was.clone());
            }
            let sent = Arc::new(Mutex::new(false));
            let seen = sent.clone();
            let news = move |event| *seen.lock().unwrap() |= event == BuildProgress::Sent;
            let built = lab.engine.build(&spec, &news).await.unwrap();
            assert_eq!(built.as_measured, same, "{was:?}");
            assert!(*sent.lock().unwrap(), "its end is told");
            let image = lab.engine.image(&built.id).await.unwrap().unwrap();
            assert_eq!(image.tags, [] as [&str; 0]);
            lab.engine.tag(&built.id, &lab.image_name("sent")).await.unwrap();
            assert_eq!(lab.engine.image(&lab.image_name("sent")).await.unwrap().unwrap().id, built.id);
        }
    });
}

#[tokio::test]
#[ignore = "needs an engine: run it with --include-ignored"]
async fn an_image_of_the_engine_is_a_base() {
    with_engine!(lab, {
        let context = Context::new(&[]);
        let mut base = context.spec(&lab, "base", &[]);
        base.dockerfile_text = Some(format!("FROM {IMAGE}\nRUN echo base > /base\n"));
        let id = build(&lab, &base).await.0.unwrap();
        let named = lab.image_name("by-another-name");
        lab.engine.tag(id.as_str(), &named).await.unwrap();
        let mut top = context.spec(&lab, "top", &[]);
        top.dockerfile_text = Some(format!("FROM {named}\nCMD [\"cat\", \"/base\"]\n"));
        build(&lab, &top).await.0.unwrap();
        assert_eq!(lab.output_of(&top.tags[0]).await, "base\n");
        if lab.engine.info().api >= (1, 42) {
            // As a named context too, which is how a service's image is given to another's build.
            top.dockerfile_text = Some("FROM below\nCMD [\"cat\", \"/base\"]\n".to_owned());
            top.contexts =
                IndexMap::from([("below".to_owned(), BuildContext::Remote(format!("docker-image://{named}")))]);
            build(&lab, &top).await.0.unwrap();
            assert_eq!(lab.output_of(&top.tags[0]).await, "base\n");
        }
    });
}

#[tokio::test]
#[ignore = "needs an engine: run it with --include-ignored"]
async fn a_dropped_build_is_cancelled_on_the_engine() {
    with_engine!(lab, {
        let context = Context::new(&[]);
        let mut spec = context.spec(&lab, "slow", &[]);
        // A build that is not cancelled would hold the step, and the second build of the same step would join it and
        // never show a fresh first line.
        let mark = format!("begun {}", lab.project);
        spec.dockerfile_text = Some(format!("FROM {IMAGE}\nRUN echo {mark} && sleep 1000\n"));
        for _ in 0..2 {
            let (begun, has_begun) = tokio::sync::oneshot::channel();
            let begun = Mutex::new(Some(begun));
            let mark = mark.clone();
            let sink = move |event: BuildProgress| {
                if let BuildProgress::Output { bytes, .. } = event
                    && String::from_utf8_lossy(&bytes).contains(&mark)
                    && let Some(begun) = begun.lock().unwrap().take()
                {
                    let _ = begun.send(());
                }
            };
            tokio::select! {
                answer = lab.engine.build(&spec, &sink) => panic!("it ended by itself: {answer:?}"),
                _ = has_begun => {}
            }
        }
        let process = lab.cancelled(&mark).await;
        assert!(process, "the step still runs");
    });
}
