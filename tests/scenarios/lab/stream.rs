//! Holds a JSON stream of events to its published schema.

use std::sync::OnceLock;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

fn schema() -> &'static (Schemas, SchemaIndex) {
    static SCHEMA: OnceLock<(Schemas, SchemaIndex)> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut compiler = Compiler::new();
        compiler.add_resource("events.json", hob::event::json_schema()).expect("the schema is JSON");
        let mut schemas = Schemas::new();
        let index = compiler.compile("events.json", &mut schemas).expect("the schema is one");
        (schemas, index)
    })
}

/// Checks every line that is an event.
#[track_caller]
pub fn check(lines: &[String]) {
    let (schemas, index) = schema();
    for line in lines.iter().filter(|line| line.starts_with("{\"type\":")) {
        let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
        if let Err(error) = schemas.validate(&event, *index) {
            panic!("not as schema/events.schema.json has it: {line}\n{error:#}");
        }
    }
}
