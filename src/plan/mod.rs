//! Room `plan`.

pub mod debounce;
