//! Variables in text.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let values: BTreeMap<String, String> = [("A", "a"), ("E", ""), ("long_name", "$x")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    if let Ok(out) = hob_fuzz::manifest::fuzzing::interpolate(text, &values) {
        // A value is put in at most once for each character of the template.
        assert!(out.len() <= text.len() * 2 + 2);
        if !text.contains('$') {
            assert_eq!(out, text);
        }
    }
});
