//! Dockerfiles, and variables in their words.

#![no_main]

use hob_fuzz::inputs::dockerfile::expand::{Quotes, expand, split_words};
use hob_fuzz::inputs::dockerfile::{Value, Variables, parse};
use libfuzzer_sys::fuzz_target;

struct Fixed;

impl Variables for Fixed {
    fn get(&self, name: &str) -> Option<Value> {
        match name {
            "A" => Some(Value::Known("a/b.tar.gz".to_owned())),
            "L" => Some(Value::Known("ab".repeat(2_000))),
            "E" => Some(Value::Known(String::new())),
            "U" => Some(Value::Unknown),
            _ => None,
        }
    }
}

fuzz_target!(|text: &str| {
    for escape in ['\\', '`'] {
        if let Ok(expanded) = expand(text, escape, &Fixed) {
            assert!(expanded.text.len() <= text.len() * 4 + (2 << 20));
        }
    }
    let _ = split_words(text, Quotes::Kept);
    let _ = split_words(text, Quotes::Removed);
    let _ = parse(text);
});
