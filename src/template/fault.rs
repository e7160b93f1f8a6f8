//! What is wrong with a template, at a byte of its source.

/// An error at a byte of the source.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub at: usize,
    pub message: String,
}

impl Fault {
    pub fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}
