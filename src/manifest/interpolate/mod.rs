//! Variables: the templates that texts may be, and the pass that puts values in.

pub mod template;
pub mod values;
pub mod variables;
