//! Room `manifest`.
