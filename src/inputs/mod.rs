//! Room `inputs`.
