//! `hob version`.

use serde_json::json;

use crate::event::{Event, Sink};

use super::args::{VersionArgs, VersionFormat};
use super::invocation::{COMPOSE_VERSION, Name};
use super::usage;

/// Prints the version: under Docker Compose's name that of the release whose surface hob has, which others compare.
pub fn run(name: Name, args: &VersionArgs, sink: &dyn Sink) {
    let text = match name {
        Name::Hob => text(args, &format!("hob version {HOB}"), HOB),
        Name::Compose => text(args, &usage::version(), COMPOSE_VERSION),
    };
    sink.emit(Event::Output { text });
}

const HOB: &str = env!("CARGO_PKG_VERSION");

fn text(args: &VersionArgs, pretty: &str, version: &str) -> String {
    match args.format {
        _ if args.short => version.to_owned(),
        VersionFormat::Pretty => pretty.to_owned(),
        VersionFormat::Json => json!({ "version": version }).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_ways_to_say_it() {
        let args = |short, format| VersionArgs { short, format };
        let text = |args| text(&args, "hob version 1.2.3", "1.2.3");
        assert_eq!(text(args(false, VersionFormat::Pretty)), "hob version 1.2.3");
        assert_eq!(text(args(false, VersionFormat::Json)), r#"{"version":"1.2.3"}"#);
        assert_eq!(text(args(true, VersionFormat::Json)), "1.2.3");
    }
}
