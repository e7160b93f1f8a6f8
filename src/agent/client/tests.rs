//! The client and agents that do not do what an agent does. Time is virtual.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::mpsc;
use tokio::time::Instant;

use std::io;
use std::time::Duration;

use super::multiplexer::WAITING;
use super::*;
use crate::agent::protocol::{FrameReader, Packer, encode_frame};

/// The other end of the stream.
struct Agent {
    frames: FrameReader,
    reader: ReadHalf<DuplexStream>,
    writer: WriteHalf<DuplexStream>,
}

impl Agent {
    /// The id of the next request.
    async fn asked(&mut self) -> (Request, u32) {
        let mut buffer = [0; 4096];
        loop {
            if let Some((kind, id, message)) = self.frames.next_frame().unwrap() {
                return (Request::decode(kind, message).unwrap(), id);
            }
            let count = self.reader.read(&mut buffer).await.unwrap();
            assert!(count > 0, "the stream is there");
            self.frames.push(&buffer[..count]);
        }
    }

    async fn say(&mut self, id: u32, answer: &Answer) -> io::Result<()> {
        let mut out = Vec::new();
        encode_frame(&mut out, answer.kind(), id, &answer.encode());
        self.writer.write_all(&out).await
    }
}

fn stream() -> (Agent, DuplexStream) {
    let (ours, theirs) = duplex(64 << 10);
    let (reader, writer) = split(theirs);
    (Agent { frames: FrameReader::default(), reader, writer }, ours)
}

async fn connected() -> (Agent, AgentClient) {
    let (mut agent, ours) = stream();
    let (reader, writer) = split(ours);
    let welcome = async {
        let (_, id) = agent.asked().await;
        agent.say(id, &Answer::Welcome { agent: 1 }).await.unwrap();
    };
    let (client, ()) = tokio::join!(AgentClient::connect(reader, writer), welcome);
    (agent, client.unwrap())
}

fn write(size: usize) -> Vec<Op> {
    let meta = crate::agent::Meta { mode: 0o644, uid: 0, gid: 0, mtime: None };
    vec![Op::Target(b"/".to_vec()), Op::Write { path: b"a".to_vec(), meta, data: vec![7; size], last: true }]
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_says_nothing_is_not_waited_for() {
    let (_agent, ours) = stream();
    let (reader, writer) = split(ours);
    let error = AgentClient::connect(reader, writer).await.err().unwrap();
    assert!(matches!(error, AgentError::Silent(SILENCE)), "{error}");

    let (_agent, client) = connected().await;
    assert_eq!(client.status().await.unwrap_err().to_string(), "the agent has not answered for 10 s");
    // Nor is it asked anything more.
    assert!(client.is_closed());
    let error = client.status().await.unwrap_err().to_string();
    assert_eq!(error, "the stream to the agent ended: the agent has not answered for 10 s");

    // The command has its grace besides.
    let (_agent, client) = connected().await;
    let began = Instant::now();
    let restart = Then::Restart { signal: 15, grace: Duration::from_mins(1) };
    client.apply_then(write(1), restart).await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 10, "the batch itself has no grace");
    let (mut agent, client) = connected().await;
    let began = Instant::now();
    let batch = async {
        let (_, id) = agent.asked().await;
        agent.say(id, &Answer::Applied { done: 1, micros: 1, errors: Vec::new() }).await.unwrap();
    };
    let (error, ()) = tokio::join!(client.apply_then(write(1), restart), batch);
    assert!(matches!(error.unwrap_err(), AgentError::Silent(limit) if limit.as_secs() == 70));
    assert_eq!(began.elapsed().as_secs(), 70);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_takes_nothing_is_not_waited_for() {
    let (_agent, client) = connected().await;
    let began = Instant::now();
    // More than fits into the stream.
    let error = client.apply(write(1 << 20)).await.unwrap_err();
    assert!(matches!(error, AgentError::Silent(_)), "{error}");
    assert!(began.elapsed() < Duration::from_secs(12));
    // One that is slow is.
    let (mut agent, client) = connected().await;
    let slow = async {
        let mut buffer = vec![0; 64 << 10];
        let id = loop {
            tokio::time::sleep(Duration::from_secs(3)).await;
            let count = agent.reader.read(&mut buffer).await.unwrap();
            agent.frames.push(&buffer[..count]);
            let mut last = None;
            while let Some((kind, id, message)) = agent.frames.next_frame().unwrap() {
                if let Ok(Request::Apply { more: false, .. }) = Request::decode(kind, message) {
                    last = Some(id);
                }
            }
            if let Some(id) = last {
                break id;
            }
        };
        agent.say(id, &Answer::Applied { done: 1, micros: 1, errors: Vec::new() }).await.unwrap();
    };
    let began = Instant::now();
    let (applied, ()) = tokio::join!(client.apply(write(1 << 20)), slow);
    assert_eq!(applied.unwrap().done, 1);
    assert!(began.elapsed() > Duration::from_secs(30), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_not_kept() {
    let (mut agent, client) = connected().await;
    let asks = tokio::spawn({
        let client = client.clone();
        // Takes one answer and then nothing more.
        async move {
            let answers = client.multiplexer.send(&Request::Status).await.unwrap();
            tokio::time::sleep(Duration::from_hours(1)).await;
            drop(answers);
        }
    });
    let (_, id) = agent.asked().await;
    let data = vec![0; 32 << 10];
    let mut taken = 0;
    let flood = async {
        while agent.say(id, &Answer::Output { stream: 1, data: data.clone() }).await.is_ok() {
            taken += 1;
        }
    };
    assert!(tokio::time::timeout(Duration::from_mins(1), flood).await.is_err());
    assert!(taken <= WAITING + 4, "{taken} answers that nobody takes");
    asks.abort();

    // Nobody waits for this one.
    let (mut agent, client) = connected().await;
    for _ in 0..100 {
        agent.say(77, &Answer::Output { stream: 1, data: data.clone() }).await.unwrap();
    }
    let status = async {
        let (_, id) = agent.asked().await;
        agent.say(id, &Answer::Done).await.unwrap();
    };
    let (answer, ()) = tokio::join!(client.status(), status);
    assert!(matches!(answer, Err(AgentError::Unexpected)));
}

#[tokio::test(start_paused = true)]
async fn a_list_without_an_end_is_none() {
    let entry = Entry { path: Vec::new(), kind: crate::agent::EntryKind::Missing, mode: 0, uid: 0, gid: 0 };
    let part = |entries: Vec<Entry>, more| Answer::Entries { more, entries };
    for parts in [vec![part(Vec::new(), true)], vec![part(vec![entry.clone()], true), part(vec![entry], false)]] {
        let (mut agent, client) = connected().await;
        let said = async {
            let (_, id) = agent.asked().await;
            for part in &parts {
                let _ = agent.say(id, part).await;
            }
        };
        let (list, ()) = tokio::join!(client.list("/", vec![b"a".to_vec()], false, false), said);
        assert!(matches!(list, Err(AgentError::Unexpected)), "{list:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_frame_ends_the_stream() {
    let (mut agent, client) = connected().await;
    agent.writer.write_all(&u32::MAX.to_le_bytes()).await.unwrap();
    let error = client.status().await.unwrap_err().to_string();
    assert!(error.contains("it sent a frame of 4294967295 bytes"), "{error}");
}

async fn parts(last: Result<Vec<u8>, String>) -> Messages {
    let (sender, messages) = mpsc::channel(4);
    let mut packer = Packer::default();
    let mut first = None;
    while first.is_none() {
        first = packer.put(write(200 << 10).remove(1)).into_iter().next();
    }
    sender.send(Ok(first.unwrap())).await.unwrap();
    sender.send(last).await.unwrap();
    messages
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_cannot_be_read_to_its_end_is_ended() {
    let (mut agent, client) = connected().await;
    let answered = async {
        let mut kinds = Vec::new();
        loop {
            let (request, id) = agent.asked().await;
            let Request::Apply { more, ops } = request else { panic!("{request:?}") };
            kinds.push((more, ops.is_empty()));
            if !more {
                agent.say(id, &Answer::Applied { done: 0, micros: 1, errors: Vec::new() }).await.unwrap();
                return kinds;
            }
        }
    };
    let messages = parts(Err("big cannot be read".into())).await;
    let then = Some(Then::Signal(1));
    let (error, kinds) = tokio::join!(client.apply_parts(messages, then), answered);
    assert_eq!(error.unwrap_err().to_string(), "big cannot be read");
    assert_eq!(kinds, [(true, false), (false, true)], "and nothing follows");
    assert!(!client.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_given_up_ends_the_stream() {
    let (_agent, client) = connected().await;
    // The rest is still to come.
    let (_sender, messages) = mpsc::channel(1);
    let sent = tokio::time::timeout(Duration::from_secs(1), client.apply_parts(messages, None));
    assert!(sent.await.is_err());
    assert!(client.is_closed(), "the agent still waits for the rest");
}
