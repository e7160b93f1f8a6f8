//! Output of programs and logs of engines, cut into chunks and into lines.

#![no_main]

use hob_fuzz::splitter::{LONGEST, Line, Splitter};
use libfuzzer_sys::fuzz_target;

fn lines(mut splitter: Splitter, output: &[u8], chunk: usize) -> Vec<Line> {
    let mut lines: Vec<Line> = output.chunks(chunk).flat_map(|chunk| splitter.push(chunk)).collect();
    lines.extend(splitter.finish());
    lines
}

fuzz_target!(|data: &[u8]| {
    let [size, repeat, text @ ..] = data else { return };
    // Long lines are what a small input cannot hold; three of the longest are enough.
    let most = 1 + 3 * LONGEST / text.len().max(1);
    let output = text.repeat((1 + usize::from(*repeat) * 64).min(most));
    let chunk = 1 + usize::from(*size) * 16;
    let whole = lines(Splitter::plain(), &output, output.len().max(1));
    assert_eq!(whole, lines(Splitter::plain(), &output, chunk), "chunks make a difference");
    // A byte that is no text is shown as a character of three.
    assert!(whole.iter().all(|line| line.text.len() <= 3 * LONGEST), "a line without an end");
    let kept = |bytes: &[u8]| bytes.iter().filter(|byte| !matches!(byte, b'\r' | b'\n')).count();
    if let Ok(text) = std::str::from_utf8(&output) {
        let shown: usize = whole.iter().map(|line| kept(line.text.as_bytes())).sum();
        assert_eq!(shown, kept(text.as_bytes()), "something was lost");
    }
    for line in lines(Splitter::stamped(), &output, chunk) {
        assert!(line.text.len() <= 3 * LONGEST, "a line without an end");
    }
});
