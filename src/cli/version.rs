//! `hob version`.

use serde_json::json;

use crate::event::{Event, Sink};

use super::args::{VersionArgs, VersionFormat};

/// Prints hob's version.
pub fn run(args: &VersionArgs, sink: &dyn Sink) {
    sink.emit(Event::Output { text: text(args, env!("CARGO_PKG_VERSION")) });
}

fn text(args: &VersionArgs, version: &str) -> String {
    match args.format {
        _ if args.short => version.to_owned(),
        VersionFormat::Pretty => format!("hob version {version}"),
        VersionFormat::Json => json!({ "version": version }).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_ways_to_say_it() {
        let args = |short, format| VersionArgs { short, format };
        assert_eq!(text(&args(false, VersionFormat::Pretty), "1.2.3"), "hob version 1.2.3");
        assert_eq!(text(&args(false, VersionFormat::Json), "1.2.3"), r#"{"version":"1.2.3"}"#);
        assert_eq!(text(&args(true, VersionFormat::Json), "1.2.3"), "1.2.3");
    }
}
