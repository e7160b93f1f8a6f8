//! Facts with their sentences.

use std::fmt;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

/// A fact as an object, with its sentence beside it.
#[derive(Serialize, JsonSchema)]
pub(super) struct Told<T> {
    #[serde(flatten)]
    fact: T,
    /// The sentence.
    text: String,
}

pub(super) fn with_text<T: Serialize + fmt::Display, S: Serializer>(
    fact: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    Told { fact, text: fact.to_string() }.serialize(serializer)
}

/// For a fact that is left out where there is none.
#[allow(clippy::ref_option, reason = "serde hands over what the field holds")]
pub(super) fn with_text_if_any<T: Serialize + fmt::Display, S: Serializer>(
    fact: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match fact {
        Some(fact) => with_text(fact, serializer),
        None => serializer.serialize_none(),
    }
}
