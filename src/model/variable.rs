//! Variables that stand for options.

/// Whether a variable of Compose's is on, in its spellings: `yes` and `on` are none, and what removes containers must
/// not be more ready to do so.
pub fn is_on(value: &str) -> bool {
    matches!(value.trim().to_ascii_lowercase().as_str(), "1" | "t" | "true" | "y")
}
