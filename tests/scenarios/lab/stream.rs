//! Holds a JSON stream of events to its published schema.

use std::sync::OnceLock;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

fn schema() -> &'static (Schemas, SchemaIndex) {
    static SCHEMA: OnceLock<(Schemas, SchemaIndex)> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut compiler = Compiler::new();
        compiler.add_resource("events.json", hob::for_tests::event::json_schema()).expect("the schema is JSON");
        let mut schemas = Schemas::new();
        let index = compiler.compile("events.json", &mut schemas).expect("the schema is one");
        (schemas, index)
    })
}

/// Checks every line that is an event.
#[track_caller]
pub fn check(lines: &[String]) {
    let (schemas, index) = schema();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("{\"type\":")) {
        let event = match serde_json::from_str::<Value>(line) {
            Ok(event) => event,
            // A hob that was killed may have written half of its last line.
            Err(_) if at + 1 == lines.len() => continue,
            Err(error) => panic!("not JSON: {line}\n{error}"),
        };
        if let Err(error) = schemas.validate(&event, *index) {
            panic!("not as schema/events.schema.json has it: {line}\n{error:#}");
        }
    }
}
