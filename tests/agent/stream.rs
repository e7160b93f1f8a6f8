//! The stream: hellos, several requests in flight, hostile frames, and its end.

use hob::for_tests::agent::protocol::{Answer, FrameReader, MAX_FRAME, Op, Request, VERSION, encode_frame, refusal};
use hob::for_tests::agent::{AgentClient, AgentError, BUILD_ID, Command, Meta, OutputStream, Refusal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Child;

use crate::harness::{Supervised, is_alive, is_root, need_isolation};

async fn supervised() -> Supervised {
    need_isolation();
    let mut supervised = Supervised::shell("echo ready; exec sleep 600");
    assert_eq!(supervised.line().await, "ready");
    supervised
}

fn frame(request: &Request, id: u32) -> Vec<u8> {
    let mut out = Vec::new();
    encode_frame(&mut out, request.kind(), id, &request.encode());
    out
}

fn hello() -> Vec<u8> {
    frame(&Request::Hello { version: VERSION, build: BUILD_ID.as_bytes().to_vec() }, 1)
}

/// Sends bytes, closes the stream, and gives all answers.
async fn talk(mut serve: Child, bytes: &[u8]) -> (Vec<(u32, Answer)>, i32) {
    let (mut input, mut output) = (serve.stdin.take().unwrap(), serve.stdout.take().unwrap());
    // The other side may hang up before it has read everything.
    let _ = input.write_all(bytes).await;
    drop(input);
    let mut all = Vec::new();
    output.read_to_end(&mut all).await.unwrap();
    let mut frames = FrameReader::default();
    frames.push(&all);
    let mut answers = Vec::new();
    while let Some((kind, id, message)) = frames.next_frame().unwrap() {
        answers.push((id, Answer::decode(kind, message).unwrap()));
    }
    assert!(!frames.is_partial());
    (answers, serve.wait().await.unwrap().code().unwrap())
}

#[tokio::test]
async fn an_agent_of_another_version_is_refused_with_a_clear_answer() {
    let supervised = supervised().await;
    for (version, build) in [(VERSION + 1, BUILD_ID), (VERSION, "another")] {
        let mut bytes = frame(&Request::Hello { version, build: build.as_bytes().to_vec() }, 9);
        bytes.extend(frame(&Request::Restart { signal: 15, grace_ms: 0, after: 0 }, 10));
        let (answers, code) = talk(supervised.serve(|_| {}), &bytes).await;
        assert_eq!(answers.len(), 1, "nothing after a refusal is done: {answers:?}");
        assert!(
            matches!(&answers[0], (9, Answer::Refused { reason: refusal::VERSION, version: VERSION, build, .. })
                if build == BUILD_ID.as_bytes()),
            "{answers:?}"
        );
        assert_eq!(code, 66);
    }
    let (answers, _) = talk(supervised.serve(|_| {}), &frame(&Request::Status, 3)).await;
    assert!(matches!(&answers[..], [(3, Answer::Refused { reason: refusal::NO_HELLO, .. })]), "{answers:?}");
}

#[tokio::test]
async fn without_a_supervisor_the_hello_is_refused() {
    need_isolation();
    // A command of its own in a namespace of its own that no supervisor is in.
    let mut other = Supervised::start(&[], |start| {
        let flags = if is_root() { "-m" } else { "-rm" };
        *start = tokio::process::Command::new("unshare");
        start.args([flags, "--", "sh", "-c", "echo ready; exec sleep 600"]);
        start.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).kill_on_drop(true);
    });
    assert_eq!(other.line().await, "ready");
    let mut serve = other.serve(|_| {});
    let (reader, writer) = (serve.stdout.take().unwrap(), serve.stdin.take().unwrap());
    let error = AgentClient::connect(reader, writer).await.err().unwrap();
    assert!(matches!(error, AgentError::Refused { reason: Refusal::NoSupervisor, .. }), "{error}");
}

#[tokio::test]
async fn nobody_but_root_can_speak_with_the_supervisor() {
    if !is_root() {
        return;
    }
    let supervised = supervised().await;
    let mut serve = supervised.serve(|enter| {
        let agent = crate::harness::agent();
        let pid = supervised.pid.to_string();
        *enter = tokio::process::Command::new("nsenter");
        enter.args(["-t", &pid, "-m", "--", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
        enter.arg(agent).arg("serve");
        enter.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).kill_on_drop(true);
    });
    let (reader, writer) = (serve.stdout.take().unwrap(), serve.stdin.take().unwrap());
    let error = AgentClient::connect(reader, writer).await.err().unwrap();
    assert!(matches!(error, AgentError::Refused { reason: Refusal::NoSupervisor, .. }), "{error}");
}

#[tokio::test]
async fn hostile_frames_end_the_stream_and_nothing_else() {
    let supervised = supervised().await;
    let (client, _serve) = supervised.client().await;
    let before = client.status().await.unwrap().pid;
    let with_hello = |tail: &[u8]| [hello(), tail.to_vec()].concat();
    let mut unknown = Vec::new();
    encode_frame(&mut unknown, 200, 7, b"what");
    let mut liar = Vec::new();
    // A list that says that it has four billion entries.
    encode_frame(&mut liar, 5, 7, &[0xff; 4]);
    let mut bad_op = Vec::new();
    encode_frame(&mut bad_op, 2, 7, &[0, 99]);
    for (name, bytes, answers_after_hello, last_code) in [
        ("too long", with_hello(&u32::try_from(MAX_FRAME + 1).unwrap().to_le_bytes()), 1, 65),
        ("too short", with_hello(&[4, 0, 0, 0]), 1, 65),
        ("cut off", with_hello(&[100, 0, 0, 0, 6, 1]), 0, 0),
        ("unknown kind", with_hello(&unknown), 1, 0),
        ("a list that lies", with_hello(&liar), 1, 0),
        ("an unknown step", with_hello(&bad_op), 1, 0),
        ("a second hello", with_hello(&hello()), 1, 0),
    ] {
        let (answers, code) = talk(supervised.serve(|_| {}), &bytes).await;
        assert!(matches!(answers[0], (1, Answer::Welcome { .. })), "{name}: {answers:?}");
        assert_eq!(answers.len() - 1, answers_after_hello, "{name}: {answers:?}");
        assert!(answers[1..].iter().all(|(_, answer)| matches!(answer, Answer::Failed { .. })), "{name}: {answers:?}");
        assert_eq!(code, last_code, "{name}");
    }
    assert_eq!(client.status().await.unwrap().pid, before);
}

#[tokio::test]
async fn a_command_runs_in_the_containers_surroundings() {
    let supervised = supervised().await;
    let (client, _serve) = supervised.client().await;
    let folder = tempfile::tempdir().unwrap();
    let command = Command {
        argv: ["sh", "-c", "echo out $ADDED $PWD; echo err >&2; exit 5"].map(str::to_owned).to_vec(),
        environment: vec![("ADDED".to_owned(), "value".to_owned())],
        workdir: Some(folder.path().display().to_string()),
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let executed = client
        .exec(command, |stream, data| match stream {
            OutputStream::Stdout => out.extend_from_slice(data),
            OutputStream::Stderr => err.extend_from_slice(data),
        })
        .await
        .unwrap();
    assert_eq!(executed.code, 5);
    assert_eq!(String::from_utf8(out).unwrap(), format!("out value {}\n", folder.path().display()));
    assert_eq!(err, b"err\n");
    let command = |argv: &[&str]| Command { argv: argv.iter().map(|&s| s.to_owned()).collect(), ..Command::default() };
    let long = "x".repeat(200_000);
    assert!(matches!(client.exec(command(&[&long]), |_, _| {}).await, Err(AgentError::Failed { errno: 7, .. })));
    let error = client.exec(command(&["no-such"]), |_, _| {}).await.unwrap_err();
    assert_eq!(error.to_string(), "exec: \"no-such\": executable file not found in $PATH");
    let mut size = 0;
    let big = command(&["sh", "-c", "head -c 3000000 /dev/zero"]);
    assert_eq!(client.exec(big, |_, data| size += data.len()).await.unwrap().code, 0);
    assert_eq!(size, 3_000_000, "nothing that was written before the end is lost");
    // A process that it leaves behind, which holds its output open, does not hold up the answer.
    let mut pid = String::new();
    let leaving = command(&["sh", "-c", "sleep 600 & echo $!"]);
    assert_eq!(client.exec(leaving, |_, data| pid += &String::from_utf8_lossy(data)).await.unwrap().code, 0);
    let pid = pid.trim().parse().unwrap();
    assert!(is_alive(pid));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn a_slow_command_delays_nothing() {
    let supervised = supervised().await;
    let (client, _serve) = supervised.client().await;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().display().to_string();
    // It ends only when the file is there, which the batch makes: if one waited for the other, neither would end.
    let waits = Command {
        argv: vec!["sh".to_owned(), "-c".to_owned(), format!("echo started; until [ -e {target}/go ]; do :; done")],
        ..Command::default()
    };
    let (started, has_started) = tokio::sync::oneshot::channel();
    let mut started = Some(started);
    let exec = client.exec(waits, move |_, _| {
        if let Some(started) = started.take() {
            started.send(()).unwrap();
        }
    });
    let apply = async {
        has_started.await.unwrap();
        let meta = Meta { mode: 0o644, uid: 0, gid: 0, mtime: None };
        let write = Op::Write { path: b"go".to_vec(), meta, data: Vec::new(), last: true };
        client.apply(vec![Op::Target(target.clone().into_bytes()), write]).await.unwrap()
    };
    let (executed, applied) = tokio::join!(exec, apply);
    assert_eq!((executed.unwrap().code, applied.errors.len()), (0, 0));
}

#[tokio::test]
async fn the_end_of_a_stream_leaves_the_command_alone() {
    let mut supervised = supervised().await;
    let (client, mut serve) = supervised.client().await;
    let pid = client.status().await.unwrap().pid;
    drop(client);
    assert_eq!(serve.wait().await.unwrap().code(), Some(0));
    let (client, mut serve) = supervised.client().await;
    serve.start_kill().unwrap();
    client.closed().await;
    assert!(matches!(client.status().await, Err(AgentError::Ended(_))));
    let (client, _serve) = supervised.client().await;
    assert_eq!(client.status().await.unwrap().pid, pid);
    // And the end of the command ends the stream, with an answer for whoever waits.
    supervised.signal(15);
    client.closed().await;
    assert_eq!(supervised.code().await, 143);
}

#[tokio::test]
async fn a_batch_whose_stream_ends_leaves_nothing_behind() {
    let supervised = supervised().await;
    let folder = tempfile::tempdir().unwrap();
    let meta = Meta { mode: 0o644, uid: 0, gid: 0, mtime: None };
    let ops = vec![
        Op::Target(folder.path().display().to_string().into_bytes()),
        Op::Write { path: b"whole".to_vec(), meta, data: b"x".to_vec(), last: true },
        Op::Write { path: b"part".to_vec(), meta, data: b"x".to_vec(), last: false },
    ];
    let bytes = [hello(), frame(&Request::Apply { more: true, ops }, 2)].concat();
    let (answers, code) = talk(supervised.serve(|_| {}), &bytes).await;
    assert_eq!((answers.len(), code), (1, 0));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
