//! Durations, byte sizes, ports, volumes, command lines and plain YAML scalars.

#![no_main]

use hob_fuzz::model::{ByteSize, Interval};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(interval) = text.parse::<Interval>() {
        assert_eq!(interval.to_string().parse(), Ok(interval));
    }
    if let Ok(size) = text.parse::<ByteSize>() {
        assert_eq!(size.to_string().parse(), Ok(size));
    }
    hob_fuzz::manifest::fuzzing::short_forms(text);
});
