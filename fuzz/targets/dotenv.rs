//! `.env` files in both formats.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    hob_fuzz::manifest::fuzzing::dotenv(text);
});
