//! Room `scaffold`.
