//! The engine room against a real engine: the one that the environment names. Every test makes things under a name
//! of its own and removes them, so that tests run in parallel and beside other people's containers. Where no engine
//! answers, or it has no `busybox:latest` and none can be pulled, a test says so and passes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a test")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use hob::engine::docker::{Docker, Surroundings};
use hob::engine::{
    Action, BuildContext, BuildProgress, BuildSecret, BuildSpec, ContextFile, Engine as _, ErrorKind, ExecSpec,
    LogQuery,
};
use hob::model::{
    Attachment, Build, ContainerState, Health, HealthCheck, InjectedFile, Interval, Mount, NetworkSpec, Port,
    VolumeSpec,
};
use indexmap::IndexMap;
use support::{IMAGE, Lab, text_of};
use tokio::io::AsyncWriteExt as _;

/// Every test has this long; a real engine that hangs must not hang the suite.
const LIMIT: Duration = Duration::from_mins(2);

/// Runs a test's body with a lab, and cleans up whatever becomes of it.
macro_rules! with_engine {
    ($lab:ident, $body:block) => {{
        let Some($lab) = Lab::open().await else { return };
        let cleaner = $lab.clone();
        let outcome = tokio::time::timeout(LIMIT, tokio::spawn(async move { $body })).await;
        cleaner.clean().await;
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            Err(_) => panic!("not done in {LIMIT:?}"),
        }
    }};
}

#[tokio::test]
async fn a_container_lives_and_dies() {
    with_engine!(lab, {
        let id = lab.run("web", &["sh", "-c", "echo out; echo err >&2; exec sleep 1000"]).await;
        let seen = lab.engine.inspect(&id).await.unwrap().unwrap();
        assert_eq!((seen.state, seen.service.as_str(), seen.number), (ContainerState::Running, "web", 1));
        let observed = lab.observe().await;
        assert_eq!(observed.containers.len(), 1);
        assert_eq!(observed.containers[0].id, id);
        assert_eq!(observed.containers[0].image, seen.image);
        assert!(observed.images.contains_key(IMAGE) && observed.images.len() == 1);
        // Starting what runs, and stopping what does not, is no error.
        lab.engine.start(&id).await.unwrap();
        lab.engine.stop(&id, Some(Duration::ZERO)).await.unwrap();
        lab.engine.stop(&id, None).await.unwrap();
        lab.engine.kill(&id, "SIGKILL").await.unwrap();
        assert_eq!(lab.engine.wait(&id).await.unwrap(), 137);
        assert_eq!(lab.engine.inspect(&id).await.unwrap().unwrap().state, ContainerState::Exited(137));
        assert_eq!(lab.observe().await.containers[0].state, ContainerState::Exited(137));
        let (out, err) = text_of(lab.engine.logs(&id, &LogQuery::default()).await.unwrap()).await;
        assert_eq!((out.as_str(), err.as_str()), ("out\n", "err\n"));
        lab.engine.rename(&id, &format!("{}-renamed", lab.project)).await.unwrap();
        lab.engine.remove_container(&id, true).await.unwrap();
        lab.engine.remove_container(&id, true).await.unwrap();
        assert_eq!(lab.engine.inspect(&id).await.unwrap(), None);
    });
}

#[tokio::test]
async fn a_running_container_is_killed_and_restarted() {
    with_engine!(lab, {
        let id = lab.run("web", &["sh", "-c", "trap 'exit 7' USR1; while :; do sleep 0.02; done"]).await;
        lab.engine.restart(&id, Some(Duration::ZERO)).await.unwrap();
        assert_eq!(lab.engine.inspect(&id).await.unwrap().unwrap().state, ContainerState::Running);
        let mut events = lab.engine.events(&lab.project).await.unwrap();
        let waiting = tokio::spawn({
            let (engine, id) = (lab.engine.clone(), id.clone());
            async move { engine.wait(&id).await }
        });
        // The trap is set once the loop has begun; until then the signal ends the shell in another way.
        lab.exec_ok(&id, &["sh", "-c", "until grep -q '^SigCgt:.*2..$' /proc/1/status; do :; done"]).await;
        lab.engine.kill(&id, "SIGUSR1").await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), 7);
        let died = loop {
            let event = events.next().await.unwrap().unwrap();
            if let Action::Die(code) = event.action {
                break (event.service.to_string(), event.number, code);
            }
        };
        assert_eq!(died, ("web".to_owned(), 1, 7));
    });
}

#[tokio::test]
async fn commands_run_in_a_container() {
    with_engine!(lab, {
        let id = lab.run("web", &["sleep", "1000"]).await;
        let spec = ExecSpec {
            command: ["sh", "-c", "cat; echo $A >&2; pwd; exit 3"].map(str::to_owned).to_vec(),
            env: vec!["A=b".into()],
            working_dir: Some("/tmp".into()),
            stdin: true,
            ..Default::default()
        };
        let mut session = lab.engine.exec(&id, &spec).await.unwrap();
        session.input.write_all(b"hello\n").await.unwrap();
        session.input.shutdown().await.unwrap();
        let exec = session.id.clone();
        let (out, err) = text_of(session.output).await;
        assert_eq!((out.as_str(), err.as_str()), ("hello\n/tmp\n", "b\n"));
        assert_eq!(lab.engine.exec_exit_code(&exec).await.unwrap(), Some(3));
        // With a terminal there is one stream, and its size can be set.
        let spec = ExecSpec {
            command: ["sh", "-c", "read x; stty size"].map(str::to_owned).to_vec(),
            stdin: true,
            tty: true,
            ..Default::default()
        };
        let mut session = lab.engine.exec(&id, &spec).await.unwrap();
        lab.engine.exec_resize(&session.id, 101, 33).await.unwrap();
        session.input.write_all(b"\n").await.unwrap();
        let (out, _) = text_of(session.output).await;
        assert!(out.contains("33 101"), "{out:?}");
        let missing = ExecSpec { command: vec!["x".into()], ..Default::default() };
        assert_eq!(lab.engine.exec(&"nothing-here".into(), &missing).await.err().unwrap().kind, ErrorKind::NotFound);
    });
}

#[tokio::test]
async fn a_container_is_attached_to_before_its_start() {
    with_engine!(lab, {
        let mut spec = lab.container("web", &["sh", "-c", "read a; echo got $a"]);
        spec.interactive = true;
        let id = lab.engine.create_container(&spec).await.unwrap();
        let mut session = lab.engine.attach(&id).await.unwrap();
        lab.engine.start(&id).await.unwrap();
        session.input.write_all(b"it\n").await.unwrap();
        assert_eq!(text_of(session.output).await.0, "got it\n");
        assert_eq!(lab.engine.wait(&id).await.unwrap(), 0);
    });
}

#[tokio::test]
async fn files_are_put_into_a_container() {
    with_engine!(lab, {
        let mut spec = lab.container("web", &["sh", "-c", "stat -c '%a %u:%g' /run/secrets/s; cat /run/secrets/s"]);
        spec.files = vec![InjectedFile {
            path: "/run/secrets/s".into(),
            content: b"hidden\n".to_vec(),
            mode: 0o440,
            uid: 5,
            gid: 6,
        }];
        let id = lab.engine.create_container(&spec).await.unwrap();
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        header.set_mode(0o644);
        tar.append_data(&mut header, "sub/f", b"x".as_slice()).unwrap();
        lab.engine.upload(&id, "/tmp", tar.into_inner().unwrap().into()).await.unwrap();
        lab.engine.start(&id).await.unwrap();
        lab.engine.wait(&id).await.unwrap();
        let (out, _) = text_of(lab.engine.logs(&id, &LogQuery::default()).await.unwrap()).await;
        assert_eq!(out, "440 5:6\nhidden\n");
    });
}

#[tokio::test]
async fn logs_follow_and_are_cut() {
    with_engine!(lab, {
        let mut spec = lab.container("web", &["sh", "-c", "echo a; echo b; echo c"]);
        spec.service.tty = true;
        let id = lab.engine.create_container(&spec).await.unwrap();
        lab.engine.start(&id).await.unwrap();
        let follow = LogQuery { follow: true, tail: Some(2), timestamps: true, ..Default::default() };
        lab.engine.wait(&id).await.unwrap();
        let (out, _) = text_of(lab.engine.logs(&id, &follow).await.unwrap()).await;
        let lines: Vec<_> = out.lines().map(|line| line.split_once(' ').unwrap()).collect();
        assert_eq!(lines.iter().map(|(_, text)| text.trim()).collect::<Vec<_>>(), ["b", "c"]);
        assert!(lines[0].0.starts_with("20") && lines[0].0.ends_with('Z'), "{out}");
    });
}

#[tokio::test]
async fn health_is_observed() {
    with_engine!(lab, {
        let mut spec = lab.container("web", &["sleep", "1000"]);
        spec.service.healthcheck = Some(HealthCheck {
            test: ["CMD-SHELL", "echo checked; test -e /tmp/ok"].map(str::to_owned).to_vec(),
            interval: Some(Interval(Duration::from_millis(50))),
            retries: Some(1),
            ..Default::default()
        });
        let mut events = lab.engine.events(&lab.project).await.unwrap();
        let id = lab.engine.create_container(&spec).await.unwrap();
        lab.engine.start(&id).await.unwrap();
        let mut next = async || loop {
            if let Action::Health(health) = events.next().await.unwrap().unwrap().action {
                break health;
            }
        };
        assert_eq!(next().await, Health::Unhealthy);
        assert_eq!(lab.observe().await.containers[0].health, Some(Health::Unhealthy));
        assert_eq!(lab.engine.inspect(&id).await.unwrap().unwrap().health, Some(Health::Unhealthy));
        lab.exec_ok(&id, &["touch", "/tmp/ok"]).await;
        assert_eq!(next().await, Health::Healthy);
        let log = lab.engine.health_log(&id).await.unwrap();
        assert_eq!((log[0].exit_code, log[0].output.trim()), (1, "checked"));
        assert_eq!(log.last().unwrap().exit_code, 0);
    });
}

#[tokio::test]
async fn networks_and_volumes() {
    with_engine!(lab, {
        let labels = lab.labels(None);
        let names = [format!("{}_a", lab.project), format!("{}_b", lab.project)];
        for name in &names {
            let spec = NetworkSpec { name: name.clone(), labels: labels.clone(), ..Default::default() };
            lab.engine.create_network(&spec).await.unwrap();
            assert_eq!(lab.engine.create_network(&spec).await.unwrap_err().kind, ErrorKind::Conflict);
        }
        let volume = VolumeSpec { name: format!("{}_v", lab.project), labels, ..Default::default() };
        lab.engine.create_volume(&volume).await.unwrap();
        lab.engine.create_volume(&volume).await.unwrap();
        let mut spec = lab.container("web", &["sleep", "1000"]);
        spec.service.network_mode = None;
        spec.networks = names
            .iter()
            .map(|name| (name.clone(), Attachment { aliases: vec!["front".into()], ..Default::default() }))
            .collect();
        spec.mounts = vec![Mount { source: Some(volume.name.clone()), target: "/data".into(), ..Default::default() }];
        let id = lab.engine.create_container(&spec).await.unwrap();
        let observed = lab.observe().await;
        assert_eq!(observed.networks.keys().collect::<std::collections::BTreeSet<_>>(), names.iter().collect());
        let container = &observed.containers[0];
        for name in &names {
            assert_eq!(container.networks[name], observed.networks[name].id, "before its first start");
        }
        assert_eq!(container.volumes["/data"], volume.name);
        lab.engine.start(&id).await.unwrap();
        let (out, _) = lab.exec(&id, &["nslookup", "front"]).await;
        assert!(out.contains("Name:"), "{out}");
        assert_eq!(
            lab.engine.inspect(&id).await.unwrap().unwrap().networks,
            lab.observe().await.containers[0].networks
        );
        assert_eq!(lab.engine.remove_network(&names[0]).await.unwrap_err().kind, ErrorKind::Conflict);
        assert_eq!(lab.engine.remove_volume(&volume.name).await.unwrap_err().kind, ErrorKind::Conflict);
        lab.engine.remove_container(&id, true).await.unwrap();
        for name in &names {
            lab.engine.remove_network(name).await.unwrap();
            lab.engine.remove_network(name).await.unwrap();
        }
        lab.engine.remove_volume(&volume.name).await.unwrap();
        lab.engine.remove_volume(&volume.name).await.unwrap();
    });
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_holder() {
    with_engine!(lab, {
        let port = |published: &str| Port {
            target: 80,
            published: Some(published.into()),
            host_ip: Some("127.0.0.1".into()),
            protocol: Some("tcp".into()),
            ..Default::default()
        };
        let mut first = lab.container("first", &["sleep", "1000"]);
        first.service.network_mode = Some("bridge".into());
        first.service.ports = vec![port("")];
        let id = lab.engine.create_container(&first).await.unwrap();
        lab.engine.start(&id).await.unwrap();
        let taken = lab.engine.inspect(&id).await.unwrap().unwrap().ports[0].host_port;
        assert_eq!(lab.observe().await.containers[0].ports[0].host_port, taken);
        let mut second = lab.container("second", &["sleep", "1000"]);
        second.service.network_mode = Some("bridge".into());
        second.service.ports = vec![port(&taken.to_string())];
        let other = lab.engine.create_container(&second).await.unwrap();
        assert_eq!(lab.engine.start(&other).await.unwrap_err().kind, ErrorKind::PortTaken { port: taken });
        let holder = lab.engine.port_holder(taken, "tcp").await.unwrap();
        assert_eq!(holder, Some(format!("{} ({})", first.name, lab.project)));
        assert_eq!(lab.engine.port_holder(taken, "udp").await.unwrap(), None);
        // Taken by a process of this machine, where the engine shares the loopback with the test.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = listener.local_addr().unwrap().port();
        let mut third = lab.container("third", &["sleep", "1000"]);
        third.service.network_mode = Some("bridge".into());
        third.service.ports = vec![port(&taken.to_string())];
        let third = lab.engine.create_container(&third).await.unwrap();
        assert_eq!(lab.engine.start(&third).await.unwrap_err().kind, ErrorKind::PortTaken { port: taken });
    });
}

#[tokio::test]
async fn a_taken_name_and_a_missing_image() {
    with_engine!(lab, {
        lab.run("web", &["true"]).await;
        let again = lab.container("web", &["true"]);
        assert_eq!(lab.engine.create_container(&again).await.unwrap_err().kind, ErrorKind::Conflict);
        let mut missing = lab.container("other", &["true"]);
        missing.image = "hob-test/never-made:1".into();
        assert_eq!(lab.engine.create_container(&missing).await.unwrap_err().kind, ErrorKind::NotFound);
        let mut wrong = lab.container("wrong", &["/no/such/program"]);
        wrong.service.user = None;
        let id = lab.engine.create_container(&wrong).await.unwrap();
        let error = lab.engine.start(&id).await.unwrap_err();
        assert!(error.message.contains("no such file or directory"), "{}", error.message);
        assert!(lab.engine.projects().await.unwrap().contains(&(lab.project.clone(), 2)));
    });
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled() {
    with_engine!(lab, {
        // A port of this machine where nothing listens stands for a registry out of reach.
        let image = "127.0.0.1:9/hob-test:1";
        let error = lab.engine.pull(image, None, &|_| {}).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Pull { image: image.into() });
        assert!(error.message.contains("127.0.0.1:9 cannot be reached"), "{}", error.message);
        assert_eq!(lab.engine.image(image).await.unwrap(), None);
    });
}

#[tokio::test]
async fn nothing_answers_at_the_endpoint() {
    let env = [("DOCKER_HOST".to_owned(), "unix:///no/such/engine.sock".to_owned())].into();
    let error = Docker::connect(&Surroundings { env, home: None }).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable { endpoint: "unix:///no/such/engine.sock".into() });
}

// Builds.

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
            .map(|path| ContextFile { source: self.0.path().join(path), path: (*path).to_owned() })
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
async fn build(lab: &Lab, spec: &BuildSpec) -> (hob::engine::Result<hob::model::ImageId>, Vec<BuildProgress>) {
    let news = Arc::new(Mutex::new(Vec::new()));
    let sink = news.clone();
    let answer = lab.engine.build(spec, &move |event| sink.lock().unwrap().push(event)).await;
    let news = news.lock().unwrap().clone();
    (answer, news)
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
async fn named_contexts_where_the_engine_knows_them() {
    with_engine!(lab, {
        let context = Context::new(&[("lib/f", "from lib\n")]);
        let mut spec = context.spec(&lab, "named", &[]);
        spec.dockerfile_text = Some(format!("FROM {IMAGE}\nCOPY --from=lib /f /f\nCMD [\"cat\", \"/f\"]\n"));
        let files = vec![ContextFile { source: context.0.path().join("lib/f"), path: "f".into() }];
        spec.contexts = IndexMap::from([("lib".to_owned(), BuildContext::Files(files))]);
        let answer = build(&lab, &spec).await.0;
        if lab.engine.info().has_api(1, 42) {
            answer.unwrap();
            assert_eq!(lab.output_of(&spec.tags[0]).await, "from lib\n");
        } else {
            assert_eq!(answer.unwrap_err().kind, ErrorKind::Unsupported { needs: (1, 42) });
        }
    });
}

#[tokio::test]
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
    });
}

#[tokio::test]
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

#[tokio::test]
async fn events_of_other_projects_are_not_told() {
    with_engine!(lab, {
        let mut events = lab.engine.events(&format!("{}-other", lab.project)).await.unwrap();
        let mut own = lab.engine.events(&lab.project).await.unwrap();
        let id = lab.run("web", &["true"]).await;
        let mut seen = Vec::new();
        while !matches!(seen.last(), Some(Action::Die(0))) {
            seen.push(own.next().await.unwrap().unwrap().action);
        }
        assert_eq!(seen, [Action::Create, Action::Start, Action::Die(0)]);
        lab.engine.remove_container(&id, false).await.unwrap();
        assert!(futures_util::poll!(events.next()).is_pending());
    });
}
