//! What an agent answers: frames in whatever pieces, and the messages in them.

#![no_main]

use hob_fuzz::protocol::{Answer, FrameReader, MAX_FRAME, Request, encode_frame};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let mut frames = FrameReader::default();
    for piece in bytes.chunks(usize::from(size).max(1)) {
        frames.push(piece);
        loop {
            match frames.next_frame() {
                Ok(Some((kind, id, message))) => {
                    if let Ok(answer) = Answer::decode(kind, message) {
                        again(id, &answer);
                    }
                    // The agent reads the same frames.
                    let _ = Request::decode(kind, message);
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
        frames.shrink();
    }
});

/// What is understood is understood in the same way when it is said again.
fn again(id: u32, answer: &Answer) {
    let message = answer.encode();
    if message.len() + 5 > MAX_FRAME {
        return;
    }
    let mut out = Vec::new();
    encode_frame(&mut out, answer.kind(), id, &message);
    let mut frames = FrameReader::default();
    frames.push(&out);
    let (kind, again, message) = frames.next_frame().expect("a frame").expect("a whole one");
    assert_eq!((kind, again), (answer.kind(), id));
    assert_eq!(&Answer::decode(kind, message).expect("an answer"), answer);
    assert!(!frames.is_partial());
}
