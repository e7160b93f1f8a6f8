//! Containers, networks, volumes and images.

use std::time::Duration;

use futures_util::StreamExt as _;
use hob::for_tests::engine::docker::{Docker, Surroundings};
use hob::for_tests::engine::{Action, Engine as _, ErrorKind, ExecSpec, LogQuery};
use hob::for_tests::model::{
    Attachment, ContainerState, Health, HealthCheck, InjectedFile, Interval, Mount, NetworkSpec, Port, VolumeSpec,
};
use tokio::io::AsyncWriteExt as _;

use crate::support::{IMAGE, text_of, with_engine};

#[tokio::test]
#[ignore = "needs an engine: run it with --include-ignored"]
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
        let mut logs = lab.engine.logs(&id, &LogQuery { follow: true, ..Default::default() }).await.unwrap();
        for _ in ["out", "err"] {
            logs.next().await.unwrap().unwrap();
        }
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
#[ignore = "needs an engine: run it with --include-ignored"]
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
#[ignore = "needs an engine: run it with --include-ignored"]
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
#[ignore = "needs an engine: run it with --include-ignored"]
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
#[ignore = "needs an engine: run it with --include-ignored"]
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
#[ignore = "needs an engine: run it with --include-ignored"]
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
#[ignore = "needs an engine: run it with --include-ignored"]
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
#[ignore = "needs an engine: run it with --include-ignored"]
async fn networks_and_volumes() {
    with_engine!(lab, {
        let labels = lab.labels(None);
        let names = [format!("{}_a", lab.project), format!("{}_b", lab.project)];
        for name in &names {
            let spec = NetworkSpec { name: name.clone(), labels: labels.clone(), ..Default::default() };
            let id = lab.engine.create_network(&spec).await.unwrap();
            // One of these labels is ours already; another's is not.
            assert_eq!(lab.engine.create_network(&spec).await.unwrap(), id);
            let other = NetworkSpec { name: name.clone(), ..Default::default() };
            assert_eq!(lab.engine.create_network(&other).await.unwrap_err().kind, ErrorKind::Conflict);
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
#[ignore = "needs an engine: run it with --include-ignored"]
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
#[ignore = "needs an engine: run it with --include-ignored"]
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
#[ignore = "needs an engine: run it with --include-ignored"]
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
    let error = Docker::connect(&Surroundings { env, ..Surroundings::default() }).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable { endpoint: "unix:///no/such/engine.sock".into() });
}

#[tokio::test]
#[ignore = "needs an engine: run it with --include-ignored"]
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
