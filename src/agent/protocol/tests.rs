//! The wire: what is written is read again, and what is not a message is refused without harm.

use proptest::prelude::*;

use super::*;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..40)
}

fn list() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(bytes(), 0..4)
}

fn meta() -> impl Strategy<Value = Meta> {
    (0..0o10000u32, any::<u32>(), any::<u32>(), proptest::option::of((i64::MIN + 1)..i64::MAX))
        .prop_map(|(mode, uid, gid, mtime)| Meta { mode, uid, gid, mtime })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        bytes().prop_map(Op::Target),
        (bytes(), meta(), bytes(), any::<bool>()).prop_map(|(path, meta, data, last)| Op::Write {
            path,
            meta,
            data,
            last
        }),
        (bytes(), any::<bool>()).prop_map(|(data, last)| Op::Append { data, last }),
        (bytes(), meta()).prop_map(|(path, meta)| Op::Dir { path, meta }),
        (bytes(), bytes(), any::<u32>(), any::<u32>()).prop_map(|(path, to, uid, gid)| Op::Link { path, to, uid, gid }),
        (bytes(), any::<bool>()).prop_map(|(path, recursive)| Op::Delete { path, recursive }),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        (any::<u16>(), bytes()).prop_map(|(version, build)| Request::Hello { version, build }),
        (any::<bool>(), proptest::collection::vec(op(), 0..5)).prop_map(|(more, ops)| Request::Apply { more, ops }),
        any::<(u8, u32, u32)>().prop_map(|(signal, grace_ms, after)| Request::Restart { signal, grace_ms, after }),
        any::<(u8, u32)>().prop_map(|(signal, after)| Request::Signal { signal, after }),
        (list(), list(), bytes(), any::<u32>()).prop_map(|(argv, env, workdir, after)| Request::Exec {
            argv,
            env,
            workdir,
            after
        }),
        Just(Request::Status),
        (bytes(), list(), any::<(bool, bool)>()).prop_map(|(target, paths, (recursive, digest))| Request::List {
            target,
            paths,
            recursive,
            digest
        }),
        bytes().prop_map(|name| Request::Owner { name }),
    ]
}

fn entry() -> impl Strategy<Value = Entry> {
    let kind = prop_oneof![
        Just(EntryKind::Missing),
        (any::<u64>(), proptest::option::of(any::<[u8; 32]>())).prop_map(|(size, sum)| EntryKind::File(size, sum)),
        Just(EntryKind::Dir),
        bytes().prop_map(EntryKind::Link),
        Just(EntryKind::Other),
        any::<u32>().prop_map(EntryKind::Failed),
    ];
    (bytes(), kind, any::<(u32, u32, u32)>()).prop_map(|(path, kind, (mode, uid, gid))| Entry {
        path,
        kind,
        mode,
        uid,
        gid,
    })
}

fn answer() -> impl Strategy<Value = Answer> {
    let error = (bytes(), any::<u32>(), bytes()).prop_map(|(path, errno, message)| PathError { path, errno, message });
    prop_oneof![
        any::<u32>().prop_map(|agent| Answer::Welcome { agent }),
        (any::<(u8, u16)>(), bytes(), bytes()).prop_map(|((reason, version), build, message)| Answer::Refused {
            reason,
            version,
            build,
            message
        }),
        (any::<(u32, u64)>(), proptest::collection::vec(error, 0..4))
            .prop_map(|((done, micros), errors)| Answer::Applied { done, micros, errors }),
        any::<(u32, u32, u64, u64, bool)>().prop_map(|(old, new, stopped, started, killed)| Answer::Restarted {
            old,
            new,
            stopped,
            started,
            killed
        }),
        Just(Answer::Done),
        any::<u8>().prop_map(|code| Answer::Over { code }),
        (any::<u8>(), bytes()).prop_map(|(stream, data)| Answer::Output { stream, data }),
        any::<(u8, u64)>().prop_map(|(code, micros)| Answer::Exited { code, micros }),
        any::<(u32, u32, u32, u64, u32, u32)>().prop_map(|(pid, agent, restarts, uptime, uid, gid)| Answer::Status(
            StatusReport { phase: Phase::Restarting, pid, agent, restarts, uptime, uid, gid }
        )),
        (any::<bool>(), proptest::collection::vec(entry(), 0..4))
            .prop_map(|(more, entries)| Answer::Entries { more, entries }),
        any::<(u32, u32)>().prop_map(|(uid, gid)| Answer::Owner { uid, gid }),
        (any::<u32>(), bytes()).prop_map(|(errno, message)| Answer::Failed { errno, message }),
    ]
}

proptest! {
    #[test]
    fn requests_are_read_as_they_were_written(request in request()) {
        prop_assert_eq!(Request::decode(request.kind(), &request.encode()), Ok(request));
    }

    #[test]
    fn answers_are_read_as_they_were_written(answer in answer()) {
        prop_assert_eq!(Answer::decode(answer.kind(), &answer.encode()), Ok(answer));
    }

    #[test]
    fn a_message_that_is_cut_off_or_has_a_tail_is_refused(request in request(), answer in answer()) {
        let whole = request.encode();
        // A batch may end after any of its steps.
        if !matches!(request, Request::Apply { .. }) {
            for length in 0..whole.len() {
                prop_assert_eq!(Request::decode(request.kind(), &whole[..length]), Err(DecodeError));
            }
        }
        if !matches!(request, Request::Hello { .. } | Request::Apply { .. }) {
            prop_assert_eq!(Request::decode(request.kind(), &[&whole[..], &[0]].concat()), Err(DecodeError));
        }
        let whole = answer.encode();
        for length in 0..whole.len() {
            prop_assert_eq!(Answer::decode(answer.kind(), &whole[..length]), Err(DecodeError));
        }
        if !matches!(answer, Answer::Refused { .. }) {
            prop_assert_eq!(Answer::decode(answer.kind(), &[&whole[..], &[0]].concat()), Err(DecodeError));
        }
    }

    #[test]
    fn any_bytes_at_all_are_read_or_refused(kind in any::<u8>(), message in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Request::decode(kind, &message);
        let _ = Answer::decode(kind, &message);
    }

    #[test]
    fn frames_come_out_whole_however_the_stream_is_cut(
        frames in proptest::collection::vec((any::<u8>(), any::<u32>(), bytes()), 0..6),
        cuts in proptest::collection::vec(1..20usize, 1..20),
    ) {
        let mut stream = Vec::new();
        for (kind, id, message) in &frames {
            encode_frame(&mut stream, *kind, *id, message);
        }
        let (mut reader, mut got, mut rest) = (FrameReader::default(), Vec::new(), &stream[..]);
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            reader.push(now);
            rest = later;
            while let Some((kind, id, message)) = reader.next_frame().unwrap() {
                got.push((kind, id, message.to_vec()));
            }
        }
        prop_assert_eq!(got, frames);
        prop_assert!(!reader.is_partial());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_batch_is_cut_into_frames_that_fit_and_come_together_again(
        sizes in proptest::collection::vec(prop_oneof![0..10usize, CHUNK - 2..CHUNK + 3, 1..4 * CHUNK], 0..9)
    ) {
        let content = |size: usize| (0..size).map(|n| n.to_le_bytes()[0]).collect::<Vec<u8>>();
        let meta = Meta { mode: 0, uid: 0, gid: 0, mtime: None };
        let ops = sizes.iter().map(|size| Op::Write { path: b"p".to_vec(), meta, data: content(*size), last: true });
        let frames = encode_apply(ops);
        let (mut files, count) = (Vec::new(), frames.len());
        for (index, message) in frames.iter().enumerate() {
            prop_assert!(message.len() + 5 <= MAX_FRAME);
            let Ok(Request::Apply { more, ops }) = Request::decode(2, message) else { panic!("no batch") };
            prop_assert_eq!(more, index + 1 < count);
            for op in ops {
                match op {
                    Op::Write { data, last, .. } => files.push((data, last)),
                    Op::Append { data, last } => {
                        let (file, done) = files.last_mut().unwrap();
                        prop_assert!(!*done);
                        file.extend(data);
                        *done = last;
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        prop_assert_eq!(files, sizes.iter().map(|size| (content(*size), true)).collect::<Vec<_>>());
    }
}

#[test]
fn lengths_that_no_frame_has_end_the_stream() {
    for length in [0, 4, u32::try_from(MAX_FRAME).unwrap() + 1, u32::MAX] {
        let mut reader = FrameReader::default();
        reader.push(&length.to_le_bytes());
        assert_eq!(reader.next_frame(), Err(FrameError::Length(length)));
    }
    let mut reader = FrameReader::default();
    reader.push(&u32::try_from(MAX_FRAME).unwrap().to_le_bytes());
    assert_eq!(reader.next_frame(), Ok(None), "the longest is waited for");
    assert!(reader.is_partial());
}

#[test]
fn a_count_alone_reserves_nothing() {
    let four_billion = [0xff; 4];
    assert_eq!(Decoder(&four_billion).list(), Err(DecodeError));
    assert_eq!(Decoder(&four_billion).bytes(), Err(DecodeError));
    let mut entries = vec![0];
    entries.extend(four_billion);
    assert_eq!(Answer::decode(73, &entries), Err(DecodeError));
}

#[test]
fn a_later_version_can_say_more_and_still_be_refused() {
    let mut hello = Request::Hello { version: 99, build: b"later".to_vec() }.encode();
    hello.extend(b"whatever it adds");
    assert_eq!(Request::decode(1, &hello), Ok(Request::Hello { version: 99, build: b"later".to_vec() }));
}

#[test]
fn a_batch_of_nothing_is_one_frame() {
    assert_eq!(encode_apply([]), [vec![0]]);
}
