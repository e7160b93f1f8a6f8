//! What all parts of the canonical form share.

use indexmap::IndexMap;
use serde_json::Value;

/// `x-` keys, kept as written.
pub type Extensions = IndexMap<String, Value>;

/// Keys that are false are left out.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(super) fn is_false(value: &bool) -> bool {
    !value
}
