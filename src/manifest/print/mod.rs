//! What is made for people and editors: a project as Docker Compose prints it, where a value came from, the JSON Schema.

pub mod canonical;
pub mod emit;
pub mod explain;
pub mod schema;
