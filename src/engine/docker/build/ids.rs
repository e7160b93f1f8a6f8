//! Ids of what a build makes: sessions, files that are being written.

use std::hash::{BuildHasher as _, RandomState};

use crate::model::Digest;

/// An id that nothing else has.
pub(super) fn new_id() -> String {
    let mut text = String::new();
    for part in 0..4_u8 {
        use std::fmt::Write as _;
        // Each `RandomState` is seeded by the operating system's randomness and a counter.
        let _ = write!(text, "{:x}", RandomState::new().hash_one((part, std::process::id())));
    }
    Digest::of(text.as_bytes()).as_str()[..25].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ() {
        assert_ne!(new_id(), new_id());
        assert_eq!(new_id().len(), 25);
    }
}
