//! The event stream of an engine, in whatever pieces: the pieces make no difference, and nothing without an end is kept.

#![no_main]

use hob_fuzz::told::{Tale, Told, TooLong};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let whole = read(&[bytes]);
    let pieces: Vec<&[u8]> = bytes.chunks(usize::from(size).max(1)).collect();
    assert_eq!(read(&pieces), whole);
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
    assert!(whole.len() <= lines);
});

fn read(pieces: &[&[u8]]) -> Vec<Result<Told, TooLong>> {
    let (mut tale, mut all) = (Tale::default(), Vec::new());
    for piece in pieces {
        tale.push(piece);
        while let Some(told) = tale.next_event() {
            let ended = told.is_err();
            all.push(told);
            if ended {
                return all;
            }
        }
    }
    all
}
